package webhook

import (
	"errors"
	"sync/atomic"
)

// memory is the bytes that deliveries may hold together, from the first byte that
// is read of a body until the pipeline has settled it.
type memory struct {
	limit int64
	used  atomic.Int64
}

// share is what one delivery holds of the memory.
type share struct {
	of    *memory
	bytes int64
}

var errNoMemory = errors.New("reserving memory: expected less in flight")

// reserve takes n more bytes, or none and errNoMemory.
func (s *share) reserve(n int64) error {
	if s.of.used.Add(n) > s.of.limit {
		s.of.used.Add(-n)
		return errNoMemory
	}
	s.bytes += n
	return nil
}

// release gives n bytes back.
func (s *share) release(n int64) {
	s.bytes -= n
	s.of.used.Add(-n)
}

func (s *share) releaseAll() { s.release(s.bytes) }

// exhausted reports whether there is no room for a body of n bytes.
func (m *memory) exhausted(n int64) bool { return m.used.Load()+n > m.limit }
