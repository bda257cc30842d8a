package spool

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

// disk is a store in memory, and a schedule before it.
type disk struct {
	*schedule
	t       *testing.T
	now     time.Time
	records map[int64]*store.Record
	last    int64
	ended   bool
}

func newDisk(t *testing.T, l limits) *disk {
	l.window = max(l.window, 1<<20)
	if l.byteSize == 0 {
		l.byteSize = l.window
	}
	if l.parkAfter == 0 {
		l.parkAfter = 3
	}
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	return &disk{t: t, now: now, records: map[int64]*store.Record{}, schedule: newSchedule(l, 0, now)}
}

func (d *disk) append(bodies ...int) {
	var records []*store.Record
	for _, size := range bodies {
		d.last++
		r := &store.Record{ID: d.last, StoredAt: d.now, Body: make([]byte, size)}
		d.records[d.last] = r
		records = append(records, r)
	}
	d.committed(records)
}

func (d *disk) appendN(n, size int) {
	for range n {
		d.append(size)
	}
}

// ids in order, of records that are not parked and follow one.
func (d *disk) after(id int64) (ids []int64) {
	for i := range d.records {
		if i > id && !d.records[i].Parked {
			ids = append(ids, i)
		}
	}
	slices.Sort(ids)
	return ids
}

func (d *disk) get(ids []int64) (records []*store.Record) {
	for _, id := range ids {
		if r := d.records[id]; r != nil {
			records = append(records, r)
		}
	}
	return records
}

// take returns the batch that is due, as the buffer would.
func (d *disk) take() *batch {
	if before, ok := d.parkedBefore(d.now); ok {
		var ids []int64
		for id, r := range d.records {
			if r.Parked && !r.NextAttempt.After(before) {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		d.foundParked(ids[:min(len(ids), parkedAhead)])
	}
	for rounds := 0; ; rounds++ {
		require.Less(d.t, rounds, 1000, "the schedule asks to read again and again")
		after, count, bytes, ok := d.toRead()
		if !ok {
			break
		}
		var records []*store.Record
		for _, r := range d.get(d.after(after)) {
			if len(records) > 0 && (len(records) == count || bytes < r.Size()) {
				break
			}
			bytes -= r.Size()
			records = append(records, r)
		}
		d.read(after, records, d.newest)
	}
	for {
		b, _ := d.next(d.now, d.ended)
		if b == nil || b.records != nil || d.loaded(b, d.get(b.ids)) {
			return b
		}
	}
}

func (d *disk) ack(b *batch) {
	d.acknowledged(b, d.now)
	for _, id := range b.ids {
		delete(d.records, id)
	}
}

func (d *disk) nack(b *batch) {
	for _, r := range d.refused(b, d.now) {
		for _, id := range r.ids {
			if kept := d.records[id]; kept != nil {
				kept.Attempts++
				kept.Parked, kept.NextAttempt = r.parked, r.due
			}
		}
	}
}

func (d *disk) pass(t time.Duration) { d.now = d.now.Add(t) }

// until passes time until a batch is due.
func (d *disk) until() *batch {
	for range 24 * 3600 {
		if b := d.take(); b != nil {
			return b
		}
		d.pass(time.Second)
	}
	d.t.Fatal("nothing is due in a day")
	return nil
}

func TestOrderAndBounds(t *testing.T) {
	d := newDisk(t, limits{count: 10})
	d.appendN(1000, 4000) // the window holds some 250
	require.LessOrEqual(t, d.held, d.window)
	var got []int64
	var out []*batch
	for len(got) < 1000 {
		b := d.take()
		if b == nil { // the window is full
			require.NotEmpty(t, out)
			require.Greater(t, d.held+10*5000, d.window)
			d.ack(out[0])
			out = out[1:]
			continue
		}
		require.LessOrEqual(t, len(b.ids), 10)
		require.LessOrEqual(t, d.held, d.window)
		got, out = append(got, b.ids...), append(out, b)
	}
	require.True(t, slices.IsSorted(got))
	require.Len(t, slices.Compact(got), 1000)
	for _, b := range out {
		d.ack(b)
	}
	require.Zero(t, d.held)
	require.Nil(t, d.take())
	require.True(t, d.drained())
}

func TestGather(t *testing.T) {
	d := newDisk(t, limits{count: 5, byteSize: 10_000, period: time.Minute})
	d.appendN(3, 100)
	require.Nil(t, d.take(), "before the period")
	d.pass(59 * time.Second)
	d.append(100)
	require.Nil(t, d.take())
	d.pass(time.Second)
	require.Len(t, d.take().ids, 4, "after the period of the oldest")

	d.appendN(7, 100)
	require.Len(t, d.take().ids, 5, "the count is reached")
	require.Nil(t, d.take())
	d.append(9_900)
	require.Len(t, d.take().ids, 2, "the bytes are reached, and the last does not fit")

	d.ended = true
	require.Len(t, d.take().ids, 1, "nothing more comes")
}

// Records that are larger together than the window are gathered from disk, and one
// that is larger than the window is handed out when nothing else is.
func TestGatherWhatDoesNotFit(t *testing.T) {
	d := newDisk(t, limits{byteSize: 1 << 19, period: time.Hour})
	d.appendN(30, 100_000)
	d.append(5 << 20)
	d.append(10)
	d.ended = true
	var got []int64
	for len(got) < 32 {
		b := d.take()
		require.NotNil(t, b)
		got = append(got, b.ids...)
		d.ack(b)
	}
	require.True(t, slices.IsSorted(got))
	require.Zero(t, d.held)
}

// In an outage batches stay whole, and come back as soon as one is taken.
func TestOutage(t *testing.T) {
	d := newDisk(t, limits{count: 100})
	d.appendN(300, 10)
	for range 3 {
		d.nack(d.take())
	}
	require.Nil(t, d.take(), "no retry is due at once")
	start := d.now
	offers := 0
	for d.now.Sub(start) < 10*time.Minute {
		if b := d.take(); b != nil {
			offers++
			d.nack(b)
			continue
		}
		d.pass(100 * time.Millisecond)
	}
	require.Less(t, offers, 200, "the time between attempts grows: with a second between them there were 1,800")
	sizes := map[int]bool{}
	for _, r := range d.retries {
		sizes[len(r.ids)] = true
	}
	require.True(t, sizes[100], "whole batches are left: %v", sizes)
	d.ack(d.until())
	now := d.now
	for !d.drained() {
		d.ack(d.take())
	}
	require.Equal(t, now, d.now, "nothing waits when the output is back")
}

// One record is refused for ever. It is found by halving, and holds up nothing.
func TestPoison(t *testing.T) {
	d := newDisk(t, limits{count: 64})
	const poison = 37
	offered := map[int64]int{}
	refuse := func(b *batch) {
		for _, id := range b.ids {
			offered[id]++
		}
		if slices.Contains(b.ids, poison) {
			d.nack(b)
		} else {
			d.ack(b)
		}
	}
	d.appendN(64, 10)
	for i := 0; d.records[poison].Attempts < 100 && !d.records[poison].Parked; i++ {
		if i%10 == 0 {
			d.append(10)
		}
		if b := d.take(); b != nil {
			refuse(b)
		} else {
			d.pass(time.Second)
		}
		require.Less(t, i, 10_000)
	}
	require.True(t, d.records[poison].Parked)
	for id, n := range offered {
		require.Less(t, n, 25, id)
	}
	for b := d.take(); b != nil; b = d.take() {
		refuse(b)
	}
	require.Len(t, d.records, 1, "all others have passed")
	require.True(t, d.drained())
	require.Zero(t, d.held)

	parkedAt := d.now
	b := d.until()
	require.Equal(t, []int64{poison}, b.ids)
	require.GreaterOrEqual(t, d.now.Sub(parkedAt), parkedFor-time.Minute)
	d.nack(b)
	require.Nil(t, d.take())
	again := newSchedule(d.limits, d.last, d.now)
	d.schedule = again
	d.ack(d.until())
	require.Empty(t, d.records, "at a start what is parked is offered at once")
}

// What was parked a moment before a start is offered at the start, and once.
func TestParkedBeforeAStart(t *testing.T) {
	for range 50 { // the time of the next attempt is random
		d := newDisk(t, limits{count: 1})
		d.append(10)
		d.records[1].Parked = true
		d.records[1].NextAttempt = d.park(&batch{ids: []int64{1}}, d.now)[0].due
		d.schedule = newSchedule(d.limits, d.last, d.now)
		b := d.take()
		require.NotNil(t, b)
		d.nack(b)
		start := d.now
		b = d.until()
		require.Equal(t, []int64{1}, b.ids)
		require.GreaterOrEqual(t, d.now.Sub(start), parkedFor-time.Minute)
	}
}

// An operator makes a parked record due, a moment after it was refused again.
func TestUnparked(t *testing.T) {
	d := newDisk(t, limits{count: 1})
	d.append(10)
	d.records[1].Parked = true
	d.schedule = newSchedule(d.limits, d.last, d.now)
	d.nack(d.take())
	require.Nil(t, d.take())
	d.pass(time.Second)
	d.records[1].NextAttempt = d.now
	start := d.now
	d.ack(d.until())
	require.LessOrEqual(t, d.now.Sub(start), 10*time.Second)
	require.Empty(t, d.records)
}

// Every batch has a record that is refused, so none passes whole, as if the output
// were away.
func TestPoisonEverywhere(t *testing.T) {
	d := newDisk(t, limits{count: 50})
	d.appendN(1000, 10)
	start := d.now
	for left := 1000; left > 20; {
		b := d.until()
		if slices.ContainsFunc(b.ids, func(id int64) bool { return id%50 == 7 }) {
			d.nack(b)
		} else {
			left -= len(b.ids)
			d.ack(b)
		}
		require.Less(t, d.now.Sub(start), time.Hour)
	}
	for id := range d.records {
		require.EqualValues(t, 7, id%50)
	}
}

// What is poison takes next to nothing of the window until it is parked.
func TestManyPoisons(t *testing.T) {
	d := newDisk(t, limits{count: 8, parkAfter: 1000})
	good := 0
	for i := range 3000 {
		d.append(1000)
		for b := d.take(); b != nil; b = d.take() {
			if slices.ContainsFunc(b.ids, func(id int64) bool { return id%4 == 0 }) {
				d.nack(b)
			} else {
				good += len(b.ids)
				d.ack(b)
			}
		}
		if i%20 == 0 {
			d.pass(time.Second)
		}
	}
	require.Greater(t, good, 2100, "of 2,250")
}

func TestDroppedByAnOperator(t *testing.T) {
	d := newDisk(t, limits{count: 2})
	d.appendN(6, 10)
	b := d.take()
	d.nack(b)
	delete(d.records, 1)
	delete(d.records, 4)
	d.forget()
	d.ended = true
	var got []int64
	for !d.drained() {
		b := d.until()
		got = append(got, b.ids...)
		d.ack(b)
	}
	slices.Sort(got)
	require.Equal(t, []int64{2, 3, 5, 6}, got)
	require.Zero(t, d.held)
}

// Whatever happens, all is handed out at least once and in order, nothing is handed
// out twice at a time, and the window is kept.
func TestScheduleAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := newDisk(t, limits{count: r.IntN(20), byteSize: 1 + r.Int64N(1<<19), period: time.Duration(r.IntN(2)) * time.Minute, parkAfter: 1 + r.IntN(4)})
		var out []*batch
		under := map[int64]bool{}
		first := int64(0)
		settle := func(refuse bool) {
			i := r.IntN(len(out))
			b := out[i]
			out = slices.Delete(out, i, i+1)
			for _, id := range b.ids {
				delete(under, id)
			}
			if refuse {
				d.nack(b)
			} else {
				d.ack(b)
			}
		}
		take := func() bool {
			b := d.take()
			if b == nil {
				return false
			}
			for _, id := range b.ids {
				require.False(t, under[id], "seed %d: %d is under way", seed, id)
				require.NotNil(t, d.records[id], "seed %d: %d was acknowledged", seed, id)
				if d.records[id].Attempts == 0 {
					require.Greater(t, id, first, "seed %d", seed)
					first = id
				}
				under[id] = true
			}
			out = append(out, b)
			return true
		}
		for range 1000 {
			switch r.IntN(8) {
			case 0, 1, 2:
				d.append(r.IntN(100_000))
			case 3, 4:
				take()
			case 5:
				if len(out) > 0 {
					settle(r.IntN(3) == 0)
				}
			case 6:
				d.pass(time.Duration(r.Int64N(int64(time.Minute))))
			case 7:
				if r.IntN(10) == 0 {
					for id := range d.records {
						if !under[id] {
							delete(d.records, id)
							break
						}
					}
					d.forget()
				}
			}
		}
		d.ended = true
		for rounds := 0; len(d.records) > 0; rounds++ {
			require.Less(t, rounds, 100_000, "seed %d: %d are left", seed, len(d.records))
			if !take() {
				if len(out) > 0 {
					settle(false)
				} else {
					d.pass(time.Minute)
				}
			}
		}
		for len(out) > 0 {
			settle(false)
		}
		for rounds := 0; !d.drained(); rounds++ { // what was dropped may wait for a retry
			require.Less(t, rounds, 10_000, "seed %d", seed)
			require.Nil(t, d.take(), "seed %d", seed)
			d.pass(time.Minute)
		}
		require.Zero(t, d.held, "seed %d", seed)
		require.Zero(t, d.weight, "seed %d", seed)
	}
}

// An outage may last for days: what it makes wait is known once.
func TestLongOutage(t *testing.T) {
	d := newDisk(t, limits{count: 10})
	d.appendN(100, 10)
	for start := d.now; d.now.Sub(start) < 24*time.Hour; {
		d.nack(d.until())
	}
	require.LessOrEqual(t, len(d.alone), 2*100)
	require.LessOrEqual(t, len(d.retries), 100)
	now := d.now
	d.ack(d.until())
	for d.pass(time.Second); !d.drained(); {
		d.ack(d.take())
	}
	require.Less(t, d.now.Sub(now), 2*lastRetry)
}

// What an operator changes while records are read from disk is read once more.
func TestForgetWhileReading(t *testing.T) {
	d := newDisk(t, limits{byteSize: 1 << 19, period: time.Hour})
	d.append(10, 10)
	d.append(1 << 20) // does not fit
	d.append(10)
	after, _, _, ok := d.toRead()
	require.True(t, ok)
	d.forget()
	d.read(after, d.get(d.after(after)), d.newest)
	d.ended = true
	var got []int64
	for !d.drained() {
		b := d.take()
		require.NotNil(t, b)
		got = append(got, b.ids...)
		d.ack(b)
	}
	require.Equal(t, []int64{1, 2, 3, 4}, got)
}

// At the end of the input nothing else may come, so a record is parked that is refused
// while others were taken at all.
func TestPoisonAtTheEnd(t *testing.T) {
	d := newDisk(t, limits{count: 10})
	d.append(10, 10, 10, 10)
	d.ended = true
	for start := d.now; !d.drained(); {
		if b := d.until(); slices.Contains(b.ids, 2) {
			d.nack(b)
		} else {
			d.ack(b)
		}
		require.Less(t, d.now.Sub(start), 10*time.Minute)
	}
	require.True(t, d.records[2].Parked)
	require.Len(t, d.records, 1)
}

// A record that does not fit beside what waits for a retry is not held up by it.
func TestLargeBesidePoison(t *testing.T) {
	d := newDisk(t, limits{byteSize: 1 << 19, count: 1})
	d.append(1000)
	d.nack(d.take())
	d.append(1 << 20)
	d.pass(time.Hour)
	d.nack(d.take())
	b := d.take()
	require.NotNil(t, b)
	require.Equal(t, []int64{2}, b.ids)
	require.Nil(t, d.take(), "and it is alone")
	d.ack(b)
}

// At a start each parked record is offered once, however many there are.
func TestManyParkedAtStart(t *testing.T) {
	d := newDisk(t, limits{})
	for range 3 * parkedAhead {
		d.last++
		d.records[d.last] = &store.Record{ID: d.last, Parked: true, NextAttempt: d.now.Add(time.Minute)}
	}
	d.newest = d.last
	offers := 0
	for start := d.now; d.now.Sub(start) < 2*time.Minute; {
		if b := d.take(); b != nil {
			offers++
			d.nack(b)
		} else {
			d.pass(time.Second)
		}
	}
	require.Equal(t, 3*parkedAhead, offers)
}

func TestClockSetBack(t *testing.T) {
	d := newDisk(t, limits{period: time.Minute})
	d.append(10)
	d.pass(-time.Hour)
	require.NotNil(t, d.take())
}
