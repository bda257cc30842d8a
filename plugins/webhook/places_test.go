package webhook

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A stranger has the only place and never moves again, whatever the door was told
// before: whoever comes next gets the place, long before the limits of time.
func TestPlaceOfAStrangerIsGivenUp(t *testing.T) {
	for name, begin := range map[string]string{
		"health without its body":       "GET /healthz HTTP/1.1\r\nHost: door\r\nContent-Length: 100\r\n\r\n",
		"refused without its body":      "POST /nowhere HTTP/1.1\r\nHost: door\r\nContent-Length: 100\r\n\r\n",
		"refused while it expects":      "POST /nowhere HTTP/1.1\r\nHost: door\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n",
		"expectation that nobody knows": "POST /nowhere HTTP/1.1\r\nHost: door\r\nExpect: x\r\nContent-Length: 100\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, limited(limitsOfRows+", connections: 1, read: 10m, answer: 10m", ""), acks)
			stranger := s.dial(t)
			_, err := io.WriteString(stranger, begin)
			require.NoError(t, err)
			eventually(t, func() bool { // something of the request has come
				all := s.server.listener.all()
				return len(all) == 1 && all[0].asked.Load()
			})
			genuine := s.dial(t)
			_, err = io.WriteString(genuine, call{method: "POST", path: "/callrail/post_call", body: "{}", headers: []string{sign("{}")}}.text())
			require.NoError(t, err)
			res, err := http.ReadResponse(bufio.NewReader(genuine), nil)
			require.NoError(t, err)
			require.Equal(t, 200, res.StatusCode)
		})
	}
}

// Strangers hold all the room for unfinished headers with small ones. A genuine
// header that is larger than each is answered, and the strangers' are given up.
func TestSmallHeadersKeepNobodyOut(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", connections: 8, read: 10m", ""), acks)
	for range 7 {
		_, err := io.WriteString(s.dial(t), "POST /callrail/post_call HTTP/1.1\r\nX-A: "+strings.Repeat("x", 250))
		require.NoError(t, err)
	}
	eventually(t, func() bool { return s.server.listener.header.Load() > 7*250 })
	time.Sleep(2 * leastWait) // a genuine header comes at once, these do not
	genuine := s.dial(t)
	_, err := io.WriteString(genuine, call{method: "POST", path: "/callrail/post_call", body: "{}", headers: []string{sign("{}"), "X-A: " + strings.Repeat("x", 500)}}.text())
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(genuine), nil)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
}

// A stranger asks and reads no answers: the place is given up while the door writes.
func TestPlaceOfAStrangerThatDoesNotReadIsGivenUp(t *testing.T) {
	l := newListener(nil, 1, nil)
	inner, stranger := net.Pipe()
	t.Cleanup(func() { _ = stranger.Close() })
	c := &conn{Conn: inner, of: l}
	require.True(t, l.add(c))
	c.reaches()
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		wrote <- err
	}()
	eventually(t, func() bool {
		l.giveUpLongest()
		return len(wrote) > 0
	})
	require.ErrorIs(t, <-wrote, io.ErrClosedPipe)
}

// The handshakes of connections of HTTP/2 leave the room for unfinished headers.
func TestHandshakeOfHTTP2LeavesNoHeader(t *testing.T) {
	a := newAuthority(t)
	s := newStand(t, limited(limitsOfRows, "")+a.files(t).yaml, acks)
	c := client(t, &tls.Config{RootCAs: a.pool})
	res, err := c.Get("https://" + s.address.String() + healthPath)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 2, res.ProtoMajor)
	require.Zero(t, s.server.listener.header.Load())
}

// A sender that was told to go on and sends too much reads its answer, though it
// sends all before it reads.
func TestAnswerAfterContinue(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	c := s.dial(t)
	_, err := io.WriteString(c, "POST /open HTTP/1.1\r\nHost: door\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
	require.NoError(t, err)
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = r.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(c, strings.Repeat("10000\r\n"+strings.Repeat("x", 64<<10)+"\r\n", 96)+"0\r\n\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.Equal(t, 413, res.StatusCode)
}

// A connection that is given up while it is read leaves the room for headers.
func TestHeaderOfAClosedConnectionIsForgotten(t *testing.T) {
	l := newListener(nil, 1, nil)
	c := &conn{of: l}
	c.Conn = closing{c: c}
	require.True(t, l.add(c))
	_, _ = c.Read(make([]byte, 10))
	require.Zero(t, l.header.Load())
}

// closing is a connection that is given up while it is read.
type closing struct {
	net.Conn
	c *conn
}

func (closing) Close() error { return nil }
func (r closing) Read(p []byte) (int, error) {
	_ = r.c.Close()
	return len(p), nil
}
