// Package store keeps records on disk until they are deleted: what the spool
// promises rests on it. It is an SQLite database in a directory of its own, written
// by one goroutine that commits everything that waits in one transaction, so that all
// who wait share one sync. It knows nothing of the engine.
package store

import (
	"context"
	"errors"
	"time"
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
type Store struct{}

// Open opens the store in a directory, makes it when there is none, and holds it: no
// other store may be open there, of this process or another.
func Open(options Options) (*Store, error) { return nil, errors.ErrUnsupported }

// Append puts records in line for the next commit, all of them in one transaction.
// done is called once: with nil when they are on disk and synced, and their ID and
// StoredAt are set; else with an error, and then the store promises nothing about
// them. The committing goroutine calls done, so done must not block; nor may done
// call Append or Close. Append waits while more than 64 MiB are in line. The records
// must not be changed before done is called.
func (s *Store) Append(records []*Record, done func(error)) { done(errors.ErrUnsupported) }

// Delete forgets records that the output has. It never blocks; the deletion is
// committed within 50 ms, with what else waits. Only a crash before that brings the
// records back. Ids that are not there are left out.
func (s *Store) Delete(ids []int64) {}

// Mark notes that the output refused records. It never blocks, and is committed as
// Delete is. On a full disk, marks may be lost.
func (s *Store) Mark(ids []int64, mark Mark) {}

// Read returns records that are not parked, in the order of their ids, beginning
// behind the id after: the first whatever its size, then more while there are at most
// count and the sum of their Size is at most bytes.
func (s *Store) Read(after int64, count int, bytes int64) ([]*Record, error) {
	return nil, errors.ErrUnsupported
}

// Get returns those of the records that are still there, in the order of their ids.
func (s *Store) Get(ids []int64) ([]*Record, error) { return nil, errors.ErrUnsupported }

// Parked returns the ids of up to count parked records whose next attempt is not
// after before, the oldest attempt first.
func (s *Store) Parked(before time.Time, count int) ([]int64, error) {
	return nil, errors.ErrUnsupported
}

// Newest returns the id of the newest record that was ever committed, 0 before the
// first. It is cheap.
func (s *Store) Newest() int64 { return 0 }

// Changed reports whether another process, such as an operator's tool, has written
// since the last call.
func (s *Store) Changed() (bool, error) { return false, errors.ErrUnsupported }

// Room returns nil when the store can take a record, else what keeps it from that:
// an error that wraps ErrFull, or the failure. It is cheap.
func (s *Store) Room() error { return errors.ErrUnsupported }

// Stats returns figures of the store. It does not wait for a running commit.
func (s *Store) Stats() Stats { return Stats{} }

// Close commits what is in line, as long as the context allows, and closes the
// store. What comes after gets ErrClosed.
func (s *Store) Close(ctx context.Context) error { return errors.ErrUnsupported }
