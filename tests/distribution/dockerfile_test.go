package distribution

import (
	"bufio"
	"debug/elf"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// dockerfile holds the instructions of the Dockerfile in their order.
type dockerfile []instruction

type instruction struct{ name, args string }

func readDockerfile() (dockerfile, error) {
	f, err := os.Open(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var (
		file dockerfile
		line string
	)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		line += text
		if rest, goesOn := strings.CutSuffix(line, `\`); goesOn {
			line = rest
			continue
		}
		name, args, _ := strings.Cut(line, " ")
		file = append(file, instruction{strings.ToUpper(name), strings.TrimSpace(args)})
		line = ""
	}
	return file, lines.Err()
}

// all returns the arguments of every instruction of that name.
func (f dockerfile) all(name string) []string {
	var args []string
	for _, i := range f {
		if i.name == name {
			args = append(args, i.args)
		}
	}
	return args
}

// one returns the arguments of the only instruction of that name.
func (f dockerfile) one(t *testing.T, name string) string {
	t.Helper()
	args := f.all(name)
	require.Len(t, args, 1, name)
	return args[0]
}

// command returns the words of a command of the image, which has no shell, with the
// image's configs replaced by those of the repository.
func command(t *testing.T, text string) []string {
	t.Helper()
	var words []string
	require.NoError(t, json.Unmarshal([]byte(text), &words), "expected a list of words: %s", text)
	for i, word := range words {
		if rest, ok := strings.CutPrefix(word, "/configs/"); ok {
			path, err := filepath.Abs(filepath.Join(root, "configs", rest))
			require.NoError(t, err)
			words[i] = path
		}
	}
	return words
}

func TestDockerfile(t *testing.T) {
	file, err := readDockerfile()
	require.NoError(t, err)

	t.Run("the binary is static", func(t *testing.T) {
		require.Contains(t, strings.Join(file.all("RUN"), "\n"), "CGO_ENABLED=0 go build ")
		if setting(build(t), "CGO_ENABLED") != "0" {
			services.Missing(t, "a binary with the image's flags", errors.New("expected one that is built with CGO_ENABLED=0"))
		}
		f, err := elf.Open(services.Binary())
		require.NoError(t, err)
		defer f.Close()
		for _, p := range f.Progs {
			require.NotEqual(t, elf.PT_INTERP, p.Type, "it needs a dynamic linker")
		}
		libraries, err := f.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries)
	})

	t.Run("what it copies is there", func(t *testing.T) {
		made := strings.Fields(strings.Join(file.all("RUN"), " "))
		for _, args := range file.all("COPY") {
			words := strings.Fields(args)
			fromBuild := false
			for strings.HasPrefix(words[0], "--") {
				fromBuild = fromBuild || words[0] == "--from=build"
				words = words[1:]
			}
			for _, source := range words[:len(words)-1] {
				switch {
				case strings.HasPrefix(source, "/out"):
					require.Contains(t, made, source, args)
				case !fromBuild:
					_, err := os.Stat(filepath.Join(root, source))
					require.NoError(t, err, args)
				}
			}
		}
	})

	// .ci/run runs the lines that build, which take minutes, and the tests with what
	// they have built.
	t.Run("it takes build tags", func(t *testing.T) {
		require.Equal(t, []string{"TAGS="}, file.all("ARG"))
		require.Contains(t, strings.Join(file.all("RUN"), "\n"), `go build -tags "$TAGS" `)
	})

	t.Run("nobody is root", func(t *testing.T) {
		require.Regexp(t, `^[1-9][0-9]*:[1-9][0-9]*$`, file.one(t, "USER"))
	})

	// Docker gives a new volume the owner that the folder has where VOLUME stands.
	t.Run("the spool is in a volume that the user owns", func(t *testing.T) {
		volume := file.one(t, "VOLUME")
		copied := slices.IndexFunc(file, func(i instruction) bool {
			return i.name == "COPY" && strings.HasPrefix(i.args, "--from=build --chown="+file.one(t, "USER")+" ") && strings.HasSuffix(i.args, " "+volume)
		})
		require.GreaterOrEqual(t, copied, 0, "the folder of the volume is not the user's")
		require.Greater(t, slices.Index(file, instruction{"VOLUME", volume}), copied)
		directories := file.all("WORKDIR")
		require.Equal(t, volume, directories[len(directories)-1], "dead letters have relative paths")
		require.Contains(t, file.all("ENV"), "HOOKSWITCH_SPOOL_DIR="+volume+"/spool")
	})

	t.Run("it serves and is healthy", func(t *testing.T) {
		require.Contains(t, file.all("ENV"), "HOOKSWITCH_ADDRESS=0.0.0.0:8080")
		require.Equal(t, []string{"/hookswitch"}, command(t, file.one(t, "ENTRYPOINT")))
		_, check, ok := strings.Cut(file.one(t, "HEALTHCHECK"), "CMD ")
		require.True(t, ok)
		health := command(t, check)
		require.Equal(t, "/hookswitch", health[0])

		deliveries, admin := services.FreeAddress(t), services.FreeAddress(t)
		t.Setenv("HOOKSWITCH_ADMIN_ADDRESS", admin)
		_, stderr, err := run(t, health[1:]...)
		require.Error(t, err, "nothing runs yet")
		require.Contains(t, stderr, admin)

		s := start(t, []string{"HOOKSWITCH_ADDRESS=" + deliveries}, command(t, file.one(t, "CMD"))...)
		s.listens(t, admin)
		mustRun(t, health[1:]...)
		mustRun(t, append(health[1:], "http://"+admin+"/ping")...)
		_, stderr, err = run(t, append(health[1:], "http://"+admin+"/nothing")...)
		require.Error(t, err)
		require.Contains(t, stderr, "404")
		s.eventually(t, "it takes deliveries", func() bool {
			code, err := get("http://" + deliveries + "/callrail/post_call")
			return err == nil && code == 405
		})
	})
}
