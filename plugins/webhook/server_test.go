package webhook

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/signing"
)

// What net/http refuses by itself is counted, and told in the access log.
func TestRefusalsOfNetHTTP(t *testing.T) {
	authority := newAuthority(t)
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"bad request":      {"POST /open HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		"header too large": {"POST /open HTTP/1.1\r\nHost: door\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		"unknown coding":   {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		"version":          {"POST /open HTTP/3.0\r\nHost: door\r\n\r\n", 505},
		"expectation":      {"POST /open HTTP/1.1\r\nHost: door\r\nExpect: more\r\n\r\n", 417},
	} {
		for over, tlsYAML := range map[string]string{"plain": "", "TLS": authority.files(t).yaml} {
			t.Run(name+" "+over, func(t *testing.T) {
				s := newStand(t, limited(limitsOfRows, tlsYAML+"access_log: true\n"), acks)
				c := s.dial(t)
				if tlsYAML != "" {
					c = tls.Client(c, &tls.Config{RootCAs: authority.pool, ServerName: "127.0.0.1"})
				}
				// A request that is answered before does not hide the refusal.
				_, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n")
				require.NoError(t, err)
				r := bufio.NewReader(c)
				res, err := http.ReadResponse(r, nil)
				require.NoError(t, err)
				require.Equal(t, 200, res.StatusCode)
				_, _ = io.Copy(io.Discard, res.Body)
				_, _ = io.WriteString(c, test.request)
				res, err = http.ReadResponse(r, nil)
				require.NoError(t, err)
				require.Equal(t, test.status, res.StatusCode)
				eventually(t, func() bool { return len(s.metrics.all("webhook_deliveries")) > 0 })
				require.Equal(t, map[string]int64{"none unreadable": 1}, s.metrics.all("webhook_deliveries"))
				if tlsYAML == "" {
					eventually(t, func() bool { return strings.Contains(s.logs.String(), "Answered a request") })
					require.Contains(t, s.logs.String(), "outcome=unreadable")
					require.Contains(t, s.logs.String(), "status="+res.Status[:3])
				}
			})
		}
	}
}

// Who connects and sends nothing was refused nothing.
func TestNothingIsCountedForNoRequest(t *testing.T) {
	authority := newAuthority(t)
	s := newStand(t, limited(limitsOfRows, authority.files(t).yaml), acks)
	config := &tls.Config{RootCAs: authority.pool, ServerName: "127.0.0.1"}
	c := tls.Client(s.dial(t), config)
	require.NoError(t, c.HandshakeContext(t.Context()))
	require.NoError(t, c.Close())
	require.NoError(t, s.dial(t).Close())
	eventually(t, func() bool { return len(s.server.listener.all()) == 0 })
	require.Empty(t, s.metrics.all("webhook_deliveries"))
	// A broken handshake is.
	_, err := io.WriteString(s.dial(t), "POST /open HTTP/1.1\r\nHost: door\r\n\r\n")
	require.NoError(t, err)
	eventually(t, func() bool { return len(s.metrics.all("webhook_deliveries")) > 0 })
	require.Equal(t, map[string]int64{"none handshake": 1}, s.metrics.all("webhook_deliveries"))
}

// faulty panics.
type faulty struct{}

func (faulty) Verify(*signing.Request) int { panic("a fault of ours") }

// A fault of the door is answered 500, counted, logged and takes no memory for good;
// the connection and the door go on.
func TestPanic(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	for _, r := range s.door.routes {
		if r.path == "/open" {
			r.proof = &proof{reads: signing.Reads{Body: signing.AsSent}, verifier: faulty{}}
		}
	}
	c := s.dial(t)
	r := bufio.NewReader(c)
	for range 2 {
		_, err := io.WriteString(c, call{method: "POST", path: "/open", body: "{}"}.text())
		require.NoError(t, err)
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, 500, res.StatusCode)
		require.Equal(t, "5", res.Header.Get("Retry-After"))
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "failed, send it again\n", string(text))
	}
	require.Zero(t, s.door.memory.inUse())
	require.Zero(t, s.door.inFlight.Load())
	require.Equal(t, map[string]int64{"/open panic": 2}, s.metrics.all("webhook_deliveries"))
	require.Contains(t, s.logs.String(), "a fault of ours")
	require.Contains(t, s.logs.String(), "faulty.Verify", "the stack")
}

// A sender that leaves before its answer is noticed, and its delivery is delivered.
func TestSenderLeavesBeforeItsAnswer(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", answer: 60s", ""), holds)
	c := s.dial(t)
	_, err := io.WriteString(c, call{method: "POST", path: "/open", body: "{}"}.text())
	require.NoError(t, err)
	h := s.one(t)
	require.NoError(t, c.Close())
	// Nothing shows when net/http has noticed, but the next answer that is written.
	time.Sleep(100 * time.Millisecond)
	h.settle(nil)
	eventually(t, func() bool { return s.metrics.all("webhook_gone")["/open"] == 1 })
	require.Equal(t, map[string]int64{"/open accepted": 1}, s.metrics.all("webhook_deliveries"))
}

// A connection that idles is ended after limits.idle and not before limits.read.
func TestIdle(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", idle: 100ms, read: 60s", ""), acks)
	c := s.dial(t)
	_, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, c)
	require.NoError(t, err, "the door ends the connection")
	require.Equal(t, 90*time.Second, newStand(t, limited(limitsOfRows, ""), acks).server.http.IdleTimeout, "more than load balancers have")
}

// The answer has its time for being written.
func TestWriteDeadline(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", read: 3s, answer: 4s", ""), acks)
	require.Equal(t, 3*time.Second+4*time.Second+writing, s.server.http.WriteTimeout)
	require.Equal(t, 3*time.Second, s.server.http.ReadHeaderTimeout)
	require.Equal(t, 3*time.Second, s.server.http.ReadTimeout)
}

// When its listener fails, the input says that it is not connected, and connects
// anew.
func TestReconnect(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), absent)
	first := s.server
	require.NoError(t, first.listener.Close())
	_, _, err := s.ReadBatch(t.Context())
	require.ErrorIs(t, err, service.ErrNotConnected)
	require.NoError(t, s.Connect(context.WithoutCancel(t.Context())))
	require.NotSame(t, first, s.server)
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { s.read(ctx, acks) })
	defer reading.Wait()
	defer cancel()
	status := post(t, s, "/open", "{}")
	require.Equal(t, 200, status)
}

// What takes several times the memory of a body that nobody has verified goes on at
// as many places at once as there are cores.
func TestCopiesAreLimited(t *testing.T) {
	var all []func()
	for range cap(copies) {
		all = append(all, copying())
	}
	passed := make(chan struct{})
	go func() {
		copying()()
		close(passed)
	}()
	select {
	case <-passed:
		t.Fatal("one more than there are cores")
	case <-time.After(50 * time.Millisecond):
	}
	for _, done := range all {
		done()
	}
	<-passed
}

// Connections are limited by the files that the process may open, and the outputs
// keep some.
func TestFilesLimitConnections(t *testing.T) {
	var files syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	require.Equal(t, 10, mostConnections(10))
	most := mostConnections(1 << 40)
	require.Less(t, uint64(most), files.Cur)
	require.Greater(t, uint64(most), files.Cur/2)

	a := attackBy(t, exec.Command("sh", "-c", `ulimit -n 200 && exec "$0"`, os.Args[0]), limited(limitsUnderAttack, ""))
	var idle []net.Conn
	for range 400 {
		c := a.dial(t)
		require.NotNil(t, c)
		idle = append(idle, c)
	}
	a.genuine(t, 20)
	for _, c := range idle {
		_ = c.Close()
	}
}

// While senders post over HTTP/2, the door leaves and is closed: each is answered or
// told that its request was not looked at, and nothing breaks.
func TestCloseUnderLoadOverHTTP2(t *testing.T) {
	authority := newAuthority(t)
	for range 5 {
		s := newStand(t, limited(limitsOfRows, authority.files(t).yaml), acks)
		var senders sync.WaitGroup
		for range 8 {
			hc := client(t, &tls.Config{RootCAs: authority.pool})
			senders.Go(func() {
				for {
					req, err := http.NewRequest(http.MethodPost, "https://"+s.address.String()+"/open", strings.NewReader("{}"))
					if err != nil {
						t.Error(err)
						return
					}
					res, err := hc.Do(req)
					if errors.Is(err, syscall.ECONNREFUSED) {
						return // the listener is closed: the request was not sent
					}
					if err != nil {
						t.Errorf("posting: %v", err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
					if res.StatusCode != 200 && res.StatusCode != 503 {
						t.Errorf("answered %d", res.StatusCode)
					}
				}
			})
		}
		eventually(t, func() bool { return len(s.handed()) > 50 })
		s.leave(100 * time.Millisecond)
		<-s.door.unread
		s.end()
		require.NoError(t, s.Close(context.WithoutCancel(t.Context())))
		senders.Wait()
		require.NotContains(t, s.logs.String(), "panic")
	}
}

// While senders post over connections that they keep and over new ones, the door
// leaves and is closed: no sender sees a reset.
func TestCloseUnderLoad(t *testing.T) {
	for range 5 {
		s := newStand(t, limited(limitsOfRows, ""), acks)
		address := s.address.String()
		var senders sync.WaitGroup
		for i := range 16 {
			senders.Go(func() {
				var c net.Conn
				for {
					if c == nil {
						var err error
						if c, err = net.Dial("tcp", address); err != nil {
							return // the listener is closed: nothing was sent
						}
						_ = c.SetDeadline(time.Now().Add(patience))
					}
					_, err := io.WriteString(c, call{method: "POST", path: "/open", body: "{}"}.text())
					var res *http.Response
					if err == nil {
						res, err = http.ReadResponse(bufio.NewReader(c), nil)
					}
					if err != nil {
						t.Errorf("posting: %v", err)
						return
					}
					if res.StatusCode != 200 && res.StatusCode != 503 {
						t.Errorf("answered %d", res.StatusCode)
					}
					if res.Close || i%2 == 0 {
						_ = c.Close()
						c = nil
					}
				}
			})
		}
		eventually(t, func() bool { return len(s.handed()) > 100 })
		s.leave(100 * time.Millisecond)
		<-s.door.unread
		s.end()
		require.NoError(t, s.Close(context.WithoutCancel(t.Context())))
		senders.Wait()
	}
}

// The door is a handler like any other: it works on another server, behind a
// middleware that wraps what it is given.
func TestDoorIsAHandler(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	seen := make(chan int, 3)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w}
		s.door.ServeHTTP(recorder, r)
		seen <- recorder.status
	}))
	defer server.Close()
	second := &stand{input: &input{address: server.Listener.Addr()}}
	require.Equal(t, 200, post(t, second, "/open", "{}"))
	require.Equal(t, 401, post(t, second, "/supersend", "{}"))
	// The deadline of a body reaches the connection through the middleware.
	c := second.dial(t)
	_, err := io.WriteString(c, "POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2000\r\n\r\n{")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 503, res.StatusCode)
	require.Equal(t, []int{200, 401, 503}, []int{<-seen, <-seen, <-seen})
}

// statusRecorder is what most middlewares are.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
