package store

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// model is what must be true of a store, whatever happens to it.
type model struct {
	random *rand.Rand
	dir    string
	next   int // the number of the next record that is made

	mu      sync.Mutex
	kept    map[int64]int // number by id: acknowledged, and nobody has deleted it
	newest  int64         // the greatest id that was acknowledged
	waiting sync.WaitGroup
}

func newModel(seed uint64, dir string) *model {
	return &model{random: rand.New(rand.NewPCG(seed, 3)), dir: dir, kept: map[int64]int{}}
}

// numbered makes the record of a number: everything in it follows from the number.
func numbered(number int) *Record {
	random := rand.New(rand.NewPCG(uint64(number), 2))
	size := random.IntN(3000)
	if random.IntN(8) == 0 {
		size = random.IntN(60_000)
	}
	body := bytes.Repeat([]byte{byte(number), byte(number >> 8), 0, 255}, size/4)
	return &Record{
		Metadata: map[string]string{"number": strconv.Itoa(number), "webhook_vendor": "callrail", "odd\xff": "\xfe\x00" + strconv.Itoa(number)},
		Body:     body,
	}
}

// sampleRecord is a record of 3.3 KB.
func sampleRecord() *Record {
	return &Record{
		Metadata: map[string]string{
			"webhook_delivery_id":  "0192f0c1-7c3b-7d2a-9a55-9f8e7d6c5b4a",
			"webhook_received_at":  "2026-11-25T22:01:02.123456789Z",
			"webhook_route":        "/callrail/main",
			"webhook_vendor":       "callrail",
			"webhook_account":      "main",
			"webhook_event":        "post_call",
			"webhook_content_type": "application/json",
			"webhook_verified":     "true",
		},
		Body: bytes.Repeat([]byte(`{"a":"0123456789abcdefghijklmnop"}`), 88),
	}
}

// append appends one to three records without waiting for them.
func (m *model) append(s *Store) {
	records := make([]*Record, 1+m.random.IntN(3))
	first := m.next
	for i := range records {
		records[i] = numbered(m.next)
		m.next++
	}
	m.waiting.Add(1)
	s.Append(records, func(err error) {
		defer m.waiting.Done()
		if err != nil {
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for i, r := range records {
			m.kept[r.ID] = first + i
			m.newest = max(m.newest, r.ID)
		}
	})
}

// some returns up to n ids of records that are kept.
func (m *model) some(n int) []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []int64
	for id := range m.kept {
		if len(ids) == n {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

func (m *model) forget(ids []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.kept, id)
	}
}

// act does something with the store. Faults and a power cut may keep it from working.
func (m *model) act(s *Store, vfsName string) {
	switch m.random.IntN(12) {
	case 0, 1, 2, 3, 4:
		m.append(s)
	case 5, 6:
		ids := m.some(1 + m.random.IntN(20))
		m.forget(ids)
		s.Delete(ids)
	case 7:
		s.Mark(m.some(1+m.random.IntN(5)), Mark{LastError: "refused", NextAttempt: time.Now(), Parked: m.random.IntN(2) == 0})
	case 8:
		m.waiting.Wait()
	case 9:
		_, _ = s.Read(0, 10, 1<<20)
	case 10:
		_, _ = s.Get(m.some(3))
		_ = s.Room()
	case 11:
		i, err := inspect(m.dir, vfsName)
		if err != nil {
			return
		}
		if m.random.IntN(2) == 0 {
			_, _ = i.Unpark()
		} else {
			ids := m.some(1)
			m.forget(ids)
			_, _ = i.Drop(ids...)
		}
		_ = i.Close()
		_, _ = s.Changed()
	}
}

// check compares the store with the model: all that is kept is there, whole and with
// its id; whatever else is there is whole; and the counts are right.
func (m *model) check(t testing.TB, s *Store) {
	t.Helper()
	m.waiting.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	there := map[int64]bool{}
	numbers := map[string]bool{}
	parked, err := s.Parked(time.Now().Add(time.Hour), 1<<30)
	require.NoError(t, err)
	records, err := s.Get(parked)
	require.NoError(t, err)
	require.Len(t, records, len(parked))
	for _, r := range records {
		require.True(t, r.Parked)
	}
	after := int64(0)
	for {
		page, err := s.Read(after, 7, 100_000)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			require.False(t, r.Parked)
			require.Greater(t, r.ID, after)
			after = r.ID
		}
		records = append(records, page...)
	}
	for _, r := range records {
		require.False(t, there[r.ID], "id %d twice", r.ID)
		require.False(t, numbers[r.Metadata["number"]], "number %s twice", r.Metadata["number"])
		there[r.ID], numbers[r.Metadata["number"]] = true, true
		number, err := strconv.Atoi(r.Metadata["number"])
		require.NoError(t, err)
		want := numbered(number)
		require.Equal(t, want.Metadata, r.Metadata)
		require.True(t, bytes.Equal(want.Body, r.Body), "body of record %d", r.ID)
		require.LessOrEqual(t, r.ID, s.Newest())
		if kept, ok := m.kept[r.ID]; ok {
			require.Equal(t, kept, number, "id %d was used again", r.ID)
		}
	}
	for id := range m.kept {
		require.True(t, there[id], "record %d is lost", id)
	}
	odd, err := integer(s.reader.conn, `SELECT count(*) FROM attempt WHERE typeof(next_attempt) <> 'integer'`)
	require.NoError(t, err)
	require.Zero(t, odd, "salvage knows the rows by their types")
	require.GreaterOrEqual(t, s.Newest(), m.newest)
	require.Equal(t, int64(len(records)), s.Stats().Records)
	require.Equal(t, int64(len(parked)), s.Stats().Parked)
}

// TestPowerCuts lives several lives of a store on one disk. Each ends by a kill, by a
// power cut or in order, in the middle of anything, also of the start; meanwhile
// operations fail. HOOKSWITCH_POWER_CUTS says how many rounds, of about four cuts each,
// and HOOKSWITCH_POWER_SEED with which seed the first begins; what goroutines do at once
// is left to chance, whatever the seed.
func TestPowerCuts(t *testing.T) {
	rounds := 12
	if n, err := strconv.Atoi(os.Getenv("HOOKSWITCH_POWER_CUTS")); err == nil {
		rounds = n
	}
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("HOOKSWITCH_POWER_SEED"), 10, 64); err == nil {
		seed = n
	}
	var cuts int
	for round := range rounds {
		ok := t.Run(fmt.Sprintf("seed=%d", seed+uint64(round)), func(t *testing.T) {
			cuts += lives(t, seed+uint64(round))
		})
		if !ok {
			t.Fatalf("again with HOOKSWITCH_POWER_CUTS=1 HOOKSWITCH_POWER_SEED=%d", seed+uint64(round))
		}
	}
	t.Logf("%d power cuts", cuts)
}

func lives(t *testing.T, seed uint64) (cuts int) {
	machine := newMachine(t, seed)
	m := newModel(seed, t.TempDir())
	options := Options{Dir: m.dir, MaxSize: 64 << 20, vfs: machine.name, Errorf: t.Logf}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 6 {
		machine.start()
		if m.random.IntN(2) == 0 {
			machine.until = m.random.IntN(400)
		}
		if m.random.IntN(2) == 0 {
			machine.faults = 0.03
		}
		s, err := Open(options)
		if err == nil {
			for range m.random.IntN(80) {
				m.act(s, machine.name)
			}
			if m.random.IntN(4) == 0 {
				_ = s.Close(t.Context())
			}
			machine.kill()
			_ = s.Close(ended) // the machine is off
			m.waiting.Wait()
		} else {
			require.True(t, machine.off || machine.failed, "opening failed by itself: %v", err)
		}
		machine.kill()
		machine.mu.Lock()
		machine.faults = 0
		machine.mu.Unlock()
		if m.random.IntN(3) > 0 {
			cuts++
			machine.losePower(t, m.dir)
		}
		machine.start()
		s, err = Open(options)
		require.NoError(t, err)
		m.check(t, s)
		require.NoError(t, s.Close(t.Context()))
	}
	require.Empty(t, asides(t, m.dir))
	return cuts
}

// asides returns the names of the files that were set aside.
func asides(t testing.TB, dir string) []string {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		if len(entry.Name()) > len(asidePrefix) && entry.Name()[:len(asidePrefix)] == asidePrefix {
			names = append(names, entry.Name())
		}
	}
	return names
}
