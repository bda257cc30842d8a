package webhook

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// http1 answers the requests of a connection, one after the other. Of HTTP/1.1
// the door needs little: net/http reads a request, as strictly as for its own
// server, and the answer is a fixed text. What that server does beside, for
// handlers that stream or watch their sender, takes as long as all that a
// delivery needs of HTTP.
type http1 struct {
	net.Conn // plain or TLS
	of       *server
	under    *conn
	remote   string // address of the peer

	header headerReader // of Conn
	r      *bufio.Reader
	body   body // of the request
	w      []byte
	writes time.Time // until when
}

// body is what a sender sends, told to go on first if it waits for that.
type body struct {
	io.ReadCloser
	of    *http1
	waits bool
	ended bool // all of it has been read
}

func (b *body) Read(p []byte) (int, error) {
	if b.waits {
		b.waits = false
		if err := b.of.send([]byte("HTTP/1.1 100 Continue\r\n\r\n"), time.Now()); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.ended = errors.Is(err, io.EOF)
	return n, err
}

// headerReader reads a connection, at most left bytes of it.
type headerReader struct {
	net.Conn
	left int64
}

var errHeaderTooLarge = errors.New("reading header: expected less")

func (r *headerReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errHeaderTooLarge
	}
	n, err := r.Conn.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

const (
	// headerSlop is what may stand in the buffer of a request's body.
	headerSlop = 4 << 10
	// maxUnread is how much of a body that nobody wants is read, to keep the
	// connection.
	maxUnread = 256 << 10
	// lingering is how long a sender that still writes may do so, to come to read
	// its answer.
	lingering = 500 * time.Millisecond
	// writing is how long an answer may take to be written, at least. All are
	// smaller than the buffers of a socket, so it ends those that send on and do
	// not read.
	writing = 10 * time.Second
)

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

func (s *server) serveHTTP1(nc net.Conn, under *conn) {
	h := &http1{Conn: nc, of: s, under: under, remote: nc.RemoteAddr().String(), header: headerReader{Conn: nc}}
	h.r = readers.Get().(*bufio.Reader)
	h.r.Reset(&h.header)
	defer func() {
		h.r.Reset(nil)
		readers.Put(h.r)
	}()
	for wait := s.door.limits.read; h.await(wait) && h.serve(); wait = s.door.limits.idle {
	}
}

// until sets when a read has to be done.
func (h *http1) until(t time.Time) {
	_ = h.SetReadDeadline(t)
	if h.of.closing.Load() {
		_ = h.SetReadDeadline(time.Now()) // it may have been set over that of expire
	}
}

// await waits for a request, and reports whether there is one. The connection
// idles until its header has come.
func (h *http1) await(wait time.Duration) bool {
	h.header.left = h.of.door.limits.header + headerSlop
	if h.r.Buffered() > 0 {
		h.until(time.Now().Add(h.of.door.limits.read))
		return true
	}
	now := time.Now()
	h.under.idle.Store(now.UnixNano())
	h.until(now.Add(wait))
	if _, err := h.r.Peek(1); err != nil {
		return false
	}
	h.until(time.Now().Add(h.of.door.limits.read))
	return true
}

// serve answers a request, and reports whether the connection takes another one.
func (h *http1) serve() bool {
	req, err := h.read()
	if err != nil {
		if refusal := refusalOf(err); refusal.status != 0 && h.write(&refusal, true, false) == nil {
			h.linger()
		}
		return false
	}
	answer := h.of.door.answer(req)
	// A connection is not kept for the sake of a body that nobody wants. HTTP/1.0
	// knows of kept ones only what some have agreed on.
	last := answer.last || req.Close || !req.ProtoAtLeast(1, 1) || !h.body.ended && (h.body.waits || req.ContentLength > maxUnread)
	if h.write(&answer, last, req.Method == http.MethodHead) != nil {
		return false
	}
	if !last && !h.body.ended {
		_, _ = io.CopyN(io.Discard, &h.body, maxUnread)
	}
	if !h.body.ended {
		h.linger()
	}
	return !last && h.body.ended
}

// read reads a request, but for its body.
func (h *http1) read() (*http.Request, error) {
	for range 2 { // what some senders put behind a body, which is no part of it
		if c, err := h.r.Peek(1); err == nil && (c[0] == '\r' || c[0] == '\n') {
			_, _ = h.r.Discard(1)
		}
	}
	req, err := http.ReadRequest(h.r)
	if err != nil {
		return nil, err
	}
	h.header.left = math.MaxInt64
	h.under.idle.Store(0)
	if req.ProtoMajor != 1 {
		return nil, errVersion
	}
	if !httpguts.ValidHostHeader(req.Host) || req.Host == "" && req.ProtoAtLeast(1, 1) {
		return nil, errHost
	}
	for name := range req.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, errHeaderName
		}
	}
	h.body = body{ReadCloser: req.Body, of: h, ended: req.Body == http.NoBody}
	if expect := req.Header["Expect"]; len(expect) > 0 && req.ProtoAtLeast(1, 1) {
		if !httpguts.HeaderValuesContainsToken(expect, "100-continue") {
			return nil, errExpectation
		}
		h.body.waits = !h.body.ended
	}
	req.Body = &h.body
	req.RemoteAddr = h.remote
	return req, nil
}

var (
	errVersion     = errors.New("reading request: expected HTTP/1.1")
	errHost        = errors.New("reading header: expected a host")
	errHeaderName  = errors.New("reading header: expected a valid name")
	errExpectation = errors.New("reading header: expected 100-continue")
)

// refusalOf returns what a sender is told of a request that cannot be read. There
// is no status if it is told nothing.
func refusalOf(err error) reply {
	var network *net.OpError
	switch {
	case errors.Is(err, errHeaderTooLarge):
		return reply{status: http.StatusRequestHeaderFieldsTooLarge, text: "header too large"}
	case errors.Is(err, errVersion):
		return reply{status: http.StatusHTTPVersionNotSupported, text: "expected HTTP/1.1"}
	case errors.Is(err, errExpectation):
		return reply{status: http.StatusExpectationFailed, text: "expected no expectation but 100-continue"}
	case errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network):
		return reply{}
	case strings.Contains(err.Error(), "transfer encoding"): // net/http has no other sign
		return reply{status: http.StatusNotImplemented, text: "expected no transfer coding but chunked"}
	}
	return reply{status: http.StatusBadRequest, text: "expected a request of HTTP/1.1"}
}

// write writes an answer, the last one of the connection or not.
func (h *http1) write(a *reply, last, head bool) error {
	now := time.Now()
	b := append(h.w[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(append(b, ' '), http.StatusText(a.status)...)
	b = now.UTC().AppendFormat(append(b, "\r\nDate: "...), http.TimeFormat)
	if a.name != "" {
		b = append(append(append(append(b, "\r\n"...), a.name...), ": "...), a.value...)
	}
	if last {
		b = append(b, "\r\nConnection: close"...)
	}
	size := 0
	if a.text != "" {
		b = append(append(b, "\r\nContent-Type: "...), contentType...)
		size = len(a.text) + len("\n")
	}
	b = append(b, "\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(size), 10), "\r\n\r\n"...)
	if size > 0 && !head {
		b = append(append(b, a.text...), '\n')
	}
	h.w = b
	return h.send(b, now)
}

func (h *http1) send(b []byte, now time.Time) error {
	if h.writes.Sub(now) < writing { // to set it takes time, so it is seldom set
		h.writes = now.Add(4 * writing)
		_ = h.SetWriteDeadline(h.writes)
	}
	_, err := h.Write(b)
	return err
}

// linger ends the connection for writing, and lets the sender come to read what
// was written: to close at once would throw that away if it still writes.
func (h *http1) linger() {
	half, ok := h.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	now := time.Now()
	h.under.idle.Store(now.UnixNano()) // whoever needs the connection may have it
	_ = h.SetReadDeadline(now.Add(lingering))
	_, _ = io.CopyN(io.Discard, h.Conn, maxUnread)
}
