package webhook

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// A body has to come at a least rate, so many bytes a second on the average. A sender
// may fall behind that rate by the grace; being ahead of it gains no more than the
// grace anew.
const (
	leastRate = 16 << 10 // bytes a second
	grace     = 2 * time.Second
)

var (
	errNoConnection = errors.New("reading body: its connection was needed for another one")
	errDraining     = errors.New("reading body: the process stops")
)

// arrival is a body on its way in. Whoever needs its place can give it up, from
// another goroutine.
type arrival struct {
	body    io.Reader
	control *http.ResponseController
	conn    *conn     // nil over HTTP/2, where several requests share one
	known   bool      // the sender was verified without the body
	latest  time.Time // when all of the body has to be here

	mu     sync.Mutex // also held while a deadline is set: after the handler's end there is nothing to set one for
	due    time.Time  // when the next bytes have to be here; the earliest is the slowest body's
	reason error      // why the body was given up; nil if it was not
	ended  bool       // nobody reads the body any more
}

func newArrival(body io.Reader, control *http.ResponseController, c *conn, known bool, read time.Duration) *arrival {
	now := time.Now()
	a := &arrival{body: body, control: control, conn: c, known: known, latest: now.Add(read)}
	a.expect(now.Add(grace), now)
	return a
}

// expect sets when the next bytes have to be here.
func (a *arrival) expect(due, now time.Time) {
	a.due = earliest(due, now.Add(grace), a.latest)
	if a.conn != nil && !a.known {
		a.conn.waits(a, a.due.Add(-grace))
	}
}

func earliest(t time.Time, others ...time.Time) time.Time {
	for _, other := range others {
		if other.Before(t) {
			t = other
		}
	}
	return t
}

// Read implements io.Reader. Its error is the reason if the body was given up.
func (a *arrival) Read(p []byte) (int, error) {
	a.mu.Lock()
	if a.reason == nil {
		_ = a.control.SetReadDeadline(a.due) // it fails where no connection is behind the request
	}
	reason := a.reason
	a.mu.Unlock()
	if reason != nil {
		return 0, reason
	}
	n, err := a.body.Read(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reason != nil {
		return n, a.reason
	}
	a.expect(a.due.Add(time.Duration(n)*time.Second/leastRate), time.Now())
	return n, err
}

// end tells that nobody reads the body any more, and returns the reason if it was
// given up. The deadline of the last read needs no end: net/http takes it away when
// it has read a body to its end, and closes the connection where it has not.
func (a *arrival) end() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	if a.conn != nil {
		a.conn.works()
	}
	return a.reason
}

// giveUp ends the reading of the body for that reason, and reports whether it was
// still read.
func (a *arrival) giveUp(reason error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended || a.reason != nil {
		return false
	}
	a.reason = reason
	_ = a.control.SetReadDeadline(time.Now().Add(-time.Second))
	return true
}

func (a *arrival) givenUp() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reason
}

// slowerThan reports whether a is to be given up before b.
func (a *arrival) slowerThan(b *arrival) bool {
	if a.known != b.known {
		return b.known
	}
	return a.dueAt().Before(b.dueAt())
}

func (a *arrival) dueAt() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.due
}

// outcomeOf returns the outcome of a body that could not be read.
func outcomeOf(err error) outcome {
	switch {
	case errors.Is(err, errNoMemory):
		return noMemory
	case errors.Is(err, errNoConnection):
		return noConnection
	case errors.Is(err, errDraining):
		return draining
	case errors.Is(err, errTooLarge):
		return tooLarge
	case errors.Is(err, errNotACode):
		return badCoding
	case errors.Is(err, os.ErrDeadlineExceeded):
		return incomplete
	}
	return broken
}
