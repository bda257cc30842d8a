package lines

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/connect/v4/public/components/io"
	_ "github.com/redpanda-data/connect/v4/public/components/pure"
)

// start runs a stream into an output, and returns what delivers a message to it:
// the error is the output's refusal.
func start(t *testing.T, output string) func(string) error {
	t.Helper()
	env := service.NewEnvironment()
	require.NoError(t, Register(env))
	builder := env.NewStreamBuilder()
	require.NoError(t, builder.SetYAML("http: { enabled: false }\nlogger: { level: OFF }\noutput:\n  "+output+"\n"))
	deliver, err := builder.AddProducerFunc()
	require.NoError(t, err)
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		require.NoError(t, stream.StopWithin(time.Minute))
		require.NoError(t, <-ended)
	})
	return func(body string) error {
		return deliver(t.Context(), service.NewMessage([]byte(body)))
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// fill lets files of this process grow no further than so many bytes, as on a full
// disk, and returns what makes room again.
func fill(t *testing.T, size uint64) (free func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // the write fails, and the process goes on
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	free = func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) }
	t.Cleanup(free)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}))
	return free
}

// What is acknowledged is whole, whatever a full disk has left before it: half of a
// message, the message without its end, or nothing.
func TestFullDisk(t *testing.T) {
	for _, output := range []string{"file", "stdout"} {
		for name, test := range map[string]struct {
			size uint64
			want string
		}{
			"half of a message": {12, "{\"n\":1}\n{\"n\"\n{\"n\":3}\n{\"n\":4}\n"},
			"all but its end":   {15, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n"},
			"nothing":           {8, "{\"n\":1}\n{\"n\":3}\n{\"n\":4}\n"},
		} {
			t.Run(output+"/"+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "events.jsonl")
				config := "file: { path: " + path + " }"
				if output == "stdout" {
					file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600) // as a shell's > does
					require.NoError(t, err)
					stdout := os.Stdout
					os.Stdout = file
					t.Cleanup(func() { os.Stdout = stdout; file.Close() })
					config = "stdout: {}"
				}
				deliver := start(t, config)
				require.NoError(t, deliver(`{"n":1}`))
				free := fill(t, test.size)
				require.ErrorIs(t, deliver(`{"n":2}`), syscall.EFBIG)
				require.ErrorIs(t, deliver(`{"n":2}`), syscall.EFBIG, "it stays refused")
				free()
				require.NoError(t, deliver(`{"n":3}`))
				require.NoError(t, deliver(`{"n":4}`))
				require.Equal(t, test.want, read(t, path))
			})
		}
	}
}

// A process that ended within a message leaves a file whose end is no line.
func TestTornFile(t *testing.T) {
	for before, want := range map[string]string{
		"":               "b\n",
		"a\n":            "a\nb\n",
		"a\n{\"half\": ": "a\n{\"half\": \nb\n",
	} {
		path := filepath.Join(t.TempDir(), "events.jsonl")
		require.NoError(t, os.WriteFile(path, []byte(before), 0o600))
		require.NoError(t, start(t, "file: { path: "+path+" }")("b"))
		require.Equal(t, want, read(t, path))
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	deliver := start(t, "file: { path: "+path+" }")
	require.NoError(t, deliver("a"))
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, deliver("b"))
	require.NoError(t, deliver("c"))
	require.Equal(t, "a\n", read(t, path+".1"))
	require.Equal(t, "b\nc\n", read(t, path))
	require.NoError(t, os.Remove(path))
	require.NoError(t, deliver("d"))
	require.Equal(t, "d\n", read(t, path))
	require.NoError(t, os.Truncate(path, 0)) // copytruncate
	require.NoError(t, deliver("e"))
	require.Equal(t, "e\n", read(t, path))
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	deliver := start(t, `file: { path: '`+dir+`/${! content().slice(0, 1) }/events.jsonl' }`)
	for _, body := range []string{"a1", "a2", "b1", "a3"} {
		require.NoError(t, deliver(body))
	}
	require.Equal(t, "a1\na2\na3\n", read(t, filepath.Join(dir, "a", "events.jsonl")))
	require.Equal(t, "b1\n", read(t, filepath.Join(dir, "b", "events.jsonl")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c"), nil, 0o600))
	require.Error(t, deliver("c1"), "its folder is a file")
	require.NoError(t, deliver("b2"))
	require.Equal(t, "b1\nb2\n", read(t, filepath.Join(dir, "b", "events.jsonl")))
}

func TestCodecs(t *testing.T) {
	for codec, want := range map[string]string{
		"lines":      "a\nb\nc\n",
		"append":     "ab\nc",
		"'delim:--'": "a--b\n--c--",
		"'delim:\n'": "a\nb\nc\n",
		"all-bytes":  "c",
	} {
		path := filepath.Join(t.TempDir(), "folder", "events")
		deliver := start(t, "file: { path: "+path+", codec: "+strings.ReplaceAll(codec, "\n", "\n\n    ")+" }")
		for _, body := range []string{"a", "b\n", "c"} {
			require.NoError(t, deliver(body), codec)
		}
		require.Equal(t, want, read(t, path), codec)
	}
}

func TestCodecsAreChecked(t *testing.T) {
	env := service.NewEnvironment()
	require.NoError(t, Register(env))
	for output, fine := range map[string]bool{
		"file: { path: x, codec: lines }":      true,
		"file: { path: x, codec: all-bytes }":  true,
		`file: { path: x, codec: "delim:\t" }`: true,
		"file: { path: x, codec: line }":       false,
		"file: { path: x, codec: 'delim:' }":   false,
		"stdout: { codec: append }":            true,
		"stdout: { codec: delim }":             false,
	} {
		builder := env.NewStreamBuilder()
		err := builder.AddOutputYAML(output)
		if !fine {
			require.ErrorContains(t, err, "expected lines, append, ", output)
			continue
		}
		require.NoError(t, err, output)
	}
}
