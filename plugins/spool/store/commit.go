package store

import (
	"errors"
	"fmt"
	"time"
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
	later.Stop()
	scheduled := false
	pause := firstPause
	stop := s.stop
	for closing := false; !closing || s.line.waiting(); {
		if !closing {
			select {
			case <-s.wake:
			case <-s.soon:
				if !scheduled {
					scheduled = true
					later.Reset(patience)
				}
				continue
			case <-later.C:
				scheduled = false
			case <-stop:
				closing = true
			}
		}
		if s.failure.Load() != nil && !s.reopen() {
			s.refuse(*s.failure.Load())
			if closing {
				return
			}
			later.Reset(pause)
			scheduled = true
			pause = min(2*pause, lastPause)
			continue
		}
		pause = firstPause
		work, err := s.line.take()
		if err != nil {
			finish(work.arrivals, fmt.Errorf("closing the spool: %w", err))
			continue
		}
		s.commit(work)
		if s.line.waiting() {
			signal(s.wake)
		}
		if s.failure.Load() != nil {
			signal(s.wake)
		}
	}
}

// refuse lets the senders know that nothing is taken; deletions and marks stay in
// line.
func (s *Store) refuse(err error) {
	work, _ := s.line.take()
	s.line.putBack(work.deleted, work.marked)
	finish(work.arrivals, err)
}

// finish tells the senders of arrivals what has become of them.
func finish(arrivals []*arrival, err error) {
	for _, a := range arrivals {
		a.done(err)
	}
}

// commit commits work in one transaction, and sees to what goes wrong.
func (s *Store) commit(work work) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.damaged.Load() {
		s.line.putBack(work.deleted, work.marked)
		err := errors.New("committing to the spool: reading has met damage")
		finish(work.arrivals, err)
		s.fail(err)
		return
	}
	if work.empty() {
		return
	}
	work.arrivals = s.admit(work.arrivals)
	first := s.lastID + 1
	for _, a := range work.arrivals {
		s.lastID += int64(len(a.records))
	}
	start := time.Now()
	err := s.writer.transact(work, first)
	if err == nil {
		s.options.Synced(time.Since(start))
		s.committed(work.arrivals, first)
		s.afterCommit()
		return
	}
	err = fmt.Errorf("committing to the spool: %w", err)
	switch {
	case isFull(err):
		finish(work.arrivals, fmt.Errorf("%w: %w", ErrFull, err))
		s.commitDeletions(work.deleted)
	case isBusy(err):
		s.line.putBack(work.deleted, work.marked)
		finish(work.arrivals, err)
	default:
		s.line.putBack(work.deleted, work.marked)
		s.fail(err)
		finish(work.arrivals, err)
	}
}

// committed publishes a commit, then tells its senders.
func (s *Store) committed(arrivals []*arrival, first int64) {
	s.commits.Add(1)
	s.newest.Store(s.writer.newest)
	s.disk.Store(s.writer.disk())
	id := first
	for _, a := range arrivals {
		for _, r := range a.records {
			r.ID, r.StoredAt = id, a.storedAt
			id++
		}
		a.done(nil)
	}
}

// admit returns the arrivals for which there is room, and refuses the others.
func (s *Store) admit(arrivals []*arrival) []*arrival {
	if len(arrivals) == 0 {
		return nil
	}
	var pages int64
	for _, a := range arrivals {
		pages += a.pages
	}
	err := s.prepareRoom(pages)
	if err == nil {
		return arrivals
	}
	var admitted []*arrival
	pages = 0
	for _, a := range arrivals {
		if err := s.prepareRoom(pages + a.pages); err != nil {
			a.done(err)
			continue
		}
		pages += a.pages
		admitted = append(admitted, a)
	}
	return admitted
}

// prepareRoom sees to it that a transaction of so many pages fits, and that the
// database has the room on disk that a later checkpoint needs: it must not fail on a
// full disk.
func (s *Store) prepareRoom(pages int64) error {
	d := s.writer.disk()
	if err := s.roomFor(*d, pages); err != nil {
		return err
	}
	after, _ := d.grown(pages)
	if need := after.pageCount * pageSize; need > s.writer.allocated {
		size := (need + growth - 1) / growth * growth
		if err := allocate(s.writer.file, size); err != nil {
			return fmt.Errorf("%w: allocating %d bytes: %w", ErrFull, size, err)
		}
		s.writer.allocated = size
	}
	return nil
}

// commitDeletions commits deletions on a full disk: the WAL begins anew, in the room
// that it has.
func (s *Store) commitDeletions(ids []int64) {
	for n := len(ids); len(ids) > 0; {
		err := s.writer.checkpoint(true)
		if err == nil {
			err = s.writer.transact(work{deleted: ids[:n]}, s.lastID+1)
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
			return
		default:
			s.line.putBack(ids, nil)
			s.fail(err)
			return
		}
	}
}

// afterCommit keeps the WAL short.
func (s *Store) afterCommit() {
	w := s.writer
	if w.frames < w.checkpointAt {
		return
	}
	err := w.checkpoint(w.frames >= 4*w.checkpointAt)
	if err != nil && !isBusy(err) && !isFull(err) {
		s.fail(err)
	}
	s.disk.Store(w.disk())
}

// fail notes that nothing may be taken before the database was opened anew.
func (s *Store) fail(err error) {
	s.options.Errorf("the spool in %s takes nothing until it is opened again: %v", s.dir, err)
	s.failure.Store(&err)
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
