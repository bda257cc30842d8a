package door_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

var stopping = answer{status: http.StatusServiceUnavailable, text: textStopping, retryAfter: "5", closed: true}

// kept returns a client whose n connections to the door are open and idle.
func kept(t *testing.T, h *services.Hookswitch, n int) *http.Client {
	t.Helper()
	client := newClient(t)
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = n
	for i, a := range postAll(t, h, client, "before", n, 500)() {
		require.Equal(t, answer{status: http.StatusOK}, a, i)
	}
	return client
}

// TestStop stops a distribution whose output works, with requests in flight. Until
// near the end of the delay it takes deliveries, on connections that are open and on
// new ones, and each answer is the last of its connection.
func TestStop(t *testing.T) {
	t.Parallel()
	last := answer{status: http.StatusOK, closed: true}
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			const inFlight, idle = 8, 6
			r := startReceiver(t, services.Takes)
			h := start(t, r, setup{stream: "shutdown_timeout: 100s\nshutdown_delay: 8s", limits: "answer: 90s", inFlight: inFlight})
			old := kept(t, h, idle)
			watcher := newClient(t)
			require.Equal(t, http.StatusOK, get(t, watcher, h.URL+"/readyz").status)
			r.Set(services.Hangs)
			wait := postAll(t, h, newClient(t), "flight", inFlight, 500)
			services.Eventually(t, func() bool { return r.Hanging() == inFlight }, "the output has what is in flight")

			h.Signal(t, s)
			services.Eventually(t, func() bool { return get(t, watcher, h.URL+"/readyz").status == http.StatusServiceUnavailable }, "it is not ready")
			require.Equal(t, http.StatusOK, get(t, watcher, h.URL+"/healthz").status)
			require.Equal(t, inFlight, r.Hanging(), "what is in flight is left alone")
			r.Set(services.Takes)
			for i, a := range wait() {
				require.Equal(t, last, a, i)
				require.True(t, r.has(name("flight", i)))
			}
			for i, a := range postAll(t, h, old, "late", idle, 500)() {
				require.Equal(t, last, a, i)
				require.True(t, r.has(name("late", i)))
			}
			for i, a := range postAll(t, h, newClient(t), "new", idle, 500)() {
				require.Equal(t, last, a, i)
				require.True(t, r.has(name("new", i)))
			}
			require.Zero(t, h.Exited(t))
		})
	}
}

// TestStopAtOnce stops a distribution that has no delay, or whose delay a second
// signal ends: what is in flight gets its true answer, and nothing else is taken.
func TestStopAtOnce(t *testing.T) {
	t.Parallel()
	for delay, signals := range map[string]int{"0s": 1, "100s": 2} {
		t.Run(delay, func(t *testing.T) {
			t.Parallel()
			const inFlight = 8
			r := startReceiver(t, services.Hangs)
			h := start(t, r, setup{stream: "shutdown_timeout: 100s\nshutdown_delay: " + delay, limits: "answer: 90s", inFlight: inFlight})
			wait := postAll(t, h, newClient(t), "flight", inFlight, 500)
			services.Eventually(t, func() bool { return r.Hanging() == inFlight }, "the output has what is in flight")
			for range signals {
				h.Signal(t, syscall.SIGTERM)
				services.Eventually(t, func() bool { return get(t, newClient(t), h.URL+"/readyz").status != http.StatusOK }, "it is not ready")
			}
			services.Eventually(t, func() bool {
				client := newClient(t)
				client.Timeout = time.Second // what the door takes before it hears the last signal hangs in the output
				a := do(client, newRequest(t, h, newBody("new", 500)))
				return a == stopping || errors.Is(a.err, syscall.ECONNREFUSED)
			}, "it takes nothing more")
			r.Set(services.Takes)
			for i, a := range wait() {
				require.Equal(t, answer{status: http.StatusOK, closed: true}, a, i)
				require.True(t, r.has(name("flight", i)))
			}
			require.Zero(t, h.Exited(t))
		})
	}
}

// TestStopHanging stops a distribution whose output never goes on: whoever waits
// is told to send again, and the process ends by itself with exit code 0.
func TestStopHanging(t *testing.T) {
	t.Parallel()
	hanging := func(t *testing.T) *receiver { return startReceiver(t, services.Hangs) }
	for _, c := range []struct {
		name    string
		signals []os.Signal
		setup   setup
	}{
		{"SIGTERM", []os.Signal{syscall.SIGTERM}, setup{stream: "shutdown_timeout: 4s", limits: "answer: 100s", inFlight: 4}},
		{"SIGINT", []os.Signal{syscall.SIGINT}, setup{stream: "shutdown_timeout: 4s", limits: "answer: 100s", inFlight: 4}},
		{"SIGTERM twice", []os.Signal{syscall.SIGTERM, syscall.SIGTERM}, setup{stream: "shutdown_timeout: 4s", limits: "answer: 100s", inFlight: 4}},
		{"the deadline comes first, as by default", []os.Signal{syscall.SIGTERM}, setup{inFlight: 4}},
		{"all are taken", []os.Signal{syscall.SIGTERM}, setup{stream: "shutdown_timeout: 4s", limits: "answer: 100s", inFlight: 64}},
		{"with a delay", []os.Signal{syscall.SIGTERM}, setup{stream: "shutdown_timeout: 4s\nshutdown_delay: 1s", limits: "answer: 100s", inFlight: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requireStopped(t, start(t, hanging(t), c.setup), c.signals...)
		})
	}
	t.Run("the output was never there", func(t *testing.T) {
		t.Parallel()
		requireStopped(t, start(t, nil, setup{
			stream: "shutdown_timeout: 4s", limits: "answer: 100s",
			output: fmt.Sprintf("socket: { network: tcp, address: %q }", services.FreeAddress(t)),
		}), syscall.SIGTERM)
	})
}

func requireStopped(t *testing.T, h *services.Hookswitch, signals ...os.Signal) {
	t.Helper()
	const inFlight = 30
	wait := postAll(t, h, newClient(t), "flight", inFlight, 500)
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_verified") == inFlight }, "the door has what is in flight")
	for _, s := range signals {
		h.Signal(t, s)
		services.Eventually(t, func() bool { return get(t, newClient(t), h.URL+"/readyz").status != http.StatusOK }, "it is not ready")
	}
	for i, a := range wait() {
		require.NoError(t, a.err, i)
		require.Equal(t, http.StatusServiceUnavailable, a.status, i)
		require.Contains(t, []string{textStopping, textLate}, a.text)
		require.Equal(t, "5", a.retryAfter)
		require.True(t, a.closed)
	}
	require.Zero(t, h.Exited(t))
}

// TestStopUnderLoad stops a distribution while senders post: who was answered 200
// is written, nobody is who is told that the process stops, and no sender sees a
// reset.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	const senders = 32
	r := startReceiver(t, services.Slow)
	h := start(t, r, setup{stream: "shutdown_delay: 3s", inFlight: 16})
	l := &ledger{entries: map[string]entry{}}
	var all sync.WaitGroup
	for s := range senders {
		client := newClient(t)
		all.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("load-%d-%d", s, n)
				a := do(client, newRequest(t, h, newBody(id, 2000)))
				if a.err != nil {
					if !errors.Is(a.err, syscall.ECONNREFUSED) { // no request was sent
						t.Errorf("%s: %v", id, a.err)
					}
					return
				}
				l.add(id, entry{kind: "plain", due: http.StatusOK, answer: a})
			}
		})
	}
	services.Eventually(t, func() bool { return l.count(http.StatusOK, "") >= 300 }, "300 are answered")
	h.Signal(t, syscall.SIGTERM)
	all.Wait()
	require.Zero(t, h.Exited(t))
	require.Empty(t, l.falsehoods(r), "answers that are not true")
}

// TestStopWhileBodyArrives stops a distribution while a sender has sent half of
// its body: it is told to send again, whether the rest comes or not.
func TestStopWhileBodyArrives(t *testing.T) {
	t.Parallel()
	r := startReceiver(t, services.Takes)
	h := start(t, r, setup{limits: "read: 90s"})
	body := newBody("half", 2000)
	conn := dial(t, h)
	_, err := io.WriteString(conn, head(body)+string(body[:1000]))
	require.NoError(t, err)
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_reserved_bytes") > 0 }, "the door reads the body")
	h.Signal(t, syscall.SIGTERM)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.True(t, resp.Close)
	require.NoError(t, resp.Body.Close())
	require.Zero(t, h.Exited(t))
	require.False(t, r.has("half"))
}
