package webhook

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Strangers announce large bodies, send half of each and stall: with a wrong secret
// in the path, which is refused before the body, and with no signature, which nobody
// knows before the body is here. While they do, every genuine delivery is accepted.
func TestFloodOfStalledBodies(t *testing.T) {
	half := strings.Repeat("x", 4<<20+64<<10)
	for name, path := range map[string]string{"wrong token": "/movement/wrong", "no signature": "/callrail/post_call"} {
		t.Run(name, func(t *testing.T) {
			a := attack(t, limited("body: 8MiB, in_flight: 64MiB", ""))
			header := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: door\r\nContent-Length: %d\r\n\r\n", path, 8<<20)
			a.during(t, few(500), func(over <-chan struct{}) {
				var attackers sync.WaitGroup
				for range 16 {
					attackers.Go(func() {
						for {
							select {
							case <-over:
								return
							default:
							}
							c := a.dial(t)
							if c == nil {
								return
							}
							_ = c.SetDeadline(time.Now().Add(5 * time.Second))
							_, _ = io.WriteString(c, header+half)
							_, _ = io.Copy(io.Discard, c) // until the door ends the connection
							_ = c.Close()
						}
					})
				}
				attackers.Wait()
			})
		})
	}
}

// Many more connections than may be open send a header and no body, or half a
// header; the genuine sender still gets in.
func TestFloodOfConnections(t *testing.T) {
	for name, begin := range map[string]string{
		"header and no body": "POST /callrail/post_call HTTP/1.1\r\nHost: door\r\nContent-Length: 100\r\n\r\n",
		"half a header":      "POST /callrail/post_call HTTP/1.1\r\nHost: door\r\nX-A: ",
		"nothing":            "",
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t, limited(limitsUnderAttack+", connections: 1000, read: 60s", ""))
			var held atomic.Int64
			a.during(t, 300, func(over <-chan struct{}) {
				var attackers sync.WaitGroup
				for range 50 {
					attackers.Go(func() {
						var open []net.Conn
						defer func() {
							for _, c := range open {
								_ = c.Close()
							}
						}()
						for range min(few(5000), openFiles(t)-500) / 50 {
							c := a.dial(t)
							if c == nil {
								return
							}
							open = append(open, c)
							_, _ = io.WriteString(c, begin)
							held.Add(1)
						}
						<-over
					})
				}
				attackers.Wait()
			})
			t.Logf("%d connections were opened", held.Load())
			a.bounded(t)
		})
	}
}

// A header of short fields takes many times the memory of its text, in pieces that
// never end.
func TestFloodOfHeaders(t *testing.T) {
	a := attack(t, limited(limitsUnderAttack+", connections: 2000, read: 60s", ""))
	var header strings.Builder
	header.WriteString("POST /open HTTP/1.1\r\nHost: door\r\n")
	for i := 0; header.Len() < 31<<10; i++ {
		header.WriteString(string([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676%26)}) + ":\r\n")
	}
	a.during(t, 100, func(over <-chan struct{}) {
		a.together(t, few(1500), func(c net.Conn) {
			_, _ = io.WriteString(c, header.String())
			<-over
		})
	})
	a.boundedBy(t, budget+allowance+1500*128>>10) // KiB that net/http makes of what each has sent first, and of garbage
}

// A body that comes too slowly is cut although there is much time for all of it.
func TestLeastRate(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", read: 10m", ""), acks)
	over := make(chan struct{})
	defer close(over)
	c := s.dial(t)
	_, err := io.WriteString(c, "POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2000\r\n\r\n")
	require.NoError(t, err)
	go slowly(c, "x", over)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 503, res.StatusCode)
	require.True(t, res.Close)
	require.Equal(t, map[string]int64{"/open incomplete": 1}, s.metrics.all("webhook_deliveries"))
}

// A sender gains no more than the grace by what it has sent before.
func TestRateIsOfTheLastMoments(t *testing.T) {
	reader, writer := io.Pipe()
	go func() { _, _ = writer.Write(make([]byte, 1<<20)) }()
	a := newArrival(reader, http.NewResponseController(nil), nil, false, time.Hour)
	_, err := io.ReadFull(a, make([]byte, 1<<20))
	require.NoError(t, err)
	require.WithinRange(t, a.dueAt(), time.Now(), time.Now().Add(grace))
	a = newArrival(reader, http.NewResponseController(nil), nil, false, time.Millisecond)
	require.WithinRange(t, a.dueAt(), time.Time{}, time.Now().Add(time.Millisecond))
}

// Who is given up for memory: the slowest stranger, then the slowest sender that is
// known; never what has arrived; and who is the slowest itself gets no memory.
func TestWhoIsGivenUpForMemory(t *testing.T) {
	m := newMemory(100)
	now := time.Now()
	hold := func(n int64, slack time.Duration, known bool) *reservation {
		r := &reservation{memory: m}
		require.NoError(t, r.reserve(n))
		r.arrives(&arrival{control: http.NewResponseController(nil), due: now.Add(slack), known: known})
		return r
	}
	leave := func(r *reservation) <-chan struct{} { // as a handler does that finds its body given up
		left := make(chan struct{})
		go func() {
			defer close(left)
			for r.arrival.givenUp() == nil {
				runtime.Gosched()
			}
			r.arrived()
			r.close()
		}()
		return left
	}
	arrived := &reservation{memory: m}
	require.NoError(t, arrived.reserve(10))
	known, slow, fast := hold(30, time.Minute, true), hold(30, time.Minute, false), hold(30, time.Hour, false)

	slowLeft := leave(slow)
	newcomer := &reservation{memory: m}
	newcomer.arrives(&arrival{control: http.NewResponseController(nil), due: now.Add(2 * time.Hour)})
	require.NoError(t, newcomer.reserve(30))
	<-slowLeft
	require.NoError(t, fast.arrival.givenUp())

	late := &reservation{memory: m}
	require.NoError(t, late.reserve(0))
	late.arrives(&arrival{control: http.NewResponseController(nil), due: now})
	require.NoError(t, late.reserve(0))
	fastLeft := leave(fast)
	require.NoError(t, late.reserve(1), "it holds nothing yet")
	<-fastLeft
	require.ErrorIs(t, late.reserve(60), errNoMemory, "it is the slowest")
	late.arrived()
	late.close()

	newcomerLeft, knownLeft := leave(newcomer), leave(known)
	whole := &reservation{memory: m}
	require.NoError(t, whole.reserve(90), "both are given up")
	<-newcomerLeft
	<-knownLeft
	more := &reservation{memory: m}
	require.ErrorIs(t, more.reserve(1), errNoMemory, "what has arrived is not given up")
	whole.close()
	arrived.close()
	arrived.close()
	require.Zero(t, m.inUse())
}

// The door keeps nothing of a large header while the pipeline has the delivery.
func TestHeaderIsNotKept(t *testing.T) {
	const requests = 200
	held := func(size int) int64 {
		s := newStand(t, limited(limitsOfRows+", answer: 60s", ""), holds)
		text := call{method: "POST", path: "/open", body: "{}", headers: []string{"X-Large: " + strings.Repeat("x", size)}}.text()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range requests {
			_, err := io.WriteString(s.dial(t), text)
			require.NoError(t, err)
		}
		eventually(t, func() bool { return len(s.handed()) == requests })
		runtime.GC()
		runtime.ReadMemStats(&after)
		for _, h := range s.handed() {
			h.settle(nil)
		}
		return int64(after.HeapAlloc) - int64(before.HeapAlloc)
	}
	held(0)
	small, large := held(0), held(20<<10)
	t.Logf("%d bytes a request, %d with a large header", small/requests, large/requests)
	require.Less(t, (large-small)/requests, int64(4<<10), "of the 20 KiB nothing is kept")
}
