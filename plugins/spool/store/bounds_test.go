package store

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// onDisk returns the bytes that the files of a directory have.
func onDisk(t testing.TB, dir string) int64 {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var size int64
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		size += info.Size()
	}
	return size
}

// TestMaxSize fills a store, drains it and fills it again: it never takes more than it
// may, refuses with ErrFull, and takes records again once others are deleted.
func TestMaxSize(t *testing.T) {
	dir := t.TempDir()
	machine := newMachine(t, 1) // does not sync, which takes longest
	s := open(t, Options{Dir: dir, MaxSize: MinSize, vfs: machine.name})
	body := bytes.Repeat([]byte("0123456789"), 2000)
	var ids []int64
	for round := range 3 {
		refused := 0
		for i := 0; refused < 20; i++ {
			if i%50 == 0 && round%2 == 1 && len(ids) > 200 {
				s.Mark(ids[:100], Mark{LastError: "refused", Parked: i%100 == 0})
			}
			r := &Record{Body: body[:len(body)>>(i%4)]}
			err := appendAll(s, r)
			require.LessOrEqual(t, onDisk(t, dir), int64(MinSize))
			require.LessOrEqual(t, s.Stats().Bytes, onDisk(t, dir)+1<<16)
			if err != nil {
				require.ErrorIs(t, err, ErrFull)
				refused++
				continue
			}
			ids = append(ids, r.ID)
		}
		require.Greater(t, len(ids), 500)
		require.ErrorIs(t, appendAll(s, &Record{Body: bytes.Repeat(body, 60)}), ErrFull)
		for len(ids) > round*10 {
			n := min(100, len(ids))
			s.Delete(ids[:n])
			ids = ids[n:]
			require.LessOrEqual(t, onDisk(t, dir), int64(MinSize))
		}
		require.Eventually(t, func() bool { return s.Stats().Records == int64(len(ids)) }, 10*time.Second, time.Millisecond)
		require.NoError(t, s.Room())
	}
}

// TestRoomOfOthers refuses while the file system is fuller than min_free allows.
func TestRoomOfOthers(t *testing.T) {
	dir := t.TempDir()
	free, err := freeSpace(dir)
	require.NoError(t, err)
	s := open(t, Options{Dir: dir, MinFree: free * 2})
	require.ErrorIs(t, s.Room(), ErrFull)
	require.ErrorIs(t, appendAll(s, numbered(1)), ErrFull)
}

// TestFullDisk has a disk without any room: records are refused, deletions commit, and
// are still there after a power cut.
func TestFullDisk(t *testing.T) {
	machine := newMachine(t, 1)
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, vfs: machine.name})
	machine.mu.Lock()
	machine.space = 12 << 20
	machine.mu.Unlock()
	var ids []int64
	for {
		r := &Record{Body: bytes.Repeat([]byte("x"), 3000)}
		err := appendAll(s, r)
		if err != nil {
			require.ErrorIs(t, err, ErrFull)
			break
		}
		ids = append(ids, r.ID)
	}
	require.Greater(t, len(ids), 1500)
	machine.mu.Lock()
	machine.space = 1 // not a byte more
	machine.mu.Unlock()
	require.ErrorIs(t, appendAll(s, numbered(1)), ErrFull)
	for n := len(ids); n > 10; n-- { // one by one, to fill the WAL
		s.Delete(ids[:1])
		ids = ids[1:]
		if n%50 == 0 {
			require.Eventually(t, func() bool { return s.Stats().Records == int64(len(ids)) }, 10*time.Second, time.Millisecond)
		}
	}
	require.Eventually(t, func() bool { return s.Stats().Records == int64(len(ids)) }, 10*time.Second, time.Millisecond)
	for range 300 { // in the room that deletions made, with the WAL beginning anew
		r := &Record{Body: make([]byte, 3000)}
		require.NoError(t, appendAll(s, r))
		s.Delete([]int64{r.ID})
	}
	require.NoError(t, appendAll(s, numbered(1)))
	machine.kill()
	_ = s.Close(t.Context())
	machine.losePower(t, dir)
	machine.start()
	s = open(t, Options{Dir: dir, vfs: machine.name})
	require.Equal(t, int64(len(ids))+1, s.Stats().Records)
}

// TestShrinks gives the room of an empty store back.
func TestShrinks(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	var ids []int64
	body := make([]byte, 1<<20)
	for range shrinkAbove>>20 + 4 {
		r := &Record{Body: body}
		require.NoError(t, appendAll(s, r))
		ids = append(ids, r.ID)
	}
	s.Delete(ids)
	require.Eventually(t, func() bool {
		info, err := os.Stat(filepath.Join(dir, databaseFile))
		return err == nil && info.Size() < 1<<20
	}, 10*time.Second, time.Millisecond)
	r := numbered(1)
	require.NoError(t, appendAll(s, r))
	require.Equal(t, ids[len(ids)-1]+1, r.ID)
}

// TestModes gives nothing to the group or to others, whatever the umask.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, Options{Dir: dir})
	require.NoError(t, appendAll(s, numbered(1)))
	check := func() {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 4)
		for _, entry := range entries {
			info, err := entry.Info()
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode(), entry.Name())
		}
	}
	check()
	require.NoError(t, s.Close(t.Context()))
	check()
}

// TestMaxSizeWhileRead drains a full store while somebody reads without pause: it does
// not grow, and the deletions are committed.
func TestMaxSizeWhileRead(t *testing.T) {
	for _, maxSize := range []int64{MinSize, 60 << 20} {
		dir := t.TempDir()
		machine := newMachine(t, 1) // does not sync, which takes longest
		s := open(t, Options{Dir: dir, MaxSize: maxSize, vfs: machine.name})
		var ids []int64
		for full := false; !full; {
			var records []*Record
			for range 64 {
				records = append(records, &Record{Body: make([]byte, 1200)})
			}
			err := appendAll(s, records...)
			if full = err != nil; full {
				require.ErrorIs(t, err, ErrFull)
				require.ErrorIs(t, s.Room(), ErrFull)
				continue
			}
			for _, r := range records {
				ids = append(ids, r.ID)
			}
		}
		stop, read := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				select {
				case <-stop:
					read <- nil
					return
				default:
					if _, err := s.Read(0, 1024, 4<<20); err != nil {
						read <- err
						return
					}
				}
			}
		}()
		for len(ids) > 0 {
			n := min(256, len(ids))
			s.Delete(ids[:n])
			ids = ids[n:]
			require.LessOrEqual(t, onDisk(t, dir), maxSize)
			time.Sleep(time.Millisecond)
		}
		require.Eventually(t, func() bool { return s.Stats().Records == 0 }, 20*time.Second, time.Millisecond)
		close(stop)
		require.NoError(t, <-read)
		require.LessOrEqual(t, onDisk(t, dir), maxSize)
		require.NoError(t, appendAll(s, &Record{Body: make([]byte, 1200)}))
		require.NoError(t, s.Room())
	}
}

// TestMarksOnFullDisk has the output refuse everything while another program fills the
// disk: what is noted of refusals takes no room that deletions need, and what is parked
// is found when there is room.
func TestMarksOnFullDisk(t *testing.T) {
	machine := newMachine(t, 1)
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, vfs: machine.name})
	var ids []int64
	for range 40 {
		var records []*Record
		for range 50 {
			records = append(records, &Record{Body: make([]byte, 3000)})
		}
		require.NoError(t, appendAll(s, records...))
		for _, r := range records {
			ids = append(ids, r.ID)
		}
	}
	full := func(full bool) {
		machine.mu.Lock()
		defer machine.mu.Unlock()
		if machine.space = 0; full {
			machine.space = machine.taken() // not a byte more
		}
	}
	full(true)
	refusal := string(bytes.Repeat([]byte("e"), 500))
	for n := range 40 {
		s.Mark(ids[n*50:(n+1)*50], Mark{LastError: refusal})
		time.Sleep(2 * time.Millisecond)
	}
	s.Mark(ids[:1], Mark{LastError: refusal, Parked: true})
	s.Delete(ids[1:])
	require.Eventually(t, func() bool { return s.Stats().Records == 1 }, 10*time.Second, time.Millisecond)
	full(false)
	require.Eventually(t, func() bool { return s.Stats().Parked == 1 }, 10*time.Second, time.Millisecond)
	full(true)
	require.NoError(t, s.Close(t.Context()))
	s = open(t, Options{Dir: dir, vfs: machine.name})
	require.Equal(t, int64(1), s.Stats().Records)
}
