// Package spool is the buffer on disk between the door and the pipeline: a message
// is acknowledged when it is synced, and is kept until the output has it. The
// package store keeps the messages; this package is the store as the engine sees it,
// and decides what is handed out, when, and together with what.
package spool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"golang.org/x/sync/semaphore"

	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

// Register registers the buffer.
func Register() {
	service.MustRegisterBatchBuffer("spool", spec(), func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchBuffer, error) {
		c, err := newConfig(conf)
		if err != nil {
			return nil, err
		}
		return newBuffer(c, mgr)
	})
}

// closing is how long the end of the process may wait for what has to be committed.
const closing = 5 * time.Second

// buffer is a spool as the engine sees it.
type buffer struct {
	store   *store.Store
	observe *observer
	room    *semaphore.Weighted // bytes of messages that are not committed yet

	leaving chan struct{} // closed when the process was told to stop
	ended   chan struct{} // closed when the input has ended
	closed  chan struct{}
	once    struct{ leave, end, close sync.Once }
	watched sync.WaitGroup

	wake chan struct{} // something has changed that ReadBatch may wait for

	mu       sync.Mutex
	schedule *schedule
	inLine   int // messages that are not committed yet
}

func newBuffer(c config, mgr *service.Resources) (*buffer, error) {
	b := &buffer{
		observe: newObserver(mgr),
		room:    semaphore.NewWeighted(c.limits.window),
		leaving: make(chan struct{}),
		ended:   make(chan struct{}),
		closed:  make(chan struct{}),
		wake:    make(chan struct{}, 1),
	}
	c.store.Errorf = b.observe.log.Errorf
	c.store.Synced = b.observe.synced
	s, err := store.Open(c.store)
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	b.store = s
	b.schedule = newSchedule(c.limits, s.Newest(), time.Now())
	b.watched.Add(1)
	go b.watch()
	buffers.Store(b, struct{}{})
	return b, nil
}

// WriteBatch implements service.BatchBuffer. The messages are acknowledged when they
// are synced; until then more of them may come, and share the sync.
func (b *buffer) WriteBatch(ctx context.Context, msgs service.MessageBatch, ack service.AckFunc) error {
	records := make([]*store.Record, len(msgs))
	var size int64
	for i, msg := range msgs {
		r, err := newRecord(msg)
		if err != nil {
			return err
		}
		records[i] = r
		size += r.Size()
	}
	size = min(size, b.window())
	if err := b.room.Acquire(ctx, size); err != nil {
		return err
	}
	b.mu.Lock()
	b.inLine++
	b.mu.Unlock()
	b.store.Append(records, func(err error) {
		b.room.Release(size)
		b.mu.Lock()
		b.inLine--
		if err == nil {
			b.schedule.committed(records)
		}
		b.mu.Unlock()
		b.changed()
		_ = ack(context.Background(), err)
	})
	return nil
}

func (b *buffer) window() int64 { return b.schedule.window } // which never changes

// newRecord returns what is kept of a message: its bytes and its metadata as text.
func newRecord(msg *service.Message) (*store.Record, error) {
	body, err := msg.AsBytes()
	if err != nil {
		return nil, fmt.Errorf("reading the message: %w", err)
	}
	r := &store.Record{Body: body, Metadata: make(map[string]string, 8)}
	err = msg.MetaWalk(func(key, value string) error {
		r.Metadata[key] = value
		return nil
	})
	return r, err
}

// newMessages returns what is handed out for records.
func newMessages(records []*store.Record) service.MessageBatch {
	msgs := make(service.MessageBatch, len(records))
	for i, r := range records {
		msg := service.NewMessage(r.Body)
		for key, value := range r.Metadata {
			msg.MetaSetMut(key, value)
		}
		msgs[i] = msg
	}
	return msgs
}

// changed wakes ReadBatch.
func (b *buffer) changed() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// ReadBatch implements service.BatchBuffer. After Leave nothing more is handed out:
// what is on disk waits for the next start. Where the input ends by itself, all is
// handed out first.
func (b *buffer) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		select {
		case <-b.leaving:
			select {
			case <-b.ended:
				return nil, nil, service.ErrEndOfBuffer
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			}
		default:
		}
		batch, again, err := b.next(time.Now())
		if err != nil {
			return nil, nil, err
		}
		if batch != nil {
			return newMessages(batch.records), func(_ context.Context, err error) error {
				b.settle(batch, err)
				return nil
			}, nil
		}
		timer := time.NewTimer(again)
		select {
		case <-b.wake:
		case <-timer.C:
		case <-b.leaving:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, ctx.Err()
		}
		timer.Stop()
	}
}

// next returns a batch with its records, or how long to wait for one if nothing
// changes. It is called by one goroutine at a time.
func (b *buffer) next(now time.Time) (*batch, time.Duration, error) {
	ended := false
	select {
	case <-b.ended:
		ended = true
	default:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.findParked(now)
	for {
		after, count, bytes, ok := b.schedule.toRead()
		if !ok {
			break
		}
		newest := b.schedule.newest
		b.mu.Unlock()
		records, err := b.store.Read(after, count, bytes)
		b.mu.Lock()
		if err != nil {
			b.observe.unread(err)
			return nil, firstRetry, nil
		}
		b.schedule.read(after, records, newest)
	}
	for {
		next, again := b.schedule.next(now, ended)
		switch {
		case next == nil && ended && b.inLine == 0 && b.schedule.drained():
			return nil, 0, service.ErrEndOfBuffer
		case next == nil && again.IsZero():
			return nil, time.Second, nil
		case next == nil:
			return nil, min(max(again.Sub(now), time.Millisecond), time.Second), nil
		case next.records != nil:
			return next, 0, nil
		}
		b.mu.Unlock()
		records, err := b.store.Get(next.ids)
		b.mu.Lock()
		if err != nil {
			b.observe.unread(err)
			b.schedule.postpone(next, now)
			return nil, firstRetry, nil
		}
		if b.schedule.loaded(next, records) {
			b.observe.redelivered.Incr(int64(len(records)))
			return next, 0, nil
		}
	}
}

// findParked looks up the parked records that are due.
func (b *buffer) findParked(now time.Time) {
	before, ok := b.schedule.parkedBefore(now)
	if !ok {
		return
	}
	b.mu.Unlock()
	ids, err := b.store.Parked(before, parkedAhead)
	b.mu.Lock()
	if err != nil {
		b.observe.unread(err)
		return
	}
	b.schedule.foundParked(ids)
}

// settle takes the pipeline's verdict on a batch.
func (b *buffer) settle(batch *batch, refusal error) {
	now := time.Now()
	b.mu.Lock()
	if refusal == nil {
		b.schedule.acknowledged(batch, now)
		b.mu.Unlock()
		b.store.Delete(batch.ids)
		b.changed()
		return
	}
	refused := b.schedule.refused(batch, now)
	b.mu.Unlock()
	for _, r := range refused {
		b.store.Mark(r.ids, store.Mark{LastError: refusal.Error(), NextAttempt: r.due, Parked: r.parked})
	}
	b.observe.refused(refusal)
	b.changed()
}

// EndOfInput implements service.BatchBuffer.
func (b *buffer) EndOfInput() {
	b.once.end.Do(func() { close(b.ended) })
	b.changed()
}

// leave says that the process was told to stop.
func (b *buffer) leave() { b.once.leave.Do(func() { close(b.leaving) }) }

// Close implements service.BatchBuffer. The engine's context has no deadline.
func (b *buffer) Close(ctx context.Context) (err error) {
	b.once.close.Do(func() {
		buffers.Delete(b)
		close(b.closed)
		b.watched.Wait()
		ctx, cancel := context.WithTimeout(ctx, closing)
		defer cancel()
		err = b.store.Close(ctx)
	})
	return err
}

// watch tells the metrics and the log how the spool is, and sees what operators
// change on disk.
func (b *buffer) watch() {
	defer b.watched.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			b.look(now)
		case <-b.closed:
			return
		}
	}
}

func (b *buffer) look(now time.Time) {
	changed, err := b.store.Changed()
	if err != nil && !errors.Is(err, store.ErrClosed) {
		b.observe.unread(err)
	}
	b.mu.Lock()
	if changed {
		b.schedule.forget()
	}
	oldest, stalled := b.schedule.oldest(), b.schedule.stalled
	b.mu.Unlock()
	if changed {
		b.changed()
	}
	b.observe.report(b.store.Stats(), b.store.Room(), oldest, stalled, now)
}

// buffers are the spools that are open.
var buffers sync.Map // *buffer

// Leave tells every spool that the process was told to stop: nothing more is handed
// out, while what still comes in is synced and acknowledged. The engine ends the
// input the same way where the process stops and where the input has ended by
// itself, so the spools cannot tell.
func Leave() {
	buffers.Range(func(b, _ any) bool {
		b.(*buffer).leave()
		return true
	})
}

// Room returns nil while every spool of the process can take messages, else why one
// of them cannot.
func Room() (err error) {
	buffers.Range(func(b, _ any) bool {
		err = b.(*buffer).store.Room()
		return err == nil
	})
	return err
}
