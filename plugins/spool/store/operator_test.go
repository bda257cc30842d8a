package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
)

func TestInspector(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	received := time.Date(2026, 11, 25, 22, 1, 2, 123456789, time.UTC)
	whole := &Record{Metadata: map[string]string{
		delivery.KeyVendor:     "callrail",
		delivery.KeyEvent:      "post_call",
		delivery.KeyAccount:    "main",
		delivery.KeyID:         "0192f0c1",
		delivery.KeyReceivedAt: delivery.FormatTime(received),
	}, Body: []byte("body")}
	bare := &Record{}
	require.NoError(t, appendAll(s, whole, bare))
	at := time.Unix(1_000_000_000, 0).UTC()
	s.Mark([]int64{1}, Mark{LastError: "no", NextAttempt: at, Parked: true})
	commit(t, s) // has used id 3

	i, err := Inspect(dir)
	require.NoError(t, err)
	defer i.Close()
	var entries []Entry
	list := func() []Entry {
		entries = nil
		require.NoError(t, i.List(t.Context(), func(e Entry) error { entries = append(entries, e); return nil }))
		return entries
	}
	require.Equal(t, []Entry{
		{
			ID: 1, StoredAt: whole.StoredAt, ReceivedAt: received, Vendor: "callrail", Event: "post_call", Account: "main",
			DeliveryID: "0192f0c1", Attempts: 1, LastError: "no", NextAttempt: at, Parked: true, Size: 4,
		},
		{ID: 2, StoredAt: bare.StoredAt},
	}, list())
	got, err := i.Get(1)
	require.NoError(t, err)
	require.Equal(t, whole.Metadata, got.Metadata)
	require.Equal(t, "body", string(got.Body))
	_, err = i.Get(3)
	require.ErrorIs(t, err, ErrNotFound)

	changed := func() bool {
		changed, err := s.Changed()
		require.NoError(t, err)
		return changed
	}
	require.False(t, changed())
	n, err := i.Unpark(2, 3)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = i.Unpark()
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.True(t, changed())
	require.False(t, changed())
	require.Equal(t, int64(1), s.Stats().Parked, "until the output has it")
	require.True(t, list()[0].Parked)
	require.Equal(t, 1, entries[0].Attempts)
	require.WithinDuration(t, time.Now(), entries[0].NextAttempt, time.Minute)

	s.Mark([]int64{1, 2}, Mark{Parked: true})
	commit(t, s)
	require.False(t, changed())
	n, err = i.Drop(1, 1, 77)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.True(t, changed())
	require.Equal(t, Stats{Records: 1, Parked: 1, Bytes: s.Stats().Bytes, Commits: s.Stats().Commits}, s.Stats())
	n, err = i.Drop()
	require.NoError(t, err)
	require.Zero(t, n)
	require.Len(t, list(), 1)

	stop := errors.New("stop")
	require.ErrorIs(t, i.List(t.Context(), func(Entry) error { return stop }), stop)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, i.List(ended, func(Entry) error { return nil }), context.Canceled)
	require.Len(t, list(), 1)
}

// TestListsPages lists more records than one transaction reads.
func TestListsPages(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	records := make([]*Record, 2*page)
	for n := range records {
		records[n] = &Record{}
	}
	require.NoError(t, appendAll(s, records...))
	i, err := Inspect(dir)
	require.NoError(t, err)
	defer i.Close()
	next := int64(1)
	require.NoError(t, i.List(t.Context(), func(e Entry) error {
		require.Equal(t, next, e.ID)
		next++
		return nil
	}))
	require.Equal(t, int64(2*page+1), next)
}

// TestOperatorsSQL deletes and unparks by SQL beside the store: the counts stay right,
// and the view tells what an operator wants to know.
func TestOperatorsSQL(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	for range 5 {
		r := sampleRecord()
		require.NoError(t, appendAll(s, r))
	}
	s.Mark([]int64{1, 2, 3}, Mark{LastError: "no", Parked: true})
	commit(t, s)
	c, err := connect(filepath.Join(dir, databaseFile), "")
	require.NoError(t, err)
	n, err := integer(c, `SELECT count(*) FROM spool WHERE vendor = 'callrail' AND event = 'post_call' AND received_at > '2026' AND stored_at > '2020' AND parked`)
	require.NoError(t, err)
	require.Equal(t, int64(3), n)
	require.NoError(t, c.Exec(`DELETE FROM delivery WHERE id IN (1, 4); UPDATE attempt SET parked = 0 WHERE id = 2`))
	require.NoError(t, closeConn(c))
	changed, err := s.Changed()
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, []int64{3, 1}, []int64{s.Stats().Records, s.Stats().Parked})
	commit(t, s)
	require.Equal(t, []int64{3, 1}, []int64{s.Stats().Records, s.Stats().Parked})
	require.NoError(t, s.Close(t.Context()))
	s = open(t, Options{Dir: dir})
	require.Equal(t, []int64{3, 1}, []int64{s.Stats().Records, s.Stats().Parked})
}

// TestOperatorBesideAStore lists, unparks and drops while the store appends, deletes
// and marks.
func TestOperatorBesideAStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	m := newModel(1, dir)
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			i, err := Inspect(dir)
			if err != nil {
				t.Error(err)
				return
			}
			err = i.List(t.Context(), func(Entry) error { return nil })
			_, unparked := i.Unpark()
			ids := m.some(1)
			m.forget(ids)
			_, dropped := i.Drop(ids...)
			if err := errors.Join(err, unparked, dropped, i.Close()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 300 {
		m.append(s)
		if m.random.IntN(4) == 0 {
			ids := m.some(3)
			m.forget(ids)
			s.Delete(ids)
			s.Mark(m.some(2), Mark{Parked: true})
		}
		m.waiting.Wait()
	}
	close(stop)
	wait.Wait()
	commit(t, s)
	m.check(t, s)
	require.Greater(t, s.Stats().Records, int64(50))
}

// TestAfterACrash looks into the directory of a process that is gone.
func TestAfterACrash(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	s := open(t, Options{Dir: dir})
	require.NoError(t, appendAll(s, sampleRecord()))
	for _, name := range []string{databaseFile, databaseFile + "-wal"} { // as they lie there without a stop
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(copied, name), b, 0o600))
	}
	i, err := Inspect(copied)
	require.NoError(t, err)
	n, err := i.Drop(1)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.NoError(t, i.Close())
	s = open(t, Options{Dir: copied})
	require.Zero(t, s.Stats().Records)
	require.Equal(t, int64(1), s.Newest())
}
