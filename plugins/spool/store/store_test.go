package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func open(t testing.TB, options Options) *Store {
	t.Helper()
	if options.MaxSize == 0 {
		options.MaxSize = 1 << 30
	}
	s, err := Open(options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s
}

// appendAll appends records and waits for them.
func appendAll(s *Store, records ...*Record) error {
	done := make(chan error, 1)
	s.Append(records, func(err error) { done <- err })
	return <-done
}

// commit waits until what was in line is committed.
func commit(t testing.TB, s *Store) {
	t.Helper()
	r := &Record{}
	require.NoError(t, appendAll(s, r))
	s.Delete([]int64{r.ID})
	require.Eventually(t, func() bool {
		records, err := s.Get([]int64{r.ID})
		return err == nil && len(records) == 0
	}, 10*time.Second, time.Millisecond)
	s.writing.Lock() // until the figures are those of the commit, too
	defer s.writing.Unlock()
	require.NotNil(t, s.writer)
}

func TestKeepsWhatWasGiven(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	metadata := map[string]string{
		"webhook_vendor": "callrail",
		"raw":            "a\xffb\x00c",
		"k\xff":          "v",
		"base64:x":       "y",
		"":               "\"\\\u2028<>&\x01",
		"json":           `{"base64":"AAAA"}`,
	}
	records := []*Record{{Metadata: metadata, Body: []byte("one\x00\xff")}, {}}
	require.NoError(t, appendAll(s, records...))
	require.Equal(t, []int64{1, 2}, []int64{records[0].ID, records[1].ID})
	check := func() {
		got, err := s.Read(0, 10, 1<<20)
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, records[0], got[0])
		require.Equal(t, &Record{ID: 2, StoredAt: records[1].StoredAt, Metadata: map[string]string{}, Body: []byte{}}, got[1])
		require.WithinDuration(t, time.Now(), got[0].StoredAt, time.Hour)
		got, err = s.Get([]int64{2, 7, 1})
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, int64(2), got[0].ID)
	}
	check()
	require.NoError(t, s.Close(t.Context()))
	s = open(t, Options{Dir: dir})
	check()
}

// TestBoundsOfRead gives the first record whatever its size, and no more than was asked
// for.
func TestBoundsOfRead(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	var records []*Record
	for range 10 {
		records = append(records, &Record{Body: make([]byte, 1000)})
	}
	require.NoError(t, appendAll(s, records...))
	for _, test := range []struct {
		after, bytes int64
		count, want  int
	}{
		{0, 1, 10, 1},
		{0, 3 * (1000 + overhead), 10, 3},
		{0, 3*(1000+overhead) - 1, 10, 2},
		{0, 1 << 20, 4, 4},
		{8, 1 << 20, 10, 2},
		{10, 1 << 20, 10, 0},
	} {
		got, err := s.Read(test.after, test.count, test.bytes)
		require.NoError(t, err)
		require.Len(t, got, test.want, "%+v", test)
		for i, r := range got {
			require.Equal(t, test.after+int64(i)+1, r.ID)
		}
	}
}

func TestMarks(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	require.NoError(t, appendAll(s, numbered(1), numbered(2), numbered(3), numbered(4)))
	at := time.Unix(1_000_000_000, 123_456_000).UTC()
	s.Mark([]int64{1, 2}, Mark{LastError: "first", NextAttempt: at})
	s.Mark([]int64{2, 3, 99}, Mark{LastError: "x" + strings.Repeat("ä", 300) + "\xff", NextAttempt: at.Add(time.Second), Parked: true})
	s.Mark([]int64{4}, Mark{LastError: "no\xffne", NextAttempt: at, Parked: true})
	commit(t, s)
	require.NoError(t, s.Close(t.Context()))
	s = open(t, Options{Dir: dir})
	require.Equal(t, int64(3), s.Stats().Parked)
	got, err := s.Get([]int64{1, 2, 3, 4})
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 1, 1}, []int{got[0].Attempts, got[1].Attempts, got[2].Attempts, got[3].Attempts})
	require.Equal(t, at, got[0].NextAttempt)
	require.False(t, got[0].Parked)
	require.Equal(t, "x"+strings.Repeat("ä", 255), got[1].LastError)
	require.Equal(t, "no\uFFFDne", got[3].LastError)
	require.True(t, got[1].Parked)
	read, err := s.Read(0, 10, 1<<20)
	require.NoError(t, err)
	require.Len(t, read, 1)

	for _, test := range []struct {
		before time.Time
		count  int
		want   []int64
	}{
		{at.Add(-time.Microsecond), 10, nil},
		{at, 10, []int64{4}},
		{at.Add(time.Hour), 10, []int64{4, 2, 3}},
		{at.Add(time.Hour), 2, []int64{4, 2}},
	} {
		ids, err := s.Parked(test.before, test.count)
		require.NoError(t, err)
		require.Equal(t, test.want, ids)
	}
	s.Mark([]int64{4}, Mark{LastError: "again", NextAttempt: at})
	s.Delete([]int64{2, 2, 99})
	commit(t, s)
	require.Equal(t, int64(1), s.Stats().Parked)
	require.Equal(t, int64(3), s.Stats().Records)
	s.Mark([]int64{2}, Mark{LastError: "late", Parked: true})
	commit(t, s)
	require.Equal(t, int64(1), s.Stats().Parked)
}

// TestIDsAreNotUsedAgain empties the store before it starts again.
func TestIDsAreNotUsedAgain(t *testing.T) {
	dir := t.TempDir()
	last := int64(0)
	for range 3 {
		s := open(t, Options{Dir: dir})
		require.Equal(t, last, s.Newest())
		r := numbered(1)
		require.NoError(t, appendAll(s, numbered(2), r))
		require.Equal(t, last+2, r.ID)
		last = r.ID
		s.Delete([]int64{r.ID - 1, r.ID})
		require.NoError(t, s.Close(t.Context()))
	}
}

// TestOneOwner refuses a second store in a directory, also by another name, and takes
// one after the first was closed.
func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	s := open(t, Options{Dir: dir})
	for _, path := range []string{dir, link} {
		_, err := Open(Options{Dir: path, MaxSize: MinSize})
		require.ErrorContains(t, err, dir)
		require.ErrorContains(t, err, "process "+strconv.Itoa(os.Getpid()))
	}
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, open(t, Options{Dir: link}).Close(t.Context()))
}

func TestRefusesToOpen(t *testing.T) {
	newer := t.TempDir()
	require.NoError(t, open(t, Options{Dir: newer}).Close(t.Context()))
	execute(t, newer, `PRAGMA user_version = 2`)
	foreign := t.TempDir()
	require.NoError(t, open(t, Options{Dir: foreign}).Close(t.Context()))
	execute(t, foreign, `PRAGMA application_id = 1`)
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{Dir: "", MaxSize: MinSize}, "empty path"},
		{Options{Dir: t.TempDir(), MaxSize: 1}, "at least 16777216 bytes"},
		{Options{Dir: filepath.Join(t.TempDir(), "no", "parent"), MaxSize: MinSize}, "no such file"},
		{Options{Dir: newer, MaxSize: MinSize}, "expected layout 1 or older, got layout 2"},
		{Options{Dir: foreign, MaxSize: MinSize}, "expected the database of a spool"},
	} {
		_, err := Open(test.options)
		require.ErrorContains(t, err, test.want)
	}
	require.Empty(t, asides(t, newer))
	_, err := Inspect(newer)
	require.ErrorContains(t, err, "layout 2")
	_, err = Inspect(t.TempDir())
	require.ErrorContains(t, err, "expected a file spool.db")
}

// execute does SQL as another program does.
func execute(t testing.TB, dir, sql string) {
	t.Helper()
	c, err := connect(filepath.Join(dir, databaseFile), "")
	require.NoError(t, err)
	require.NoError(t, c.Exec(sql))
	require.NoError(t, closeConn(c))
}

func TestRefusesMemory(t *testing.T) {
	const shm = "/dev/shm"
	volatile, err := isVolatile(shm)
	if err != nil || !volatile {
		if os.Getenv("CI") == "true" {
			t.Fatal("expected a file system in memory at " + shm)
		}
		t.Skip("no file system in memory at " + shm)
	}
	t.Setenv("TMPDIR", shm)
	dir := t.TempDir()
	_, err = Open(Options{Dir: dir, MaxSize: MinSize})
	require.ErrorContains(t, err, "in memory")
	s := open(t, Options{Dir: dir, AllowVolatile: true})
	require.NoError(t, appendAll(s, numbered(1)))
	require.NoError(t, s.Close(t.Context()))
}

// TestClose commits what is in line; what comes later is refused.
func TestClose(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	var kept, refused atomic.Int64
	var wait sync.WaitGroup
	for range 50 {
		wait.Add(1)
		s.Append([]*Record{numbered(1)}, func(err error) {
			defer wait.Done()
			if err == nil {
				kept.Add(1)
			}
		})
	}
	require.NoError(t, s.Close(t.Context()))
	wait.Wait()
	require.Equal(t, int64(50), kept.Load())
	require.ErrorIs(t, s.Close(t.Context()), ErrClosed)
	require.ErrorIs(t, appendAll(s, numbered(1)), ErrClosed)
	require.ErrorIs(t, s.Room(), ErrClosed)
	_, err := s.Read(0, 1, 1)
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.Changed()
	require.ErrorIs(t, err, ErrClosed)
	s.Delete([]int64{1})
	s.Mark([]int64{1}, Mark{})

	s = open(t, Options{Dir: dir})
	require.Equal(t, int64(50), s.Stats().Records)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2000 {
		wait.Add(1)
		s.Append([]*Record{numbered(1)}, func(err error) {
			defer wait.Done()
			if err != nil {
				refused.Add(1)
			}
		})
	}
	require.NoError(t, s.Close(ended))
	wait.Wait() // each is told, one way or the other
	s = open(t, Options{Dir: dir})
	require.Equal(t, 50+2000-refused.Load(), s.Stats().Records)
}

// TestTogetherOrNotAtAll has a machine fail in the middle of a transaction of several
// records: none of them stays.
func TestTogetherOrNotAtAll(t *testing.T) {
	machine := newMachine(t, 1)
	s := open(t, Options{Dir: t.TempDir(), vfs: machine.name})
	require.NoError(t, appendAll(s, numbered(1)))
	machine.mu.Lock()
	machine.failAt = machine.steps + 8
	machine.mu.Unlock()
	require.Error(t, appendAll(s, numbered(2), numbered(3), numbered(4), numbered(5), numbered(6)))
	r := numbered(7)
	require.Eventually(t, func() bool { return appendAll(s, r) == nil }, 10*time.Second, time.Millisecond)
	got, err := s.Read(0, 100, 1<<20)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, r.ID, s.Newest())
}

// TestEveryStepFails has each operation on the disk fail in turn: who was told of
// success finds the record after a power cut, and the store takes records again.
func TestEveryStepFails(t *testing.T) {
	for _, fault := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		step := 1
		for stepFails(t, step, fault) {
			step++
		}
		require.Greater(t, step, 60)
	}
}

// stepFails has one operation fail, and reports whether there were so many.
func stepFails(t *testing.T, step int, fault syscall.Errno) bool {
	machine := newMachine(t, uint64(step))
	machine.failAt, machine.fault = step, fault
	dir := t.TempDir()
	var lines atomic.Int64
	options := Options{Dir: dir, MaxSize: 64 << 20, vfs: machine.name, Errorf: func(string, ...any) { lines.Add(1) }}
	s, err := Open(options)
	if err != nil {
		require.True(t, machine.failed)
		s = open(t, options)
	}
	m := newModel(1, dir)
	for number := range 5 {
		r := numbered(number)
		if appendAll(s, r) == nil {
			m.kept[r.ID] = number
		}
	}
	gone := m.some(2)
	m.forget(gone)
	s.Delete(gone)
	number := 5
	require.Eventually(t, func() bool { number++; return appendAll(s, numbered(number)) == nil }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { there, err := s.Get(gone); return err == nil && len(there) == 0 }, 10*time.Second, time.Millisecond)
	machine.mu.Lock()
	failed := machine.failed
	machine.mu.Unlock()
	machine.kill()
	_ = s.Close(t.Context())
	machine.losePower(t, dir)
	machine.start()
	s = open(t, options)
	m.check(t, s)
	require.NoError(t, s.Close(t.Context()))
	if !failed {
		require.Zero(t, lines.Load())
	}
	return failed
}

// TestFailedSyncs has a sync fail, of which some bytes can be read and are not on disk,
// and cuts the power soon after, while the store opens its database again.
func TestFailedSyncs(t *testing.T) {
	for seed := range uint64(150) {
		machine := newMachine(t, seed)
		m := newModel(seed, t.TempDir())
		options := Options{Dir: m.dir, MaxSize: 64 << 20, vfs: machine.name}
		s := open(t, options)
		for range m.random.IntN(12) {
			m.append(s)
			m.waiting.Wait()
		}
		if m.random.IntN(2) == 0 { // so that the database has pages that the WAL has not
			require.NoError(t, s.Close(t.Context()))
			s = open(t, options)
		}
		ids := m.some(4)
		m.forget(ids)
		s.Delete(ids)
		machine.failASync(1+m.random.IntN(4), m.random.IntN(60))
		for machine.syncsFail() {
			for range 1 + m.random.IntN(8) {
				m.append(s)
			}
			m.waiting.Wait()
		}
		for range 4 {
			m.append(s)
			m.waiting.Wait()
		}
		machine.kill()
		_ = s.Close(t.Context())
		machine.losePower(t, m.dir)
		machine.start()
		s = open(t, options)
		m.check(t, s)
		require.Empty(t, asides(t, m.dir), "seed %d", seed)
		require.NoError(t, s.Close(t.Context()))
	}
}

// TestFailureIsSaid keeps the disk from working: senders, Room and reads get the
// failure, and the store works again when the disk does.
func TestFailureIsSaid(t *testing.T) {
	machine := newMachine(t, 1)
	var lines atomic.Int64
	s := open(t, Options{Dir: t.TempDir(), vfs: machine.name, Errorf: func(string, ...any) { lines.Add(1) }})
	r := numbered(1)
	require.NoError(t, appendAll(s, r))
	machine.kill()
	require.Error(t, appendAll(s, numbered(2)))
	require.Error(t, appendAll(s, numbered(2)))
	require.Error(t, s.Room())
	require.NotErrorIs(t, s.Room(), ErrFull)
	require.Eventually(t, func() bool { _, err := s.Read(0, 1, 1); return err != nil && !errors.Is(err, ErrClosed) }, 10*time.Second, time.Millisecond)
	s.Delete([]int64{r.ID})
	require.Equal(t, int64(1), lines.Load())
	machine.start()
	require.Eventually(t, func() bool { return s.Room() == nil }, 10*time.Second, time.Millisecond)
	changed, err := s.Changed()
	require.NoError(t, err)
	require.True(t, changed)
	require.NoError(t, appendAll(s, numbered(3)))
	commit(t, s)
	got, err := s.Get([]int64{r.ID})
	require.NoError(t, err)
	require.Empty(t, got, "a deletion outlasts a failure")
}

// TestKilledProcess kills a process that appends as fast as it can, and finds all that
// it was told of.
func TestKilledProcess(t *testing.T) {
	if dir := os.Getenv("HOOKSWITCH_TEST_STORE"); dir != "" {
		appendForEver(t, dir)
	}
	dir := filepath.Join(t.TempDir(), "spool")
	told := int64(0)
	for range 3 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
		child.Env = append(os.Environ(), "HOOKSWITCH_TEST_STORE="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		text := make([]byte, 9)
		for range 300 {
			n, err := out.Read(text[:9])
			require.NoError(t, err)
			for _, c := range text[:n] {
				if c == '.' {
					told++
				}
			}
		}
		require.NoError(t, child.Process.Kill())
		_ = child.Wait()
		s := open(t, Options{Dir: dir})
		require.GreaterOrEqual(t, s.Stats().Records, told)
		count := int64(0)
		for after := int64(0); ; {
			got, err := s.Read(after, 1000, 1<<30)
			require.NoError(t, err)
			if len(got) == 0 {
				break
			}
			count += int64(len(got))
			after = got[len(got)-1].ID
		}
		require.Equal(t, count, s.Stats().Records)
		require.NoError(t, s.Close(t.Context()))
	}
}

// appendForEver writes a full stop for each record that is kept.
func appendForEver(t *testing.T, dir string) {
	s := open(t, Options{Dir: dir})
	for number := 0; ; number++ {
		require.NoError(t, appendAll(s, numbered(number)))
		_, err := os.Stdout.WriteString(".")
		require.NoError(t, err)
	}
}
