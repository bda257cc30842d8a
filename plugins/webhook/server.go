package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

const (
	// streams is how many requests a connection of HTTP/2 may have under way.
	streams = 32
	// writing is how long an answer may take to be written, at least. All answers are
	// smaller than the buffers of a socket, so the time ends those senders that send on
	// and do not read.
	writing = 10 * time.Second
	// headerSlack is what net/http adds to the size of a header that it is told.
	headerSlack = 4 << 10
)

// server serves the door on a listener, over HTTP/1.1 and, with TLS, HTTP/2.
type server struct {
	http     *http.Server
	door     *door
	log      *service.Logger
	listener *listener
	tls      bool
	served   chan struct{} // closed when no connection is accepted any more
}

func newServer(d *door, l net.Listener, c *certificates, logger *service.Logger) *server {
	most := mostConnections(d.limits.connections)
	if most < d.limits.connections {
		logger.With("connections", most, "limits.connections", d.limits.connections).
			Warn("Fewer connections are taken than configured, since the process may not open more files")
	}
	s := &server{door: d, log: logger, tls: c != nil, served: make(chan struct{})}
	s.listener = newListener(l, most, func(err error) { d.observe.noFile(err) })
	s.http = &http.Server{
		Handler:           d,
		ReadTimeout:       d.limits.read,
		ReadHeaderTimeout: d.limits.read,
		WriteTimeout:      d.limits.read + d.limits.answer + writing,
		IdleTimeout:       d.limits.idle,
		MaxHeaderBytes:    max(1, int(d.limits.header)-headerSlack),
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, connOf(nc))
		},
		ConnState: s.noteState,
		ErrorLog:  log.New(errorLog{s}, "", 0),

		DisableGeneralOptionsHandler: true, // the door answers

		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streams,
			// What is on its way while nobody has read it. It is in no budget, but read
			// at once, so it is seldom used; less would make a large body from far away
			// too slow for limits.read.
			MaxReceiveBufferPerConnection: 1 << 20,
			MaxReceiveBufferPerStream:     1 << 20,
		},
	}
	if c != nil {
		s.http.TLSConfig = &tls.Config{
			MinVersion: tls.VersionTLS12,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return c.get(s.listener.http2.Load() < s.mostHTTP2()), nil
			},
		}
	}
	return s
}

// serve takes connections in until the listener is stopped, and returns why else it
// has ended.
func (s *server) serve() error {
	defer close(s.served)
	var err error
	if s.tls {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if s.listener.stopping.Load() {
		return nil
	}
	return err
}

// mostHTTP2 is how many connections may be of HTTP/2: so many that their requests,
// too, are at most as many as connections may be. Each takes memory for its header
// before the door sees it.
func (s *server) mostHTTP2() int64 { return int64(max(1, s.listener.most/streams)) }

// noteState hears from net/http what its connections do.
func (s *server) noteState(nc net.Conn, state http.ConnState) {
	c := connOf(nc)
	if c == nil {
		return
	}
	if over, ok := nc.(*tls.Conn); ok && state == http.StateActive && !c.begun.Load() &&
		over.ConnectionState().NegotiatedProtocol == "h2" {
		c.http2.Store(true)
		if s.listener.http2.Add(1) > s.mostHTTP2() {
			_ = nc.Close()
			return
		}
	}
	c.noteState(state)
	if state == http.StateClosed && !c.http2.Load() {
		if status, refused := c.refused(); refused {
			s.door.observe.refusal(&s.door.nowhere, unreadable, status, nc.RemoteAddr())
		}
	}
}

// errorLog hears what net/http would log. Those lines are about strangers' connections,
// and strangers could fill a log at will, so failed handshakes are counted and no line is
// written.
type errorLog struct{ *server }

func (l errorLog) Write(line []byte) (int, error) {
	// Who ends with EOF only looks whether the port is open.
	if bytes.HasPrefix(line, []byte("http: TLS handshake error")) && !bytes.HasSuffix(line, []byte(": EOF\n")) {
		l.door.observe.refusal(&l.door.nowhere, handshake, 0, nil)
	}
	return len(line), nil
}

// stop closes the listener when all is accepted that has arrived, and waits for that
// until the context ends. Connections live on.
func (s *server) stop(ctx context.Context) {
	s.listener.stop()
	select {
	case <-s.served:
	case <-ctx.Done():
	}
}

// shutdown ends all connections when what was asked on them is answered, or when
// the context ends.
func (s *server) shutdown(ctx context.Context) {
	s.stop(ctx)
	// net/http drops a request that it reads while it shuts down, so it is told only
	// when nothing of one has come.
	for calm := 0; calm < 2 && ctx.Err() == nil; calm++ {
		if s.busy() {
			calm = 0
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = s.http.Shutdown(ctx) // HTTP/2 is told to go away
	_ = s.http.Close()
	for _, c := range s.listener.all() { // in a handshake, of which net/http keeps no account
		_ = c.Close()
	}
}

// busy reports whether something of a request has come over HTTP/1.1 that is not
// answered, or may have come on a connection that nobody had the time to read.
func (s *server) busy() bool {
	lately := time.Now().Add(-leastWait).UnixNano()
	for _, c := range s.listener.all() {
		if !c.http2.Load() && (c.asked.Load() || c.since.Load() > lately) {
			return true
		}
	}
	return false
}
