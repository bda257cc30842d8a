package webhook

import (
	"strconv"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// observer counts and tells. Its labels are routes as configured, outcomes and
// positions of secrets: nothing of a request, so that no stranger makes more of
// them and none is a secret or a person.
type observer struct {
	log       *service.Logger
	accessLog bool

	deliveries, lates, secrets, received *service.MetricCounter
	inFlight, reserved                   *service.MetricGauge
	seconds                              *service.MetricTimer

	mu       sync.Mutex
	warnings map[warning]*repeated
}

// unrouted is the label of requests that no route takes.
const unrouted = "none"

func newObserver(mgr *service.Resources, accessLog bool) *observer {
	m := mgr.Metrics()
	return &observer{
		log:        mgr.Logger(),
		accessLog:  accessLog,
		deliveries: m.NewCounter("webhook_deliveries", "route", "outcome"),
		lates:      m.NewCounter("webhook_late", "route", "verdict"),
		secrets:    m.NewCounter("webhook_verified", "route", "secret"),
		received:   m.NewCounter("webhook_received_bytes", "route"),
		inFlight:   m.NewGauge("webhook_in_flight"),
		reserved:   m.NewGauge("webhook_reserved_bytes"),
		seconds:    m.NewTimer("webhook_answer", "route"),
		warnings:   map[warning]*repeated{},
	}
}

func (o *observer) verified(r *route, position int) {
	if position > 0 {
		o.secrets.Incr(1, r.path, strconv.Itoa(position))
	}
}

// late counts a verdict that came after the answer.
func (o *observer) late(r *route, err error) {
	o.lates.Incr(1, r.path, string(verdict(err)))
}

// request counts a request that was answered.
func (o *observer) request(req *request, out outcome, status int) {
	route, took := unrouted, time.Since(req.begun)
	if req.route != nil {
		route = req.route.path
	}
	o.deliveries.Incr(1, route, string(out))
	o.received.Incr(int64(req.bytes), route)
	o.seconds.Timing(took.Nanoseconds(), route)
	if o.accessLog {
		o.log.With(
			"route", route, "status", status, "outcome", string(out),
			"bytes", req.bytes, "seconds", took.Seconds(), "remote", host(req.RemoteAddr),
		).Info("Answered a request")
	}
	if out != accepted {
		o.warn(warning{route, out})
	}
}

type warning struct {
	route   string
	outcome outcome
}

// repeated is how often something was since the last line of it.
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

// flush sets the gauges, and logs what has waited for its minute. It is called
// every now and then: to set a gauge at each request would cost it more than to
// count, and the last warnings would never be told of.
func (o *observer) flush(d *door, now time.Time) {
	o.inFlight.Set(d.inFlight.Load())
	o.reserved.Set(d.memory.used.Load())
	o.mu.Lock()
	defer o.mu.Unlock()
	for w, r := range o.warnings {
		o.tell(w, r, now)
	}
}

func (o *observer) tell(w warning, r *repeated, now time.Time) {
	if r.times == 0 || now.Sub(r.last) < warnEvery {
		return
	}
	o.log.With("route", w.route, "outcome", string(w.outcome), "status", answers[w.outcome].status, "requests", r.times).
		Warn("Requests were not accepted")
	r.last, r.times = now, 0
}
