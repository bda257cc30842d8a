package store

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// writer is the connection that commits.
type writer struct {
	conn *sqlite3.Conn
	wal  vfs.File
	file vfs.File

	begin, commit, rollback        *sqlite3.Stmt
	insert, remove, removeAttempt  *sqlite3.Stmt
	wasParked, attempt             *sqlite3.Stmt
	state, anyAttempt, pages, free *sqlite3.Stmt
	version                        *sqlite3.Stmt
	newest, records, parked        int64 // of the last commit
	pageCount, freePages           int64
	frames                         int64 // of the WAL that hold commits
	walSize                        int64 // bytes of the WAL on disk
	allocated                      int64 // bytes of the database that are on disk for sure
	aside                          int64 // bytes of the files that were set aside
	checkpointAt                   int64 // frames
	dataVersion                    int64
	attempts                       bool // there may be rows in attempt
}

// walReserve is kept on disk for the WAL, so that deletions commit when the disk is
// full: they begin the WAL anew, and need no room beside it.
const walReserve = 4 << 20

// openWriter opens the connection that commits.
//
// Linux marks the pages of a failed sync clean: what the WAL holds can be read, is lost
// at a power cut, and the next sync says that all is well. A checkpoint that rests on
// such a WAL would leave half of a transaction. So the WAL is written again, then
// synced, then checkpointed, before anything else is done. It is checkpointed with
// RESTART rather than TRUNCATE, which would do the same and give up the WAL's room.
func openWriter(path, vfsName string, maxSize int64) (_ *writer, err error) {
	c, err := connect(path, vfsName)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: c, checkpointAt: min(4000, maxSize/16/frameSize)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if err := checkLayout(c); err != nil {
		return nil, err
	}
	if _, err := c.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false); err != nil {
		return nil, err
	}
	c.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		w.frames = int64(pages)
		w.walSize = max(w.walSize, 32+w.frames*frameSize)
		return nil
	})
	for _, p := range []struct {
		stmt **sqlite3.Stmt
		sql  string
	}{
		{&w.begin, `BEGIN IMMEDIATE`},
		{&w.commit, `COMMIT`},
		{&w.rollback, `ROLLBACK`},
		{&w.insert, `INSERT INTO delivery (id, stored_at, metadata, body) VALUES (?, ?, ?, ?)`},
		{&w.remove, `DELETE FROM delivery WHERE id = ?`},
		{&w.removeAttempt, `DELETE FROM attempt WHERE id = ? RETURNING parked`},
		{&w.wasParked, `SELECT coalesce(a.parked, 0) FROM delivery d LEFT JOIN attempt a ON a.id = d.id WHERE d.id = ?`},
		{&w.attempt, `INSERT INTO attempt (id, attempts, last_error, next_attempt, parked) VALUES (?, 1, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET attempts = attempts + 1, last_error = excluded.last_error,
			next_attempt = excluded.next_attempt, parked = excluded.parked`},
		{&w.state, `UPDATE state SET newest = max(newest, ?), records = records + ?, parked = parked + ? RETURNING newest, records, parked`},
		{&w.anyAttempt, `SELECT EXISTS (SELECT 1 FROM attempt)`},
		{&w.pages, `PRAGMA page_count`},
		{&w.free, `PRAGMA freelist_count`},
		{&w.version, `PRAGMA data_version`},
	} {
		if *p.stmt, _, err = c.Prepare(p.sql); err != nil {
			return nil, err
		}
	}
	if w.file, err = databaseOf(c); err != nil {
		return nil, err
	}
	if w.wal, err = walOf(c); err != nil {
		return nil, err
	}
	if err := errors.Join(w.rewriteWAL(), w.rewriteSize()); err != nil {
		return nil, fmt.Errorf("writing again what may not be synced: %w", err)
	}
	if err := w.checkpoint(sqlite3.CHECKPOINT_RESTART); err != nil {
		return nil, err
	}
	if err := w.reserveWAL(); err != nil {
		return nil, err
	}
	if w.dataVersion, err = number(w.version); err != nil {
		return nil, err
	}
	return w, w.refresh()
}

// rewriteWAL writes and syncs the bytes of the WAL, so that what can be read is what
// is on disk.
func (w *writer) rewriteWAL() error {
	if err := w.begin.Exec(); err != nil {
		return err
	}
	defer w.rollback.Exec()
	size, err := w.wal.Size()
	if err != nil {
		return err
	}
	buffer := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(buffer)) {
		b := buffer[:min(int64(len(buffer)), size-at)]
		if _, err := w.wal.ReadAt(b, at); err != nil {
			return err
		}
		if _, err := w.wal.WriteAt(b, at); err != nil {
			return err
		}
	}
	w.walSize = size
	if size == 0 {
		return nil
	}
	return w.wal.Sync(vfs.SYNC_FULL)
}

// refresh reads the figures that other connections may have changed.
func (w *writer) refresh() error {
	state, _, err := w.conn.Prepare(`SELECT newest, records, parked FROM state`)
	if err != nil {
		return err
	}
	defer state.Close()
	if !state.Step() {
		if err := state.Err(); err != nil {
			return err
		}
		return fmt.Errorf("reading the spool's state: %w", sqlite3.CORRUPT)
	}
	w.newest, w.records, w.parked = state.ColumnInt64(0), state.ColumnInt64(1), state.ColumnInt64(2)
	any, err := number(w.anyAttempt)
	if err != nil {
		return err
	}
	w.attempts = any != 0
	return w.countPages()
}

func (w *writer) countPages() (err error) {
	if w.pageCount, err = number(w.pages); err != nil {
		return err
	}
	w.freePages, err = number(w.free)
	return err
}

// number returns the one number that a prepared statement gives.
func number(stmt *sqlite3.Stmt) (int64, error) {
	stmt.Step()
	n := stmt.ColumnInt64(0)
	err := stmt.Err()
	return n, errors.Join(err, stmt.Reset())
}

// changed reports whether another connection has committed since the last call.
func (w *writer) changed() (bool, error) {
	version, err := number(w.version)
	if err != nil {
		return false, err
	}
	if version == w.dataVersion {
		return false, nil
	}
	w.dataVersion = version
	return true, w.refresh()
}

// reserveWAL keeps room for the WAL on disk. A disk that is full already has none to
// keep.
func (w *writer) reserveWAL() error {
	if w.walSize >= walReserve {
		return nil
	}
	if err := allocate(w.wal, walReserve); err != nil && !isFull(err) {
		return fmt.Errorf("keeping room for the WAL: %w", err)
	}
	size, err := w.wal.Size()
	w.walSize = size
	return err
}

// allocate sees to it that the database has size bytes on disk. SQLite may take the
// size of the file for that of the database, and a database that is shorter than its
// WAL says for a damaged one, so the size is synced.
func (w *writer) allocate(size int64) error {
	err := allocate(w.file, size)
	if isFull(err) {
		return fmt.Errorf("%w: allocating %d bytes: %w", ErrFull, size, err)
	}
	if err == nil {
		err = w.file.Sync(vfs.SYNC_FULL)
	}
	if err != nil {
		return fmt.Errorf("allocating %d bytes: %w", size, err)
	}
	w.allocated = size
	return nil
}

// rewriteSize writes and syncs the last page of the database, so that the size that the
// file seems to have is the one on disk.
func (w *writer) rewriteSize() error {
	size, err := w.file.Size()
	if err != nil {
		return err
	}
	last := make([]byte, pageSize)
	if _, err := w.file.ReadAt(last, size-pageSize); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(last, size-pageSize); err != nil {
		return err
	}
	return w.file.Sync(vfs.SYNC_FULL)
}

// checkpoint copies the WAL into the database and syncs it. The mode RESTART waits for
// readers, and the next commit begins the WAL anew; TRUNCATE gives up its room, too.
func (w *writer) checkpoint(mode sqlite3.CheckpointMode) error {
	frames, copied, err := w.conn.WALCheckpoint("main", mode)
	if err != nil {
		return fmt.Errorf("checkpointing: %w", err)
	}
	if frames == copied {
		w.allocated = 0 // a whole checkpoint cuts off what was allocated ahead
	}
	if mode != sqlite3.CHECKPOINT_PASSIVE {
		w.frames = 0
	}
	if mode == sqlite3.CHECKPOINT_TRUNCATE {
		w.walSize = 0
		return w.reserveWAL()
	}
	return nil
}

// makeRoom begins the WAL anew, and gives up what it takes beyond its reserve. It
// reports whether that changed anything.
func (w *writer) makeRoom() (bool, error) {
	switch {
	case w.walSize > walReserve:
		return true, w.checkpoint(sqlite3.CHECKPOINT_TRUNCATE)
	case w.frames > 0:
		return true, w.checkpoint(sqlite3.CHECKPOINT_RESTART)
	}
	return false, nil
}

// shrink gives the room of an empty database back.
func (w *writer) shrink() error {
	if err := w.conn.Exec(`VACUUM`); err != nil {
		return fmt.Errorf("shrinking: %w", err)
	}
	if err := w.countPages(); err != nil {
		return err
	}
	return w.checkpoint(sqlite3.CHECKPOINT_RESTART)
}

// transact does work in one transaction, and returns its sync's error as any other.
// The records get ids from first on.
func (w *writer) transact(work work, first int64) (err error) {
	if err := w.begin.Exec(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = w.rollback.Exec() // SQLite may have rolled back by itself
			_ = w.countPages()
		}
	}()
	var records, parked int64
	for _, id := range work.deleted {
		if err := w.remove.BindInt64(1, id); err != nil {
			return err
		}
		if err := w.remove.Exec(); err != nil {
			return err
		}
		records -= w.conn.Changes()
		if !w.attempts {
			continue
		}
		if err := w.removeAttempt.BindInt64(1, id); err != nil {
			return err
		}
		if w.removeAttempt.Step() {
			parked -= w.removeAttempt.ColumnInt64(0)
			w.removeAttempt.Step()
		}
		if err := w.removeAttempt.Reset(); err != nil {
			return err
		}
	}
	for _, m := range work.marked {
		for _, id := range m.ids {
			change, err := w.markOne(id, m.mark)
			if err != nil {
				return err
			}
			parked += change
		}
	}
	id, newest := first, int64(0)
	for _, a := range work.arrivals {
		us := a.storedAt.UnixMicro()
		for i, r := range a.records {
			if err := w.insertOne(id, us, a.metadata[i], r.Body); err != nil {
				return err
			}
			newest = id
			id++
			records++
		}
	}
	if err := errors.Join(w.state.BindInt64(1, newest), w.state.BindInt64(2, records), w.state.BindInt64(3, parked)); err != nil {
		return err
	}
	if !w.state.Step() {
		if err := w.state.Reset(); err != nil {
			return err
		}
		return fmt.Errorf("updating the spool's state: %w", sqlite3.CORRUPT)
	}
	newest = w.state.ColumnInt64(0)
	all, allParked := w.state.ColumnInt64(1), w.state.ColumnInt64(2)
	w.state.Step()
	if err := w.state.Reset(); err != nil {
		return err
	}
	anyAttempt := int64(0)
	if w.attempts || len(work.marked) > 0 {
		if anyAttempt, err = number(w.anyAttempt); err != nil {
			return err
		}
	}
	if err := w.countPages(); err != nil {
		return err
	}
	if err := w.commit.Exec(); err != nil {
		return err
	}
	w.newest, w.records, w.parked = newest, all, allParked
	w.attempts = anyAttempt != 0
	return nil
}

func (w *writer) insertOne(id, storedAt int64, metadata, body []byte) error {
	if body == nil {
		body = []byte{}
	}
	if err := w.insert.BindInt64(1, id); err != nil {
		return err
	}
	if err := w.insert.BindInt64(2, storedAt); err != nil {
		return err
	}
	if err := w.insert.BindRawText(3, metadata); err != nil {
		return err
	}
	if err := w.insert.BindBlob(4, body); err != nil {
		return err
	}
	return w.insert.Exec()
}

// markOne notes a refusal, and returns by how much the number of parked records
// changes.
func (w *writer) markOne(id int64, mark Mark) (int64, error) {
	if err := w.wasParked.BindInt64(1, id); err != nil {
		return 0, err
	}
	there := w.wasParked.Step()
	var before, after int64
	if there {
		before = w.wasParked.ColumnInt64(0)
	}
	if err := w.wasParked.Reset(); err != nil || !there {
		return 0, err
	}
	if mark.Parked {
		after = 1
	}
	err := errors.Join(
		w.attempt.BindInt64(1, id),
		w.attempt.BindText(2, mark.LastError),
		w.attempt.BindInt64(3, micros(mark.NextAttempt)),
		w.attempt.BindInt64(4, after),
	)
	if err != nil {
		return 0, err
	}
	return after - before, w.attempt.Exec()
}

// close closes the connection with its statements; w may be nil.
func (w *writer) close() error {
	if w == nil {
		return nil
	}
	return closeConn(w.conn)
}

func closeConn(c *sqlite3.Conn) error {
	var stmts []*sqlite3.Stmt
	for stmt := range c.Stmts() {
		stmts = append(stmts, stmt)
	}
	for _, stmt := range stmts {
		_ = stmt.Close() // returns the error of the statement's last step again
	}
	return c.Close()
}
