package services

import (
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Receiver is a server that outputs post to. What it has taken stays taken, whatever
// it answers afterwards.
type Receiver struct {
	address string
	take    func(req *http.Request, body []byte) (status int)

	mu      sync.Mutex
	mode    Mode
	changed chan struct{} // closed when the mode changes
	server  *http.Server  // nil while it is dead
	hanging int           // requests that hang
}

// Mode is what a receiver does with a request.
type Mode int

// The modes of a receiver.
const (
	Takes   Mode = iota // takes the body, and answers what take returns
	Slow                // the same, later
	Refuses             // answers 500
	Hangs               // answers nothing until the mode changes
	Forgets             // takes the body, and ends the connection without an answer
)

// NewReceiver returns a receiver that is not yet up. It gives each body to take, which
// is called by many goroutines and returns the status of the answer.
func NewReceiver(t testing.TB, take func(req *http.Request, body []byte) (status int)) *Receiver {
	t.Helper()
	return &Receiver{address: FreeAddress(t), take: take, changed: make(chan struct{})}
}

// URL returns where outputs post to.
func (r *Receiver) URL() string { return "http://" + r.address + "/" }

// Live brings the receiver up, for the first time or again.
func (r *Receiver) Live(t testing.TB) {
	t.Helper()
	var l net.Listener
	Eventually(t, func() (ok bool) {
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

// Die ends all connections of the receiver.
func (r *Receiver) Die() {
	r.mu.Lock()
	s := r.server
	r.server = nil
	r.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
}

// Set changes the mode, also of the requests that hang.
func (r *Receiver) Set(m Mode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = m
	close(r.changed)
	r.changed = make(chan struct{})
}

// Hanging returns how many requests hang.
func (r *Receiver) Hanging() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hanging
}

// ServeHTTP answers a request as the mode says.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	for {
		r.mu.Lock()
		m, changed := r.mode, r.changed
		if m == Hangs {
			r.hanging++
		}
		r.mu.Unlock()
		switch m {
		case Hangs:
			gone := false
			select {
			case <-changed:
			case <-req.Context().Done():
				gone = true
			}
			r.mu.Lock()
			r.hanging--
			r.mu.Unlock()
			if gone {
				return
			}
			continue
		case Refuses:
			w.WriteHeader(http.StatusInternalServerError)
			return
		case Slow:
			time.Sleep(20 * time.Millisecond)
		}
		status := r.take(req, body)
		if m == Forgets {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		return
	}
}
