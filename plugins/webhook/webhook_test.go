package webhook

import (
	"context"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// exhausted is a listener that has no file for a connection at first.
type exhausted struct {
	net.Listener
	times int
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.times > 0 {
		l.times--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// Where the process has too many files open, the door says so and goes on.
func TestTooManyFiles(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := newServer(s.door, &exhausted{inner, 3}, nil, s.log)
	served := make(chan error, 1)
	go func() { served <- server.serve() }()
	second := &stand{input: &input{address: inner.Addr()}}
	status := post(t, second, "/open", "{}")
	require.Equal(t, 200, status)
	require.Equal(t, 1, strings.Count(s.logs.String(), "too many open files"), "a line a minute")
	server.shutdown(context.WithoutCancel(t.Context()))
	require.NoError(t, <-served)
}
