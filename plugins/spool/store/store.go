// Package store keeps records on disk until they are deleted: what the spool
// promises rests on it. It is an SQLite database in a directory of its own, written
// by one goroutine that commits everything that waits in one transaction, so that all
// who wait share one sync. It knows nothing of the engine.
package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Errors of a store, for errors.Is.
var (
	// ErrFull means that there is no room: the sentence that wraps it says which
	// bound was met, and its figures.
	ErrFull = errors.New("the spool is full")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("the spool is closed")
	// ErrNotFound means that no record has the id.
	ErrNotFound = errors.New("no such record")
)

// Options of a store.
type Options struct {
	Dir           string // made with mode 0700 when it is missing; its parent must be there
	MaxSize       int64  // bytes that everything in Dir may take on disk
	MinFree       int64  // bytes of the file system that stay free
	AllowVolatile bool   // take a file system in memory

	// Errorf gets a line for an operator: a sync that failed, damage and what was
	// salvaged. It may be nil.
	Errorf func(format string, args ...any)
	// Synced gets the duration of each commit with its sync, from the goroutine that
	// commits. It may be nil.
	Synced func(took time.Duration)

	vfs string // name of an SQLite VFS; tests cut the power beneath it
}

// Record is one message that is kept. Append sets ID and StoredAt.
type Record struct {
	ID       int64     // position in the order of arrival, from 1; never used again, also after a restart
	StoredAt time.Time // when it was put in line, UTC, whole microseconds
	Metadata map[string]string
	Body     []byte

	Attempts    int       // how often the output refused it
	LastError   string    // of the last refusal, at most 512 bytes
	NextAttempt time.Time // zero before the first refusal
	Parked      bool      // kept, but left out by Read
}

// overhead is what a record takes in memory beside its body and metadata.
const overhead = 256

// Size returns the bytes that the record takes in memory, about: body, metadata and
// an overhead.
func (r *Record) Size() int64 {
	size := int64(overhead + len(r.Body) + len(r.LastError))
	for key, value := range r.Metadata {
		size += int64(len(key) + len(value) + 32)
	}
	return size
}

// Mark is what a refusal changes of a record, beside counting the attempt.
type Mark struct {
	LastError   string // cut to 512 bytes of UTF-8
	NextAttempt time.Time
	Parked      bool
}

// Stats of a store.
type Stats struct {
	Bytes   int64 // in use on disk, everything in the directory
	Records int64 // with the parked ones
	Parked  int64
	Commits int64 // since the start
}

// Store keeps records. Its methods may be called by several goroutines at once.
type Store struct {
	options Options
	dir     string
	lock    *os.File
	line    line          // what waits for the next commit
	wake    chan struct{} // something waits that must not wait
	soon    chan struct{} // something waits that may wait for a while
	stop    chan struct{} // closed by Close
	ended   chan struct{} // closed when the committing goroutine is over

	// writing guards the connection that commits, and what belongs to it. The
	// committing goroutine holds it, and briefly Changed.
	writing sync.Mutex
	writer  *writer
	lastID  int64 // the greatest id that was ever given, also to records whose commit failed

	// reading guards the connection that reads.
	reading sync.Mutex
	reader  *reader

	newest  atomic.Int64
	changed atomic.Bool           // the database was opened anew
	damage  atomic.Pointer[error] // that was met, until it is salvaged
	failure atomic.Pointer[error]
	refusal atomic.Pointer[refusal] // the last for want of room, if nothing was taken since
	disk    atomic.Pointer[disk]
	commits atomic.Int64
}

// MinSize is the least that Options.MaxSize may be.
const MinSize = 16 << 20

// Open opens the store in a directory, makes it when there is none, and holds it: no
// other store may be open there, of this process or another.
func Open(options Options) (*Store, error) {
	if options.MaxSize < MinSize {
		return nil, fmt.Errorf("opening the spool: expected a maximal size of at least %d bytes, got %d", int64(MinSize), options.MaxSize)
	}
	if options.Errorf == nil {
		options.Errorf = func(string, ...any) {}
	}
	if options.Synced == nil {
		options.Synced = func(time.Duration) {}
	}
	dir, err := prepareDirectory(&options)
	if err != nil {
		return nil, err
	}
	lock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		options: options,
		dir:     dir,
		lock:    lock,
		wake:    make(chan struct{}, 1),
		soon:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		ended:   make(chan struct{}),
	}
	s.line.room.L = &s.line.mu
	s.line.deletes = min(workDeletes, int(checkpointFrames(options.MaxSize))/2)
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the spool in %s: %w", dir, err), lock.Close())
	}
	s.changed.Store(false)
	go s.run()
	return s, nil
}

// open opens both connections. What an earlier process or connection has left is
// written and synced again before anything rests on it.
func (s *Store) open() error {
	path := filepath.Join(s.dir, databaseFile)
	if err := s.putNext(path); err != nil {
		return err
	}
	if err := errors.Join(touch(fileNames(path)...), syncDir(s.dir)); err != nil {
		return err
	}
	if s.damage.Load() == nil {
		err := s.connect(path)
		if !isDamage(err) {
			return err
		}
		s.damage.Store(&err)
	}
	if err := s.salvage(path, *s.damage.Load()); err != nil {
		return fmt.Errorf("salvaging %s: %w", databaseFile, err)
	}
	s.damage.Store(nil)
	return s.connect(path)
}

// putNext puts a database that was made whole in its place, and an empty one where
// there is none. A WAL that lies there belongs to a database that is gone: it must go
// before the new database comes.
func (s *Store) putNext(path string) error {
	next := filepath.Join(s.dir, nextFile)
	_, err := os.Stat(next)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			return errors.Join(err, remove(fileNames(filepath.Join(s.dir, freshFile))...)) // cut short
		}
		err = create(s.dir, s.options.vfs, nil)
	}
	if err != nil {
		return fmt.Errorf("making %s: %w", databaseFile, err)
	}
	if err := errors.Join(remove(path+"-wal"), syncDir(s.dir)); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// connect opens both connections.
func (s *Store) connect(path string) error {
	w, err := openWriter(path, s.options.vfs, s.options.MaxSize)
	if err != nil {
		return err
	}
	r, err := openReader(path, s.options.vfs)
	if err != nil {
		return errors.Join(err, w.close())
	}
	w.aside, err = asideSize(s.dir)
	if err != nil {
		return errors.Join(err, w.close(), r.close())
	}
	s.writer = w
	s.reading.Lock()
	s.reader = r
	s.reading.Unlock()
	s.lastID = max(s.lastID, w.newest)
	s.newest.Store(w.newest)
	s.disk.Store(w.disk())
	s.changed.Store(true)
	return nil
}

// noteDamage lets the committing goroutine salvage, if an error is one of damage.
func (s *Store) noteDamage(err error) {
	if isDamage(err) && s.damage.CompareAndSwap(nil, &err) {
		signal(s.wake)
	}
}

// closeConnections closes both connections, so that open can open them anew.
func (s *Store) closeConnections() error {
	s.reading.Lock()
	r := s.reader
	s.reader = nil
	s.reading.Unlock()
	w := s.writer
	s.writer = nil
	return errors.Join(r.close(), w.close())
}

// Append puts records in line for the next commit, all of them in one transaction.
// done is called once: with nil when they are on disk and synced, and their ID and
// StoredAt are set; else with an error, and then the store promises nothing about
// them. The committing goroutine calls done, so done must not block; nor may done
// call Append, Changed or Close. Append waits while more than 64 MiB are in line. The records
// must not be changed before done is called.
func (s *Store) Append(records []*Record, done func(error)) {
	a := newArrival(records, done)
	if err := s.line.add(a); err != nil {
		done(err)
		return
	}
	signal(s.wake)
}

// Delete forgets records that the output has. It never blocks; the deletion is
// committed within 50 ms, with what else waits. Only a crash before that brings the
// records back. Ids that are not there are left out.
func (s *Store) Delete(ids []int64) {
	s.line.remove(ids)
	signal(s.soon)
}

// Mark notes that the output refused records. It never blocks, and is committed as
// Delete is. On a full disk, marks may be lost.
func (s *Store) Mark(ids []int64, mark Mark) {
	mark.LastError = shorten(mark.LastError, lastErrorBytes)
	s.line.mark(ids, mark)
	signal(s.soon)
}

// signal wakes who waits on a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Newest returns the id of the newest record that was ever committed, 0 before the
// first. It is cheap.
func (s *Store) Newest() int64 { return s.newest.Load() }

// Changed reports whether another process, such as an operator's tool, has written
// since the last call.
func (s *Store) Changed() (bool, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.writer == nil {
		return false, s.unavailable()
	}
	changed, err := s.writer.changed()
	if err != nil {
		s.noteDamage(err)
		return false, fmt.Errorf("looking for changes of the spool: %w", err)
	}
	s.disk.Store(s.writer.disk())
	return s.changed.Swap(false) || changed, nil
}

// unavailable returns why there is no connection.
func (s *Store) unavailable() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return ErrClosed
}

// Room returns nil when the store can take a record, else what keeps it from that:
// an error that wraps ErrFull, or the failure. It is cheap.
func (s *Store) Room() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	select {
	case <-s.stop:
		return ErrClosed
	default:
	}
	d := *s.disk.Load()
	if r := s.refusal.Load(); r != nil {
		free, err := s.free(&d)
		if err != nil {
			return err
		}
		if free < r.free+r.pages*pageSize {
			return r.err
		}
	}
	d.frames, d.walSize = 0, min(d.walSize, walReserve) // a checkpoint comes before a refusal
	if d.aside > 0 {                                    // perhaps an operator has deleted it
		var err error
		if d.aside, err = asideSize(s.dir); err != nil {
			return fmt.Errorf("looking at the files of the spool: %w", err)
		}
	}
	return s.roomFor(d, roomPages)
}

// Stats returns figures of the store. It does not wait for a running commit.
func (s *Store) Stats() Stats {
	d := s.disk.Load()
	return Stats{Bytes: d.inUse(), Records: d.records, Parked: d.parked, Commits: s.commits.Load()}
}

// lastSync is how long Close waits for a running commit when its context is done.
const lastSync = 2 * busyTime

// Close commits what is in line, as long as the context allows, and closes the
// store. What comes after gets ErrClosed.
func (s *Store) Close(ctx context.Context) error {
	if !s.line.close() {
		return ErrClosed
	}
	close(s.stop)
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.line.giveUp(ctx.Err())
		select { // a running commit ends with its sync
		case <-s.ended:
		case <-time.After(lastSync):
			return fmt.Errorf("closing the spool: the disk does not answer: %w", ctx.Err())
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	var err error
	if s.writer != nil {
		err = s.writer.checkpoint(sqlite3.CHECKPOINT_RESTART)
		if isBusy(err) || isFull(err) {
			err = nil // the next start does it
		}
	}
	err = errors.Join(err, s.closeConnections(), s.lock.Close())
	if err != nil {
		return fmt.Errorf("closing the spool: %w", err)
	}
	return nil
}
