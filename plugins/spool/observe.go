package spool

import (
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

// warnEvery is how often the log says that a spool is full, cannot be read or does
// not drain.
const warnEvery = time.Minute

// observer counts and tells. No metric has a label.
type observer struct {
	log *service.Logger

	bytes, records, oldest, parked, full *service.MetricGauge
	redelivered, commits                 *service.MetricCounter
	sync                                 *service.MetricTimer

	counted int64 // commits that the metric has

	mu       sync.Mutex
	refusal  error                // the last
	warnedAt map[string]time.Time // by what was warned of
}

func newObserver(mgr *service.Resources) *observer {
	m := mgr.Metrics()
	return &observer{
		log:         mgr.Logger(),
		bytes:       m.NewGauge("spool_bytes"),
		records:     m.NewGauge("spool_records"),
		oldest:      m.NewGauge("spool_oldest_seconds"),
		parked:      m.NewGauge("spool_parked"),
		full:        m.NewGauge("spool_full"),
		redelivered: m.NewCounter("spool_redelivered"),
		commits:     m.NewCounter("spool_commits"),
		sync:        m.NewTimer("spool_sync"),
		warnedAt:    map[string]time.Time{},
	}
}

func (o *observer) synced(took time.Duration) { o.sync.Timing(took.Nanoseconds()) }

func (o *observer) refused(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refusal = err
}

// unread says that the store could not be read, which is tried again.
func (o *observer) unread(err error) {
	if o.due("unread", time.Now()) {
		o.log.Errorf("Reading the spool failed, and is tried again: %v", err)
	}
}

// due reports whether the log may say something again.
func (o *observer) due(what string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.warnedAt[what]) < warnEvery {
		return false
	}
	o.warnedAt[what] = now
	return true
}

// report sets the gauges, and warns. oldest is when the oldest record was stored, and
// stalled since when the output has taken nothing; both may be the zero time.
func (o *observer) report(stats store.Stats, full error, oldest, stalled, now time.Time) {
	o.bytes.Set(stats.Bytes)
	o.records.Set(stats.Records)
	o.parked.Set(stats.Parked)
	o.commits.Incr(stats.Commits - o.counted)
	o.counted = stats.Commits
	age := int64(0)
	if !oldest.IsZero() {
		age = int64(now.Sub(oldest).Seconds())
	}
	o.oldest.Set(max(age, 0))
	if full == nil {
		o.full.Set(0)
	} else {
		o.full.Set(1)
		if o.due("full", now) {
			o.log.Warnf("The spool takes nothing, and senders are told to send again: %v", full)
		}
	}
	if !stalled.IsZero() && now.Sub(stalled) >= warnEvery && o.due("stalled", now) {
		o.mu.Lock()
		refusal := o.refusal
		o.mu.Unlock()
		o.log.Warnf("The output has taken nothing of the spool since %s; %d records wait, and the last refusal is: %v",
			stalled.UTC().Format(time.RFC3339), stats.Records, refusal)
	}
}
