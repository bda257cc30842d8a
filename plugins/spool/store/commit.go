package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// patience is how long deletions and marks wait for something to be committed with.
const patience = 50 * time.Millisecond

// Pauses between attempts to open the database again after a failure.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// run is the committing goroutine: it commits what waits until the store is closed.
func (s *Store) run() {
	defer close(s.ended)
	later := time.NewTimer(patience)
	defer later.Stop()
	for closing := false; ; {
		if !closing {
			select {
			case <-s.wake:
			case <-s.soon:
				select {
				case <-s.wake:
				case <-later.C:
				case <-s.stop:
				}
			case <-s.stop:
				closing = true
			}
		}
		later.Reset(patience)
		if s.failure.Load() != nil && !s.recover() {
			return
		}
		work, err := s.line.take()
		if err != nil {
			finish(s.line.takeArrivals(), fmt.Errorf("closing the spool: %w", err))
			return
		}
		progress := s.commit(work)
		switch {
		case s.line.waiting() && progress:
			signal(s.wake)
		case closing:
			finish(s.line.takeArrivals(), ErrClosed)
			return
		case s.line.waiting():
			signal(s.soon)
		}
	}
}

// recover opens the database anew after a failure, again and again, and meanwhile
// refuses what arrives. It reports whether the database is open: it gives up when the
// store is closed.
func (s *Store) recover() bool {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if s.reopen() {
			return true
		}
		pausing := time.NewTimer(pause)
		for paused := false; !paused; {
			finish(s.line.takeArrivals(), *s.failure.Load())
			select {
			case <-pausing.C:
				paused = true
			case <-s.wake:
			case <-s.stop:
				finish(s.line.takeArrivals(), *s.failure.Load())
				return false
			}
		}
	}
}

// finish tells the senders of arrivals what has become of them.
func finish(arrivals []*arrival, err error) {
	for _, a := range arrivals {
		a.done(err)
	}
}

// commit commits work in one transaction, and sees to what goes wrong. It reports
// whether it makes sense to go on at once.
func (s *Store) commit(work work) (progress bool) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if damage := s.damage.Load(); damage != nil {
		s.line.putBack(work.deleted, work.marked)
		err := fmt.Errorf("committing to the spool: reading met damage: %w", *damage)
		s.fail(err)
		finish(work.arrivals, err)
		return true
	}
	if work.empty() {
		return true
	}
	work.arrivals = s.admit(work.arrivals)
	hadMarks := len(work.marked) > 0
	if s.failure.Load() == nil {
		work.marked = s.admitMarks(work)
	}
	if err := s.failure.Load(); err != nil {
		s.line.putBack(work.deleted, work.marked)
		finish(work.arrivals, *err)
		return true
	}
	if work.empty() {
		return !hadMarks // or they come again at once
	}
	first := s.lastID + 1
	for _, a := range work.arrivals {
		s.lastID += int64(len(a.records))
	}
	start := time.Now()
	err := s.writer.transact(work, first)
	if isFull(err) { // the WAL could not grow
		if made, failure := s.makeRoom(); failure != nil {
			err = failure
		} else if made {
			err = s.writer.transact(work, first)
		}
	}
	if err == nil {
		s.options.Synced(time.Since(start))
		s.committed(work.arrivals, first)
		s.tidy()
		return true
	}
	err = fmt.Errorf("committing to the spool: %w", err)
	switch {
	case isFull(err):
		err = fmt.Errorf("%w: %w", ErrFull, err)
		var pages int64
		for _, a := range work.arrivals {
			pages += a.pages
		}
		if pages > 0 {
			s.refuse(err, pages)
		}
		s.line.putBack(nil, ofParking(work.marked))
		finish(work.arrivals, err)
		return s.commitDeletions(work.deleted)
	case isBusy(err):
		s.line.putBack(work.deleted, work.marked)
		finish(work.arrivals, err)
		return false
	default:
		s.line.putBack(work.deleted, work.marked)
		s.fail(err)
		finish(work.arrivals, err)
		return true
	}
}

// committed publishes a commit, then tells its senders.
func (s *Store) committed(arrivals []*arrival, first int64) {
	s.commits.Add(1)
	s.newest.Store(s.writer.newest)
	s.disk.Store(s.writer.disk())
	if len(arrivals) > 0 {
		s.refusal.Store(nil)
	}
	id := first
	for _, a := range arrivals {
		for _, r := range a.records {
			r.ID, r.StoredAt = id, a.storedAt
			id++
		}
		a.done(nil)
	}
}

// admit returns the arrivals for which there is room, and refuses the others: all of
// them, when looking for room failed.
func (s *Store) admit(arrivals []*arrival) []*arrival {
	if len(arrivals) == 0 {
		return nil
	}
	var all int64
	for _, a := range arrivals {
		all += a.pages
	}
	err := s.prepareRoom(all)
	if err == nil {
		return arrivals
	}
	var admitted []*arrival
	var pages int64
	for i, a := range arrivals {
		if errors.Is(err, ErrFull) {
			err = s.prepareRoom(pages + a.pages)
		}
		switch {
		case err == nil:
			pages += a.pages
			admitted = append(admitted, a)
			err = ErrFull // the rest is yet to be looked at
		case errors.Is(err, ErrFull):
			s.refuse(err, a.pages)
			a.done(err)
		default:
			if !isBusy(err) {
				s.fail(err)
			}
			finish(admitted, err)
			finish(arrivals[i:], err)
			return nil
		}
	}
	return admitted
}

// admitMarks returns the marks for which there is room. Else a later checkpoint would
// have to grow the database on a full disk, and no deletion could be committed. Marks of
// parking come again, since the records are offered only when their marks are found;
// others are left out.
func (s *Store) admitMarks(work work) []marking {
	rows := 0
	for _, m := range work.marked {
		rows += len(m.ids)
	}
	if rows == 0 {
		return work.marked
	}
	pages := int64(rows*(lastErrorBytes+rowSize)/usable + 1)
	for _, a := range work.arrivals {
		pages += a.pages
	}
	err := s.prepareRoom(pages)
	if err == nil {
		return work.marked
	}
	if !errors.Is(err, ErrFull) && !isBusy(err) {
		s.fail(err)
		return work.marked
	}
	s.line.putBack(nil, ofParking(work.marked))
	return nil
}

// ofParking returns those of marks that park.
func ofParking(marked []marking) (parking []marking) {
	for _, m := range marked {
		if m.mark.Parked {
			parking = append(parking, m)
		}
	}
	return parking
}

// prepareRoom sees to it that a transaction of so many pages fits, and that the
// database has the room on disk that a later checkpoint needs: it must not fail on a
// full disk.
func (s *Store) prepareRoom(pages int64) error {
	for {
		err := s.tryRoom(pages)
		if !errors.Is(err, ErrFull) {
			return err
		}
		made, failure := s.makeRoom()
		if failure != nil {
			return failure
		}
		if !made {
			return err
		}
	}
}

func (s *Store) tryRoom(pages int64) (err error) {
	if s.writer.aside > 0 { // perhaps an operator has deleted it
		if s.writer.aside, err = asideSize(s.dir); err != nil {
			return fmt.Errorf("looking at the files of the spool: %w", err)
		}
	}
	d := s.writer.disk()
	if err := s.roomFor(*d, pages); err != nil {
		return err
	}
	after, _ := d.grown(pages)
	if need := after.pageCount * pageSize; after.pageCount > d.pageCount && need > s.writer.allocated {
		return s.writer.allocate((need + growth - 1) / growth * growth)
	}
	return nil
}

// commitDeletions commits deletions on a full disk: the WAL begins anew, in the room
// that it has. It reports whether all are committed.
func (s *Store) commitDeletions(ids []int64) bool {
	for n := len(ids); len(ids) > 0; {
		err := s.checkpoint(sqlite3.CHECKPOINT_RESTART)
		if err == nil {
			err = s.writer.transact(work{deleted: ids[:n]}, 0)
		}
		switch {
		case err == nil:
			s.committed(nil, 0)
			ids = ids[n:]
			n = len(ids)
		case isFull(err) && n > 1:
			n /= 2
		case isFull(err), isBusy(err):
			s.line.putBack(ids, nil)
			return false
		default:
			s.line.putBack(ids, nil)
			s.fail(err)
			return false
		}
	}
	return true
}

// checkpoint keeps the store's own reader away, for which the writer would wait in vain
// while one read follows another.
func (s *Store) checkpoint(mode sqlite3.CheckpointMode) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	return s.writer.checkpoint(mode)
}

// makeRoom begins the WAL anew, and gives up what it takes beyond its reserve. It
// reports whether that changed anything.
func (s *Store) makeRoom() (bool, error) {
	switch {
	case s.writer.walSize > walReserve:
		return true, s.checkpoint(sqlite3.CHECKPOINT_TRUNCATE)
	case s.writer.frames > 0:
		return true, s.checkpoint(sqlite3.CHECKPOINT_RESTART)
	}
	return false, nil
}

// tidy keeps the WAL short, and an empty database small.
func (s *Store) tidy() {
	w := s.writer
	var err error
	switch {
	case w.records == 0 && w.pageCount*pageSize > shrinkAbove:
		err = w.shrink()
	case w.frames < w.checkpointAt:
		return
	case w.walSize > w.walCap():
		err = s.checkpoint(sqlite3.CHECKPOINT_TRUNCATE)
	default:
		err = w.checkpoint(sqlite3.CHECKPOINT_PASSIVE)
	}
	if err != nil && !isBusy(err) && !isFull(err) {
		s.fail(err)
	}
	s.disk.Store(w.disk())
}

// fail notes that nothing may be taken before the database was opened anew.
func (s *Store) fail(err error) {
	if isDamage(err) {
		s.damage.CompareAndSwap(nil, &err)
	}
	s.options.Errorf("the spool in %s takes nothing until it is opened again: %v", s.dir, err)
	s.failure.Store(&err)
	signal(s.wake)
}

// reopen opens the database anew after a failure, and reports whether it is open.
func (s *Store) reopen() bool {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := errors.Join(s.closeConnections(), s.open())
	if err != nil {
		err = fmt.Errorf("opening the spool in %s again: %w", s.dir, err)
		s.failure.Store(&err)
		return false
	}
	s.failure.Store(nil)
	return true
}
