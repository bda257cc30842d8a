package store

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// backlog makes a store with records of all sizes, of which some are deleted and some
// parked, and closes it. It returns the model of the records.
func backlog(t testing.TB, dir string, n int) *model {
	m := newModel(1, dir)
	s := open(t, Options{Dir: dir})
	for m.next < n {
		m.append(s)
	}
	m.waiting.Wait()
	gone := m.some(n / 4)
	m.forget(gone)
	s.Delete(gone)
	s.Mark(m.some(n/10), Mark{LastError: "refused", NextAttempt: time.Now(), Parked: true})
	require.NoError(t, s.Close(t.Context()))
	return m
}

// salvaged opens a damaged store, and returns how many of the model's records are
// gone. Those that are there must be whole.
func (m *model) salvaged(t testing.TB, s *Store) (lost int) {
	t.Helper()
	m.mu.Lock()
	for id := range m.kept {
		records, err := s.Get([]int64{id})
		require.NoError(t, err)
		if len(records) == 0 {
			delete(m.kept, id)
			lost++
		}
	}
	m.mu.Unlock()
	m.check(t, s)
	return lost
}

// TestDamagedPages flips a byte of one page after the other: the store starts, and
// loses at most the records of that page.
func TestDamagedPages(t *testing.T) {
	source := t.TempDir()
	made := backlog(t, source, 300)
	whole, err := os.ReadFile(filepath.Join(source, databaseFile))
	require.NoError(t, err)
	pages := len(whole) / pageSize
	require.Greater(t, pages, 200)
	random := rand.New(rand.NewPCG(7, 7))
	damaged, back, unparked := 0, 0, 0
	for page := range pages {
		if page > 8 && random.IntN(16) > 0 {
			continue
		}
		t.Run(fmt.Sprintf("page=%d", page+1), func(t *testing.T) {
			dir := t.TempDir()
			broken := append([]byte{}, whole...)
			at := page*pageSize + random.IntN(pageSize)
			if page == 0 {
				at = random.IntN(100) // the header
			}
			broken[at] ^= 1 << random.IntN(8)
			require.NoError(t, os.WriteFile(filepath.Join(dir, databaseFile), broken, 0o600))
			m := &model{random: made.random, dir: dir, next: made.next, kept: maps.Clone(made.kept), newest: made.newest}
			var lines []string
			machine := newMachine(t, 1) // does not sync, which takes longest
			s := open(t, Options{Dir: dir, vfs: machine.name, Errorf: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }})
			require.NoError(t, provoke(s))
			lost := m.salvaged(t, s)
			require.LessOrEqual(t, lost, 30) // small records share a page
			if s.Stats().Records > int64(len(m.kept)) {
				back++
			}
			if s.Stats().Parked < 27 {
				unparked++
			}
			aside := asides(t, dir)
			if len(aside) > 0 {
				damaged++
				require.NotEmpty(t, lines)
				require.Contains(t, lines[len(lines)-1], aside[0])
				require.Greater(t, s.Stats().Bytes, int64(len(whole)))
			} else {
				require.Zero(t, lost)
			}
			m.append(s) // may meet the damage of a free page, and be refused
			m.waiting.Wait()
			require.NoError(t, provoke(s))
			aside = asides(t, dir)
			m.check(t, s)
			require.NoError(t, s.Close(t.Context()))
			s = open(t, Options{Dir: dir, vfs: machine.name})
			m.check(t, s)
			require.Equal(t, aside, asides(t, dir))
		})
	}
	require.Greater(t, damaged, 10)
	require.LessOrEqual(t, unparked, 4, "what is parked stays so unless the page of the marks is damaged")
	require.LessOrEqual(t, back, 2, "deleted records come back only when the list of free pages is damaged")
}

// TestDamagedHeader flips a bit of each byte of the header, on which SQLite's own
// checksums rest: the store starts, and has everything.
func TestDamagedHeader(t *testing.T) {
	source := t.TempDir()
	made := backlog(t, source, 40)
	whole, err := os.ReadFile(filepath.Join(source, databaseFile))
	require.NoError(t, err)
	for at := range 100 {
		dir := t.TempDir()
		broken := append([]byte{}, whole...)
		broken[at] ^= 1 << (at % 8)
		require.NoError(t, os.WriteFile(filepath.Join(dir, databaseFile), broken, 0o600))
		machine := newMachine(t, 1) // does not sync, which takes longest
		s := open(t, Options{Dir: dir, vfs: machine.name})
		require.NoError(t, provoke(s))
		made.check(t, s)
		require.NoError(t, s.Close(t.Context()))
		require.NotEmpty(t, asides(t, dir), "byte %d", at)
	}
}

// TestOtherSQLite has another program checkpoint, which does not know the checksums of
// pages: the store takes that for damage, and loses nothing.
func TestOtherSQLite(t *testing.T) {
	dir := t.TempDir()
	m := backlog(t, dir, 100)
	path := filepath.Join(dir, databaseFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path+"-wal"))
	for page := 1; page <= len(whole)/pageSize; page++ {
		copy(whole[page*pageSize-checksumSize:], "12345678")
	}
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	s := open(t, Options{Dir: dir})
	m.check(t, s)
	require.Len(t, asides(t, dir), 2)
}

// provoke reads everything, so that damage is met, and waits until it is salvaged.
func provoke(s *Store) error {
	var err error
	for range 1000 {
		after := int64(0)
		for {
			var records []*Record
			if records, err = s.Read(after, 100, 1<<20); err != nil || len(records) == 0 {
				break
			}
			after = records[len(records)-1].ID
		}
		var parked []int64
		if err == nil {
			parked, err = s.Parked(time.Now(), 1000)
		}
		if err == nil {
			_, err = s.Get(parked)
		}
		if err == nil && s.Room() == nil {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return err
}

// TestDamagedWhileOpen damages pages below a store that runs: what a read or a commit
// meets is salvaged, and the process goes on.
func TestDamagedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	m := backlog(t, dir, 300)
	s := open(t, Options{Dir: dir})
	path := filepath.Join(dir, databaseFile)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	for page := int64(20); page < info.Size()/pageSize; page += 40 {
		_, err := f.WriteAt([]byte("damage"), page*pageSize+2000)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	for range 20 {
		m.append(s) // must be kept or refused, whenever the damage is met
	}
	require.NoError(t, provoke(s))
	m.waiting.Wait()
	require.Less(t, m.salvaged(t, s), 100)
	require.Len(t, asides(t, dir), 2)
	m.append(s)
	m.check(t, s)
}

// TestRubbish starts although the database is none at all.
func TestRubbish(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, databaseFile), []byte("this is no database, and longer than its header would be: 0123456789012345678901234567890123456789"), 0o600))
	s := open(t, Options{Dir: dir})
	require.NoError(t, appendAll(s, numbered(1)))
	require.Len(t, asides(t, dir), 2)
	require.Greater(t, s.Newest(), int64(idGap)) // no id is used again
}

// TestNoRoomToSalvage refuses to start when the new database may not fit, and leaves
// everything as it is.
func TestNoRoomToSalvage(t *testing.T) {
	dir := t.TempDir()
	m := backlog(t, dir, 20)
	path := filepath.Join(dir, databaseFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	whole[30] ^= 1 // of the header
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	require.NoError(t, os.Remove(path+"-wal")) // which has the header, too
	free, err := freeSpace(dir)
	require.NoError(t, err)
	_, err = Open(Options{Dir: dir, MaxSize: MinSize, MinFree: 2 * free})
	require.ErrorIs(t, err, ErrFull)
	require.Empty(t, asides(t, dir))
	m.check(t, open(t, Options{Dir: dir}))
}

// TestSalvageCutShort cuts salvage short at every step in turn: the next start loses
// nothing more.
func TestSalvageCutShort(t *testing.T) {
	source := t.TempDir()
	made := backlog(t, source, 60)
	whole, err := os.ReadFile(filepath.Join(source, databaseFile))
	require.NoError(t, err)
	whole[30] ^= 1 // of the header
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	steps := 0
	for after := 0; ; after += 1 + after/10 {
		finished := false
		t.Run(fmt.Sprintf("after=%d", after), func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, databaseFile), whole, 0o600))
			machine := newMachine(t, uint64(after))
			machine.until = after
			s, err := Open(Options{Dir: dir, MaxSize: 1 << 30, vfs: machine.name})
			finished = err == nil
			machine.kill()
			if err == nil {
				_ = s.Close(ended)
			}
			machine.losePower(t, dir)
			machine.start()
			s = open(t, Options{Dir: dir, vfs: machine.name})
			made.check(t, s)
			require.NoError(t, s.Close(t.Context()))
			steps++
		})
		if finished || t.Failed() {
			break
		}
	}
	require.Greater(t, steps, 10)
}
