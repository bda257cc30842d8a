package webhook

import (
	"errors"
	"sync"
)

// memory is the bytes that deliveries may hold together, from the first byte that
// is read of a body until the pipeline has settled the delivery.
type memory struct {
	limit int64

	mu       sync.Mutex
	given    sync.Cond // bytes were given back, or a body was given up
	used     int64
	arriving map[*reservation]struct{} // those whose body is on its way
}

func newMemory(limit int64) *memory {
	m := &memory{limit: limit, arriving: map[*reservation]struct{}{}}
	m.given.L = &m.mu
	return m
}

// reservation is what one delivery holds of the memory. It has one owner at a
// time: the request, then the transaction.
type reservation struct {
	memory  *memory
	bytes   int64    // guarded by memory.mu
	arrival *arrival // the body while it is on its way; guarded by memory.mu
}

var errNoMemory = errors.New("reserving memory: expected less in flight")

// reserve holds n more bytes, or none and errNoMemory. Where there is no room, the
// slowest body that is still on its way is given up for them.
func (r *reservation) reserve(n int64) error {
	m := r.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.used+n > m.limit {
		victim, leaving := m.slowest()
		switch {
		case r.arrival != nil && r.arrival.givenUp() != nil:
			return errNoMemory
		case m.used-leaving+n <= m.limit: // there is room as soon as those have left that were given up
		case victim == nil || victim == r:
			return errNoMemory
		default:
			victim.arrival.giveUp(errNoMemory)
			m.given.Broadcast() // the victim may wait here, too
			continue
		}
		m.given.Wait()
	}
	m.used += n
	r.bytes += n
	return nil
}

// slowest returns the reservation whose body is the slowest of those that are on
// their way, strangers' first, or nil if none holds a byte; and how many bytes those
// hold that have been given up and are about to leave.
func (m *memory) slowest() (slowest *reservation, leaving int64) {
	for r := range m.arriving {
		switch {
		case r.arrival.givenUp() != nil:
			leaving += r.bytes
		case r.bytes > 0 && (slowest == nil || r.arrival.slowerThan(slowest.arrival)):
			slowest = r
		}
	}
	return slowest, leaving
}

// arrives tells that the body of the reservation is on its way, until arrived.
func (r *reservation) arrives(a *arrival) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.arrival = a
	r.memory.arriving[r] = struct{}{}
}

func (r *reservation) arrived() {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.arrival = nil
	delete(r.memory.arriving, r)
}

// release gives n bytes back.
func (r *reservation) release(n int64) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.giveBack(n)
}

// close gives all bytes back. It may be called again.
func (r *reservation) close() {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.giveBack(r.bytes)
}

func (r *reservation) giveBack(n int64) {
	if n > 0 {
		r.bytes -= n
		r.memory.used -= n
		r.memory.given.Broadcast()
	}
}

// inUse returns how many bytes are reserved.
func (m *memory) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// hasRoom reports whether there is room for a body of n bytes.
func (m *memory) hasRoom(n int64) bool { return m.inUse()+n <= m.limit }

// giveUpAll gives all bodies up that are on their way.
func (m *memory) giveUpAll(reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for r := range m.arriving {
		r.arrival.giveUp(reason)
	}
	m.given.Broadcast()
}
