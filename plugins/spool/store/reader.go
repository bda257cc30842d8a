package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// columns are those of scan.
const columns = `d.id, d.stored_at, coalesce(a.attempts, 0), coalesce(a.last_error, ''), coalesce(a.next_attempt, 0), coalesce(a.parked, 0), d.metadata, d.body, d.sum
	FROM delivery d LEFT JOIN attempt a ON a.id = d.id `

// reader is the connection that reads.
type reader struct {
	conn                *sqlite3.Conn
	after, byID, parked *sqlite3.Stmt
}

func openReader(path, vfsName string) (*reader, error) {
	c, err := connect(path, vfsName)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: c}
	if err := checkLayout(c); err != nil {
		return nil, errors.Join(err, r.close())
	}
	err = prepare(c, []statement{
		{&r.after, `SELECT ` + columns + `WHERE d.id > ? AND NOT coalesce(a.parked, 0) ORDER BY d.id LIMIT ?`},
		{&r.byID, `SELECT ` + columns + `WHERE d.id = ?`},
		{&r.parked, `SELECT id FROM attempt WHERE parked AND next_attempt <= ? ORDER BY next_attempt, id LIMIT ?`},
	}...)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *reader) close() error {
	if r == nil {
		return nil
	}
	return closeConn(r.conn)
}

// scan reads the record in the row of a statement that selects columns.
func scan(stmt *sqlite3.Stmt) (*Record, error) {
	id := stmt.ColumnInt64(0)
	text := stmt.ColumnRawText(6)
	body := stmt.ColumnBlob(7, []byte{})
	sum := sumWithID(sumOf(text, body), id)
	metadata, err := parseMetadata(text)
	if err != nil {
		return nil, fmt.Errorf("reading record %d: %w: %w", id, err, sqlite3.CORRUPT)
	}
	record := &Record{
		ID:          id,
		StoredAt:    fromMicros(stmt.ColumnInt64(1)),
		Attempts:    stmt.ColumnInt(2),
		LastError:   stmt.ColumnText(3),
		NextAttempt: fromMicros(stmt.ColumnInt64(4)),
		Parked:      stmt.ColumnBool(5),
		Metadata:    metadata,
		Body:        body,
	}
	if err := stmt.Err(); err != nil {
		return nil, err
	}
	if int64(sum) != stmt.ColumnInt64(8) {
		return nil, fmt.Errorf("reading record %d: its checksum is wrong: %w", id, sqlite3.CORRUPT)
	}
	return record, nil
}

// Read returns records that are not parked, in the order of their ids, beginning
// behind the id after: the first whatever its size, then more while there are at most
// count and the sum of their Size is at most bytes.
func (s *Store) Read(after int64, count int, bytes int64) ([]*Record, error) {
	var records []*Record
	err := s.read(func(r *reader) error {
		stmt := r.after
		if err := stmt.BindInt64(1, after); err != nil {
			return err
		}
		if err := stmt.BindInt64(2, int64(max(count, 1))); err != nil {
			return err
		}
		return query(stmt, func() (bool, error) {
			record, err := scan(stmt)
			if err != nil {
				return false, err
			}
			bytes -= record.Size()
			if bytes < 0 && len(records) > 0 {
				return false, nil
			}
			records = append(records, record)
			return true, nil
		})
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Get returns those of the records that are still there, in the order of ids.
func (s *Store) Get(ids []int64) ([]*Record, error) {
	var records []*Record
	err := s.read(func(r *reader) error {
		for _, id := range ids {
			record, err := r.get(id)
			if err != nil {
				return err
			}
			if record != nil {
				records = append(records, record)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// get returns a record, or nil when there is none.
func (r *reader) get(id int64) (record *Record, err error) {
	if err := r.byID.BindInt64(1, id); err != nil {
		return nil, err
	}
	err = query(r.byID, func() (bool, error) {
		record, err = scan(r.byID)
		return true, err
	})
	return record, err
}

// Parked returns the ids of up to count parked records whose next attempt is not
// after before, the oldest attempt first.
func (s *Store) Parked(before time.Time, count int) ([]int64, error) {
	var ids []int64
	err := s.read(func(r *reader) error {
		if err := r.parked.BindInt64(1, micros(before)); err != nil {
			return err
		}
		if err := r.parked.BindInt64(2, int64(count)); err != nil {
			return err
		}
		return query(r.parked, func() (bool, error) {
			ids = append(ids, r.parked.ColumnInt64(0))
			return true, nil
		})
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// read lets a function use the connection that reads. Damage that the function meets
// is salvaged by the committing goroutine.
func (s *Store) read(f func(*reader) error) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.reader == nil {
		return s.unavailable()
	}
	err := f(s.reader)
	if err == nil {
		return nil
	}
	s.noteDamage(err)
	return fmt.Errorf("reading the spool: %w", err)
}
