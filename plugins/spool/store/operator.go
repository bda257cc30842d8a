package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/hookswitch/hookswitch/plugins/delivery"
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
// transactions is short. It is for one goroutine.
type Inspector struct {
	reader  *reader
	entries *sqlite3.Stmt
}

// Inspect opens the store in a directory for an operator.
func Inspect(dir string) (*Inspector, error) { return inspect(dir, "") }

func inspect(dir, vfsName string) (*Inspector, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	path := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening the spool in %s: expected a file %s: %w", dir, databaseFile, err)
	}
	r, err := openReader(path, vfsName)
	if err != nil {
		return nil, fmt.Errorf("opening the spool in %s: %w", dir, err)
	}
	i := &Inspector{reader: r}
	err = prepare(r.conn, statement{&i.entries, `SELECT d.id, d.stored_at, coalesce(a.attempts, 0), coalesce(a.last_error, ''),
		coalesce(a.next_attempt, 0), coalesce(a.parked, 0), d.metadata, length(d.body)
		FROM delivery d LEFT JOIN attempt a ON a.id = d.id WHERE d.id > ? ORDER BY d.id LIMIT ?`})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the spool in %s: %w", dir, err), r.close())
	}
	return i, nil
}

// page is how many records List reads, and the others change, in one transaction.
const page = 1000

// List calls each for all records in the order of their ids, until it returns an
// error. Records that come or go meanwhile may be in the list or not.
func (i *Inspector) List(ctx context.Context, each func(Entry) error) error {
	defer i.reader.conn.SetInterrupt(i.reader.conn.SetInterrupt(ctx))
	after := int64(0)
	for {
		entries, err := i.page(after)
		if err != nil {
			return fmt.Errorf("listing the spool: %w", errors.Join(err, ctx.Err()))
		}
		for _, entry := range entries {
			if err := each(entry); err != nil {
				return err
			}
			after = entry.ID
		}
		if len(entries) < page {
			return nil
		}
	}
}

// page returns the entries of records behind an id.
func (i *Inspector) page(after int64) (entries []Entry, err error) {
	if err := errors.Join(i.entries.BindInt64(1, after), i.entries.BindInt64(2, page)); err != nil {
		return nil, err
	}
	err = query(i.entries, func() (bool, error) {
		entry, err := scanEntry(i.entries)
		entries = append(entries, entry)
		return true, err
	})
	return entries, err
}

func scanEntry(stmt *sqlite3.Stmt) (Entry, error) {
	entry := Entry{
		ID:          stmt.ColumnInt64(0),
		StoredAt:    fromMicros(stmt.ColumnInt64(1)),
		Attempts:    stmt.ColumnInt(2),
		LastError:   stmt.ColumnText(3),
		NextAttempt: fromMicros(stmt.ColumnInt64(4)),
		Parked:      stmt.ColumnBool(5),
		Size:        stmt.ColumnInt64(7),
	}
	metadata, err := parseMetadata(stmt.ColumnRawText(6))
	if err != nil {
		return Entry{}, fmt.Errorf("reading record %d: %w", entry.ID, err)
	}
	entry.ReceivedAt, _ = delivery.ParseTime(metadata[delivery.KeyReceivedAt]) // zero when the text is none
	entry.Vendor = metadata[delivery.KeyVendor]
	entry.Event = metadata[delivery.KeyEvent]
	entry.Account = metadata[delivery.KeyAccount]
	entry.DeliveryID = metadata[delivery.KeyID]
	return entry, nil
}

// Get returns a record whole, or an error that wraps ErrNotFound.
func (i *Inspector) Get(id int64) (*Record, error) {
	record, err := i.reader.get(id)
	if err != nil {
		return nil, fmt.Errorf("reading the spool: %w", err)
	}
	if record == nil {
		return nil, fmt.Errorf("reading record %d: %w", id, ErrNotFound)
	}
	return record, nil
}

// Unpark makes parked records, all of them when no id is given, due at once, and
// returns how many there were. They stay parked until the output has them: a process
// that runs looks for parked records that are due, and for no others behind those that
// it has read.
func (i *Inspector) Unpark(ids ...int64) (int64, error) {
	const sql = `UPDATE attempt SET next_attempt = CAST(unixepoch('subsec') * 1000000 AS INTEGER) WHERE parked`
	n, err := i.change(sql, ids)
	if err != nil {
		return 0, fmt.Errorf("unparking records: %w", err)
	}
	return n, nil
}

// Drop deletes records for good, and returns how many there were.
func (i *Inspector) Drop(ids ...int64) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	n, err := i.change(`DELETE FROM delivery WHERE true`, ids)
	if err != nil {
		return 0, fmt.Errorf("dropping records: %w", err)
	}
	return n, nil
}

// change does a statement for the records of the ids, in transactions of a page each;
// for all records when there are no ids. It returns how many records there were.
func (i *Inspector) change(sql string, ids []int64) (n int64, err error) {
	if len(ids) == 0 {
		err := i.reader.conn.Exec(sql)
		return i.reader.conn.Changes(), err
	}
	var stmt *sqlite3.Stmt
	if err := prepare(i.reader.conn, statement{&stmt, sql + ` AND id = ?`}); err != nil {
		return 0, err
	}
	defer func() { _ = stmt.Close() }() // its error is known
	for len(ids) > 0 {
		some := ids[:min(page, len(ids))]
		ids = ids[len(some):]
		changed, err := i.changeSome(stmt, some)
		if err != nil {
			return n, err
		}
		n += changed
	}
	return n, nil
}

func (i *Inspector) changeSome(stmt *sqlite3.Stmt, ids []int64) (n int64, err error) {
	tx, err := i.reader.conn.BeginImmediate()
	if err != nil {
		return 0, err
	}
	defer tx.End(&err)
	for _, id := range ids {
		if err := stmt.BindInt64(1, id); err != nil {
			return 0, err
		}
		if err := stmt.Exec(); err != nil {
			return 0, err
		}
		n += i.reader.conn.Changes()
	}
	return n, nil
}

// Close closes the inspector; the store is left as it is.
func (i *Inspector) Close() error { return i.reader.close() }
