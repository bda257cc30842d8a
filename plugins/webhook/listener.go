package webhook

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// listener takes at most so many connections. Over it, the one whose sender the
// door has waited for longest is given up for the new one, so that whoever holds
// connections and sends nothing keeps nobody out. If the door waits for no sender,
// the new connection waits.
type listener struct {
	net.Listener
	most     int
	noFile   func(error) // told when the process has no file for a connection
	stopping atomic.Bool
	stopped  time.Time // when at the latest; set before stopping

	header atomic.Int64 // bytes of headers that have not come whole
	http2  atomic.Int64 // connections that speak it

	mu    sync.Mutex
	open  map[*conn]struct{}
	freed chan struct{} // has an element if a connection was closed
}

func newListener(l net.Listener, most int, noFile func(error)) *listener {
	return &listener{Listener: l, most: most, noFile: noFile, open: map[*conn]struct{}{}, freed: make(chan struct{}, 1)}
}

// headerShare is how many bytes of unfinished headers there may be for each
// connection. What net/http makes of a header that has nothing but short fields
// takes 25 times the memory of its text.
const headerShare = 256

// Accept implements net.Listener. Once stop was called it returns what has arrived
// until then, and then net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) {
	empty := 0 // how often nothing had arrived
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if l.stopping.Load() {
			if time.Now().After(l.stopped) {
				_ = l.Close()
				return nil, net.ErrClosed
			}
			l.expire()
		}
		inner, err := l.Listener.Accept()
		switch {
		case err == nil:
			return l.admit(inner), nil
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM):
			l.noFile(err)
			l.giveUpLongest()
			time.Sleep(wait)
		case errors.Is(err, syscall.ECONNABORTED): // by the sender, before it was accepted
		case l.stopping.Load():
			// A deadline may pass before Accept has looked, so it looks twice.
			if empty++; empty < 2 && errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(l.stopped) {
				continue
			}
			_ = l.Close()
			return nil, net.ErrClosed
		default:
			return nil, err
		}
	}
}

// longestStop is how long what arrives is accepted after stop was called, where the
// kernel goes on to begin connections.
const longestStop = lastWords

// stop makes Accept return what has arrived, and then close the listener.
func (l *listener) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping.Load() {
		return
	}
	refuseNew(l.Listener)
	l.stopped = time.Now().Add(longestStop)
	l.stopping.Store(true)
	l.expire()
}

// expire lets Accept wait no longer than a moment, or not at all where the listener
// knows no deadlines.
func (l *listener) expire() {
	if timed, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = timed.SetDeadline(time.Now().Add(20 * time.Millisecond))
		return
	}
	_ = l.Close()
}

// admit waits for a place for the connection.
func (l *listener) admit(inner net.Conn) *conn {
	c := &conn{Conn: inner, of: l}
	c.since.Store(time.Now().Add(unreadYet).UnixNano())
	for !l.add(c) {
		l.giveUpLongest()
		// All may be answered at the moment, and who is given up takes a moment to leave.
		select {
		case <-l.freed:
		case <-time.After(10 * time.Millisecond):
		}
	}
	return c
}

func (l *listener) add(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		return false
	}
	l.open[c] = struct{}{}
	return true
}

// leastWait is how long the door waits for a sender before its connection can be
// given up. On a connection of which nothing has been read a request has mostly come
// that nobody had the time to read: such a connection counts as younger by unreadYet.
const (
	leastWait = 100 * time.Millisecond
	unreadYet = time.Second
)

// giveUpLongest gives the connection up whose sender the door has waited for
// longest, if it waits for any.
func (l *listener) giveUpLongest() {
	var longest *conn
	since := time.Now().Add(-leastWait).UnixNano()
	l.mu.Lock()
	for c := range l.open {
		if waits := c.since.Load(); waits > 0 && waits < since {
			longest, since = c, waits
		}
	}
	l.mu.Unlock()
	if longest == nil || !longest.since.CompareAndSwap(since, givenUp) {
		return
	}
	if a := longest.arrival.Load(); a != nil {
		if !a.giveUp(errNoConnection) { // else its sender is told
			longest.since.CompareAndSwap(givenUp, 0) // the body came just now
		}
		return
	}
	_ = longest.Close()
}

// giveUpHeader gives the connection up whose unfinished header is the largest of
// those that the door has waited for long enough, or of all if there is none: a
// genuine header comes at once, and many small ones must not keep it out.
func (l *listener) giveUpHeader() {
	var largest *conn
	var most int64
	var slow bool
	before := time.Now().Add(-leastWait).UnixNano()
	l.mu.Lock()
	for c := range l.open {
		n := c.header.Load()
		if waits := c.since.Load(); n > 0 && waits > 0 {
			if old := waits < before; old && !slow || old == slow && n > most {
				largest, most, slow = c, n, old
			}
		}
	}
	l.mu.Unlock()
	if largest != nil {
		_ = largest.Close()
	}
}

func (l *listener) remove(c *conn) {
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

func (l *listener) all() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.open))
}

// conn is a connection that knows what the door waits for.
type conn struct {
	net.Conn
	of *listener

	since   atomic.Int64            // unix nanoseconds since when the door waits for the sender; 0 while it does not, givenUp for good
	arrival atomic.Pointer[arrival] // the body that the door waits for; nil if for something else
	asked   atomic.Bool             // something of a request has come, and its answer is not written
	begun   atomic.Bool             // what has come is of a request, and no more of the handshake of TLS
	handled atomic.Bool             // the request has reached the handler
	header  atomic.Int64            // bytes of a header that has not come whole
	written atomic.Int64            // bytes that were written while no request had reached the handler
	status  atomic.Int64            // of the answer among them; 0 if it is not known
	http2   atomic.Bool
	closed  atomic.Bool
}

const givenUp = -1

// waits tells that the door waits for the sender: for the body if there is one, else
// for a request.
func (c *conn) waits(a *arrival, since time.Time) {
	c.arrival.Store(a)
	c.change(since.UnixNano())
}

// works tells that the door does not wait for the sender.
func (c *conn) works() {
	c.arrival.Store(nil)
	c.change(0)
}

// leaves tells that the last answer was written: whoever needs the connection may
// have it.
func (c *conn) leaves() { c.change(1) }

// change sets since when the door waits, unless the connection was given up.
func (c *conn) change(since int64) {
	for {
		now := c.since.Load()
		if now == givenUp || c.since.CompareAndSwap(now, since) {
			return
		}
	}
}

// reaches tells that a request has reached the handler.
func (c *conn) reaches() {
	c.asked.Store(true) // it may have come together with the request before
	c.handled.Store(true)
	c.forgetHeader()
	c.works()
}

// forgetHeader tells that the header has come whole.
func (c *conn) forgetHeader() { c.of.header.Add(-c.header.Swap(0)) }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.handled.Load() {
		if !c.asked.Swap(true) {
			c.waits(nil, time.Now())
		}
		switch {
		case c.http2.Load(): // where requests are limited instead
		case bytes.Contains(p[:n], endOfHeader):
			// Nobody has had the time to parse the header, for which the sender must not be
			// given up. TLS hides the end.
			c.forgetHeader()
		default:
			c.header.Add(int64(n))
			c.of.header.Add(int64(n))
			if c.closed.Load() { // while it was read
				c.forgetHeader()
			}
			if c.of.header.Load() > headerShare*int64(c.of.most) {
				c.of.giveUpHeader()
			}
		}
	}
	return n, err
}

var endOfHeader = []byte("\r\n\r\n")

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if !c.handled.Load() && c.written.Add(int64(len(p))) == int64(len(p)) {
		c.status.Store(statusOf(p)) // of the first bytes
	}
	// The door waits for the sender to read. A sender that does not would keep its place
	// for as long as an answer may take to be written.
	if now := time.Now().UnixNano(); c.since.CompareAndSwap(0, now) {
		defer c.since.CompareAndSwap(now, 0)
	}
	return c.Conn.Write(p)
}

// statusOf returns the status of an answer of HTTP/1.1, or 0.
func statusOf(answer []byte) int64 {
	rest, ok := bytes.CutPrefix(answer, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 3 {
		return 0
	}
	status, _ := strconv.ParseInt(string(rest[:3]), 10, 64)
	return status
}

// CloseWrite ends the connection for writing.
func (c *conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	err := c.Conn.Close()
	c.forgetHeader()
	if c.http2.Load() {
		c.of.http2.Add(-1)
	}
	c.of.remove(c)
	return err
}

// noteState hears from net/http what a connection does. It does not hear that a
// request has come where the whole header was read together with the request before.
func (c *conn) noteState(state http.ConnState) {
	switch state {
	case http.StateActive:
		if !c.begun.Swap(true) {
			c.written.Store(0) // by the handshake
		}
		c.asked.Store(true)
		// Over HTTP/1.1 the handler tells when it has the request. If net/http refuses
		// the request, the door goes on to wait for a sender that net/http still reads.
		if c.http2.Load() {
			c.forgetHeader()
			c.works()
		}
	case http.StateIdle:
		c.begun.Store(true)
		c.asked.Store(false)
		c.handled.Store(false)
		c.written.Store(0)
		c.waits(nil, time.Now())
	}
}

// longestAlert is more than the alert that ends a connection of TLS, and less than
// an answer.
const longestAlert = 64

// refused reports whether net/http has answered a request that did not reach the
// handler, and with what status, as far as that is known: TLS hides it.
func (c *conn) refused() (status int64, refused bool) {
	return c.status.Load(), c.begun.Load() && !c.handled.Load() && c.written.Load() > longestAlert
}

// connOf returns the connection below that of net/http.
func connOf(nc net.Conn) *conn {
	if over, ok := nc.(interface{ NetConn() net.Conn }); ok { // TLS
		nc = over.NetConn()
	}
	c, _ := nc.(*conn)
	return c
}

type connKey struct{}

// connOfRequest returns the connection of a request of HTTP/1.1; nil where several
// requests share the connection, or another listener has accepted it.
func connOfRequest(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	if c == nil || c.http2.Load() {
		return nil
	}
	return c
}
