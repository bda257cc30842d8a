package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// ledger sends deliveries, each of them once and each with a number of its own, and
// holds what their senders were told against what the sink has got.
type ledger struct {
	sink    *services.Receiver
	bare    bool // the messages have no metadata of the door
	samples []services.Sample

	mu       sync.Mutex
	sent     int
	answers  map[int]int     // status by number; 0 where there was no answer
	accepted int             // answered 200
	cut      int             // requests without an answer whose connection was open
	arrivals map[int]arrival // by number
	arrived  int             // with repetitions
	spoiled  []string        // what no sender has sent
	refused  func(n int) bool
	refusals int
}

// arrival is what the sink has got of a delivery.
type arrival struct {
	times  int
	stamps string // its id, and when it was received
}

// newLedger returns a ledger whose sink is up.
func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{answers: map[int]int{}, arrivals: map[int]arrival{}}
	vendors := map[string]bool{}
	for _, s := range services.Samples(t) {
		if s.Reason == "" && len(number.FindSubmatch(numbered(s, 0))) > 0 && len(s.Body) < 32<<10 {
			l.samples = append(l.samples, s)
			vendors[s.Vendor] = true
		}
	}
	require.GreaterOrEqual(t, len(vendors), 4)
	l.sink = services.NewReceiver(t, l.take)
	l.sink.Live(t)
	t.Cleanup(l.sink.Die)
	return l
}

var number = regexp.MustCompile(`proof(?:":"|=)(\d{9})`)

// numbered returns the body of a sample with a number in front of its other fields.
func numbered(s services.Sample, n int) []byte {
	switch {
	case s.ContentType == "application/x-www-form-urlencoded":
		return fmt.Appendf(nil, "proof=%09d&%s", n, s.Body)
	case bytes.HasPrefix(s.Body, []byte("{\n")) || bytes.HasPrefix(s.Body, []byte(`{"`)):
		return fmt.Appendf(nil, `{"proof":"%09d",%s`, n, s.Body[1:])
	}
	return s.Body
}

// sample returns the delivery of a number.
func (l *ledger) sample(n int) services.Sample {
	s := l.samples[n%len(l.samples)]
	s.Body = numbered(s, n)
	return s
}

// post sends the next delivery, and reports whether there was an answer.
func (l *ledger) post(h *services.Hookswitch) (answered bool) {
	l.mu.Lock()
	n := l.sent
	l.sent++
	l.mu.Unlock()
	s := l.sample(n)
	status, err := h.Post(s.Vendor, s.Event, s.ContentType, s.Body)
	if err != nil {
		status = 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		l.cut++
	}
	l.answers[n] = status
	if status == http.StatusOK {
		l.accepted++
	}
	return status != 0
}

// load has many senders post until the function is called that it returns. A sender
// without an answer, or that is told to send again, waits a little.
func (l *ledger) load(h *services.Hookswitch) (stop func()) {
	const senders = 64
	var over atomic.Bool
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for !over.Load() {
				accepted := l.count(http.StatusOK)
				if !l.post(h) || l.count(http.StatusOK) == accepted {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	return func() {
		over.Store(true)
		all.Wait()
	}
}

// send has many senders post n deliveries.
func (l *ledger) send(h *services.Hookswitch, n int) {
	const senders = 64
	var all sync.WaitGroup
	var next atomic.Int64
	for range senders {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				l.post(h)
			}
		})
	}
	all.Wait()
}

// take is the sink's.
func (l *ledger) take(req *http.Request, body []byte) (status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := numberOf(body); ok && l.refused != nil && l.refused(n) {
		l.refusals++
		return http.StatusUnprocessableEntity
	}
	about := [3]string{req.Header.Get("Vendor"), req.Header.Get("Event"), req.Header.Get("Content-Type")}
	l.record(body, about, req.Header.Get("Delivery"))
	return http.StatusOK
}

// record writes down what has arrived; the caller has locked the ledger.
func (l *ledger) record(body []byte, about [3]string, stamps string) {
	l.arrived++
	n, ok := numberOf(body)
	if !ok || n >= l.sent {
		l.spoiled = append(l.spoiled, fmt.Sprintf("a body that nobody has sent: %.300q", body))
		return
	}
	s, a := l.sample(n), l.arrivals[n]
	switch {
	case !bytes.Equal(s.Body, body):
		l.spoiled = append(l.spoiled, fmt.Sprintf("%d: another body: %.300q", n, body))
	case !l.bare && about != [3]string{s.Vendor, s.Event, s.ContentType}:
		l.spoiled = append(l.spoiled, fmt.Sprintf("%d: metadata of another: %q", n, about))
	case a.times > 0 && a.stamps != stamps:
		l.spoiled = append(l.spoiled, fmt.Sprintf("%d: %s, and then %s", n, a.stamps, stamps))
	case !l.bare && len(stamps) < len("01234567-89ab-7def-0123-456789abcdef 2026-01-01T00:00:00Z"):
		l.spoiled = append(l.spoiled, fmt.Sprintf("%d: no stamps: %q", n, stamps))
	}
	l.arrivals[n] = arrival{a.times + 1, stamps}
}

func numberOf(body []byte) (int, bool) {
	found := number.FindSubmatch(body)
	if found == nil {
		return 0, false
	}
	n, err := strconv.Atoi(string(found[1]))
	return n, err == nil
}

// refuse has the sink refuse some deliveries for ever, nil none.
func (l *ledger) refuse(refused func(n int) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = refused
}

// count returns how many senders were told so.
func (l *ledger) count(status int) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if status == http.StatusOK {
		return l.accepted
	}
	for _, s := range l.answers {
		if s == status {
			n++
		}
	}
	return n
}

// missing returns the deliveries that were answered 200 and have not arrived, but
// for those that the sink refuses.
func (l *ledger) missing() (all []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, status := range l.answers {
		if status == http.StatusOK && l.arrivals[n].times == 0 && (l.refused == nil || !l.refused(n)) {
			all = append(all, n)
		}
	}
	return all
}

// arrivedTimes returns how many bodies the sink has got, with repetitions.
func (l *ledger) arrivedTimes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.arrived
}

// requireAll waits until all that was answered 200 has arrived, and expects nothing
// but what was sent.
func (l *ledger) requireAll(t *testing.T) {
	t.Helper()
	l.requireAllWithin(t, 2*time.Minute)
}

func (l *ledger) requireAllWithin(t *testing.T, bound time.Duration) {
	t.Helper()
	deadline := time.Now().Add(bound)
	for len(l.missing()) > 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	missing := l.missing()
	slices.Sort(missing)
	require.Empty(t, missing, "answered 200 and lost: %s", l)
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.spoiled)
	require.NotZero(t, l.accepted)
}

// String is the ledger in one line.
func (l *ledger) String() string {
	missing := len(l.missing())
	l.mu.Lock()
	defer l.mu.Unlock()
	told := map[int]int{}
	for _, status := range l.answers {
		told[status]++
	}
	var text []byte
	for _, status := range slices.Sorted(maps.Keys(told)) {
		text = fmt.Appendf(text, "%d answered %d, ", told[status], status)
	}
	return fmt.Sprintf("%d sent, %d cut off, %s%d arrived, %d of them again, %d refused by the sink, %d lost",
		l.sent, l.cut, text, l.arrived, l.arrived-len(l.arrivals), l.refusals, missing)
}
