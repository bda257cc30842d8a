package door_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// ledger holds what senders were told against what the output has written. The
// output is the receiver's record, which outlives the distribution and is complete
// once no delivery is in flight.
//
// An answer is true if
//   - it is 200 and the delivery is written, once or more, whole;
//   - it says that the delivery never went on (4xx, and 503 for want of memory or
//     of a complete body) and the delivery is not written;
//   - a 4xx is also what was wrong with the request: never our own trouble;
//   - it is another 503, "send it again": the delivery may be written or not. A
//     receiver may write what it then refuses, and a verdict may come after the
//     deadline. Of those told at the deadline, the withdrawn are never written:
//     their number is known, not their names, so no more are written than the
//     pipeline had taken.
//
// A sender that was told nothing may have been written if it had sent all of its
// body, and is not if it had not.
type ledger struct {
	mu      sync.Mutex
	entries map[string]entry
}

type entry struct {
	kind   string
	due    int  // the answer of a working pipeline, 0 for who does not wait
	never  bool // written, whatever the answer: not all of it was sent
	answer answer
}

func (l *ledger) add(id string, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[id] = e
}

const (
	textRefused  = "not delivered, send it again"
	textLate     = "not delivered in time, send it again"
	textStopping = "stopping, send it again"
	textBusy     = "busy, send it again"
)

// falsehoods returns the answers that are not true.
func (l *ledger) falsehoods(r *receiver) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, e := range l.entries {
		written := r.has(id)
		lie := ""
		switch {
		case e.never && written:
			lie = "was not sent whole, and is written"
		case e.answer.status == http.StatusOK && !written:
			lie = "is not written"
		case e.answer.status == http.StatusOK || e.answer.status == 0:
		case e.answer.status == http.StatusServiceUnavailable:
			switch e.answer.text {
			case textRefused, textLate, textStopping:
			case textBusy:
				if written {
					lie = "is written"
				}
			default:
				lie = "is no answer of ours"
			}
			if e.answer.retryAfter == "" {
				lie = "lacks Retry-After"
			}
		case e.answer.status >= 400 && e.answer.status < 500:
			switch {
			case written:
				lie = "is written"
			case e.answer.status != e.due:
				lie = "has nothing wrong with it that is answered so"
			}
		default:
			lie = "is no answer of ours"
		}
		if lie != "" {
			all = append(all, fmt.Sprintf("%s (%s), answered %d %q, %s", id, e.kind, e.answer.status, e.answer.text, lie))
		}
	}
	return all
}

// count returns how many entries were told so.
func (l *ledger) count(status int, text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.answer.status == status && (e.answer.text == text || status != http.StatusServiceUnavailable) {
			n++
		}
	}
	return n
}

// kinds are how senders behave, in turn, and what they are told by a working
// pipeline; 0 for those that do not wait.
var kinds = []struct {
	name string
	due  int
}{
	{"plain", 200},
	{"chunked", 200},
	{"large", 200},
	{"plain", 200},
	{"gzip", 200},
	{"plain", 200},
	{"wrong signature", 401},
	{"plain", 200},
	{"too large", 413},
	{"plain", 200},
	{"unknown coding", 415},
	{"plain", 200},
	{"breaks off", 0},
	{"plain", 200},
	{"gone before the answer", 0},
	{"plain", 200},
	{"wrong path", 404},
}

// send sends the nth delivery.
func (l *ledger) send(t *testing.T, h *services.Hookswitch, client *http.Client, n int) {
	id, kind := name("ledger", n), kinds[n%len(kinds)]
	e := entry{kind: kind.name, due: kind.due}
	body := newBody(id, 300+n%3000)
	switch kind.name {
	case "large":
		body = newBody(id, 60<<10)
	case "too large":
		body = newBody(id, 80<<10)
	case "gzip":
		body = zipped(t, body)
	case "breaks off", "gone before the answer":
		conn := dial(t, h)
		sent := body
		if kind.name == "breaks off" {
			e.never = true
			sent = body[:len(body)/2]
		}
		_, err := io.WriteString(conn, head(body)+string(sent))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		l.add(id, e)
		return
	}
	req := newRequest(t, h, body)
	switch kind.name {
	case "chunked":
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), -1
	case "gzip":
		req.Header.Set("Content-Encoding", "gzip")
	case "wrong signature":
		req.Header.Set("X-Signature", sign([]byte("another")))
	case "unknown coding":
		req.Header.Set("Content-Encoding", "br")
	case "wrong path":
		req.URL.Path = "/elsewhere"
	}
	e.answer = do(client, req)
	l.add(id, e)
}

// TestLedger has many senders post while the output fails in every way, and
// expects no answer that is not true.
func TestLedger(t *testing.T) {
	const senders = 64
	phases := []struct {
		what    string
		mode    services.Mode
		dead    bool
		answers int // until the next phase
	}{
		{"takes", services.Takes, false, 600},
		{"hangs", services.Hangs, false, 150},
		{"takes", services.Takes, false, 300},
		{"refuses", services.Refuses, false, 400},
		{"hangs", services.Hangs, false, 150},
		{"is slow", services.Slow, false, 400},
		{"takes and does not say so", services.Forgets, false, 200},
		{"is dead", services.Takes, true, 400},
		{"is slow", services.Slow, false, 300},
		{"hangs", services.Hangs, false, 150},
		{"dies of it", services.Hangs, true, 300},
		{"takes", services.Takes, false, 400},
	}
	r := startReceiver(t, services.Takes)
	h := start(t, r, setup{limits: "body: 64KiB, in_flight: 2MiB, answer: 1s", inFlight: 24})
	l := &ledger{entries: map[string]entry{}}
	var done atomic.Bool
	var sent atomic.Int64
	var all sync.WaitGroup
	client := newClient(t)
	for range senders {
		all.Go(func() {
			for !done.Load() {
				l.send(t, h, client, int(sent.Add(1)))
			}
		})
	}
	defer all.Wait()
	defer done.Store(true)
	for round := range 2 {
		for _, p := range phases {
			if p.dead {
				r.Die()
			}
			r.Set(p.mode)
			until := sent.Load() + int64(p.answers)
			services.Eventually(t, func() bool { return sent.Load() >= until }, "%d are answered while the output %s, round %d", p.answers, p.what, round)
			if p.dead {
				r.Set(services.Takes)
				r.Live(t)
			}
		}
	}
	done.Store(true)
	all.Wait()
	settle(t, h)

	r.requireWhole(t)
	require.Empty(t, l.falsehoods(r), "answers that are not true")

	told := map[string]int{}
	gone, late, lateAndWritten := 0, 0, 0
	for id, e := range l.entries {
		told[fmt.Sprintf("%d %s", e.answer.status, e.answer.text)]++
		if e.answer.status == 0 {
			gone++
			require.Contains(t, []string{"breaks off", "gone before the answer", "too large"}, e.kind, "%v", e.answer.err)
		}
		if e.answer.text == textLate {
			late++
			if r.has(id) {
				lateAndWritten++
			}
		}
	}
	t.Logf("%d deliveries, all answers true: %v; of %d told at the deadline %d were taken and %d are written",
		len(l.entries), told, late, counted(t, h, "timeout"), lateAndWritten)
	require.LessOrEqual(t, lateAndWritten, counted(t, h, "timeout"), "a delivery that was withdrawn is written")
	for _, must := range []string{"200 ", "503 " + textRefused, "503 " + textLate, "401 not verified", "413 too large"} {
		require.NotZero(t, told[must], must)
	}
	require.NotZero(t, counted(t, h, "not_taken"))
	require.NotZero(t, counted(t, h, "timeout"))

	// The counts tell the same.
	for _, c := range []struct {
		outcomes []string
		status   int
		text     string
	}{
		{[]string{"accepted"}, 200, ""},
		{[]string{"unverified"}, 401, ""},
		{[]string{"not_found"}, 404, ""},
		{[]string{"too_large"}, 413, ""},
		{[]string{"coding"}, 415, ""},
		{[]string{"refused"}, 503, textRefused},
		{[]string{"timeout", "not_taken"}, 503, textLate},
		{[]string{"no_memory"}, 503, textBusy},
	} {
		n, seen := 0, l.count(c.status, c.text)
		for _, o := range c.outcomes {
			n += counted(t, h, o)
		}
		require.GreaterOrEqual(t, n, seen, c.outcomes)
		require.LessOrEqual(t, n, seen+gone, c.outcomes)
	}
}

// TestWithdrawn has more deliveries wait than the pipeline takes: of those told at
// the deadline exactly the ones that it had taken are written.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	const senders = 40
	r := startReceiver(t, services.Hangs)
	h := start(t, r, setup{limits: "answer: 3s", inFlight: 1})
	for i, a := range postAll(t, h, newClient(t), "withdrawn", senders, 500)() {
		require.Equal(t, answer{status: http.StatusServiceUnavailable, text: textLate, retryAfter: "5"}, a, i)
	}
	var taken, withdrawn int
	services.Eventually(t, func() bool {
		taken, withdrawn = counted(t, h, "timeout"), counted(t, h, "not_taken")
		return taken+withdrawn == senders
	}, "%d are counted", senders)
	require.NotZero(t, taken)
	require.NotZero(t, withdrawn)
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_reserved_bytes") == float64(500*taken) }, "memory is reserved for what the pipeline has taken, and nothing else")

	r.Set(services.Takes)
	settle(t, h)
	written := 0
	for i := range senders {
		if r.has(name("withdrawn", i)) {
			written++
		}
	}
	require.Equal(t, taken, written)
	r.requireWhole(t)
}
