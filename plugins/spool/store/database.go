package store

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// Files of a spool's directory, beside what was set aside. SQLite has -wal and -shm
// beside a database.
const (
	databaseFile = "spool.db"
	freshFile    = "fresh.db" // a database that is being made
	nextFile     = "next.db"  // a database that is whole and on disk, and is yet to become spool.db
	lockFile     = "spool.lock"
	asidePrefix  = "damaged-"
)

const (
	pageSize     = 4096
	checksumSize = 8             // at the end of each page
	frameSize    = pageSize + 24 // a page in the WAL
	busyTime     = 5 * time.Second
)

// fileNames are those that SQLite opens for a database in WAL mode.
func fileNames(path string) []string { return []string{path, path + "-wal", path + "-shm"} }

// touch makes the files that are missing, for their owner alone. SQLite would give
// them to everyone whom the umask allows.
func touch(paths ...string) error {
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// remove removes the files that are there.
func remove(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// connect opens a connection. It checkpoints nothing by itself, neither after a commit
// nor at its close: what a failed sync has left must first be written again.
func connect(path, vfsName string) (*sqlite3.Conn, error) {
	uri := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "vfs=" + url.QueryEscape(cmp.Or(vfsName, unmappedVFS))}
	c, err := sqlite3.OpenFlags(uri.String(), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	_, err = c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	err = errors.Join(err,
		c.BusyTimeout(busyTime),
		c.WALAutoCheckpoint(0),
		c.Exec(`PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY`),
	)
	if err != nil {
		return nil, errors.Join(err, closeConn(c))
	}
	return c, nil
}

// statement is a statement to be prepared.
type statement struct {
	to  **sqlite3.Stmt
	sql string
}

// prepare prepares statements of a connection, which closeConn closes.
func prepare(c *sqlite3.Conn, statements ...statement) (err error) {
	for _, s := range statements {
		if *s.to, _, err = c.Prepare(s.sql); err != nil {
			return err
		}
	}
	return nil
}

// query calls each for the rows of a statement until each returns false or an error,
// and resets the statement.
func query(stmt *sqlite3.Stmt, each func() (more bool, err error)) (err error) {
	defer func() {
		if e := stmt.Reset(); err == nil { // Reset gives an error of the last step again
			err = e
		}
	}()
	for stmt.Step() {
		if more, err := each(); err != nil || !more {
			return err
		}
	}
	return stmt.Err()
}

// number returns the one number that a statement gives.
func number(stmt *sqlite3.Stmt) (n int64, err error) {
	err = query(stmt, func() (bool, error) {
		n = stmt.ColumnInt64(0)
		return true, nil
	})
	return n, err
}

// integer returns the one number that the text of a statement gives.
func integer(c *sqlite3.Conn, sql string) (int64, error) {
	var stmt *sqlite3.Stmt
	if err := prepare(c, statement{&stmt, sql}); err != nil {
		return 0, err
	}
	n, err := number(stmt)
	return n, errors.Join(err, stmt.Close())
}

// closeConn closes a connection with its statements.
func closeConn(c *sqlite3.Conn) error {
	for _, stmt := range slices.Collect(c.Stmts()) {
		_ = stmt.Close() // gives an error of the last step again
	}
	return c.Close()
}

// checkLayout returns an error when the database is none of ours, of a newer layout, or
// has lost what its first page says of checksums and the WAL.
func checkLayout(c *sqlite3.Conn) error {
	id, err := integer(c, `PRAGMA application_id`)
	if err != nil {
		return err
	}
	version, err := integer(c, `PRAGMA user_version`)
	if err != nil {
		return err
	}
	switch {
	case id != application:
		return fmt.Errorf("reading %s: expected the database of a spool, got another one", databaseFile)
	case version > layout:
		return fmt.Errorf("reading %s: expected layout %d or older, got layout %d: a newer version of this program wrote it", databaseFile, layout, version)
	}
	reserved, err := c.FileControl("main", sqlite3.FCNTL_RESERVE_BYTES)
	if err != nil {
		return err
	}
	pageBytes, err := integer(c, `PRAGMA page_size`)
	if err != nil {
		return err
	}
	wal, err := integer(c, `SELECT journal_mode = 'wal' FROM pragma_journal_mode`)
	if err != nil {
		return err
	}
	if reserved != checksumSize || pageBytes != pageSize || wal != 1 {
		return fmt.Errorf("reading the first page of %s: %w", databaseFile, sqlite3.CORRUPT)
	}
	return nil
}

// create makes a database beside the one in use, lets fill put records into it, and
// returns when it is on disk as nextFile. It is made without a journal: until it has
// that name, nothing rests on it.
func create(dir, vfsName string, fill func(*sqlite3.Conn) error) error {
	path := filepath.Join(dir, freshFile)
	names := fileNames(path)
	if err := errors.Join(remove(names...), touch(names...)); err != nil {
		return err
	}
	c, err := connect(path, vfsName)
	if err != nil {
		return err
	}
	defer func() { _ = closeConn(c) }()
	if err := c.Exec(`PRAGMA page_size=4096; PRAGMA journal_mode=OFF`); err != nil {
		return err
	}
	if err := c.EnableChecksums("main"); err != nil {
		return err
	}
	if err := c.Exec(`BEGIN;` + schema + `PRAGMA application_id=` + strconv.Itoa(application) + `; PRAGMA user_version=` + strconv.Itoa(layout)); err != nil {
		return err
	}
	if fill != nil {
		err = fill(c)
	}
	if err != nil {
		return err
	}
	if err := c.Exec(`COMMIT; PRAGMA journal_mode=WAL`); err != nil {
		return err
	}
	if _, _, err := c.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE); err != nil {
		return err
	}
	file, err := databaseOf(c)
	if err != nil {
		return err
	}
	if err := file.Sync(vfs.SYNC_FULL); err != nil {
		return err
	}
	if err := closeConn(c); err != nil {
		return err
	}
	if err := remove(names[1:]...); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(dir, nextFile)); err != nil {
		return err
	}
	return syncDir(dir)
}

// databaseOf and walOf return the open files of a connection. Their bytes must be
// written only where SQLite does not notice.
func databaseOf(c *sqlite3.Conn) (vfs.File, error) {
	return openFile(c, sqlite3.FCNTL_FILE_POINTER)
}

func walOf(c *sqlite3.Conn) (vfs.File, error) {
	return openFile(c, sqlite3.FCNTL_JOURNAL_POINTER)
}

func openFile(c *sqlite3.Conn, which sqlite3.FcntlOpcode) (vfs.File, error) {
	f, err := c.FileControl("main", which)
	if err != nil {
		return nil, err
	}
	file, ok := f.(vfs.File)
	if !ok {
		return nil, fmt.Errorf("finding the files of %s: got %T", databaseFile, f)
	}
	return file, nil
}

// allocate sees to it that a file has size bytes on disk.
func allocate(file vfs.File, size int64) error {
	sized, ok := vfsutil.UnwrapFile[vfs.FileSizeHint](file)
	if !ok {
		return nil
	}
	return sized.SizeHint(size)
}

// syncDir makes what was made, renamed or removed in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// isFull reports whether an operation failed for lack of space. A sync that failed is a
// failure, whatever the reason.
func isFull(err error) bool {
	if errors.Is(err, sqlite3.IOERR_FSYNC) {
		return false
	}
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// isDamage reports whether an operation failed since bytes of the database are not
// those that were written.
func isDamage(err error) bool {
	return errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) ||
		errors.Is(err, sqlite3.IOERR_DATA) || errors.Is(err, sqlite3.IOERR_CORRUPTFS)
}

// isBusy reports whether another process kept the database for longer than busyTime.
func isBusy(err error) bool { return errors.Is(err, sqlite3.BUSY) }
