package spool_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// TestBrokerAway stops a real broker under load until the spool is full: senders are
// told 503 while it is, and when the broker is back, all that was answered 200 is in
// the topic, and nothing that was answered 503.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	outage := 20 * time.Second
	if *long {
		outage = 2 * time.Minute
	}
	for _, way := range []string{"frozen", "killed"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			k := services.NewBroker(t)
			k.Start(t)
			topic := k.Topic(t, 3)
			l := newLedger(t)
			h := services.Start(t, setup{
				dir:   filepath.Join(t.TempDir(), "spool"),
				spool: "max_size: 48MiB, window: 8MiB",
				output: fmt.Sprintf(`kafka_franz:
    seed_brokers: [ %q ]
    topic: %q
    timeout: 5s
    metadata: { include_prefixes: [ webhook_ ] }`, k.Brokers, topic),
				log: `"OFF"`,
			}.config(t))
			stop := l.load(h)
			taken := func(n int) {
				t.Helper()
				enough := l.count(http.StatusOK) + n
				services.Eventually(t, func() bool { return l.count(http.StatusOK) >= enough }, "%d deliveries are taken", n)
			}
			taken(500)
			if way == "frozen" {
				k.Freeze(t)
			} else {
				k.Kill()
			}
			over := time.After(outage)
			services.Eventually(t, func() bool { return l.count(http.StatusServiceUnavailable) > 100 }, "senders are told")
			services.Eventually(t, func() bool { return h.Metric(t, "spool_full") == 1 }, "the spool is full")
			status, err := h.Get("/readyz")
			assert.NoError(t, err)
			assert.Equal(t, http.StatusServiceUnavailable, status)
			<-over
			if way == "frozen" {
				k.Thaw(t)
			} else {
				k.Start(t)
			}
			taken(2000)
			stop()
			requireKept(t, h, 0)
			require.Zero(t, h.Metric(t, "spool_full"))
			require.Zero(t, h.Metric(t, "spool_parked"), "an outage parks nothing")
			h.Signal(t, syscall.SIGTERM)
			require.Zero(t, h.Exited(t))

			l.mu.Lock()
			for _, r := range k.Records(t, topic) {
				headers := map[string]string{}
				for _, header := range r.Headers {
					headers[header.Key] = string(header.Value)
				}
				l.record(r.Value, [3]string{headers["webhook_vendor"], headers["webhook_event"], headers["webhook_content_type"]},
					headers["webhook_delivery_id"]+" "+headers["webhook_received_at"])
			}
			for n := range l.arrivals {
				assert.Equal(t, http.StatusOK, l.answers[n], "the answer to %d, which is in the topic", n)
			}
			l.mu.Unlock()
			require.Empty(t, l.missing(), "answered 200 and lost: %s", l)
			require.Empty(t, l.spoiled)
			t.Logf("%s for %s: %s", way, outage, l)
		})
	}
}

// TestRefusedForEver has the output refuse one delivery for ever: it is parked, and the
// others pass. When the output would take it, the next start offers it again.
func TestRefusedForEver(t *testing.T) {
	t.Parallel()
	const poison = 100
	l := newLedger(t)
	l.refuse(func(n int) bool { return n == poison })
	config := setup{dir: filepath.Join(t.TempDir(), "spool"), spool: "park_after: 3", output: toSink(l), log: `"OFF"`}.config(t)
	h := services.Start(t, config)
	stop := l.load(h)
	services.Eventually(t, func() bool { return h.Metric(t, "spool_parked") == 1 }, "the delivery is parked")
	stop()
	l.requireAll(t) // but for the one that is refused
	requireKept(t, h, 1)
	require.Zero(t, l.arrivals[poison].times)
	h.Signal(t, syscall.SIGTERM)
	require.Zero(t, h.Exited(t))

	h = services.Start(t, config)
	requireKept(t, h, 1)
	h.Kill()

	l.refuse(nil)
	h = services.Start(t, config)
	l.requireAll(t)
	requireKept(t, h, 0)
	require.Equal(t, 1, l.arrivals[poison].times)
	t.Logf("%s", l)
}

// TestSomeRefused has the output refuse one delivery in 50, so that no batch passes
// whole: the others pass, and those that are refused are parked when there are others
// again.
func TestSomeRefused(t *testing.T) {
	t.Parallel()
	const every = 50
	// A half of the short run's batches passes whole, which those of the long run do
	// only when they have been halved three times. That is done once a minute while
	// nothing passes.
	deliveries, batch, bound := 1000, 60, 2*time.Minute
	if *long {
		deliveries, batch, bound = 20000, 256, 15*time.Minute
	}
	l := newLedger(t)
	l.refuse(func(n int) bool { return n < deliveries && n%every == 7 })
	config := setup{
		dir:    filepath.Join(t.TempDir(), "spool"),
		spool:  fmt.Sprintf("park_after: 2, batch: { count: %d }", batch),
		output: toSink(l), log: `"OFF"`,
	}.config(t)
	// They are gathered on disk while the output is away.
	l.sink.Set(services.Refuses)
	h := services.Start(t, config)
	l.send(h, deliveries)
	require.Equal(t, deliveries, l.count(http.StatusOK))
	h.Kill()
	l.sink.Set(services.Takes)
	h = services.Start(t, config)
	began := time.Now()
	l.requireAllWithin(t, bound)
	t.Logf("all others have passed after %s: %s", time.Since(began).Round(time.Second), l)
	services.Eventually(t, func() bool {
		require.True(t, l.post(h))
		return h.Metric(t, "spool_parked") == float64(deliveries/every)
	}, "those that are refused are parked")
	l.requireAll(t)
	requireKept(t, h, deliveries/every)
	h.Signal(t, syscall.SIGTERM)
	require.Zero(t, h.Exited(t))

	l.refuse(nil)
	h = services.Start(t, config)
	l.requireAll(t)
	requireKept(t, h, 0)
	t.Logf("%s", l)
}
