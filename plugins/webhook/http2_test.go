package webhook

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// far returns the address of a link to the door on which all takes the delay, each
// way.
func far(t *testing.T, to string, delay time.Duration) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var links sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		links.Wait()
	})
	carry := func(to, from net.Conn) {
		type piece struct {
			due  time.Time
			text []byte
		}
		way := make(chan piece, 10_000)
		links.Go(func() {
			defer func() { _ = to.Close() }()
			for p := range way {
				time.Sleep(time.Until(p.due))
				_, _ = to.Write(p.text)
			}
		})
		defer close(way)
		for {
			b := make([]byte, 64<<10)
			n, err := from.Read(b)
			if n > 0 {
				way <- piece{time.Now().Add(delay), b[:n]}
			}
			if err != nil {
				return
			}
		}
	}
	links.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			door, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
			if err != nil {
				_ = near.Close()
				return
			}
			links.Go(func() { carry(door, near) })
			links.Go(func() { carry(near, door) })
			context.AfterFunc(ctx, func() { _ = near.Close(); _ = door.Close() })
		}
	})
	return l.Addr().String()
}

// A large body from far away comes within the time for it, over either protocol.
func TestFarAway(t *testing.T) {
	authority := newAuthority(t)
	s := newStand(t, limited("body: 8MiB, read: 10s", authority.files(t).yaml), acks)
	address := far(t, s.address.String(), 50*time.Millisecond)
	body := strings.Repeat("x", 8<<20)
	for name, protocols := range map[string][]string{"HTTP1": {"http/1.1"}, "HTTP2": {"h2", "http/1.1"}} {
		t.Run(name, func(t *testing.T) {
			hc := client(t, &tls.Config{RootCAs: authority.pool, NextProtos: protocols})
			hc.Transport.(*http.Transport).ForceAttemptHTTP2 = name == "HTTP2"
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+"/open", strings.NewReader(body))
			require.NoError(t, err)
			res, err := hc.Do(req)
			require.NoError(t, err)
			_ = res.Body.Close()
			require.Equal(t, name, "HTTP"+string(rune('0'+res.ProtoMajor)))
			require.Equal(t, 200, res.StatusCode)
			hc.CloseIdleConnections()
		})
	}
}

// A sender in mid-body when the input is closed is told to send again, over HTTP/2
// as over HTTP/1.1.
func TestCloseInMidBody(t *testing.T) {
	authority := newAuthority(t)
	for name, tlsYAML := range map[string]string{"HTTP1": "", "HTTP1 over TLS": authority.files(t).yaml, "HTTP2": authority.files(t).yaml} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, limited("body: 1MiB, read: 60s", tlsYAML), acks)
			config, scheme := &tls.Config{RootCAs: authority.pool}, "https://"
			if tlsYAML == "" {
				config, scheme = nil, "http://"
			}
			hc := client(t, config)
			hc.Transport.(*http.Transport).ForceAttemptHTTP2 = name == "HTTP2"
			r, w := io.Pipe()
			defer func() { _ = w.Close() }()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+s.address.String()+"/open", r)
			require.NoError(t, err)
			req.ContentLength = 1000
			type got struct {
				status int
				text   string
			}
			answered := make(chan got, 1)
			go func() {
				res, err := hc.Do(req)
				if err != nil {
					answered <- got{text: err.Error()}
					return
				}
				text, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				answered <- got{res.StatusCode, string(text)}
			}()
			_, err = io.WriteString(w, "{")
			require.NoError(t, err)
			eventually(t, func() bool { return s.door.inFlight.Load() == 1 })
			s.end()
			require.NoError(t, s.Close(context.WithoutCancel(t.Context())))
			require.Equal(t, got{503, "stopping, send it again\n"}, <-answered)
			require.Equal(t, map[string]int64{"/open draining": 1}, s.metrics.all("webhook_deliveries"))
		})
	}
}

// Streams whose header takes many times its bytes, and whose body never comes.
func TestAttackWithStreamsOfManyFields(t *testing.T) {
	authority := newAuthority(t)
	config := &tls.Config{RootCAs: authority.pool, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
	a := attack(t, limited(limitsUnderAttack+", connections: 1000", authority.files(t).yaml))
	many := []string{"content-length", "1"}
	for range 900 {
		many = append(many, "a", "")
	}
	block := fields("/callrail/x", many...)
	var attackers sync.WaitGroup
	for range 96 {
		attackers.Go(func() {
			f, c := a.framer(t, config)
			if f == nil || c.(*tls.Conn).ConnectionState().NegotiatedProtocol != "h2" {
				return
			}
			defer func() { _ = c.Close() }()
			go func() { _, _ = io.Copy(io.Discard, c) }()
			for i := range 128 {
				first := block[:min(len(block), 16_000)]
				if f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: first, EndHeaders: len(first) == len(block)}) != nil {
					return
				}
				if len(first) < len(block) && f.WriteContinuation(uint32(2*i+1), true, block[len(first):]) != nil {
					return
				}
			}
			time.Sleep(2 * time.Second)
		})
	}
	attackers.Wait()
	hc := client(t, &tls.Config{RootCAs: authority.pool})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+a.address+"/open", strings.NewReader("{}"))
	require.NoError(t, err)
	res, err := hc.Do(req)
	require.NoError(t, err)
	_ = res.Body.Close()
	require.Equal(t, 200, res.StatusCode)
	a.bounded(t)
}

// Headers as large as may be, whose bodies never come.
func TestAttackWithLargeHeaders(t *testing.T) {
	a := attack(t, limited(limitsUnderAttack+", connections: 1000", ""))
	var header strings.Builder
	for i := range maxFields - 3 {
		header.WriteString("X-" + string(rune('A'+i%26)) + strings.Repeat("a", i) + ": " + strings.Repeat("v", 250) + "\r\n")
	}
	require.Less(t, header.Len(), 32<<10)
	a.during(t, 20, func(over <-chan struct{}) {
		a.together(t, 800, func(c net.Conn) {
			_, _ = io.WriteString(c, "POST /callrail/x HTTP/1.1\r\nHost: door\r\nContent-Length: 1\r\n"+header.String()+"\r\n")
			<-over
		})
	})
	a.bounded(t)
}
