package door_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// TestKilled leaves the distribution no time for anything: what it has answered
// 200 is written.
func TestKilled(t *testing.T) {
	t.Parallel()
	const senders = 32
	for round, answers := range []int64{100, 250, 400} {
		r := startReceiver(t, services.Slow)
		h := start(t, r, setup{inFlight: 16})
		l := &ledger{entries: map[string]entry{}}
		client := newClient(t)
		var sent, accepted atomic.Int64
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				for {
					id := name(fmt.Sprintf("killed-%d", round), int(sent.Add(1)))
					a := do(client, newRequest(t, h, newBody(id, 2000)))
					l.add(id, entry{kind: "plain", due: http.StatusOK, answer: a})
					if a.err != nil {
						return
					}
					if a.status == http.StatusOK {
						accepted.Add(1)
					}
				}
			})
		}
		services.Eventually(t, func() bool { return accepted.Load() >= answers }, "%d are answered", answers)
		h.Kill()
		all.Wait()
		require.Empty(t, l.falsehoods(r), "answers that are not true")
		require.GreaterOrEqual(t, l.count(http.StatusOK, ""), int(answers))
		require.Equal(t, senders, l.count(0, ""), "each sender has one delivery without an answer")
	}
}

// TestDownAtStart has an output that is not there yet.
func TestDownAtStart(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	h := start(t, r, setup{inFlight: 4})
	client := newClient(t)
	for i, a := range postAll(t, h, client, "early", 10, 500)() {
		require.Equal(t, answer{status: http.StatusServiceUnavailable, text: textRefused, retryAfter: "5"}, a, i)
		require.False(t, r.has(name("early", i)))
	}
	r.Live(t)
	for i, a := range postAll(t, h, client, "then", 10, 500)() {
		require.Equal(t, answer{status: http.StatusOK}, a, i)
		require.True(t, r.has(name("then", i)))
	}
	settle(t, h)
}

// TestUnconnectedAtStart has an output that takes nothing until it is connected:
// senders wait, and those that wait too long are withdrawn or written later.
func TestUnconnectedAtStart(t *testing.T) {
	t.Parallel()
	address := services.FreeAddress(t)
	h := start(t, nil, setup{limits: "answer: 2s", output: fmt.Sprintf("socket: { network: tcp, address: %q }", address)})
	client := newClient(t)
	for i, a := range postAll(t, h, client, "early", 10, 500)() {
		require.Equal(t, answer{status: http.StatusServiceUnavailable, text: textLate, retryAfter: "5"}, a, i)
	}
	services.Eventually(t, func() bool { return counted(t, h, "not_taken") > 0 }, "some are withdrawn")

	lines := listenLines(t, address)
	services.Eventually(t, func() bool {
		return do(client, newRequest(t, h, newBody("then", 500))).status == http.StatusOK
	}, "the output is connected")
	settle(t, h)
	services.Eventually(t, func() bool { return lines()["then 500"] > 0 }, "what was answered 200 is there")
}

// TestMemory has an output hang until the memory for deliveries is used up: then
// senders are told so while the others wait, and nothing is held once the output
// goes on.
func TestMemory(t *testing.T) {
	t.Parallel()
	const budget = 1 << 20
	r := startReceiver(t, services.Hangs)
	h := start(t, r, setup{limits: "body: 64KiB, in_flight: 1MiB, answer: 100s", inFlight: 4})
	client := newClient(t)
	busy := answer{status: http.StatusServiceUnavailable, text: textBusy, retryAfter: "5", closed: true}

	held, refused, reserved := map[string]chan answer{}, []string{}, 0
	for _, size := range []int{60 << 10, 4 << 10} {
		for full := false; !full; {
			id := name("memory", len(held)+len(refused))
			req, told := newRequest(t, h, newBody(id, size)), make(chan answer, 1)
			go func() { told <- do(client, req) }()
			services.Eventually(t, func() bool {
				select {
				case a := <-told:
					require.Equal(t, busy, a)
					full = true
				default:
				}
				return full || int(h.Metric(t, "webhook_verified")) > len(held)
			}, "there is room for it, or it is told that there is none")
			if full {
				refused = append(refused, id)
			} else {
				held[id] = told
				reserved += size
			}
		}
	}
	require.LessOrEqual(t, reserved, budget)
	require.Greater(t, reserved, budget/2)
	services.Eventually(t, func() bool { return int(h.Metric(t, "webhook_reserved_bytes")) == reserved }, "%d bytes are reserved", reserved)
	services.Eventually(t, func() bool { return int(h.Metric(t, "webhook_in_flight")) == len(held) }, "%d are in flight", len(held))
	require.Equal(t, http.StatusServiceUnavailable, get(t, client, h.URL+"/readyz").status)
	require.Equal(t, http.StatusOK, get(t, client, h.URL+"/healthz").status)

	r.Set(services.Takes)
	for id, told := range held {
		require.Equal(t, answer{status: http.StatusOK}, <-told, id)
		require.True(t, r.has(id), id)
	}
	settle(t, h)
	for _, id := range refused {
		require.False(t, r.has(id), id)
	}
	require.Equal(t, http.StatusOK, get(t, client, h.URL+"/readyz").status)
	require.Equal(t, http.StatusOK, do(client, newRequest(t, h, newBody("after", 60<<10))).status)
	settle(t, h)
	r.requireWhole(t)
}

// TestSenderGone has senders go away once all of their delivery is there: one that
// the output has, others that wait behind it. All are written.
func TestSenderGone(t *testing.T) {
	t.Parallel()
	const senders = 12
	r := startReceiver(t, services.Hangs)
	h := start(t, r, setup{limits: "answer: 100s", inFlight: 1})
	var left []io.Closer
	for i := range senders {
		body := newBody(name("gone", i), 2000)
		conn := dial(t, h)
		_, err := io.WriteString(conn, head(body)+string(body))
		require.NoError(t, err)
		left = append(left, conn)
	}
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_verified") == senders && r.Hanging() == 1 }, "the door has them")
	for _, conn := range left {
		require.NoError(t, conn.Close())
	}
	// One that comes later and stays is answered after those that left.
	wait := postAll(t, h, newClient(t), "stays", 1, 2000)
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_verified") == senders+1 }, "the door has it")
	r.Set(services.Takes)
	require.Equal(t, []answer{{status: http.StatusOK}}, wait())
	settle(t, h)
	for i := range senders {
		require.True(t, r.has(name("gone", i)), i)
	}
	r.requireWhole(t)
}
