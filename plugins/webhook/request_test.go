package webhook

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sent is a connection on which something has been sent, and what is written to it
// is lost.
type sent struct {
	net.Conn
	io.Reader
}

func (s sent) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (s sent) Write(p []byte) (int, error)      { return len(p), nil }
func (s sent) SetWriteDeadline(time.Time) error { return nil }
func (s sent) SetReadDeadline(time.Time) error  { return nil }
func received(text []byte, limit int64) *http1 {
	c := sent{Reader: bytes.NewReader(text)}
	d := &door{config: &config{limits: limits{header: limit}, wanted: []string{"Content-Type", "Signature"}}}
	return &http1{Conn: c, of: &server{door: d}, in: bufio.NewReaderSize(c, bufferSize)}
}

// FuzzRequest: what we take for a request, net/http takes for the same one, with
// the same body and the same bytes behind it.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{
		"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}POST",
		"\r\nPOST /a%2Fb?c=d HTTP/1.1\r\nhost: door:80\r\nSIGNATURE:  a b \r\nsignature: c\r\nConnection: x, Close\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nX: y\r\n\r\nPOST",
		"POST http://elsewhere/open HTTP/1.0\r\nContent-Length: 2\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}",
		"OPTIONS * HTTP/1.1\r\nHost: \r\n\r\n",
		"GET //a/../b HTTP/1.9\r\nHost: door\r\nContent-Type:\ta/b;c=\"d\"\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		h := received(text, 32<<10)
		if h.read() != nil {
			return
		}
		for range 2 {
			if len(text) > 0 && (text[0] == '\r' || text[0] == '\n') {
				text = text[1:]
			}
		}
		r := bufio.NewReader(bytes.NewReader(text))
		req, err := http.ReadRequest(r)
		require.NoError(t, err)
		require.Equal(t, req.Method, h.request.Method)
		require.Equal(t, req.URL, h.request.URL)
		require.Equal(t, req.ContentLength, h.request.ContentLength)
		require.True(t, h.request.Close || !req.Close)
		for _, name := range h.of.door.wanted {
			require.Equal(t, req.Header[name], h.request.Header[name], name)
		}
		body, err := readAll(&h.body, h.request.ContentLength, 1<<20, &share{of: &memory{limit: 1 << 20}})
		if err != nil {
			return
		}
		want, err := io.ReadAll(req.Body)
		require.NoError(t, err)
		require.Equal(t, want, body)
		rest, err := io.ReadAll(h.in)
		require.NoError(t, err)
		want, err = io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, want, rest)
	})
}

// A header comes in pieces of any size, and may be as large as the limit.
func TestHeaderInPieces(t *testing.T) {
	for _, size := range []int{100, bufferSize - 1, bufferSize, bufferSize + 1, 20_000} {
		begin, end := "POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\nSignature: ", "\r\n\r\n"
		value := strings.Repeat("s", size-len(begin)-len(end))
		text := begin + value + end + "{}more"
		for name, pieces := range map[string]func(io.Reader) io.Reader{
			"whole":  func(r io.Reader) io.Reader { return r },
			"pieces": func(r io.Reader) io.Reader { return &piecewise{r, 7} },
		} {
			for limit, fits := range map[int64]bool{int64(size): true, int64(size) - 1: false} {
				h := received(nil, limit)
				h.in.Reset(pieces(strings.NewReader(text)))
				h.Conn = sent{Reader: pieces(strings.NewReader(text))}
				h.in.Reset(h.Conn)
				err := h.read()
				if !fits {
					require.ErrorIs(t, err, errHeaderTooLarge, "%s of %d", name, size)
					continue
				}
				require.NoError(t, err, "%s of %d", name, size)
				require.Equal(t, []string{value}, h.request.Header["Signature"])
				body, err := io.ReadAll(&h.body)
				require.NoError(t, err)
				require.Equal(t, "{}", string(body))
				rest, err := io.ReadAll(h.in)
				require.NoError(t, err)
				require.Equal(t, "more", string(rest))
			}
		}
	}
}

// piecewise reads a few bytes at a time.
type piecewise struct {
	io.Reader
	most int
}

func (r *piecewise) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.most)]) }
