package spool_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// TestStopWithDeadOutput stops the distribution under load while the output takes
// nothing: what has arrived is answered 200 from the disk, the process ends in time, and
// the next start delivers it with the same ids and times.
func TestStopWithDeadOutput(t *testing.T) {
	t.Parallel()
	const delay, timeout = 2 * time.Second, 4 * time.Second
	for what, mode := range map[string]services.Mode{"hangs": services.Hangs, "forgets": services.Forgets, "refuses": services.Refuses} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			l.sink.Set(mode)
			config := setup{
				dir: filepath.Join(t.TempDir(), "spool"), output: toSink(l), log: `"OFF"`,
				delay: delay, timeout: timeout,
			}.config(t)
			h := services.Start(t, config)
			stop := l.load(h)
			services.Eventually(t, func() bool { return l.count(http.StatusOK) >= 1000 }, "deliveries are taken")
			before := l.count(http.StatusOK)
			h.Signal(t, syscall.SIGTERM)
			began := time.Now()
			require.Zero(t, h.Exited(t))
			took := time.Since(began)
			stop()
			// The spool's own end may take five seconds more on a busy disk.
			require.Less(t, took, delay+timeout+5*time.Second)
			require.Greater(t, l.count(http.StatusOK), before, "it takes deliveries during the delay")
			require.Zero(t, l.count(http.StatusServiceUnavailable), "a delivery is told to come again: %s", l)
			require.Zero(t, l.cut, "a sender sees its connection end: %s", l)

			l.sink.Set(services.Takes)
			h = services.Start(t, config)
			l.requireAll(t)
			requireKept(t, h, 0)
			t.Logf("ended after %s: %s", took.Round(10*time.Millisecond), l)
		})
	}
}

// lines collects what arrives.
type lines struct {
	mu    sync.Mutex
	times map[string]int
}

func (l *lines) take(_ *http.Request, body []byte) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == nil {
		l.times = map[string]int{}
	}
	l.times[string(body)]++
	return http.StatusOK
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.times))
}

// startLines starts a sink of lines.
func startLines(t *testing.T, l *lines, mode services.Mode) (sink *services.Receiver, output string) {
	t.Helper()
	sink = services.NewReceiver(t, l.take)
	sink.Set(mode)
	sink.Live(t)
	t.Cleanup(sink.Die)
	return sink, fmt.Sprintf("http_client: { url: %q, verb: POST, retries: 0, max_in_flight: 8 }", sink.URL())
}

// TestSameEvents has an output that takes events and says nothing, so that they come
// again after a restart: byte for byte, with the ids and times of their deliveries.
func TestSameEvents(t *testing.T) {
	t.Parallel()
	var first, second, all lines
	sink, output := startLines(t, &all, services.Forgets)
	// One at a time: of a batch the output would only take the first.
	config := setup{dir: filepath.Join(t.TempDir(), "spool"), spool: "batch: { count: 1 }", processors: "webhook_decode: {}", output: output, log: `"OFF"`}.config(t)
	h := services.Start(t, config)
	samples := slices.DeleteFunc(services.Samples(t), func(s services.Sample) bool { return s.Reason != "" || len(s.Events) > 1 })
	h.Deliver(t, samples...)
	services.Eventually(t, func() bool { return len(all.all()) >= len(samples) }, "all events have come")
	h.Signal(t, syscall.SIGTERM)
	require.Zero(t, h.Exited(t))
	first.times, all.times = all.times, nil

	sink.Set(services.Takes)
	h = services.Start(t, config)
	requireKept(t, h, 0)
	second.times = all.times
	require.Empty(t, cmp.Diff(first.all(), second.all()))
	services.RequireEvents(t, samples, services.Unstamped(t, second.all()))
}

// TestInputEnds has an input that ends by itself, and an output that is away by then:
// the process goes on until the output has everything.
func TestInputEnds(t *testing.T) {
	t.Parallel()
	const records = 20000
	var got lines
	sink, output := startLines(t, &got, services.Refuses)
	var text []byte
	for i := range records {
		text = fmt.Appendf(text, "record %d\n", i)
	}
	path := filepath.Join(t.TempDir(), "records")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	h := services.Launch(t, services.Binary(), setup{
		dir: filepath.Join(t.TempDir(), "spool"), log: `"OFF"`,
		input:  fmt.Sprintf("file: { paths: [ %q ], scanner: { lines: {} } }", path),
		output: output,
	}.config(t))
	h.Await(t)
	services.Eventually(t, func() bool { return h.Metric(t, "spool_records") == records }, "all is on disk")
	require.True(t, h.Running())
	sink.Set(services.Takes)
	require.Zero(t, h.Exited(t))
	require.Len(t, got.all(), records)
	for _, line := range got.all() {
		require.True(t, strings.HasPrefix(line, "record "), line)
	}
}

// TestSecondProcess starts a second process on one directory, which says why it does
// not start; the first goes on.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	dir := filepath.Join(t.TempDir(), "spool")
	config := setup{dir: dir, output: toSink(l)}.config(t)
	h := services.Start(t, config)
	l.send(h, 100)
	said := services.Refused(t, config)
	require.Contains(t, said, "spool")
	require.Contains(t, said, dir)
	require.NotContains(t, said, "panic")
	t.Log(strings.TrimSpace(said))
	l.send(h, 100)
	require.Equal(t, 200, l.count(http.StatusOK))
	l.requireAll(t)
}
