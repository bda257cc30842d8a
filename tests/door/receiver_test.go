package door_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// receiver is what the output writes to.
type receiver struct {
	*services.Receiver

	mu      sync.Mutex
	written map[string]int
	spoiled []string // bodies that no sender has sent
}

// newReceiver returns a receiver that is not yet up.
func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{written: map[string]int{}}
	r.Receiver = services.NewReceiver(t, r.write)
	return r
}

func startReceiver(t *testing.T, m services.Mode) *receiver {
	t.Helper()
	r := newReceiver(t)
	r.Set(m)
	r.Live(t)
	return r
}

func (r *receiver) write(_ *http.Request, body []byte) int {
	first, _, _ := strings.Cut(string(body), "\n")
	var id string
	var size int
	_, err := fmt.Sscanf(first, "%s %d", &id, &size)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || !bytes.Equal(body, newBody(id, size)) {
		r.spoiled = append(r.spoiled, first)
	}
	r.written[id]++
	return http.StatusOK
}

// has reports whether it has written a delivery.
func (r *receiver) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.written[id] > 0
}

// requireWhole expects nothing but what senders have sent.
func (r *receiver) requireWhole(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(t, r.spoiled)
}

// listenLines takes lines at an address, and returns a function that returns how
// often each came.
func listenLines(t *testing.T, address string) func() map[string]int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	lines := map[string]int{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for s := bufio.NewScanner(conn); s.Scan(); {
					mu.Lock()
					lines[s.Text()]++
					mu.Unlock()
				}
			}()
		}
	}()
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		copied := map[string]int{}
		for line, n := range lines {
			copied[line] = n
		}
		return copied
	}
}
