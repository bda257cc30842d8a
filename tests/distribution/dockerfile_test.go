package distribution

import (
	"bufio"
	"debug/elf"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// dockerfile is its instructions, in their order.
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

// command returns a command without a shell, which the image does not have, as
// it is outside of the image.
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
		f, err := elf.Open(binary)
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
		for _, args := range file.all("COPY") {
			words := strings.Fields(args)
			fromBuild := false
			for strings.HasPrefix(words[0], "--") {
				fromBuild = fromBuild || words[0] == "--from=build"
				words = words[1:]
			}
			for _, source := range words[:len(words)-1] {
				switch made, ok := strings.CutPrefix(source, "/out"); {
				case ok:
					require.FileExists(t, binary)
					_, err := os.Stat(filepath.Join(out, made))
					require.NoError(t, err, args)
				case !fromBuild:
					_, err := os.Stat(filepath.Join(root, source))
					require.NoError(t, err, args)
				}
			}
		}
	})

	t.Run("nobody is root", func(t *testing.T) {
		require.Regexp(t, `^[1-9][0-9]*:[1-9][0-9]*$`, file.one(t, "USER"))
	})

	t.Run("it serves and is healthy", func(t *testing.T) {
		require.Equal(t, []string{"HOOKSWITCH_ADDRESS=0.0.0.0:8080"}, file.all("ENV"))
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
