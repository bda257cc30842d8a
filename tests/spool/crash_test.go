package spool_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// crashes returns how many times the tests kill the program.
func crashes() int {
	if *long {
		return 200
	}
	return 20
}

// TestCrashes kills the distribution again and again, and starts it on the same
// directory: all that was answered 200 arrives.
func TestCrashes(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	config := setup{dir: filepath.Join(t.TempDir(), "spool"), output: toSink(l), log: `"OFF"`}.config(t)
	h := crash(t, l, services.Binary(), config)
	l.requireAll(t)
	requireKept(t, h, 0)
	h.Signal(t, syscall.SIGTERM)
	require.Zero(t, h.Exited(t))
	t.Logf("spool: %d crashes: %s", crashes(), l)
}

// TestCrashesOfTheEngine puts the engine's own buffers through the same crashes, and
// shows what they lose.
func TestCrashesOfTheEngine(t *testing.T) {
	t.Parallel()
	program := services.Compile(t, "tests/spool/stock")
	for _, buffer := range []string{"sqlite", "memory"} {
		t.Run(buffer, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			l.bare = true
			fields := "{}"
			if buffer == "sqlite" {
				fields = fmt.Sprintf("{ path: %q }", filepath.Join(t.TempDir(), "buffer.db"))
			}
			crash(t, l, program, writeConfig(t, fmt.Sprintf(`
http: { address: "${HOOKSWITCH_ADMIN_ADDRESS}" }
logger: { level: "OFF" }
shutdown_timeout: 3s
input: { http_server: { address: "${HOOKSWITCH_ADDRESS}", path: / } }
buffer: { %s: %s }
output: { http_client: { url: %q, verb: POST, retries: 0, timeout: 60s, max_in_flight: 32 } }
`, buffer, fields, l.sink.URL())))
			for before := -1; before < l.arrivedTimes(); {
				before = l.arrivedTimes()
				time.Sleep(3 * time.Second) // after which nothing more is expected
			}
			require.NotZero(t, l.arrivedTimes())
			t.Logf("%s: %d crashes: %s", buffer, crashes(), l)
		})
	}
}

// crash puts a program through crashes, and leaves it running with a sink that works.
func crash(t *testing.T, l *ledger, program, config string) *services.Hookswitch {
	t.Helper()
	seed := rand.Uint64()                    //nolint:gosec // chance, no secret
	chance := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // chance, no secret
	upTo := func(most time.Duration) time.Duration { return time.Duration(chance.Int64N(int64(most))) }
	moments := []string{"under load", "soon after the start", "under load", "while it stops", "under load", "while it drains"}
	modes := []services.Mode{services.Takes, services.Slow, services.Refuses, services.Hangs, services.Forgets, services.Takes}
	for round := range crashes() {
		moment := moments[round%len(moments)]
		away := chance.IntN(5) == 0
		if moment == "while it drains" {
			l.sink.Set(services.Slow)
			away = false
		} else {
			l.sink.Set(modes[chance.IntN(len(modes))])
		}
		if away {
			l.sink.Die()
		}
		h := services.Launch(t, program, config)
		if moment == "soon after the start" {
			stop := l.load(h)
			time.Sleep(upTo(400 * time.Millisecond))
			h.Kill()
			stop()
		} else {
			h.Await(t)
			stop := func() {}
			if moment == "while it drains" {
				arrived := l.arrivedTimes()
				for range 20 { // there may be nothing to drain
					if l.arrivedTimes() > arrived {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
			} else {
				stop = l.load(h)
				enough := l.count(http.StatusOK) + 50 + chance.IntN(500)
				services.Eventually(t, func() bool { return l.count(http.StatusOK) >= enough }, "deliveries are taken %s, round %d of seed %d", moment, round, seed)
			}
			if moment == "while it stops" {
				h.Signal(t, syscall.SIGTERM)
			}
			time.Sleep(upTo(100 * time.Millisecond))
			require.True(t, moment == "while it stops" || h.Running(), "the program has ended by itself in round %d of seed %d", round, seed)
			h.Kill()
			stop()
		}
		if away {
			l.sink.Live(t)
		}
	}
	l.sink.Set(services.Takes)
	h := services.Launch(t, program, config)
	h.Await(t)
	return h
}
