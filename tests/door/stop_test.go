package door_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"

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

// TestStop stops a distribution whose output works, with requests in flight: they
// get their true answer, all others 503 and the end of their connection.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		signals []os.Signal
		delay   string
	}{
		{"SIGTERM", []os.Signal{syscall.SIGTERM}, "0s"},
		{"SIGINT", []os.Signal{syscall.SIGINT}, "0s"},
		{"SIGTERM twice", []os.Signal{syscall.SIGTERM, syscall.SIGTERM}, "0s"},
		{"SIGTERM, with a delay", []os.Signal{syscall.SIGTERM}, "3s"},
		{"SIGTERM twice, with a delay", []os.Signal{syscall.SIGTERM, syscall.SIGTERM}, "100s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const inFlight, idle = 8, 6
			r := startReceiver(t, takes)
			h := start(t, r, setup{
				stream: "shutdown_timeout: 100s\nshutdown_delay: " + c.delay,
				limits: "answer: 90s", inFlight: inFlight,
			})
			old := kept(t, h, idle)
			watcher := newClient(t)
			require.Equal(t, http.StatusOK, get(t, watcher, h.URL+"/readyz").status)
			r.set(hangs)
			wait := postAll(t, h, newClient(t), "flight", inFlight, 500)
			services.Eventually(t, func() bool { return r.hanging() == inFlight }, "the output has what is in flight")

			for i, s := range c.signals {
				h.Signal(t, s)
				services.Eventually(t, func() bool { return get(t, watcher, h.URL+"/readyz").status == http.StatusServiceUnavailable }, "it is not ready")
				require.Equal(t, http.StatusOK, get(t, watcher, h.URL+"/healthz").status)
				if i == 0 { // on connections that are open
					for i, a := range postAll(t, h, old, "late", idle, 500)() {
						require.Equal(t, stopping, a, i)
					}
				}
				for i, a := range postAll(t, h, newClient(t), "new", idle, 500)() {
					require.Equal(t, stopping, a, i)
				}
			}
			require.Equal(t, inFlight, r.hanging(), "what is in flight is left alone")

			r.set(takes)
			for i, a := range wait() {
				require.Equal(t, answer{status: http.StatusOK, closed: true}, a, i)
				require.True(t, r.has(name("flight", i)))
			}
			require.Zero(t, h.Exited(t))
			for i := range idle {
				require.True(t, r.has(name("before", i)))
				require.False(t, r.has(name("late", i)))
				require.False(t, r.has(name("new", i)))
			}
		})
	}
}

// TestStopHanging stops a distribution whose output never goes on: whoever waits
// is told to send again, and the process ends by itself with exit code 0.
func TestStopHanging(t *testing.T) {
	t.Parallel()
	hanging := func(t *testing.T) *receiver { return startReceiver(t, hangs) }
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
		services.Eventually(t, func() bool { return get(t, newClient(t), h.URL+"/readyz").status == http.StatusServiceUnavailable }, "it is not ready")
	}
	require.Equal(t, stopping, do(newClient(t), newRequest(t, h, newBody("new", 500))))
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
// is written, and nobody who is told that the process stops.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	const senders = 32
	r := startReceiver(t, slow)
	h := start(t, r, setup{stream: "shutdown_delay: 2s", inFlight: 16})
	l := &ledger{entries: map[string]entry{}}
	var all sync.WaitGroup
	for s := range senders {
		client := newClient(t)
		all.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("load-%d-%d", s, n)
				a := do(client, newRequest(t, h, newBody(id, 2000)))
				l.add(id, entry{kind: "plain", due: http.StatusOK, answer: a})
				if a.status != http.StatusOK {
					return
				}
			}
		})
	}
	services.Eventually(t, func() bool { return l.count(http.StatusOK, "") >= 300 }, "300 are answered")
	h.Signal(t, syscall.SIGTERM)
	all.Wait()
	require.Zero(t, h.Exited(t))
	require.Empty(t, l.falsehoods(r), "answers that are not true")
	require.Equal(t, senders, l.count(http.StatusServiceUnavailable, textStopping), "each sender's last answer")
}

// TestStopWhileBodyArrives stops a distribution while a sender has sent half of
// its body: it is told to send again, whether the rest comes or not.
func TestStopWhileBodyArrives(t *testing.T) {
	t.Parallel()
	r := startReceiver(t, takes)
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
