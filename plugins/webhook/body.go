package webhook

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"runtime"
)

var (
	errTooLarge = errors.New("reading body: expected less")
	errNotACode = errors.New("inflating body: expected gzip or deflate")
)

// A buffer of a body that is on its way grows in small steps, so that a sender that
// announces much and sends little takes little from others.
const (
	firstRead = 16 << 10
	leastStep = 64 << 10
)

// readAll reads r to its end, at most limit bytes, in a buffer that is reserved
// before it is made. announced is how many bytes are to come, or -1.
func readAll(r io.Reader, announced, limit int64, held *reservation) ([]byte, error) {
	size := int64(4 << 10)
	if announced >= 0 {
		size = min(announced, firstRead)
	}
	size = min(size, limit)
	if err := held.reserve(size); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, size)
	for int64(len(buf)) != announced {
		if len(buf) == cap(buf) {
			more := max(2*size, 512)
			if held.arrival != nil {
				more = min(more, size+max(size/4, leastStep))
			}
			if announced >= 0 {
				more = min(more, announced)
			}
			more = min(more, limit+1) // the byte over the limit shows that the body is larger
			// The smaller buffer is garbage as soon as it is copied: its bytes count once.
			if err := held.reserve(min(more, limit) - size); err != nil {
				return nil, err
			}
			grown := make([]byte, len(buf), more)
			copy(grown, buf)
			buf, size = grown, min(more, limit)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// maxRatio is how many times its size a body may inflate to, once it is over
// smallInflated: JSON inflates to some 30 times at most, a bomb to 1,000 times.
const (
	maxRatio      = 100
	smallInflated = 64 << 10
)

// inflate returns the body without its coding, gzip or deflate. Its errors are
// errNoMemory, errTooLarge, errNotACode, or another one if the body is broken.
func inflate(coding string, body []byte, limit int64, held *reservation) ([]byte, error) {
	var (
		inflated io.Reader
		err      error
	)
	switch source := bytes.NewReader(body); coding {
	case "gzip", "x-gzip":
		inflated, err = gzip.NewReader(source)
	case "deflate":
		// Deflate is zlib's format; some send it without the header.
		if isZlib(body) {
			inflated, err = zlib.NewReader(source)
		} else {
			inflated = flate.NewReader(source)
		}
	default:
		return nil, errNotACode
	}
	if err != nil {
		return nil, err
	}
	defer copying()()
	limit = min(limit, max(smallInflated, maxRatio*int64(len(body))))
	return readAll(inflated, -1, limit, held)
}

// copying is called before work that copies a body which nobody has verified. The
// copies are memory that nothing has reserved, so only a few goroutines copy at
// once. The caller calls done when its work has ended.
func copying() (done func()) {
	copies <- struct{}{}
	return func() { <-copies }
}

var copies = make(chan struct{}, runtime.GOMAXPROCS(0))

func isZlib(body []byte) bool {
	return len(body) >= 2 && body[0]&0x0f == 8 && (int(body[0])<<8|int(body[1]))%31 == 0
}
