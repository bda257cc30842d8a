package webhook

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redpanda-data/benthos/v4/public/service"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// The paths that tell of the process, and are no deliveries.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

const (
	// retryAfter is how many seconds a sender is asked to wait where the trouble is
	// ours.
	retryAfter = "5"
	// maxFields is how many fields a header may have: what net/http makes of short ones
	// takes many times the memory of their text.
	maxFields = 100
	// maxTarget is how many bytes path and query may have: net/http keeps the first line
	// of a request for as long as the sender waits.
	maxTarget = 8 << 10
	// lingering is how long a sender that still writes may do so after a refusal, and
	// maxLingering how much.
	lingering    = 500 * time.Millisecond
	maxLingering = 8 << 20
)

// door is the handler of all requests. It takes deliveries in, in the order of
// receive, and hands them over to whoever reads pending.
type door struct {
	*config
	custody
	memory   *memory
	observe  *observer
	nowhere  route        // of requests that no route takes
	inFlight atomic.Int64 // requests whose outcome is not known
	leaving  atomic.Bool  // the process is about to stop
	beyond   func() error // why what is behind the door takes nothing, or nil
}

func newDoor(c *config, o *observer, beyond func() error) *door {
	return &door{config: c, custody: newCustody(), memory: newMemory(c.limits.inFlight), observe: o, nowhere: route{path: "none"}, beyond: beyond}
}

// request is a request that is being answered.
type request struct {
	*http.Request
	begun       time.Time
	control     *http.ResponseController
	conn        *conn // nil over HTTP/2
	route       *route
	reservation *reservation     // nil when the transaction has it
	token       string           // the secret that the path holds
	secret      int              // the position of the secret that verified the request, 0 for none so far
	challenge   string           // what a handshake is answered with
	receipt     *vendors.Receipt // what the vendor wants to read if the delivery is taken; nil for nothing
	bytes       int              // of the body as sent
	unread      bool             // something of the body was not read
}

// ServeHTTP implements http.Handler. It drops the header of a request as soon as the
// door has read what it needs, so a middleware around the door sees no header afterwards.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := connOfRequest(r)
	if c != nil {
		c.reaches()
	}
	if path := strings.TrimSuffix(r.URL.Path, "/"); path == healthPath || path == readyPath {
		d.tell(w, r, c, path)
		return
	}
	d.inFlight.Add(1)
	req := &request{
		Request: r, begun: time.Now(), control: http.NewResponseController(w), conn: c,
		route: &d.nowhere, reservation: &reservation{memory: d.memory}, unread: r.ContentLength != 0 || endless(r),
	}
	o := d.receiveSafely(req)
	d.inFlight.Add(-1)
	if req.Context().Err() != nil {
		req.route.gone.Add(1)
	}
	d.observe.request(req, o)
	d.answer(w, req, o)
}

// tell tells of the process.
func (d *door) tell(w http.ResponseWriter, r *http.Request, c *conn, path string) {
	status, text := http.StatusOK, "alive"
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		status, text = http.StatusMethodNotAllowed, "expected GET or HEAD"
	case path == readyPath:
		text = "ready"
		if d.leaving.Load() || !d.memory.hasRoom(d.limits.body) || d.beyond() != nil {
			status, text = http.StatusServiceUnavailable, "not ready"
		}
	}
	unread := r.ContentLength != 0 && r.ProtoMajor == 1
	if unread {
		w.Header().Set("Connection", "close")
	}
	write(w, status, text+"\n")
	if unread {
		dismiss(http.NewResponseController(w), c, r.Body, true)
	}
}

// write is the one place that writes an answer.
func write(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	if text != "" && h["Content-Type"] == nil {
		h["Content-Type"] = []string{"text/plain; charset=utf-8"}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the sender may be gone: what it would have been told is counted
}

// answer tells the sender what became of the request.
func (d *door) answer(w http.ResponseWriter, r *request, o outcome) {
	h := w.Header()
	switch answers[o].status {
	case http.StatusServiceUnavailable, http.StatusInternalServerError:
		h["Retry-After"] = []string{retryAfter}
	case http.StatusMethodNotAllowed:
		h["Allow"] = []string{http.MethodPost}
	case http.StatusUnauthorized:
		h["Www-Authenticate"] = []string{r.route.proof.reads.Challenge}
	case http.StatusUnsupportedMediaType:
		h["Accept-Encoding"] = []string{"gzip, deflate"}
	}
	over1 := r.ProtoMajor == 1
	// Over HTTP/2 the header ends the connection for all requests, and so stands there
	// only when the process stops.
	last := d.leaving.Load() || over1 && r.unread
	if last {
		h["Connection"] = []string{"close"}
	}
	text := answers[o].text
	switch {
	case o == challenged:
		h["X-Content-Type-Options"] = []string{"nosniff"}
		text = r.challenge
	case o == accepted && r.receipt != nil:
		h["Content-Type"] = []string{r.receipt.ContentType}
		text = r.receipt.Body
	case text != "":
		text += "\n"
	}
	write(w, answers[o].status, text)
	if !over1 || !r.unread {
		return
	}
	dismiss(r.control, r.conn, r.Body, o != incomplete && o != noConnection)
}

// dismiss writes the last answer of a connection out. From then on whoever needs the
// place of the connection may have it. A sender that still writes comes to read its
// answer if it lingers for a moment: a connection that is closed while bytes arrive
// loses what was written to it.
func dismiss(control *http.ResponseController, c *conn, body io.Reader, linger bool) {
	_ = control.Flush()
	wait := time.Duration(0)
	if linger {
		wait = lingering
	}
	_ = control.SetReadDeadline(time.Now().Add(wait)) // for net/http, too, which reads on until then
	if c != nil {
		c.leaves()
	}
	if linger {
		_, _ = io.CopyN(io.Discard, body, maxLingering)
	}
}

// receiveSafely receives a request, and gives its memory back whatever happens.
func (d *door) receiveSafely(r *request) (o outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			o = panicked
			d.observe.log.With("route", r.route.path).Errorf("Answering a request: panic: %v\n%s", fault, debug.Stack())
		}
		if r.reservation != nil {
			r.reservation.close()
		}
	}()
	return d.receive(r)
}

// receive does the work for a request, in this order: route, draining, method, handshake,
// announced length, a secret that needs no body, memory, body, a signature of the body as
// sent, inflating, a signature within the body, the pipeline.
func (d *door) receive(r *request) outcome {
	args, ok := d.find(r)
	switch {
	case !ok:
		return notFound
	case d.isUnread():
		return draining
	case r.Method != http.MethodPost && (r.route.question == nil || !isQuestion(r.Request)):
		return badMethod
	case len(r.RequestURI) > maxTarget:
		return longTarget
	case fieldsOf(r.Header) > maxFields:
		return tooManyFields
	case r.Method != http.MethodPost:
		if r.challenge, ok = r.route.question.answer(r.URL.RawQuery); !ok {
			return badMethod
		}
		return challenged
	case endless(r.Request):
		return broken
	case r.ContentLength > d.limits.body:
		return tooLarge
	case r.route.public() && isOfWebPage(r.Header):
		return webPage
	}
	r.Header, r.token = d.needed(r.Header), args.token
	if !r.verify(signing.NoBody, nil) {
		return unverified
	}
	body, err := d.read(r, r.secret > 0)
	if err != nil {
		return outcomeOf(err)
	}
	if !r.verify(signing.AsSent, body) {
		return unverified
	}
	del := &delivery.Delivery{
		ID:          uuid.Must(uuid.NewV7()).String(), // it fails where there is no randomness, which Go does not survive
		ReceivedAt:  time.Now(),
		Route:       r.route.path,
		Vendor:      r.route.vendor + args.vendor, // the route or the path has it
		Account:     r.route.account,
		Event:       r.route.event + args.event,
		ContentType: r.Header.Get("Content-Type"),
		Body:        body,
	}
	if v, known := vendors.Get(del.Vendor); known {
		r.receipt = v.Receipt
	}
	for _, name := range r.route.headers {
		if values := r.Header[name]; len(values) > 0 {
			del.Headers = append(del.Headers, delivery.Header{Name: name, Values: values})
		}
	}
	if o := d.inflate(r, del); o != accepted {
		return o
	}
	if del.ContentEncoding == "" && !r.verify(signing.Inflated, del.Body) || r.secret == 0 && !r.route.public() {
		return unverified
	}
	if r.secret > 0 {
		r.route.verified[r.secret].Add(1)
	}
	t := &transaction{
		message: service.MessageBatch{newMessage(del)},
		memory:  r.reservation,
		route:   r.route,
		outcome: make(chan outcome, 1),
	}
	r.reservation = nil
	r.forget()
	return d.hand(t, d.limits.answer)
}

// verify asks who sent the request, once that much of its body is known as the route's
// scheme looks at. Until then it holds nothing against the request.
func (r *request) verify(known signing.Body, body []byte) bool {
	p := r.route.proof
	if p == nil || p.reads.Body != known {
		return true
	}
	asked := &signing.Request{Header: r.Header, Body: body, Token: r.token, Now: time.Now()}
	if p.reads.URL {
		asked.URL = r.route.publicURL + target(r.Request)
	}
	if known != signing.NoBody {
		defer copying()()
	}
	r.secret = p.verifier.Verify(asked)
	return r.secret > 0
}

// target returns path and query as they were sent. A proxy may send a whole URL, whose host
// says nothing; net/url writes some characters of a path otherwise than they were sent.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// forget drops the request's header: while the sender waits for the pipeline, a header
// would take memory that is in no budget. Method and version are parts of the text of
// the first line, which holds the path and the query, too.
func (r *request) forget() {
	r.Method, r.Proto = http.MethodPost, strings.Clone(r.Proto)
	r.Header, r.URL, r.RequestURI, r.token = nil, &url.URL{}, "", ""
}

// isUnread reports whether nobody reads deliveries any more.
func (d *door) isUnread() bool {
	select {
	case <-d.unread:
		return true
	default:
		return false
	}
}

// find sets the request's route.
func (d *door) find(r *request) (arguments, bool) {
	path := r.URL.EscapedPath()
	for _, route := range d.routes {
		if args, ok := route.match(path); ok {
			r.route = route
			return args, true
		}
	}
	return arguments{}, false
}

// endless reports whether a request of HTTP/1.0 does not say how long its body is,
// which RFC 1945 demands. net/http reads no body of such a request, even if the request
// has a Transfer-Encoding, which HAProxy passes on: the delivery would be lost.
func endless(r *http.Request) bool {
	return !r.ProtoAtLeast(1, 1) && r.Header["Content-Length"] == nil
}

func fieldsOf(header http.Header) (n int) {
	for _, values := range header {
		n += len(values)
	}
	return n
}

// needed returns the fields of a header that matter.
func (d *door) needed(all http.Header) http.Header {
	fields := http.Header{}
	for _, name := range d.wanted {
		if values := all[name]; values != nil {
			fields[name] = values
		}
	}
	return fields
}

// isOfWebPage reports whether a browser sends the request for a page of another
// site, which can post to an address that only the browser's machine reaches. Browsers
// say so to addresses that they trust; to others they send an origin, and ask before
// they send any content type but these.
func isOfWebPage(header http.Header) bool {
	if header.Get("Sec-Fetch-Site") == "cross-site" {
		return true
	}
	mediaType, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(mediaType)) {
	case "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data":
		return header.Get("Origin") != ""
	}
	return false
}

// read reads the body.
func (d *door) read(r *request, known bool) ([]byte, error) {
	if r.ContentLength == 0 {
		return []byte{}, nil
	}
	body, err := d.readArriving(r, newArrival(r.Body, r.control, r.conn, known, d.limits.read))
	r.bytes = len(body)
	if err != nil {
		r.reservation.close() // before the answer is written
		return nil, err
	}
	r.unread = false
	return body, nil
}

// readArriving reads a body that can be given up meanwhile.
func (d *door) readArriving(r *request, a *arrival) (body []byte, err error) {
	r.reservation.arrives(a)
	defer func() {
		r.reservation.arrived()
		if reason := a.end(); reason != nil {
			err = reason
		}
	}()
	if d.isUnread() { // all others were given up just now
		a.giveUp(errDraining)
	}
	return readAll(a, r.ContentLength, d.limits.body, r.reservation)
}

// inflate takes the coding off a delivery's body, and gives the memory of the coded
// body back. A body of a sender that we know which does not inflate is kept as sent.
func (d *door) inflate(r *request, del *delivery.Delivery) outcome {
	coding, coded := coding(r.Header)
	if !coded {
		return accepted
	}
	sent := int64(len(del.Body))
	// What can never find room beside the body is too large, not a matter of waiting.
	limit := min(d.limits.inflated, d.limits.inFlight-sent)
	before := r.reservation.bytes
	inflated, err := inflate(coding, del.Body, limit, r.reservation)
	switch {
	case errors.Is(err, errNoMemory) || errors.Is(err, errTooLarge) || errors.Is(err, errNotACode):
		return outcomeOf(err)
	case err != nil:
		r.reservation.release(r.reservation.bytes - before)
		del.ContentEncoding = coding
	default:
		r.reservation.release(before)
		del.Body = inflated
	}
	return accepted
}

// coding returns the Content-Encoding of a request if it has one. Some senders
// write the charset there, which is no coding.
func coding(header http.Header) (string, bool) {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(header["Content-Encoding"], ",")))
	if coding == "" || coding == "identity" {
		return "", false
	}
	if _, err := htmlindex.Get(coding); err == nil {
		return "", false
	}
	return coding, true
}

func host(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}
