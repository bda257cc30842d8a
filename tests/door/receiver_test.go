package door_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// receiver is what the output writes to. What it has written stays written,
// whatever it answers afterwards.
type receiver struct {
	address string

	mu      sync.Mutex
	mode    mode
	changed chan struct{} // closed when the mode changes
	server  *http.Server  // nil while it is dead
	waiting int           // requests that hang
	written map[string]int
	spoiled []string // bodies that no sender has sent
}

type mode int

const (
	takes   mode = iota // writes and answers 200
	slow                // the same, later
	refuses             // answers 500
	hangs               // answers nothing until the mode changes
	forgets             // writes, and ends the connection without an answer
)

// newReceiver returns a receiver that is not yet up.
func newReceiver(t *testing.T) *receiver {
	t.Helper()
	return &receiver{address: services.FreeAddress(t), changed: make(chan struct{}), written: map[string]int{}}
}

func startReceiver(t *testing.T, m mode) *receiver {
	t.Helper()
	r := newReceiver(t)
	r.mode = m
	r.live(t)
	return r
}

func (r *receiver) url() string { return "http://" + r.address + "/" }

// live brings it up, for the first time or again.
func (r *receiver) live(t *testing.T) {
	t.Helper()
	var l net.Listener
	services.Eventually(t, func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", r.address)
		return err == nil
	}, "the receiver's address is free")
	s := &http.Server{Handler: r}
	r.mu.Lock()
	r.server = s
	r.mu.Unlock()
	go func() { _ = s.Serve(l) }()
}

// die ends all its connections.
func (r *receiver) die() {
	r.mu.Lock()
	s := r.server
	r.server = nil
	r.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
}

func (r *receiver) set(m mode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = m
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	for {
		r.mu.Lock()
		m, changed := r.mode, r.changed
		if m == hangs {
			r.waiting++
		}
		r.mu.Unlock()
		switch m {
		case hangs:
			select {
			case <-changed:
			case <-req.Context().Done():
				m = refuses
			}
			r.mu.Lock()
			r.waiting--
			r.mu.Unlock()
			if m == refuses {
				return
			}
			continue
		case refuses:
			w.WriteHeader(http.StatusInternalServerError)
			return
		case slow:
			time.Sleep(20 * time.Millisecond)
		}
		r.write(string(body))
		if m == forgets {
			panic(http.ErrAbortHandler)
		}
		return
	}
}

func (r *receiver) write(body string) {
	first, _, _ := strings.Cut(body, "\n")
	var id string
	var size int
	_, err := fmt.Sscanf(first, "%s %d", &id, &size)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || body != string(newBody(id, size)) {
		r.spoiled = append(r.spoiled, first)
	}
	r.written[id]++
}

// hanging returns how many requests hang.
func (r *receiver) hanging() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
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
