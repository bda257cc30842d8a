package webhook

import (
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// observer counts and tells. Its labels are routes as configured, outcomes and
// positions of secrets: nothing of a request, so that no stranger makes more of
// them and none is a secret or a person.
type observer struct {
	log       *service.Logger
	accessLog bool

	deliveries, lates, secrets, gone, received *service.MetricCounter
	inFlight, reserved                         *service.MetricGauge
	seconds                                    *service.MetricTimer

	mu       sync.Mutex
	warnings map[warning]*repeated
	noFileAt time.Time // when it was logged last
}

func newObserver(mgr *service.Resources, accessLog bool) *observer {
	m := mgr.Metrics()
	return &observer{
		log:        mgr.Logger(),
		accessLog:  accessLog,
		deliveries: m.NewCounter("webhook_deliveries", "route", "outcome"),
		lates:      m.NewCounter("webhook_late", "route", "verdict"),
		secrets:    m.NewCounter("webhook_verified", "route", "secret"),
		gone:       m.NewCounter("webhook_gone", "route"),
		received:   m.NewCounter("webhook_received_bytes", "route"),
		inFlight:   m.NewGauge("webhook_in_flight"),
		reserved:   m.NewGauge("webhook_reserved_bytes"),
		seconds:    m.NewTimer("webhook_answer", "route"),
		warnings:   map[warning]*repeated{},
	}
}

// counts are what a route has counted since the engine's metrics were told: to
// count with them takes, with their labels, as long as to read a request's header.
type counts struct {
	outcomes [outcomes]atomic.Int64
	lates    [refused + 1]atomic.Int64 // verdicts after the answer: accepted or refused
	verified []atomic.Int64            // by position of the secret, the first of which is 1
	gone     atomic.Int64              // senders that had left before their answer
	bytes    atomic.Int64
}

// request counts a request that was answered.
func (o *observer) request(req *request, out outcome) {
	took := time.Since(req.begun)
	req.route.outcomes[out].Add(1)
	req.route.bytes.Add(int64(req.bytes))
	o.seconds.Timing(took.Nanoseconds(), req.route.path)
	if o.accessLog {
		o.log.With(
			"route", req.route.path, "status", answers[out].status, "outcome", answers[out].label,
			"bytes", req.bytes, "seconds", took.Seconds(), "remote", host(req.RemoteAddr),
		).Info("Answered a request")
	}
	if out != accepted && out != challenged {
		o.warn(warning{req.route.path, out})
	}
}

// refusal counts a connection whose request the door has not seen. The status and
// the peer are logged as far as they are known.
func (o *observer) refusal(r *route, out outcome, status int64, remote net.Addr) {
	r.outcomes[out].Add(1)
	if o.accessLog && remote != nil {
		o.log.With("route", r.path, "status", status, "outcome", answers[out].label, "remote", host(remote.String())).Info("Answered a request")
	}
	o.warn(warning{r.path, out})
}

// noFile logs, at most once a minute, that the process has no file for a connection.
func (o *observer) noFile(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.noFileAt) >= warnEvery {
		o.noFileAt = now
		o.log.With("error", err.Error()).Error("Taking no connection in, trying again")
	}
}

type warning struct {
	route   string
	outcome outcome
}

// repeated is how often a warning was due since its last line.
type repeated struct {
	last  time.Time
	times int
}

const warnEvery = time.Minute

// warn logs what was not accepted: at once, then at most once a minute with how
// often it was.
func (o *observer) warn(w warning) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.warnings[w]
	if r == nil {
		r = &repeated{}
		o.warnings[w] = r
	}
	r.times++
	o.tell(w, r, time.Now())
}

// flush tells the engine's metrics of what the door has counted, and logs what has
// waited for its minute. It is called every now and then.
func (o *observer) flush(d *door, now time.Time) {
	o.inFlight.Set(d.inFlight.Load())
	o.reserved.Set(d.memory.inUse())
	for _, r := range slices.Concat(d.routes, []*route{&d.nowhere}) {
		for out := range outcomes {
			handOver(o.deliveries, &r.outcomes[out], r.path, answers[out].label)
		}
		for verdict := range r.lates {
			handOver(o.lates, &r.lates[verdict], r.path, answers[verdict].label)
		}
		for i := range r.verified {
			handOver(o.secrets, &r.verified[i], r.path, strconv.Itoa(i))
		}
		handOver(o.gone, &r.gone, r.path)
		handOver(o.received, &r.bytes, r.path)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for w, r := range o.warnings {
		o.tell(w, r, now)
	}
}

// handOver tells a counter what was counted since the last time.
func handOver(to *service.MetricCounter, counted *atomic.Int64, labels ...string) {
	if n := counted.Swap(0); n > 0 {
		to.Incr(n, labels...)
	}
}

func (o *observer) tell(w warning, r *repeated, now time.Time) {
	if r.times == 0 || now.Sub(r.last) < warnEvery {
		return
	}
	o.log.With("route", w.route, "outcome", answers[w.outcome].label, "status", answers[w.outcome].status, "requests", r.times).
		Warn("Requests were not accepted")
	r.last, r.times = now, 0
}
