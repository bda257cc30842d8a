package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// writer is the connection that commits.
type writer struct {
	conn *sqlite3.Conn
	wal  vfs.File
	file vfs.File

	begin, commit, rollback               *sqlite3.Stmt
	insert, remove, removeAttempt         *sqlite3.Stmt
	wasParked, attempt                    *sqlite3.Stmt
	state, count, anyAttempt, pages, free *sqlite3.Stmt
	version                               *sqlite3.Stmt
	newest, records, parked               int64 // of the last commit
	pageCount, freePages                  int64
	frames                                int64     // of the WAL that hold commits
	walSize                               int64     // bytes of the WAL on disk
	allocated                             int64     // bytes of the database that are on disk for sure
	aside                                 int64     // bytes of the files that were set aside
	blockedUntil                          time.Time // a reader keeps the WAL from beginning anew
	checkpointAt                          int64     // frames
	dataVersion                           int64
	attempts                              bool // there may be rows in attempt
}

// blockedPause is how long a reader who keeps the WAL is not waited for again.
const blockedPause = 30 * time.Second

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
	w := &writer{conn: c, checkpointAt: checkpointFrames(maxSize)}
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
	err = prepare(c, []statement{
		{&w.begin, `BEGIN IMMEDIATE`},
		{&w.commit, `COMMIT`},
		{&w.rollback, `ROLLBACK`},
		{&w.insert, insertDelivery},
		{&w.remove, `DELETE FROM delivery WHERE id = ?`},
		{&w.removeAttempt, `DELETE FROM attempt WHERE id = ? RETURNING parked`},
		{&w.wasParked, `SELECT coalesce(a.parked, 0) FROM delivery d LEFT JOIN attempt a ON a.id = d.id WHERE d.id = ?`},
		{&w.attempt, `INSERT INTO attempt (id, attempts, last_error, next_attempt, parked) VALUES (?, 1, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET attempts = attempts + 1, last_error = excluded.last_error,
			next_attempt = excluded.next_attempt, parked = excluded.parked`},
		{&w.state, `SELECT newest, records, parked FROM state`},
		{&w.count, `UPDATE state SET newest = max(newest, ?), records = records + ?, parked = parked + ? RETURNING newest, records, parked`},
		{&w.anyAttempt, `SELECT EXISTS (SELECT 1 FROM attempt)`},
		{&w.pages, `PRAGMA page_count`},
		{&w.free, `PRAGMA freelist_count`},
		{&w.version, `PRAGMA data_version`},
	}...)
	if err != nil {
		return nil, err
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
	// On a full disk the WAL, which is on disk now, goes on as it is.
	if err := w.checkpoint(sqlite3.CHECKPOINT_RESTART); err != nil && !isFull(err) {
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
	defer func() { _ = w.rollback.Exec() }() // nothing was written
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
	if err := w.readState(w.state); err != nil {
		return err
	}
	attempts, err := number(w.anyAttempt)
	if err != nil {
		return err
	}
	w.attempts = attempts != 0
	return w.countPages()
}

// readState reads the row of state that a statement gives.
func (w *writer) readState(stmt *sqlite3.Stmt) error {
	rows := 0
	err := query(stmt, func() (bool, error) {
		rows++
		w.newest, w.records, w.parked = stmt.ColumnInt64(0), stmt.ColumnInt64(1), stmt.ColumnInt64(2)
		return true, nil
	})
	if err == nil && rows != 1 {
		err = fmt.Errorf("reading the spool's state: expected one row, got %d: %w", rows, sqlite3.CORRUPT)
	}
	return err
}

func (w *writer) countPages() (err error) {
	if w.pageCount, err = number(w.pages); err != nil {
		return err
	}
	w.freePages, err = number(w.free)
	return err
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
// readers, and the next commit begins the WAL anew; TRUNCATE gives up its room, too. A
// reader who keeps the WAL for long, such as an operator's open transaction, is waited
// for now and then, and not before each commit.
func (w *writer) checkpoint(mode sqlite3.CheckpointMode) error {
	if mode != sqlite3.CHECKPOINT_PASSIVE && time.Now().Before(w.blockedUntil) {
		return fmt.Errorf("checkpointing: %w", sqlite3.BUSY)
	}
	frames, copied, err := w.conn.WALCheckpoint("main", mode)
	if isBusy(err) {
		w.blockedUntil = time.Now().Add(blockedPause)
	}
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
	before := *w
	defer func() {
		if err != nil {
			_ = w.rollback.Exec() // SQLite may have rolled back by itself
			w.newest, w.records, w.parked = before.newest, before.records, before.parked
			w.pageCount, w.freePages, w.attempts = before.pageCount, before.freePages, before.attempts
		}
	}()
	var records, parked int64 // by how much the counts change
	for _, id := range work.deleted {
		if err := errors.Join(w.remove.BindInt64(1, id), w.remove.Exec()); err != nil {
			return err
		}
		records -= w.conn.Changes()
		unparked, err := w.removeAttempts(id)
		if err != nil {
			return err
		}
		parked -= unparked
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
	var newest int64
	for _, a := range work.arrivals {
		for i := range a.records {
			if err := w.insertOne(first, a, i); err != nil {
				return err
			}
			newest = first
			first++
			records++
		}
	}
	err = errors.Join(w.count.BindInt64(1, newest), w.count.BindInt64(2, records), w.count.BindInt64(3, parked))
	if err != nil {
		return err
	}
	if err := w.readState(w.count); err != nil {
		return err
	}
	if err := w.countPages(); err != nil {
		return err
	}
	if w.attempts {
		attempts, err := number(w.anyAttempt)
		if err != nil {
			return err
		}
		w.attempts = attempts != 0
	}
	return w.commit.Exec()
}

// removeAttempts removes what is noted of the refusals of a record, and returns 1 when
// the record was parked.
func (w *writer) removeAttempts(id int64) (parked int64, err error) {
	if !w.attempts {
		return 0, nil
	}
	if err := w.removeAttempt.BindInt64(1, id); err != nil {
		return 0, err
	}
	return number(w.removeAttempt)
}

func (w *writer) insertOne(id int64, a *arrival, i int) error {
	body := a.records[i].Body
	if body == nil {
		body = []byte{} // NULL otherwise
	}
	err := errors.Join(
		w.insert.BindInt64(1, id),
		w.insert.BindInt64(2, a.storedAt.UnixMicro()),
		w.insert.BindInt64(3, int64(sumWithID(a.sums[i], id))),
		w.insert.BindRawText(4, a.metadata[i]),
		w.insert.BindBlob(5, body),
	)
	if err != nil {
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
	there := false
	var before, after int64
	err := query(w.wasParked, func() (bool, error) {
		there, before = true, w.wasParked.ColumnInt64(0)
		return true, nil
	})
	if err != nil || !there {
		return 0, err
	}
	if mark.Parked {
		after = 1
	}
	w.attempts = true
	err = errors.Join(
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

// close closes the connection; w may be nil.
func (w *writer) close() error {
	if w == nil {
		return nil
	}
	return closeConn(w.conn)
}
