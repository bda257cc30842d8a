package services

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Hookswitch is the distribution with one of the shipped configs.
type Hookswitch struct {
	URL string // of the door
	Dir string // it runs in: relative paths of the config are here

	config, address, admin string

	process *process
	client  *http.Client
}

// Start starts the distribution with a config of the configs folder, or one at an
// absolute path, and the variables that it needs.
func Start(t testing.TB, config string, env ...string) *Hookswitch {
	t.Helper()
	h := Launch(t, Binary(), config, env...)
	h.Await(t)
	return h
}

// Launch starts a program that has the engine's command line, as Start starts the
// distribution, and does not wait for it.
func Launch(t testing.TB, program, config string, env ...string) *Hookswitch {
	t.Helper()
	address, admin := FreeAddress(t), FreeAddress(t)
	h := &Hookswitch{URL: "http://" + address, Dir: t.TempDir(), config: configPath(config), address: address, admin: admin, client: &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	cmd := running(h.Dir, program, h.config, append([]string{"HOOKSWITCH_ADDRESS=" + address, "HOOKSWITCH_ADMIN_ADDRESS=" + admin}, env...))
	var err error
	h.process, err = start(cmd, h.path("stdout"), h.path("stderr"))
	require.NoError(t, err)
	t.Cleanup(func() {
		h.Stop()
		if t.Failed() {
			t.Logf("%s wrote to stdout:\n%s\nto stderr:\n%s", h.config, tailOf(h.path("stdout")), tailOf(h.path("stderr")))
		}
	})
	return h
}

// Await waits until the program listens.
func (h *Hookswitch) Await(t testing.TB) {
	t.Helper()
	require.NoError(t, h.process.await(h.admin))
	text, err := os.ReadFile(h.config)
	require.NoError(t, err)
	if bytes.Contains(text, []byte("http_server:")) || bytes.Contains(text, []byte("webhook:")) {
		require.NoError(t, h.process.await(h.address))
	}
}

func configPath(config string) string {
	if filepath.IsAbs(config) {
		return config
	}
	return filepath.Join(root, "configs", config)
}

// running runs a config with the variables, and no others of ours. Without any it
// serves every vendor unverified, and stops at once.
func running(dir, program, config string, env []string) *exec.Cmd {
	cmd := exec.Command(program, "run", config)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "HOOKSWITCH_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, "HOOKSWITCH_UNVERIFIED=true", "HOOKSWITCH_SHUTDOWN_DELAY=0s"), env...)
	return cmd
}

// Refused runs a config that must not start, with the variables, and returns what
// the distribution says.
func Refused(t testing.TB, config string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	stdout, stderr := filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr")
	env = append([]string{"HOOKSWITCH_ADDRESS=" + FreeAddress(t), "HOOKSWITCH_ADMIN_ADDRESS=" + FreeAddress(t)}, env...)
	p, err := start(running(dir, Binary(), configPath(config), env), stdout, stderr)
	require.NoError(t, err)
	t.Cleanup(p.stop)
	Eventually(t, func() bool { return !p.running() }, "the distribution refuses to start")
	require.Equal(t, 1, p.cmd.ProcessState.ExitCode())
	return tailOf(stdout) + tailOf(stderr)
}

func (h *Hookswitch) path(name string) string { return filepath.Join(h.Dir, name) }

// Stop asks it to stop and waits until it has.
func (h *Hookswitch) Stop() {
	h.client.CloseIdleConnections() // which a server waits for
	h.process.stop()
}

// Kill leaves it no time for anything.
func (h *Hookswitch) Kill() { h.process.kill() }

// Signal sends it a signal.
func (h *Hookswitch) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	require.NoError(t, h.process.cmd.Process.Signal(s))
}

// Running reports whether it has not ended.
func (h *Hookswitch) Running() bool { return h.process.running() }

// Exited waits until it has ended by itself, and returns its exit code.
func (h *Hookswitch) Exited(t testing.TB) int {
	t.Helper()
	Eventually(t, func() bool { return !h.process.running() }, "the distribution ends")
	return h.process.cmd.ProcessState.ExitCode()
}

// Lines returns the lines of a file in its folder, none if there is no file.
// "stdout" and "stderr" are what it has written there.
func (h *Hookswitch) Lines(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile(h.path(name))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// Metrics returns the page of all metrics.
func (h *Hookswitch) Metrics(t testing.TB) string {
	t.Helper()
	resp, err := h.client.Get("http://" + h.admin + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

// Metric returns the sum of a metric, whatever its labels.
func (h *Hookswitch) Metric(t testing.TB, name string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(h.Metrics(t)) {
		if rest, ok := strings.CutPrefix(line, name); ok && strings.ContainsAny(rest[:1], "{ ") {
			fields := strings.Fields(line)
			value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			require.NoError(t, err, line)
			sum += value
		}
	}
	return sum
}

// PeakResident returns how many bytes of memory the process has had at most. It skips a
// test where the system does not tell. When the process has ended, the figure is at
// least the memory of the process that started it, as Linux counts.
func (h *Hookswitch) PeakResident(t testing.TB) int64 {
	t.Helper()
	if !h.process.running() {
		usage, ok := h.process.cmd.ProcessState.SysUsage().(*syscall.Rusage)
		require.True(t, ok)
		return usage.Maxrss << 10
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.process.cmd.Process.Pid))
	if err != nil {
		Missing(t, "reading the memory of a process", err)
	}
	_, rest, found := strings.Cut(string(status), "\nVmHWM:")
	require.True(t, found, "%s", status)
	var kilobytes int64
	_, err = fmt.Sscanf(rest, "%d kB", &kilobytes)
	require.NoError(t, err)
	return kilobytes << 10
}

// Post posts a delivery and returns the status of the answer.
func (h *Hookswitch) Post(vendor, event, contentType string, body []byte) (int, error) {
	path := "/" + vendor
	if event != "" {
		path += "/" + url.PathEscape(event)
	}
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return h.Send(path, header, body)
}

// Send posts a body to a path and returns the status of the answer.
func (h *Hookswitch) Send(path string, header http.Header, body []byte) (int, error) {
	req, err := http.NewRequest(http.MethodPost, h.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("making a request: %w", err)
	}
	req.Header = header
	resp, err := h.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("posting: %w", err)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// Get gets a path of the door and returns the status of the answer.
func (h *Hookswitch) Get(path string) (int, error) {
	resp, err := h.client.Get(h.URL + path)
	if err != nil {
		return 0, fmt.Errorf("getting %s: %w", path, err)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// Drained waits until the output has all that the spool was given.
func (h *Hookswitch) Drained(t testing.TB) {
	t.Helper()
	time.Sleep(1500 * time.Millisecond) // the spool tells the metrics once a second
	Eventually(t, func() bool { return h.Metric(t, "spool_records") == 0 }, "the spool drains")
}

// Deliver posts samples, some at a time, and expects each to be taken.
func (h *Hookswitch) Deliver(t testing.TB, samples ...Sample) {
	t.Helper()
	const senders = 64
	todo := make(chan Sample)
	failures := make(chan error)
	go func() {
		for _, s := range samples {
			todo <- s
		}
		close(todo)
	}()
	for range senders {
		go func() {
			var failed error
			for s := range todo {
				began := time.Now()
				status, err := h.Post(s.Vendor, s.Event, s.ContentType, s.Body)
				if err == nil && status != http.StatusOK {
					err = fmt.Errorf("got status %d after %s", status, time.Since(began).Round(time.Millisecond))
				}
				if err != nil {
					failed = fmt.Errorf("delivering %s: %w", s.Path, err)
				}
			}
			failures <- failed
		}()
	}
	var all []error
	for range senders {
		if err := <-failures; err != nil {
			all = append(all, err)
		}
	}
	require.Empty(t, all)
}
