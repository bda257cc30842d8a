package store

import (
	"sync"
	"time"
)

// lineBytes bounds what is in line. Append waits while there is more.
const lineBytes = 64 << 20

// rowSize is what a row takes of a page beside metadata and body.
const rowSize = 40

// arrival is what one call of Append put in line.
type arrival struct {
	records  []*Record
	metadata [][]byte // of each record, as it is stored
	sums     []uint32 // of each record, yet without its id
	size     int64
	pages    int64 // that the records take at most
	storedAt time.Time
	done     func(error)
}

func newArrival(records []*Record, done func(error)) *arrival {
	a := &arrival{
		records:  records,
		metadata: make([][]byte, len(records)),
		sums:     make([]uint32, len(records)),
		storedAt: time.Now().UTC().Truncate(time.Microsecond),
		done:     done,
	}
	var filled int64
	for i, r := range records {
		a.metadata[i] = appendMetadata(make([]byte, 0, 1024), r.Metadata)
		a.sums[i] = sumOf(a.metadata[i], r.Body)
		size := int64(len(a.metadata[i]) + len(r.Body))
		a.size += size + overhead
		// A large record begins and ends amid a page; small ones share pages, each of
		// which is half full at least.
		filled += min(size+2*usable, 2*(size+rowSize))
	}
	a.pages = filled/usable + 1
	return a
}

// marking is what one call of Mark put in line.
type marking struct {
	ids  []int64
	mark Mark
}

// line is what waits for the committing goroutine.
type line struct {
	mu       sync.Mutex
	room     sync.Cond // in line, for Append
	closed   bool
	givenUp  error // why what is in line is not committed any more
	arrivals []*arrival
	size     int64
	deleted  []int64
	deletes  int // of one transaction at most, each of which changes a page or two
	marked   []marking
}

// work is what one turn of the committing goroutine takes out of the line.
type work struct {
	arrivals []*arrival
	deleted  []int64
	marked   []marking
}

func (w *work) empty() bool { return len(w.arrivals)+len(w.deleted)+len(w.marked) == 0 }

// add puts an arrival in line, and waits for room there.
func (l *line) add(a *arrival) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.size > lineBytes && !l.closed {
		l.room.Wait()
	}
	if l.closed {
		return ErrClosed
	}
	l.arrivals = append(l.arrivals, a)
	l.size += a.size
	return nil
}

func (l *line) remove(ids []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deleted = append(l.deleted, ids...)
}

func (l *line) mark(ids []int64, mark Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marked = append(l.marked, marking{ids: append([]int64(nil), ids...), mark: mark})
}

// Bounds of one transaction.
const (
	workBytes   = 8 << 20
	workDeletes = 2000
)

// take takes what the next transaction does: at least one arrival, if there is one. It
// returns an error when no more is to be committed.
func (l *line) take() (work, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.givenUp != nil {
		return work{}, l.givenUp
	}
	var w work
	var size int64
	n := 0
	for n < len(l.arrivals) && (n == 0 || size+l.arrivals[n].size <= workBytes) {
		size += l.arrivals[n].size
		n++
	}
	w.arrivals, l.arrivals = l.arrivals[:n:n], l.arrivals[n:]
	if len(l.arrivals) == 0 {
		l.arrivals = nil
	}
	l.size -= size
	n = min(len(l.deleted), l.deletes)
	w.deleted, l.deleted = l.deleted[:n:n], l.deleted[n:]
	if len(l.deleted) == 0 {
		l.deleted = nil
	}
	n = 0
	for ids := 0; n < len(l.marked) && ids < workDeletes; n++ {
		ids += len(l.marked[n].ids)
	}
	w.marked, l.marked = l.marked[:n:n], l.marked[n:]
	if len(l.marked) == 0 {
		l.marked = nil
	}
	l.room.Broadcast()
	return w, nil
}

// takeArrivals takes all arrivals, to be refused.
func (l *line) takeArrivals() []*arrival {
	l.mu.Lock()
	defer l.mu.Unlock()
	arrivals := l.arrivals
	l.arrivals, l.size = nil, 0
	l.room.Broadcast()
	return arrivals
}

// putBack puts deletions and marks that were not committed in line again, before what
// has come since.
func (l *line) putBack(deleted []int64, marked []marking) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deleted = append(deleted, l.deleted...)
	l.marked = append(marked, l.marked...)
}

// waiting reports whether anything is in line.
func (l *line) waiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.arrivals)+len(l.deleted)+len(l.marked) > 0
}

// close lets nothing more in, and reports whether the line was open.
func (l *line) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := !l.closed
	l.closed = true
	l.room.Broadcast()
	return open
}

// giveUp lets the committing goroutine leave what is in line.
func (l *line) giveUp(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.givenUp = err
}
