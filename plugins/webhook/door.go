package webhook

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/delivery"
)

// The paths that tell of the process, and are no deliveries.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

// retryAfter is how many seconds a sender is asked to wait where the trouble is
// ours.
const retryAfter = "5"

// door takes requests in, in the order of ServeHTTP, and hands deliveries over to
// whoever reads pending.
type door struct {
	*config
	memory   memory
	inFlight atomic.Int64 // requests that are being answered
	observe  *observer
	nowhere  route // of requests that no route takes

	pending  chan *transaction
	draining atomic.Bool   // the process is about to stop: nothing more is taken in
	unread   chan struct{} // closed when nobody will read pending any more
	closed   chan struct{} // closed when no verdict will come any more
}

func newDoor(c *config, o *observer) *door {
	return &door{
		config:  c,
		memory:  memory{limit: c.limits.inFlight},
		observe: o,
		nowhere: route{path: "none"},
		pending: make(chan *transaction, 1024),
		unread:  make(chan struct{}),
		closed:  make(chan struct{}),
	}
}

// transaction is a delivery on its way through the pipeline.
type transaction struct {
	message service.MessageBatch
	held    share
	route   *route
	state   atomic.Int32
	outcome chan outcome // what the sender is told, unless the process stops first
}

// A transaction waits until the pipeline takes it or the sender's patience ends.
// One that is taken ends by the verdict of the pipeline or the end of patience.
const (
	waiting int32 = iota
	withdrawn
	taken
	settled
	answered
)

// take reports whether the pipeline may begin with it.
func (t *transaction) take() bool { return t.state.CompareAndSwap(waiting, taken) }

// withdraw reports whether the pipeline has not begun with it, and never will.
func (t *transaction) withdraw() bool {
	if !t.state.CompareAndSwap(waiting, withdrawn) {
		return false
	}
	t.message = nil // it may stand in the queue for a while
	t.held.releaseAll()
	return true
}

// giveUp reports whether the pipeline has begun with it and not said its verdict,
// which then comes too late.
func (t *transaction) giveUp() bool { return t.state.CompareAndSwap(taken, answered) }

// settle takes the verdict of the pipeline: the engine's AckFunc.
func (t *transaction) settle(_ context.Context, err error) error {
	t.held.releaseAll()
	verdict := accepted
	if err != nil {
		verdict = refused
	}
	if t.state.CompareAndSwap(taken, settled) {
		t.outcome <- verdict
	} else {
		t.route.lates[verdict].Add(1)
	}
	return nil
}

// expire ends the sender's patience.
func (t *transaction) expire() {
	switch {
	case t.withdraw():
		t.outcome <- untaken
	case t.giveUp():
		t.outcome <- timeout
	}
}

// request is one that is being answered.
type request struct {
	*http.Request
	begun time.Time
	route *route // nowhere until one has its path
	held  share
	bytes int // of the body as sent
}

// reply is what a request is answered.
type reply struct {
	status      int
	name, value string // of a header that only some answers have; "" for none
	text        string // fixed; "" for none
	last        bool   // of the connection
}

// contentType is that of all texts.
const contentType = "text/plain; charset=utf-8"

// answer does all that a request asks for, and returns its answer.
func (d *door) answer(r *http.Request) reply {
	switch r.URL.Path {
	case healthPath:
		return reply{status: http.StatusOK, text: "alive"}
	case readyPath:
		if d.draining.Load() || d.memory.exhausted(d.limits.body) {
			return reply{status: http.StatusServiceUnavailable, text: "not ready"}
		}
		return reply{status: http.StatusOK, text: "ready"}
	}
	req := &request{Request: r, begun: time.Now(), route: &d.nowhere, held: share{of: &d.memory}}
	d.inFlight.Add(1)
	defer d.inFlight.Add(-1)
	o := d.take(req)
	a := reply{status: answers[o].status, text: answers[o].text}
	switch {
	case a.status == http.StatusServiceUnavailable:
		a.name, a.value = "Retry-After", retryAfter
	case o == badMethod:
		a.name, a.value = "Allow", http.MethodPost
	case o == unverified:
		if _, ok := req.route.verify.(*basic); ok {
			a.name, a.value = "Www-Authenticate", `Basic realm="webhook"`
		}
	}
	unread := o == tooLarge && req.ContentLength > d.limits.body // nobody waits for it
	a.last = o == incomplete || o == broken || unread || d.draining.Load()
	d.observe.request(req, o)
	return a
}

// ServeHTTP implements http.Handler, for HTTP/2.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Header = d.wants(r.Header)
	a := d.answer(r)
	h := w.Header()
	if a.name != "" {
		h[a.name] = []string{a.value}
	}
	if d.draining.Load() {
		h["Connection"] = []string{"close"} // of all streams: no reason for an answer to one
	}
	if a.text != "" {
		h["Content-Type"] = []string{contentType}
		a.text += "\n"
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.text) // the sender may be gone: what it would have been told is counted
}

// wants returns the fields of a header that matter. The others take many times the
// memory of their text, and would do so until the pipeline is done.
func (d *door) wants(all http.Header) http.Header {
	fields := http.Header{}
	for _, name := range d.wanted {
		if values := all[name]; values != nil {
			fields[name] = values
		}
	}
	return fields
}

// take does the work for a request, in this order: route, draining, method,
// announced length, memory, body, sender, inflating, the pipeline.
func (d *door) take(req *request) outcome {
	args, ok := d.find(req)
	switch {
	case !ok:
		return notFound
	case d.draining.Load():
		return draining
	case req.Method != http.MethodPost:
		return badMethod
	case req.ContentLength > d.limits.body:
		return tooLarge
	}
	body, err := readAll(req.Body, req.ContentLength, d.limits.body, &req.held)
	req.bytes = len(body)
	if err != nil {
		req.held.releaseAll()
		o := outcomeOf(err)
		if d.draining.Load() && (o == incomplete || o == broken) {
			return draining // it is ours that no more of it was read
		}
		return o
	}
	position := req.route.verify.verify(req.Request, body, args.token)
	if position == 0 && !req.route.public {
		req.held.releaseAll()
		return unverified
	}
	if position > 0 {
		req.route.verified[position].Add(1)
	}
	del := &delivery.Delivery{
		ID:          uuid.Must(uuid.NewV7()).String(), // it fails where there is no randomness, which Go does not survive
		ReceivedAt:  time.Now(),
		Route:       req.route.path,
		Vendor:      req.route.vendor + args.vendor, // the route or the path has it
		Account:     req.route.account,
		Event:       req.route.event + args.event,
		ContentType: req.Header.Get("Content-Type"),
		Body:        body,
	}
	for _, name := range req.route.headers {
		if values := req.Header[name]; len(values) > 0 {
			del.Headers = append(del.Headers, delivery.Header{Name: name, Values: values})
		}
	}
	if coding, coded := coding(req.Request); coded {
		sent := req.held.bytes
		// What can never find room beside the body is too large, not a matter of waiting.
		limit := min(d.limits.inflated, d.limits.inFlight-sent)
		inflated, err := inflate(coding, body, limit, &req.held)
		switch {
		case errors.Is(err, errNoMemory) || errors.Is(err, errTooLarge) || errors.Is(err, errNotACode):
			req.held.releaseAll()
			return outcomeOf(err)
		case err != nil: // of a sender that we know: kept as it came
			req.held.release(req.held.bytes - sent)
			del.ContentEncoding = coding
		default:
			req.held.release(sent)
			del.Body = inflated
		}
	}
	return d.hand(req, del)
}

// hand gives the delivery to the pipeline and waits for its verdict. A select costs
// more than all else here, so there is one on the usual way, of two channels.
func (d *door) hand(req *request, del *delivery.Delivery) outcome {
	t := &transaction{
		message: service.MessageBatch{newMessage(del)},
		held:    req.held,
		route:   req.route,
		outcome: make(chan outcome, 1),
	}
	patience := time.AfterFunc(d.limits.answer, t.expire)
	defer patience.Stop()
	select {
	case d.pending <- t:
	default:
		select {
		case d.pending <- t:
		case o := <-t.outcome:
			return o
		case <-d.unread:
		}
	}
	select {
	case o := <-t.outcome:
		return o
	case <-d.unread:
	}
	if t.withdraw() {
		return draining
	}
	// It is on its way, and its verdict comes unless the output hangs.
	select {
	case o := <-t.outcome:
		return o
	case <-d.closed:
	}
	if t.giveUp() {
		return draining
	}
	return <-t.outcome // it came just now
}

// find sets the request's route.
func (d *door) find(req *request) (arguments, bool) {
	path := req.URL.EscapedPath()
	for _, r := range d.routes {
		if args, ok := r.match(path); ok {
			req.route = r
			return args, true
		}
	}
	return arguments{}, false
}

// coding returns the Content-Encoding of a request if it has one.
func coding(r *http.Request) (string, bool) {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header["Content-Encoding"], ",")))
	return coding, coding != "" && coding != "identity"
}

func host(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// outcomeOf returns the outcome of a body that could not be taken in.
func outcomeOf(err error) outcome {
	switch {
	case errors.Is(err, errNoMemory):
		return noMemory
	case errors.Is(err, errTooLarge):
		return tooLarge
	case errors.Is(err, errNotACode):
		return badCoding
	case errors.Is(err, os.ErrDeadlineExceeded):
		return incomplete
	}
	return broken
}

// outcome is what became of a request.
type outcome uint8

const (
	accepted   outcome = iota // the pipeline acknowledged
	refused                   // the pipeline did not
	timeout                   // the pipeline took too long, and has the delivery
	untaken                   // the pipeline took too long to begin: withdrawn
	draining                  // the process stops
	noMemory                  // too many bytes in flight
	unverified                // by no live secret
	notFound                  // no route has the path
	badMethod                 // not POST
	tooLarge                  // as sent or inflated
	badCoding                 // an unknown Content-Encoding
	incomplete                // not all of it came in time
	broken                    // it ended, or was framed wrongly
	handshake                 // of TLS: there was no request
	outcomes                  // how many there are
)

// answers are what senders are told, and how metrics and logs call it.
var answers = [outcomes]struct {
	label  string
	status int
	text   string
}{
	accepted:   {"accepted", http.StatusOK, ""},
	refused:    {"refused", http.StatusServiceUnavailable, "not delivered, send it again"},
	timeout:    {"timeout", http.StatusServiceUnavailable, "not delivered in time, send it again"},
	untaken:    {"not_taken", http.StatusServiceUnavailable, "not delivered in time, send it again"},
	draining:   {"draining", http.StatusServiceUnavailable, "stopping, send it again"},
	noMemory:   {"no_memory", http.StatusServiceUnavailable, "busy, send it again"},
	unverified: {"unverified", http.StatusUnauthorized, "not verified"},
	notFound:   {"not_found", http.StatusNotFound, "no such path"},
	badMethod:  {"method", http.StatusMethodNotAllowed, "expected POST"},
	tooLarge:   {"too_large", http.StatusRequestEntityTooLarge, "too large"},
	badCoding:  {"coding", http.StatusUnsupportedMediaType, "expected gzip, deflate or no coding"},
	incomplete: {"incomplete", http.StatusServiceUnavailable, "not complete in time, send it again"},
	broken:     {"broken", http.StatusBadRequest, "not complete"},
	handshake:  {"handshake", 0, ""},
}
