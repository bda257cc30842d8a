package webhook

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// http1 answers the requests of a connection, one after the other. Of HTTP/1.1
// the door needs little: a header whose fields are few, a body of a known size or
// in chunks, and answers that are fixed texts. What net/http's server does beside,
// for handlers that stream or watch their sender, takes longer than all that the
// door does itself.
type http1 struct {
	net.Conn // plain or TLS
	of       *server
	under    *conn
	remote   string // address of the peer

	in      *bufio.Reader // of Conn
	request http.Request  // that is being answered
	body    body          // of it
	out     []byte
	date    []byte // of the second, for answers
	second  int64
	writes  time.Time // until when
	hurries bool      // the request has to come in time
}

const (
	// bufferSize holds a request of the usual size, header and body.
	bufferSize = 4 << 10
	// maxUnread is how much of a body that nobody wants is read, to keep the
	// connection.
	maxUnread = 256 << 10
	// lingering is how long a sender that still writes may do so, to come to read
	// its answer, and maxLingering how much.
	lingering    = 500 * time.Millisecond
	maxLingering = 8 << 20
	// writing is how long an answer may take to be written, at least. All are
	// smaller than the buffers of a socket, so it ends those that send on and do
	// not read.
	writing = 10 * time.Second
)

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}

func (s *server) serveHTTP1(nc net.Conn, under *conn) {
	buffer := buffers.Get().(*bufio.Reader)
	buffer.Reset(nc)
	defer func() {
		buffer.Reset(nil)
		buffers.Put(buffer)
	}()
	h := &http1{Conn: nc, of: s, under: under, remote: nc.RemoteAddr().String(), in: buffer}
	for wait := s.door.limits.read; h.await(wait) && h.serve(); wait = s.door.limits.idle {
	}
}

// until sets how long a read may take.
func (h *http1) until(wait time.Duration) {
	_ = h.SetReadDeadline(time.Now().Add(wait))
	if h.of.closing.Load() {
		_ = h.SetReadDeadline(time.Now()) // it may have been set over that of expire
	}
}

// hurry is called before more of a request is read than has come with its first
// byte, which is mostly all of it.
func (h *http1) hurry() {
	if !h.hurries {
		h.hurries = true
		h.until(h.of.door.limits.read)
	}
}

// await waits for a request, and reports whether there is one. The connection
// idles until its header has come.
func (h *http1) await(wait time.Duration) bool {
	h.under.idles()
	h.hurries = false
	if h.in.Buffered() > 0 {
		return true
	}
	h.until(wait)
	_, err := h.in.Peek(1)
	return err == nil
}

// serve answers a request, and reports whether the connection takes another one.
func (h *http1) serve() bool {
	err := h.read()
	if !h.under.works() {
		return false
	}
	if err != nil {
		if refusal := refusalOf(err); refusal.status != 0 && h.write(&refusal) == nil {
			h.linger()
		}
		return false
	}
	answer := h.of.door.answer(&h.request)
	// A connection is not kept for the sake of a body that nobody wants.
	answer.last = answer.last || h.request.Close || !h.body.ended && (h.body.waits || h.request.ContentLength > maxUnread)
	if h.write(&answer) != nil {
		return false
	}
	if !answer.last && !h.body.ended {
		_, _ = io.CopyN(io.Discard, &h.body, maxUnread)
	}
	if !h.body.ended {
		h.linger()
	}
	return !answer.last && h.body.ended
}

// read reads a request, but for its body.
func (h *http1) read() error {
	h.request.Method = ""
	for range 2 { // what some senders put behind a body, which is no part of it
		if c, err := h.in.Peek(1); err == nil && (c[0] == '\r' || c[0] == '\n') {
			_, _ = h.in.Discard(1)
			h.hurry()
		}
	}
	header, err := h.header()
	if err != nil {
		return err
	}
	if err := parseRequest(&h.request, string(header), h.of.door.wanted); err != nil {
		return err
	}
	_, _ = h.in.Discard(len(header))
	h.request.RemoteAddr = h.remote
	h.body = body{of: h, left: h.request.ContentLength, ended: h.request.ContentLength == 0}
	if h.request.ContentLength < 0 {
		h.body.chunks = httputil.NewChunkedReader(h.in)
	}
	h.body.waits = h.request.Header["Expect"] != nil && h.request.ProtoMinor > 0 && !h.body.ended
	h.request.Body = &h.body
	return nil
}

// header returns the text of a header, once all of it is in the buffer.
func (h *http1) header() ([]byte, error) {
	limit := int(h.of.door.limits.header)
	var scan headerScan
	for {
		text, err := h.in.Peek(h.in.Buffered())
		if err != nil {
			return nil, err
		}
		switch end, err := scan.end(text); {
		case err != nil:
			return nil, err
		case end > limit || end == 0 && len(text) >= limit:
			return nil, errHeaderTooLarge
		case end > 0:
			return text[:end], nil
		case len(text) < h.in.Size():
			h.hurry()
			if _, err := h.in.Peek(len(text) + 1); err != nil {
				return nil, err
			}
		default:
			larger := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(text)), h.Conn), limit)
			if _, err := larger.Peek(len(text)); err != nil {
				return nil, err
			}
			h.in = larger
		}
	}
}

// refusalOf returns what a sender is told of a request that cannot be read. There
// is no status if it is told nothing.
func refusalOf(err error) reply {
	refusal := reply{status: http.StatusBadRequest, text: "expected a request of HTTP/1.1", last: true}
	var network *net.OpError
	switch {
	case errors.Is(err, errHeaderTooLarge):
		refusal.status, refusal.text = http.StatusRequestHeaderFieldsTooLarge, "header too large"
	case errors.Is(err, errVersion):
		refusal.status, refusal.text = http.StatusHTTPVersionNotSupported, "expected HTTP/1.1"
	case errors.Is(err, errTransferCoding):
		refusal.status, refusal.text = http.StatusNotImplemented, "expected no transfer coding but chunked"
	case errors.Is(err, errExpectation):
		refusal.status, refusal.text = http.StatusExpectationFailed, "expected no expectation but 100-continue"
	case errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network):
		return reply{}
	}
	return refusal
}

// write writes an answer.
func (h *http1) write(a *reply) error {
	now := time.Now()
	b := append(h.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(append(b, ' '), http.StatusText(a.status)...)
	if second := now.Unix(); second != h.second {
		h.second, h.date = second, now.UTC().AppendFormat(h.date[:0], http.TimeFormat)
	}
	b = append(append(b, "\r\nDate: "...), h.date...)
	if a.name != "" {
		b = append(append(append(append(b, "\r\n"...), a.name...), ": "...), a.value...)
	}
	if a.last {
		b = append(b, "\r\nConnection: close"...)
	}
	size := 0
	if a.text != "" {
		b = append(append(b, "\r\nContent-Type: "...), contentType...)
		size = len(a.text) + len("\n")
	}
	b = append(b, "\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(size), 10), "\r\n\r\n"...)
	if size > 0 && h.request.Method != http.MethodHead {
		b = append(append(b, a.text...), '\n')
	}
	h.out = b
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
	if closeWrite(h.Conn) != nil {
		return
	}
	h.under.idles() // whoever needs the connection may have it
	_ = h.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.CopyN(io.Discard, h.Conn, maxLingering)
}

func closeWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// body is what a sender sends behind a header. It is told to go on if it waits for
// that.
type body struct {
	of     *http1
	left   int64     // of its size
	chunks io.Reader // instead, if it comes in chunks
	waits  bool
	ended  bool // all of it has been read
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	if b.ended {
		return 0, io.EOF
	}
	if b.of.in.Buffered() == 0 || b.chunks != nil {
		b.of.hurry()
	}
	if b.waits {
		b.waits = false
		if err := b.of.send([]byte("HTTP/1.1 100 Continue\r\n\r\n"), time.Now()); err != nil {
			return 0, err
		}
	}
	if b.chunks != nil {
		if n, err = b.chunks.Read(p); errors.Is(err, io.EOF) {
			err = b.trailer()
		}
		return n, err
	}
	n, err = b.of.in.Read(p[:min(int64(len(p)), b.left)])
	switch b.left -= int64(n); {
	case b.left == 0:
		b.ended = true
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// whole returns the body if all of it is here, until more of the connection is
// read; else nil.
func (b *body) whole() []byte {
	if b.ended || b.chunks != nil || int64(b.of.in.Buffered()) < b.left {
		return nil
	}
	text, _ := b.of.in.Peek(int(b.left))
	return text
}

// skip passes over a body that is here.
func (b *body) skip() {
	_, _ = b.of.in.Discard(int(b.left))
	b.left, b.ended = 0, true
}

// trailer reads what stands behind the last chunk, none of which is wanted, and
// returns io.EOF at the end of it.
func (b *body) trailer() error {
	for range maxFields {
		text, err := b.of.in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		line, ok := strings.CutSuffix(string(text), "\r\n")
		if ok && line == "" {
			b.ended = true
			return io.EOF
		}
		if _, _, valid := parseField(line); !ok || !valid {
			return errRequest
		}
	}
	return errHeaderTooLarge
}

// Close implements io.Closer.
func (b *body) Close() error { return nil }
