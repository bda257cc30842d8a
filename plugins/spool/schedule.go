package spool

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

// Times of redelivery. A batch that was refused is offered again after firstRetry,
// then after twice as long each time, up to lastRetry.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
	parkedFor  = 10 * time.Minute // until a parked record is offered again

	parkedOut   = 8               // parked records under way at a time, so that they hold up nothing
	parkedAhead = 256             // parked records looked up at a time
	settling    = 5 * time.Second // until what the disk knows of a parked record is what the schedule has told it
	readAhead   = 1024            // records read from disk at a time

	// A single record that waits for its retry lies on disk: this is what its place
	// in the schedule takes of the window.
	placeSize = 512
)

// batch is what is handed out together, and is acknowledged or refused together.
type batch struct {
	ids     []int64
	records []*store.Record // nil while the batch waits for a retry: then they are on disk alone
	bytes   int64           // of its records
	held    int64           // what the batch takes of the window
	since   time.Time       // when its oldest record was stored

	failures int       // of this batch, and of the batch that it is a half of
	refusals int       // failures of a single record while others were acknowledged
	first    int64     // what the schedule had acknowledged at its first failure
	acks     int64     // and at its last
	due      time.Time // of the next attempt
	place    int       // in the heap of retries, -1 elsewhere
	alone    bool      // it stands in alone of the schedule
	parked   bool
}

// limits are what a schedule keeps to.
type limits struct {
	window    int64 // bytes in memory: waiting, or handed out and not settled
	count     int   // records of a batch, 0 for any number
	byteSize  int64 // bytes of a batch
	period    time.Duration
	parkAfter int
}

// schedule decides what is handed out next. New records come in the order of their
// arrival, from memory while they fit the window and from disk where they do not.
// It is not safe for use by several goroutines, and has no clock.
type schedule struct {
	limits
	started time.Time

	held   int64           // bytes of the window that are taken
	fresh  []*store.Record // in memory, to be handed out next, in order
	weight int64           // bytes of fresh
	queued int64           // id of the last record that was put into fresh
	newest int64           // id of the newest record on disk
	tight  bool            // the next record on disk does not fit the window
	ended  bool            // no more records come

	out     map[*batch]struct{} // handed out and not settled
	retries retries             // refused, and in line again
	alone   []*batch            // refused since a batch was acknowledged
	acks    int64               // batches acknowledged
	stalled time.Time           // when a batch was refused after which nothing was acknowledged
	probed  time.Time           // when a batch was halved last to find out why all are refused

	parked     []int64             // due, to be handed out one by one
	parkedOut  map[int64]time.Time // handed out, or settled until the time
	lookParked time.Time           // when parked records are looked up next
	moreParked bool                // there may be more of them on disk
	underWay   int                 // parked records that are handed out
	resumed    bool                // all that was parked before the start has been looked up
}

func newSchedule(l limits, newest int64, now time.Time) *schedule {
	return &schedule{limits: l, started: now, newest: newest, out: map[*batch]struct{}{}, parkedOut: map[int64]time.Time{}}
}

// committed tells of records that are on disk now. They stay in memory if they
// follow what is there and fit the window.
func (s *schedule) committed(records []*store.Record) {
	for _, r := range records {
		if r.ID == s.queued+1 && s.held+r.Size() <= s.window {
			s.enqueue(r)
		}
		s.newest = max(s.newest, r.ID)
	}
}

func (s *schedule) enqueue(r *store.Record) {
	s.fresh = append(s.fresh, r)
	s.queued = r.ID
	s.weight += r.Size()
	s.held += r.Size()
}

// toRead says after which record the store has to be read, how many records and how
// many bytes, if the schedule is to go on with records that are on disk alone.
func (s *schedule) toRead() (after int64, count int, bytes int64, ok bool) {
	count, bytes = readAhead, min(s.byteSize-s.weight, s.window-s.held)
	if s.count > 0 {
		count = s.count - len(s.fresh)
	}
	switch {
	case s.queued >= s.newest: // nothing is on disk alone
	case len(s.fresh) == 0 && s.held == 0: // the first has to fit
		return s.queued, count, bytes, true
	case len(s.fresh) == 0 && len(s.out) == 0 && !s.tight: // see read
		return s.queued, 1, max(bytes, 1), true
	case s.tight || count <= 0 || bytes <= 0: // hand out or settle something first
	case len(s.fresh) > 0 && s.period == 0: // nothing is gathered
	default:
		return s.queued, count, bytes, true
	}
	return 0, 0, 0, false
}

// read takes what the store gave for toRead. newest is the id of the newest record
// when the store was asked. A record that is too large to fit beside what waits for a
// retry is taken when nothing is under way: retries are on disk, and may wait for ever.
func (s *schedule) read(after int64, records []*store.Record, newest int64) {
	if after != s.queued { // forget came between
		return
	}
	if len(records) == 0 { // what was on disk was dropped by an operator, or is parked
		s.queued = max(s.queued, newest)
	}
	for _, r := range records {
		alone := len(s.fresh) == 0 && len(s.out) == 0 && (s.held == 0 || r.Size() > s.window/2)
		if s.tight = s.held+r.Size() > s.window && !alone; s.tight {
			return
		}
		s.enqueue(r)
	}
}

// forget drops what waits in memory, so that it is read anew: somebody else has
// changed what is on disk.
func (s *schedule) forget() {
	if len(s.fresh) == 0 {
		return
	}
	s.queued = s.fresh[0].ID - 1
	s.held -= s.weight
	s.fresh, s.weight, s.tight = nil, 0, false
}

// next returns the batch to hand out, or when to look again if nothing changes
// until then. A batch without records has to be read from the store by its ids.
// With all, nothing is gathered: what waits is handed out at once.
func (s *schedule) next(now time.Time, all bool) (b *batch, again time.Time) {
	s.ended = all
	if len(s.retries) > 0 {
		switch first := s.retries[0]; {
		case now.Before(first.due):
			again = first.due
		case s.fits(first):
			heap.Pop(&s.retries)
			s.hold(first, first.bytes)
			return s.handOut(first), time.Time{}
		}
	}
	if b = s.nextParked(); b != nil {
		return s.handOut(b), time.Time{}
	}
	if len(s.fresh) == 0 {
		return nil, again
	}
	if due := s.gathered(now); !all && now.Before(due) {
		if again.IsZero() || due.Before(again) {
			again = due
		}
		return nil, again
	}
	return s.handOut(s.take()), time.Time{}
}

// fits reports whether the window has room for the records of a retry. One that does
// not fit may be under way at a time, so that new records never keep it out.
func (s *schedule) fits(b *batch) bool {
	if s.held+b.bytes-b.held <= s.window {
		return true
	}
	for out := range s.out {
		if out.failures > 0 {
			return false
		}
	}
	return true
}

// gathered returns when the batch at the head of fresh is due; the zero time if it
// is full.
func (s *schedule) gathered(now time.Time) time.Time {
	switch {
	case s.fresh[0].StoredAt.After(now): // the clock was set back
		return time.Time{}
	case s.period == 0, s.count > 0 && len(s.fresh) >= s.count, s.weight >= s.byteSize:
		return time.Time{}
	case s.tight && s.held == s.weight: // nothing else will make room
		return time.Time{}
	}
	return s.fresh[0].StoredAt.Add(s.period)
}

// take makes a batch of the head of fresh.
func (s *schedule) take() *batch {
	b := &batch{since: s.fresh[0].StoredAt}
	n := 0
	for _, r := range s.fresh {
		if n > 0 && (s.count > 0 && n == s.count || b.bytes+r.Size() > s.byteSize) {
			break
		}
		b.ids = append(b.ids, r.ID)
		b.bytes += r.Size()
		n++
	}
	b.records = slices.Clone(s.fresh[:n])
	b.held = b.bytes // enqueue has counted them
	clear(s.fresh[:n])
	s.fresh = s.fresh[n:]
	if len(s.fresh) == 0 {
		s.fresh = nil
	}
	s.weight -= b.bytes
	s.tight = false
	return b
}

func (s *schedule) nextParked() *batch {
	if len(s.parked) == 0 || s.underWay >= parkedOut {
		return nil
	}
	id := s.parked[0]
	s.parked = s.parked[1:]
	s.parkedOut[id] = time.Time{}
	s.underWay++
	return &batch{ids: []int64{id}, parked: true}
}

// parkedBefore says that parked records have to be looked up whose next attempt is
// at the given time or before: those that are due, and at a start all.
func (s *schedule) parkedBefore(now time.Time) (before time.Time, ok bool) {
	if len(s.parked) > 0 || now.Before(s.lookParked) && !s.moreParked {
		return time.Time{}, false
	}
	if s.resumed { // until then none is offered twice
		for id, until := range s.parkedOut {
			if !until.IsZero() && until.Before(now) {
				delete(s.parkedOut, id)
			}
		}
	}
	s.lookParked = now.Add(time.Second)
	if !s.resumed {
		return s.started.Add(parkedFor), true
	}
	return now, true
}

// foundParked takes the ids that parkedBefore has asked for, at most parkedAhead.
func (s *schedule) foundParked(ids []int64) {
	found := 0
	for _, id := range ids {
		if _, out := s.parkedOut[id]; !out {
			s.parked = append(s.parked, id)
			found++
		}
	}
	s.moreParked = len(ids) == parkedAhead && found > 0
	s.resumed = s.resumed || !s.moreParked
}

func (s *schedule) handOut(b *batch) *batch {
	s.out[b] = struct{}{}
	return b
}

// hold changes what a batch takes of the window.
func (s *schedule) hold(b *batch, bytes int64) {
	s.held += bytes - b.held
	b.held = bytes
}

// settled forgets a batch, and returns the rest of what it held.
func (s *schedule) settled(b *batch) {
	delete(s.out, b)
	s.hold(b, 0)
	s.tight = false
}

// loaded takes the records of a batch that was refused before. Those that are not
// there any more were dropped by an operator. It reports whether any are left.
func (s *schedule) loaded(b *batch, records []*store.Record) bool {
	if len(records) == 0 {
		delete(s.parkedOut, b.ids[0])
		if b.parked {
			s.underWay--
		}
		s.settled(b)
		return false
	}
	b.records, b.ids, b.bytes = records, nil, 0
	for _, r := range records {
		b.ids = append(b.ids, r.ID)
		b.bytes += r.Size()
	}
	b.since = records[0].StoredAt
	s.hold(b, b.bytes)
	return true
}

// acknowledged says that the output has a batch.
func (s *schedule) acknowledged(b *batch, now time.Time) {
	s.settled(b)
	s.acks++
	if b.parked {
		s.parkedOut[b.ids[0]] = now.Add(settling)
		s.underWay--
		s.lookParked = now
	}
	// The output takes batches, so what it refused when it took none need not wait.
	for _, r := range s.alone {
		if r.alone = false; r.place >= 0 {
			r.due = now
			heap.Fix(&s.retries, r.place)
		}
	}
	s.alone, s.stalled = nil, time.Time{}
}

// postpone puts a batch back in line that could not be read.
func (s *schedule) postpone(b *batch, now time.Time) {
	s.settled(b)
	if b.parked {
		delete(s.parkedOut, b.ids[0])
		s.underWay--
		s.lookParked = now.Add(lastRetry)
		return
	}
	b.due = now.Add(firstRetry)
	s.wait(b)
}

// refused says that the output does not take a batch, and puts it back in line:
// whole while the output may be away, halved where it has taken others, and a single
// record that it refuses again and again out of the way. It returns the batches that
// came of it, to be marked on disk.
func (s *schedule) refused(b *batch, now time.Time) []*batch {
	s.settled(b)
	b.records = nil
	if b.parked {
		s.underWay--
		return s.park(b, now)
	}
	if b.failures == 0 {
		b.first = s.acks
	}
	others := b.failures > 0 && s.acks > b.acks
	b.failures++
	b.acks = s.acks
	if s.stalled.IsZero() {
		s.stalled = now
	}
	if n := len(b.ids); n > 1 && (others || s.probe(b, now)) {
		// The halves are offered at once. Where others pass, a half that fails while
		// the other passes is halved at once, too.
		failures := b.failures
		if others {
			failures = 1
		}
		first := &batch{ids: b.ids[: n/2 : n/2], bytes: b.bytes / 2}
		second := &batch{ids: b.ids[n/2:], bytes: b.bytes - b.bytes/2}
		for _, half := range []*batch{first, second} {
			half.since, half.failures, half.first, half.acks, half.due = b.since, failures, b.first, s.acks, now
			s.wait(half)
		}
		return []*batch{first, second}
	}
	// At the end nothing else may come that could be acknowledged.
	if len(b.ids) == 1 && (others || s.ended && s.acks > b.first) {
		if b.refusals++; b.refusals >= s.parkAfter {
			return s.park(b, now)
		}
	}
	b.due = now.Add(backoff(b.failures))
	s.wait(b)
	if !others && !b.alone {
		b.alone = true
		s.alone = append(s.alone, b)
	}
	return []*batch{b}
}

// park takes a single record out of the way. It is forgotten here until it is looked
// up on disk, when its next attempt is due.
func (s *schedule) park(b *batch, now time.Time) []*batch {
	b.parked = true
	b.due = now.Add(parkedFor - rand.N(parkedFor/10))
	s.parkedOut[b.ids[0]] = now.Add(settling)
	return []*batch{b}
}

func (s *schedule) wait(b *batch) {
	held := b.bytes
	if len(b.ids) == 1 && b.refusals > 0 {
		held = min(held, placeSize)
	}
	s.hold(b, held)
	heap.Push(&s.retries, b)
}

// probe reports whether a batch may be halved although nothing was acknowledged.
// Where every batch has a record that the output refuses, all fail as if the output
// were away. So once a minute the oldest is halved, until something passes.
func (s *schedule) probe(b *batch, now time.Time) bool {
	if b.failures < 4 || now.Sub(s.probed) < lastRetry {
		return false
	}
	for _, r := range s.retries {
		if len(r.ids) > 1 && r.ids[0] < b.ids[0] {
			return false
		}
	}
	s.probed = now
	return true
}

// backoff returns how long a batch waits that failed the given number of times, with
// jitter, so that not all come back at once.
func backoff(failures int) time.Duration {
	d := lastRetry
	if failures < 7 {
		d = firstRetry << (failures - 1)
	}
	return d - rand.N(d/4)
}

// drained reports whether nothing waits or is under way but parked records that are
// not due.
func (s *schedule) drained() bool {
	return len(s.fresh) == 0 && s.queued >= s.newest && len(s.out) == 0 && len(s.retries) == 0 && len(s.parked) == 0 && !s.moreParked
}

// oldest returns when the oldest record was stored that is not parked, or the zero
// time.
func (s *schedule) oldest() (t time.Time) {
	see := func(since time.Time) {
		if !since.IsZero() && (t.IsZero() || since.Before(t)) {
			t = since
		}
	}
	for b := range s.out {
		if !b.parked {
			see(b.since)
		}
	}
	for _, b := range s.retries {
		see(b.since)
	}
	if len(s.fresh) > 0 {
		see(s.fresh[0].StoredAt)
	}
	return t
}

// retries is a heap of batches: first who is due first, then who has arrived first.
type retries []*batch

func (r retries) Len() int { return len(r) }

func (r retries) Less(i, j int) bool {
	if !r[i].due.Equal(r[j].due) {
		return r[i].due.Before(r[j].due)
	}
	return r[i].ids[0] < r[j].ids[0]
}

func (r retries) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i, j
}

func (r *retries) Push(b any) {
	b.(*batch).place = len(*r)
	*r = append(*r, b.(*batch))
}

func (r *retries) Pop() any {
	last := len(*r) - 1
	b := (*r)[last]
	(*r)[last] = nil
	b.place = -1
	*r = (*r)[:last]
	return b
}
