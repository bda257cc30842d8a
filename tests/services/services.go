// Package services starts what the end-to-end tests need: the compiled binary with
// a shipped config, and the real servers behind it. What the tests download is
// kept in a folder of the user's cache.
//
// HOOKSWITCH_TEST_KAFKA (brokers) and HOOKSWITCH_TEST_S3 (URL, with the credentials
// in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) point at servers that exist, and
// HOOKSWITCH_TEST_BINARY at a binary that is built.
package services

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/folders"
)

// patience bounds every wait for something that has to happen.
const patience = 2 * time.Minute

var (
	root    string   // of the repository
	scratch string   // removed at the end
	binary  string   // the compiled distribution
	atEnd   []func() // stops what tests share
)

// Run compiles the distribution and runs the tests of a package. It is the body of
// TestMain.
func Run(m *testing.M) int {
	err := errors.Join(folders.LeaveMemory(), prepare())
	defer func() {
		for _, stop := range atEnd {
			stop()
		}
		_ = os.RemoveAll(scratch)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Tests that are parallel wait for outages and deadlines rather than compute, so
	// more of them run than there are cores, unless -parallel says otherwise.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func prepare() (err error) {
	if root, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	if scratch, err = os.MkdirTemp("", "hookswitch-test-"); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	if binary = os.Getenv("HOOKSWITCH_TEST_BINARY"); binary != "" {
		return nil
	}
	return compile()
}

// Binary returns the path of the compiled distribution.
func Binary() string {
	track()
	return binary
}

// track looks at what the binary is made of and run with, in the eyes of go test:
// it takes the last result of a test again unless something has changed that the
// test itself has looked at, and it does not see what go build reads.
var track = sync.OnceFunc(func() {
	_ = os.Getenv("HOOKSWITCH_TEST_BINARY")
	for _, path := range []string{"cmd", "configs", "plugins", "go.mod"} {
		_ = filepath.WalkDir(filepath.Join(root, path), func(string, fs.DirEntry, error) error { return nil })
	}
})

// compile compiles the distribution to a path that all test packages of a checkout
// share: go build leaves the file alone while it is up to date, so only the first
// package links it. The flags are those of go build and go run without any, so what
// a user has compiled already is not compiled again.
func compile() error {
	dir, err := folders.Cache()
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, fmt.Sprintf("binary-%x", sha256.Sum256([]byte(root)))[:24])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making a folder for the binary: %w", err)
	}
	// One package at a time: two that begin together on a fresh machine would both
	// compile everything.
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return fmt.Errorf("locking the binary: %w", err)
	}
	defer lock.Close() // which unlocks it
	say("compiling the distribution, or waiting until another package has")
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking the binary: %w", err)
	}
	binary = filepath.Join(dir, "hookswitch")
	return build(binary, "./cmd/hookswitch")
}

func build(path, program string) error {
	cmd := exec.Command("go", "build", "-o", path, program)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling %s: %w\n%s", program, err, out)
	}
	return nil
}

// Compile compiles another program of the repository, given by its folder, and
// returns its path.
func Compile(t testing.TB, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(program))
	require.NoError(t, build(path, "./"+program))
	return path
}

// say tells who waits for the tests what takes its time.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05")+" "+format+"\n", args...)
}

// Missing skips a test that lacks the means. Where there is no excuse, in CI, it
// fails.
func Missing(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: %v", what, err)
	}
	say("SKIPPING %s: %s: %v", t.Name(), what, err)
	t.Skipf("%s: %v", what, err)
}

// cache returns the path of something that is downloaded or built once, which fill
// puts at the path that it is given.
func cache(name string, fill func(path string) error) (string, error) {
	dir, err := folders.Cache()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache: %w", err)
	}
	// Whole or not at all, also where two runs make it at the same time.
	tmp, err := os.MkdirTemp(dir, "making-")
	if err != nil {
		return "", fmt.Errorf("making the cache: %w", err)
	}
	defer os.RemoveAll(tmp)
	made := filepath.Join(tmp, "made")
	if err := fill(made); err != nil {
		return "", err
	}
	if err := os.Rename(made, path); err != nil {
		if _, other := os.Stat(path); other != nil {
			return "", fmt.Errorf("filling the cache: %w", err)
		}
	}
	return path, nil
}

// command runs a command to its end.
func command(env []string, name string, args ...string) error {
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("finding %s: %w", name, err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = scratch
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s: %w\n%s", name, err, tail(out))
	}
	return nil
}

// handedOut are the addresses that freeAddress has returned: the kernel may name one
// again that nobody listens on yet.
var handedOut sync.Map

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress() (string, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("finding a free port: %w", err)
		}
		address := l.Addr().String()
		if err := l.Close(); err != nil {
			return "", fmt.Errorf("finding a free port: %w", err)
		}
		if _, again := handedOut.LoadOrStore(address, struct{}{}); !again {
			return address, nil
		}
	}
}

// FreeAddress returns an address of this machine that nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, err := freeAddress()
	require.NoError(t, err)
	return address
}

// Eventually waits for what has to become true.
func Eventually(t testing.TB, holds func() bool, format string, args ...any) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting until "+format, args...)
		}
	}
}

// process is a program that runs until it is stopped.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// start starts a program whose output goes to two files.
func start(cmd *exec.Cmd, stdout, stderr string) (*process, error) {
	files := make([]*os.File, 2)
	for i, path := range []string{stdout, stderr} {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return nil, fmt.Errorf("opening output of %s: %w", cmd.Path, err)
		}
		defer f.Close()
		files[i] = f
	}
	cmd.Stdout, cmd.Stderr = files[0], files[1]
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	p := &process{cmd, make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop asks a program to stop, and kills it if it does not.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// await waits until an address is listened on.
func (p *process) await(address string) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !p.running() {
			return fmt.Errorf("waiting for %s to listen on %s: it has ended with %s", p.cmd.Path, address, p.cmd.ProcessState)
		}
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return nil
		}
	}
	return fmt.Errorf("waiting for %s to listen on %s: it does not", p.cmd.Path, address)
}

// tail returns the end of a text that is too long to read.
func tail(text []byte) string {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	if len(lines) > 30 {
		lines = lines[len(lines)-30:]
	}
	for i, line := range lines {
		lines[i] = line[:min(len(line), 300)]
	}
	return strings.Join(lines, "\n")
}

func tailOf(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return tail(text)
}
