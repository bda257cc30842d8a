// Package distribution tests the binary as its users have it. .ci/run runs it again
// with the binary of the image, and with that of the build tag full.
package distribution

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// root is the repository.
const root = "../.."

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

// run runs the binary to its end, and returns what it wrote.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), services.Binary(), args...)
	var outText, errText bytes.Buffer
	cmd.Stdout, cmd.Stderr = &outText, &errText
	err = cmd.Run()
	return outText.String(), errText.String(), err
}

// mustRun runs the binary, which has to succeed.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := run(t, args...)
	require.NoError(t, err, "hookswitch %s\n%s%s", strings.Join(args, " "), stdout, stderr)
	return stdout
}

// write writes a config to a file of its own.
func write(t *testing.T, config string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	return path
}

// server is a running binary.
type server struct {
	cmd    *exec.Cmd
	output lockedBuffer
	exited chan struct{}
}

// lockedBuffer is written by the process while a test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start runs the binary until the test ends.
func start(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	s := &server{cmd: exec.Command(services.Binary(), args...), exited: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Dir = t.TempDir()
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	require.NoError(t, s.cmd.Start())
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // its output says why
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
		select {
		case <-s.exited:
		case <-time.After(30 * time.Second):
			_ = s.cmd.Process.Kill()
			<-s.exited
			t.Errorf("the binary did not stop:\n%s", s.output.String())
		}
	})
	return s
}

// kill ends the binary at once, where it would wait for an output that never comes.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// eventually waits until the check holds of the running binary.
func (s *server) eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !check() {
		select {
		case <-s.exited:
			require.FailNow(t, "the binary has stopped before "+what, s.output.String())
		case <-deadline:
			require.FailNow(t, "waited too long for "+what, s.output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// listens waits until the binary serves its admin endpoints at the address.
func (s *server) listens(t *testing.T, address string) {
	t.Helper()
	s.eventually(t, "it listens on "+address, func() bool {
		code, err := get("http://" + address + "/ping")
		return err == nil && code == http.StatusOK
	})
}

// get returns the status of an URL.
func get(url string) (int, error) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}
