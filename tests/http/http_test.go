// Package http_test runs the configs that need no service but an HTTP receiver.
package http_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

const deadLetters = "dead_letters.jsonl"

// receiver takes events over HTTP.
type receiver struct {
	URL string

	mu       sync.Mutex
	answer   func(request int) int // the status of the answer to the nth request
	requests int
	taken    []taken
}

type taken struct {
	contentType, authorization string
	body                       []byte
}

func startReceiver(t testing.TB, answer func(request int) int) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL + "/events"
	return r
}

func always(status int) func(int) int { return func(int) int { return status } }

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	status := r.answer(r.requests)
	if err == nil && req.Method == http.MethodPost && status < 300 {
		r.taken = append(r.taken, taken{req.Header.Get("Content-Type"), req.Header.Get("Authorization"), body})
	}
	if status >= 300 && status < 400 {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(status)
}

func (r *receiver) all() ([]taken, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]taken(nil), r.taken...), r.requests
}

func TestQuickstart(t *testing.T) {
	samples := services.Samples(t)
	h := services.Start(t, "quickstart.yaml")
	h.Deliver(t, samples...)
	services.RequireEvents(t, samples, services.Unstamped(t, h.Lines(t, "stdout")))
	services.RequireDeadLetters(t, samples, h.Lines(t, deadLetters))
	require.NotEmpty(t, h.Lines(t, "stderr"), "logs go to stderr")

	h.Stop()
	require.Len(t, h.Lines(t, "stdout"), events(samples), "a stop writes nothing among the events")
}

func events(samples []services.Sample) (n int) {
	for _, s := range samples {
		n += len(s.Events)
	}
	return n
}

// TestUnknownVendor posts to a path that leads to no vendor: it is the sender's
// fault, and nothing is written.
func TestUnknownVendor(t *testing.T) {
	h := services.Start(t, "quickstart.yaml")
	status, err := h.Post("nobody", "", "application/json", []byte(`{}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status)
	require.Empty(t, h.Lines(t, "stdout"))
	require.Empty(t, h.Lines(t, deadLetters))
}

// TestCoding posts bodies that are compressed, and one that only says so: its dead
// letter says so, too.
func TestCoding(t *testing.T) {
	sample := services.SampleOf(t, "mobiniti/testdata/inbound/keyword.json")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(sample.Body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	h := services.Start(t, "quickstart.yaml")
	header := http.Header{"Content-Type": {sample.ContentType}, "Content-Encoding": {"gzip"}}
	for _, body := range [][]byte{packed.Bytes(), []byte("no gzip")} {
		status, err := h.Send("/mobiniti/inbound", header, body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	events := h.Lines(t, "stdout")
	require.Len(t, events, 1)
	require.Contains(t, events[0], `"type":"message.received"`)
	letters := h.Lines(t, deadLetters)
	require.Len(t, letters, 1)
	letter := services.DeadLetter(t, letters[0])
	require.Equal(t, "gzip", letter.ContentEncoding)
	require.Equal(t, "no gzip", string(letter.Body))
}

// TestEnginesOwn has the engine's own input in front of the decoders: the events
// are the same, and nothing stamps them.
func TestEnginesOwn(t *testing.T) {
	// The server takes the parts of a multipart form for messages.
	samples := slices.DeleteFunc(services.Samples(t), func(s services.Sample) bool { return strings.HasPrefix(s.ContentType, "multipart/") })
	h := services.Start(t, "http_server.yaml")
	h.Deliver(t, samples...)
	services.RequireEvents(t, samples, h.Lines(t, "stdout"))
	services.RequireDeadLetters(t, samples, h.Lines(t, deadLetters))

	before := len(h.Lines(t, deadLetters))
	status, err := h.Post("nobody", "", "application/json", []byte(`{}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	letters := h.Lines(t, deadLetters)
	require.Len(t, letters, before+1)
	require.Contains(t, letters[before], `"misconfigured"`)
}

// TestRoute has each event in the output of its type.
func TestRoute(t *testing.T) {
	samples := services.Samples(t)
	h := services.Start(t, "route.yaml")
	h.Deliver(t, samples...)

	want := map[string][]string{}
	for _, s := range samples {
		for _, e := range s.Events {
			switch {
			case e.Type == "call.started" || e.Type == "call.routed" || strings.Contains(e.JSON, `"spam":true`):
			case strings.HasPrefix(e.Type, "call."):
				want["calls.jsonl"] = append(want["calls.jsonl"], e.ID)
			case e.Type == "contact.unsubscribed":
				want["unsubscribes.jsonl"] = append(want["unsubscribes.jsonl"], e.ID)
			default:
				want["stdout"] = append(want["stdout"], e.ID)
			}
		}
	}
	require.Len(t, want, 3)
	teams := map[string]int{}
	for name, ids := range want {
		var got []string
		for _, line := range h.Lines(t, name) {
			var e struct {
				ID   string `json:"id"`
				Data struct {
					Team string `json:"team"`
				} `json:"data"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &e), "%s: %s", name, line)
			got = append(got, e.ID)
			if e.Data.Team != "" {
				teams[name]++
			}
		}
		require.ElementsMatch(t, ids, got, name)
	}
	require.NotZero(t, teams["calls.jsonl"])
	require.Zero(t, teams["unsubscribes.jsonl"])
	services.RequireDeadLetters(t, samples, h.Lines(t, deadLetters))
}

func TestForward(t *testing.T) {
	samples := services.Samples(t)
	r := startReceiver(t, always(http.StatusNoContent))
	h := services.Start(t, "http.yaml", "HOOKSWITCH_HTTP_URL="+r.URL, "HOOKSWITCH_HTTP_AUTHORIZATION=Bearer sesame")
	h.Deliver(t, samples...)
	h.Drained(t)
	requests, _ := r.all()
	var bodies []string
	for _, req := range requests {
		require.Equal(t, "application/cloudevents+json", req.contentType)
		require.Equal(t, "Bearer sesame", req.authorization)
		bodies = append(bodies, string(req.body))
	}
	services.RequireEvents(t, samples, services.Unstamped(t, bodies))
	services.RequireDeadLetters(t, samples, h.Lines(t, deadLetters))
}

// TestForwardBatches posts several events a request, none of them changed.
func TestForwardBatches(t *testing.T) {
	const most = 7
	samples := services.Samples(t)
	r := startReceiver(t, always(http.StatusOK))
	h := services.Start(t, "http.yaml", "HOOKSWITCH_HTTP_URL="+r.URL, "HOOKSWITCH_HTTP_BATCH=7")
	h.Deliver(t, samples...)
	h.Drained(t)
	requests, _ := r.all()
	var bodies []string
	for _, req := range requests {
		require.Equal(t, "application/cloudevents-batch+json", req.contentType)
		var batch []json.RawMessage
		require.NoError(t, json.Unmarshal(req.body, &batch))
		require.LessOrEqual(t, len(batch), most)
		for _, e := range batch {
			bodies = append(bodies, string(e))
		}
	}
	require.Less(t, len(requests), len(bodies))
	services.RequireEvents(t, samples, services.Unstamped(t, bodies))

	// A delivery report goes out in batches, too.
	report := services.SampleOf(t, "mobiniti/testdata/delivery_report/messages_10000.json.gz")
	h.Deliver(t, report)
	h.Drained(t)
	later, _ := r.all()
	n := 0
	for _, req := range later[len(requests):] {
		var batch []json.RawMessage
		require.NoError(t, json.Unmarshal(req.body, &batch))
		require.LessOrEqual(t, len(batch), most)
		n += len(batch)
	}
	require.Equal(t, 10_000, n)
}

// TestForwardRetries has a receiver that takes each event only when it comes
// again.
func TestForwardRetries(t *testing.T) {
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		r := startReceiver(t, func(request int) int {
			if request == 1 {
				return status
			}
			return http.StatusOK
		})
		h := services.Start(t, "http.yaml", "HOOKSWITCH_HTTP_URL="+r.URL)
		h.Deliver(t, sample)
		h.Drained(t)
		requests, n := r.all()
		require.Len(t, requests, 1)
		require.Equal(t, 2, n)
		require.Empty(t, h.Lines(t, deadLetters))
	}
}

// TestForwardOutage has receivers that take nothing: the sender is answered from the
// disk, what could be decoded is no dead letter, and all of it waits.
func TestForwardOutage(t *testing.T) {
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	for name, answer := range map[string]func(int) int{
		"unavailable":       always(http.StatusServiceUnavailable),
		"refuses":           always(http.StatusBadRequest),
		"redirects":         always(http.StatusFound),
		"moved permanently": always(http.StatusPermanentRedirect),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startReceiver(t, answer)
			requireOutage(t, sample, "HOOKSWITCH_HTTP_URL="+r.URL)
			taken, requests := r.all()
			require.Empty(t, taken)
			require.NotZero(t, requests)
		})
	}
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		requireOutage(t, sample, "HOOKSWITCH_HTTP_URL=http://"+services.FreeAddress(t))
	})
	t.Run("down, in batches", func(t *testing.T) {
		t.Parallel()
		requireOutage(t, sample, "HOOKSWITCH_HTTP_URL=http://"+services.FreeAddress(t), "HOOKSWITCH_HTTP_BATCH=10")
	})
}

// requireOutage also stops the process, and starts it with a receiver that takes
// what the first one did not.
func requireOutage(t *testing.T, sample services.Sample, env ...string) {
	t.Helper()
	dir := t.TempDir()
	h := services.Start(t, "http.yaml", append(env, "HOOKSWITCH_SPOOL_DIR="+dir)...)
	h.Deliver(t, sample)

	// What cannot be decoded is a dead letter all the same.
	broken := sample
	broken.Body = []byte("no JSON")
	h.Deliver(t, broken)
	services.Eventually(t, func() bool { return len(h.Lines(t, deadLetters)) == 1 }, "the dead letter is written")
	services.Eventually(t, func() bool { return h.Metric(t, "spool_redelivered") > 0 }, "the event is offered again")
	services.Eventually(t, func() bool { return h.Metric(t, "spool_records") == 1 }, "the event alone waits")
	h.Stop()
	require.Zero(t, h.Exited(t))

	r := startReceiver(t, always(http.StatusOK))
	h = services.Start(t, "http.yaml", "HOOKSWITCH_SPOOL_DIR="+dir, "HOOKSWITCH_HTTP_URL="+r.URL)
	h.Drained(t)
	taken, _ := r.all()
	require.Len(t, taken, 1)
	require.Contains(t, string(taken[0].body), `"type":"call.completed"`)
	require.Empty(t, h.Lines(t, deadLetters))
}
