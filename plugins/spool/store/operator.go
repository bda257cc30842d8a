package store

import (
	"context"
	"errors"
	"time"
)

// Entry is what an operator sees of a record: everything but its body and its other
// metadata.
type Entry struct {
	ID          int64
	StoredAt    time.Time
	ReceivedAt  time.Time // zero when the metadata have none
	Vendor      string
	Event       string
	Account     string
	DeliveryID  string
	Attempts    int
	LastError   string
	NextAttempt time.Time // zero before the first refusal
	Parked      bool
	Size        int64 // bytes of the body
}

// Inspector looks into the directory of a store for an operator, and changes single
// records: beside the process that holds the store, and after a crash. Each of its
// transactions is short.
type Inspector struct{}

// Inspect opens the store in a directory for an operator.
func Inspect(dir string) (*Inspector, error) { return nil, errors.ErrUnsupported }

// List calls each for all records in the order of their ids, until it returns an
// error. Records that come or go meanwhile may be in the list or not.
func (i *Inspector) List(ctx context.Context, each func(Entry) error) error {
	return errors.ErrUnsupported
}

// Get returns a record whole, or an error that wraps ErrNotFound.
func (i *Inspector) Get(id int64) (*Record, error) { return nil, errors.ErrUnsupported }

// Unpark makes parked records, all of them when no id is given, due at once, and
// returns how many there were.
func (i *Inspector) Unpark(ids ...int64) (int64, error) { return 0, errors.ErrUnsupported }

// Drop deletes records for good, and returns how many there were.
func (i *Inspector) Drop(ids ...int64) (int64, error) { return 0, errors.ErrUnsupported }

// Close closes the inspector; the store is left as it is.
func (i *Inspector) Close() error { return nil }
