package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// server serves the connections of a listener: HTTP/1.1 itself, HTTP/2 by net/http.
type server struct {
	door         *door
	log          *service.Logger
	listener     *listener
	certificates *certificates // nil for plain HTTP
	http2        *http.Server  // nil for plain HTTP
	upgraded     *handover     // to http2
	streams      sync.Map      // *http.ResponseController of the requests that http2 serves

	connections sync.WaitGroup // that are served here; serve and http2, too
	closing     atomic.Bool
}

func newServer(d *door, l net.Listener, c *certificates, logger *service.Logger) *server {
	s := &server{door: d, log: logger, listener: limitConnections(l, d.limits.connections), certificates: c}
	if c != nil {
		s.upgraded = &handover{address: l.Addr(), connections: make(chan net.Conn), closed: make(chan struct{})}
		s.http2 = newHTTP2(d, logger)
		s.http2.Handler = http.HandlerFunc(s.serveHTTP2)
	}
	s.connections.Add(1) // serve
	return s
}

// serveHTTP2 answers a request that expire can end the wait for.
func (s *server) serveHTTP2(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	s.streams.Store(control, struct{}{})
	defer s.streams.Delete(control)
	if s.closing.Load() {
		_ = control.SetReadDeadline(time.Now())
	}
	s.door.ServeHTTP(w, r)
}

// expire ends the wait for what senders have not sent yet, so that they can be
// answered.
func (s *server) expire() {
	s.listener.expire()
	s.streams.Range(func(control, _ any) bool {
		_ = control.(*http.ResponseController).SetReadDeadline(time.Now())
		return true
	})
}

// newHTTP2 returns a server that bounds what a connection can take.
func newHTTP2(d *door, logger *service.Logger) *http.Server {
	return &http.Server{
		ReadTimeout:       d.limits.read,
		ReadHeaderTimeout: d.limits.read,
		WriteTimeout:      d.limits.read + d.limits.answer + writing,
		IdleTimeout:       d.limits.idle,
		MaxHeaderBytes:    int(d.limits.header),
		ConnState:         noteState,

		DisableGeneralOptionsHandler: true, // the door answers

		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streams,
			// What is on its way while nobody has read it. It is in no budget, but read
			// at once, so it is seldom used; less would make a large body from far away
			// too slow for limits.read.
			MaxReceiveBufferPerConnection: 1 << 20,
			MaxReceiveBufferPerStream:     1 << 20,
		},
		ErrorLog: log.New(panics{logger}, "", 0),
	}
}

// panics logs, of what net/http has to say, that the door panicked. The rest is of
// strangers' connections, who could fill the log at will.
type panics struct{ log *service.Logger }

func (p panics) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("http: panic")) || bytes.HasPrefix(line, []byte("http2: panic")) {
		p.log.Errorf("Answering a request: %s", line)
	}
	return len(line), nil
}

// serve takes connections in until the listener is closed, and returns why else it
// has ended.
func (s *server) serve() error {
	defer s.connections.Done()
	if s.http2 != nil {
		s.connections.Go(func() { _ = s.http2.Serve(s.upgraded) })
	}
	var wait time.Duration
	for {
		c, err := s.listener.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			wait = 0
			s.connections.Go(func() { s.connection(c.(*conn)) })
		case s.closing.Load():
			return nil
		case errors.As(err, &temporary) && temporary.Temporary(): // such as that too many files are open
			s.listener.closeIdle()
			if wait == 0 {
				s.log.With("error", err.Error()).Error("Taking no connection in, trying again")
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			time.Sleep(wait)
		default:
			return err
		}
	}
}

// connection serves one connection.
func (s *server) connection(c *conn) {
	defer func() {
		if err := recover(); err != nil {
			s.log.Errorf("Answering a request: panic: %v\n%s", err, debug.Stack())
		}
		if !c.http2.Load() {
			_ = c.Close()
		}
	}()
	if s.certificates == nil {
		s.serveHTTP1(c, c)
		return
	}
	t := tls.Server(c, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return s.certificates.get(s.listener.http2.Load() < s.mostHTTP2()), nil
		},
	})
	_ = c.SetDeadline(time.Now().Add(s.door.limits.read))
	if err := t.Handshake(); err != nil {
		if !errors.Is(err, io.EOF) { // as who only looks whether the port is open
			s.door.nowhere.outcomes[handshake].Add(1)
			s.door.observe.warn(warning{s.door.nowhere.path, handshake})
		}
		return
	}
	_ = c.SetDeadline(time.Time{})
	if t.ConnectionState().NegotiatedProtocol != "h2" {
		s.serveHTTP1(t, c)
		return
	}
	c.http2.Store(true)
	if s.listener.http2.Add(1) > s.mostHTTP2() || !s.upgraded.hand(t) {
		_ = c.Close()
	}
}

// streams is how many requests a connection of HTTP/2 may have under way.
const streams = 32

// mostHTTP2 is how many connections may be of HTTP/2: so many that their requests,
// too, are at most as many as connections may be. Each takes memory for its header
// before the door sees it.
func (s *server) mostHTTP2() int64 { return int64(max(1, s.door.limits.connections/streams)) }

// shutdown ends all connections: those that idle at once, others when they have
// their answer, or when the context ends.
func (s *server) shutdown(ctx context.Context) {
	s.closing.Store(true)
	_ = s.listener.Close()
	s.expire()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.connections.Wait()
	}()
	if s.http2 != nil && s.http2.Shutdown(ctx) != nil {
		_ = s.http2.Close()
	}
	select {
	case <-ended:
	case <-ctx.Done():
		s.close()
		<-ended
	}
}

// close ends all connections at once.
func (s *server) close() {
	s.closing.Store(true)
	_ = s.listener.Close()
	if s.http2 != nil {
		_ = s.http2.Close()
	}
	s.listener.closeAll()
}

// handover is a listener whose connections have been accepted elsewhere.
type handover struct {
	address     net.Addr
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

// hand reports whether the connection has been taken.
func (h *handover) hand(c net.Conn) bool {
	select {
	case h.connections <- c:
		return true
	case <-h.closed:
		return false
	}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.connections:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Addr() net.Addr { return h.address }

func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// listener takes at most so many connections. Over it, the one that has idled
// longest is closed for a new one, so that whoever holds idle ones keeps nobody
// out; if none idles the new one waits.
type listener struct {
	net.Listener
	slots chan struct{}
	http2 atomic.Int64 // connections of it

	mu   sync.Mutex
	open map[*conn]struct{}
}

// conn is a connection that knows since when it idles.
type conn struct {
	net.Conn
	of    *listener
	idle  atomic.Int64 // unix nanoseconds; 0 while it serves a request, evicted if it is closed for another one
	http2 atomic.Bool  // net/http has it, and closes it
	once  sync.Once
}

const evicted = -1

// idles tells that the connection waits for a request, or for nothing.
func (c *conn) idles() { c.idle.Store(time.Now().UnixNano()) }

// works tells that a request has come, and reports whether the connection is still
// there to answer it.
func (c *conn) works() bool { return c.idle.Swap(0) != evicted }

func limitConnections(l net.Listener, most int) *listener {
	return &listener{Listener: l, slots: make(chan struct{}, most), open: map[*conn]struct{}{}}
}

func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.waitForSlot()
	c := &conn{Conn: inner, of: l}
	c.idles()
	l.mu.Lock()
	l.open[c] = struct{}{}
	l.mu.Unlock()
	return c, nil
}

func (l *listener) waitForSlot() {
	for {
		select {
		case l.slots <- struct{}{}:
			return
		default:
		}
		if l.closeIdle() {
			continue
		}
		// All serve a request. Look again for one that has come to idle.
		select {
		case l.slots <- struct{}{}:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// closeIdle closes the connection that has idled longest, if one idles.
func (l *listener) closeIdle() bool {
	l.mu.Lock()
	var oldest *conn
	var since int64
	for c := range l.open {
		if idle := c.idle.Load(); idle > 0 && (oldest == nil || idle < since) {
			oldest, since = c, idle
		}
	}
	l.mu.Unlock()
	if oldest == nil {
		return false
	}
	if oldest.idle.CompareAndSwap(since, evicted) {
		_ = oldest.Close()
	}
	return true
}

// expire is for HTTP/1.1. Of HTTP/2 it would end the answers, too.
func (l *listener) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if !c.http2.Load() {
			_ = c.SetReadDeadline(time.Now())
		}
	}
}

func (l *listener) closeAll() {
	l.mu.Lock()
	open := slices.Collect(maps.Keys(l.open))
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

// CloseWrite ends the connection for writing.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

// Close implements net.Conn.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = c.Conn.Close()
		c.of.mu.Lock()
		delete(c.of.open, c)
		c.of.mu.Unlock()
		if c.http2.Load() {
			c.of.http2.Add(-1)
		}
		<-c.of.slots
	})
	return err
}

// noteState is told by net/http what its connections do.
func noteState(nc net.Conn, state http.ConnState) {
	c := nc.(*tls.Conn).NetConn().(*conn)
	switch state {
	case http.StateIdle:
		c.idles()
	case http.StateActive:
		c.works()
	}
}
