package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKeeps(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	metadata := map[string]string{"webhook_vendor": "callrail", "raw": "a\xffb\x00c", "k\xff": "v", "base64:x": "y", "": "\"\\\u2028"}
	records := []*Record{{Metadata: metadata, Body: []byte("one\x00")}, {Body: nil}}
	require.NoError(t, appendAll(s, records...))
	require.Equal(t, int64(1), records[0].ID)
	require.Equal(t, int64(2), s.Newest())
	got, err := s.Read(0, 10, 1<<20)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, metadata, got[0].Metadata)
	require.Equal(t, "one\x00", string(got[0].Body))
	require.Equal(t, records[0].StoredAt, got[0].StoredAt)
	s.Mark([]int64{1}, Mark{LastError: "no", NextAttempt: time.Unix(5, 0), Parked: true})
	s.Delete([]int64{2})
	require.NoError(t, s.Close(t.Context()))

	s = open(t, Options{Dir: dir})
	require.Equal(t, int64(2), s.Newest())
	got, err = s.Read(0, 10, 1<<20)
	require.NoError(t, err)
	require.Empty(t, got)
	ids, err := s.Parked(time.Now(), 10)
	require.NoError(t, err)
	require.Equal(t, []int64{1}, ids)
	require.Equal(t, Stats{Bytes: s.Stats().Bytes, Records: 1, Parked: 1}, s.Stats())
	i, err := Inspect(dir)
	require.NoError(t, err)
	changed, err := s.Changed()
	require.NoError(t, err)
	require.False(t, changed)
	n, err := i.Unpark()
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	changed, err = s.Changed()
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, int64(1), s.Stats().Parked, "until the output has it")
	ids, err = s.Parked(time.Now(), 10)
	require.NoError(t, err)
	require.Equal(t, []int64{1}, ids)
	var entries []Entry
	require.NoError(t, i.List(t.Context(), func(e Entry) error { entries = append(entries, e); return nil }))
	require.Len(t, entries, 1)
	require.Equal(t, "callrail", entries[0].Vendor)
	require.Equal(t, int64(4), entries[0].Size)
	require.NoError(t, i.Close())
}

func open(t testing.TB, options Options) *Store {
	t.Helper()
	if options.MaxSize == 0 {
		options.MaxSize = 1 << 30
	}
	s, err := Open(options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	return s
}

func appendAll(s *Store, records ...*Record) error {
	done := make(chan error, 1)
	s.Append(records, func(err error) { done <- err })
	return <-done
}
