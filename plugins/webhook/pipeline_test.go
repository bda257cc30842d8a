package webhook

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookswitch/hookswitch/plugins/delivery"
)

// A sender that ends in the middle of a body gets 400 if it still listens, and
// nothing of the body goes on.
func TestSenderGoesAway(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	c := s.dial(t)
	_, err := io.WriteString(c, "POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 10\r\n\r\n{")
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 400, res.StatusCode)
	require.True(t, res.Close)
	gone := s.dial(t)
	_, err = io.WriteString(gone, "POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 10\r\n\r\n{")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	eventually(t, func() bool { return s.metrics.all("webhook_deliveries")["/open broken"] == 2 })
	require.Empty(t, s.bodies())
	require.Zero(t, s.door.memory.inUse())
}

func post(t *testing.T, s *stand, path, body string, headers ...string) (status int) {
	t.Helper()
	c := s.dial(t)
	_, err := io.WriteString(c, call{method: "POST", path: path, headers: headers, body: body}.text())
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	return res.StatusCode
}

// What the pipeline says after the answer is counted, and only then is the memory
// free.
func TestLateVerdict(t *testing.T) {
	for verdict, err := range map[string]error{"accepted": nil, "refused": errInner} {
		s := newStand(t, limited(limitsOfRows+", answer: 50ms", ""), holds)
		status := post(t, s, "/open", "{}")
		require.Equal(t, 503, status)
		require.EqualValues(t, 2, s.door.memory.inUse())
		require.Empty(t, s.metrics.all("webhook_late"))
		s.one(t).settle(err)
		require.Zero(t, s.door.memory.inUse())
		require.Equal(t, map[string]int64{"/open " + verdict: 1}, s.metrics.all("webhook_late"))
		require.Equal(t, map[string]int64{"/open timeout": 1}, s.metrics.all("webhook_deliveries"))
	}
}

// Of an inflated body only that is held which goes on.
func TestMemoryOfInflatedBodies(t *testing.T) {
	s := newStand(t, limited("body: 8KiB, inflated: 256KiB, in_flight: 4MiB, answer: 50ms", ""), holds)
	text := randomText(4 << 10)
	sent := compressed(t, "gzip", text)
	require.Greater(t, len(sent), 3<<10)
	status := post(t, s, "/open", sent, "Content-Encoding: gzip")
	require.Equal(t, 503, status)
	require.Equal(t, text, s.one(t).body)
	require.GreaterOrEqual(t, s.door.memory.inUse(), int64(len(text)))
	require.Less(t, s.door.memory.inUse(), int64(len(text)+len(sent)))
	s.one(t).settle(nil)
	require.Zero(t, s.door.memory.inUse())
}

// Whatever budget the configuration may hold, the largest body finds room in it,
// however it comes.
func TestLargestBodyFindsRoom(t *testing.T) {
	noise := randomText(64 << 10)
	for _, budget := range []int{64, 96, 128} {
		limits := fmt.Sprintf("body: 64KiB, in_flight: %dKiB", budget)
		s := newStand(t, limited(limits, ""), acks)
		for _, c := range []call{
			{body: noise},
			{body: noise, chunked: true},
		} {
			c.method, c.path = "POST", "/open"
			conn := s.dial(t)
			_, err := io.WriteString(conn, c.text())
			require.NoError(t, err)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.Equal(t, 200, res.StatusCode, "budget of %d KiB", budget)
		}
	}
}

// A delivery whose sender was told to send it again before the pipeline began with
// it is never begun with.
func TestWithdrawnIsNeverRead(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", answer: 50ms", ""), absent)
	for range 3 {
		status := post(t, s, "/open", "withdrawn")
		require.Equal(t, 503, status)
	}
	require.Equal(t, map[string]int64{"/open not_taken": 3}, s.metrics.all("webhook_deliveries"))
	require.Zero(t, s.door.memory.inUse())
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { s.read(ctx, acks) })
	var statuses []int
	for range 10 {
		status := post(t, s, "/open", "read")
		statuses = append(statuses, status)
		if status == 200 {
			break
		}
	}
	require.Contains(t, statuses, 200)
	cancel()
	reading.Wait()
	for _, body := range s.bodies() {
		require.Equal(t, "read", body)
	}
}

// Every answer is true: an answer of 200 is of a delivery that was acknowledged,
// whatever the pipeline does and whenever it does it.
func TestAnswersAreTrue(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", answer: 20ms", ""), absent)
	ctx, cancel := context.WithCancel(t.Context())
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		acked   = map[string]bool{}
		nacked  = map[string]bool{}
	)
	running.Go(func() {
		r := rand.New(rand.NewPCG(3, 4))
		for {
			batch, settle, err := s.ReadBatch(ctx)
			if err != nil {
				return
			}
			body, _ := batch[0].AsBytes()
			wait, refuse := time.Duration(r.IntN(40))*time.Millisecond, r.IntN(3) == 0
			running.Go(func() {
				time.Sleep(wait)
				mu.Lock()
				if refuse {
					nacked[string(body)] = true
				} else {
					acked[string(body)] = true
				}
				mu.Unlock()
				if refuse {
					_ = settle(ctx, errInner)
				} else {
					_ = settle(ctx, nil)
				}
			})
		}
	})
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			hc := &http.Client{Transport: &http.Transport{}, Timeout: patience}
			defer hc.CloseIdleConnections()
			for i := range 40 {
				body := strconv.Itoa(sender) + "." + strconv.Itoa(i)
				res, err := hc.Post("http://"+s.address.String()+"/open", "", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				text, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				mu.Lock()
				switch {
				case res.StatusCode == 200 && !acked[body]:
					t.Errorf("%s: answered 200, but not acknowledged", body)
				case strings.HasPrefix(string(text), "not delivered,") && !nacked[body]:
					t.Errorf("%s: answered that it was refused, but it was not", body)
				case res.StatusCode != 200 && res.StatusCode != 503:
					t.Errorf("%s: answered %d", body, res.StatusCode)
				}
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	cancel()
	running.Wait()
	require.Zero(t, s.door.memory.inUse())
	var sum int64
	for outcome, n := range s.metrics.all("webhook_deliveries") {
		t.Log(outcome, n)
		sum += n
	}
	require.EqualValues(t, 320, sum)
}

// TestClose: those who wait when the input is closed get an answer, and none hangs.
func TestClose(t *testing.T) {
	for e, text := range map[engine]string{holds: "stopping, send it again\n", absent: "stopping, send it again\n"} {
		s := newStand(t, limited(limitsOfRows+", answer: 60s", ""), e)
		type got struct {
			status int
			text   string
		}
		answered := make(chan got, 1)
		c := s.dial(t)
		_, err := io.WriteString(c, call{method: "POST", path: "/open", body: "{}"}.text())
		require.NoError(t, err)
		go func() {
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				answered <- got{text: err.Error()}
				return
			}
			b, _ := io.ReadAll(res.Body)
			answered <- got{res.StatusCode, string(b)}
		}()
		if e == holds {
			s.one(t)
		} else {
			eventually(t, func() bool { return s.door.inFlight.Load() == 1 })
		}
		s.end()
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, got{503, text}, <-answered)
		require.Equal(t, map[string]int64{"/open draining": 1}, s.metrics.all("webhook_deliveries"))
		_, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", s.address.String())
		require.Error(t, err, "it listens no more")
	}
}

// Those in flight when reading ends get their true answer.
func TestVerdictAfterReadingHasEnded(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", answer: 60s", ""), holds)
	c := s.dial(t)
	_, err := io.WriteString(c, call{method: "POST", path: "/open", body: "{}"}.text())
	require.NoError(t, err)
	h := s.one(t)
	s.end()
	<-s.door.unread
	h.settle(nil)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
}

// From the signal until near the end of the delay deliveries are taken, then none is
// accepted any more, and at the end of the delay none is begun with.
func TestLeave(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	Leave(time.Hour)
	status := post(t, s, "/open", "{}")
	require.Equal(t, 200, status)
	idle := s.dial(t) // it was accepted when it has an answer
	_, err := io.WriteString(idle, call{method: "POST", path: "/open", body: "{}"}.text())
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(idle), nil)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
	require.True(t, res.Close)

	Leave(0)
	<-s.door.unread
	<-s.server.served
	_, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", s.address.String())
	require.Error(t, err, "it listens no more")
	require.Len(t, s.bodies(), 2)
}

// What waits to be accepted when the listener is closed is accepted.
func TestStopAcceptsWhatHasArrived(t *testing.T) {
	s := newStand(t, limited(limitsOfRows+", connections: 1", ""), holds)
	first := s.dial(t)
	_, err := io.WriteString(first, call{method: "POST", path: "/open", body: "first"}.text())
	require.NoError(t, err)
	s.one(t)
	var behind []net.Conn
	for range 5 { // for which there is no place
		c := s.dial(t)
		_, err := io.WriteString(c, call{method: "POST", path: "/open", body: "behind"}.text())
		require.NoError(t, err)
		behind = append(behind, c)
	}
	s.leave(time.Hour)
	stopped := make(chan struct{})
	go func() {
		s.server.stop(context.WithoutCancel(t.Context()))
		close(stopped)
	}()
	for i := range 6 {
		eventually(t, func() bool { return len(s.handed()) == i+1 })
		s.handed()[i].settle(nil)
	}
	<-stopped
	for _, c := range append(behind, first) {
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode)
	}
}

func TestDelivery(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	before := time.Now()
	status := post(t, s, "/callrail/post_call?webhook_vendor=x", "{}",
		sign("{}"), "Content-Type: application/json; charset=utf-8", "X-Request-Id: 7", "X-Listed: a", "X-Listed: b", "X-Other: c", "Cookie: webhook_account=evil",
		"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	require.Equal(t, 200, status)
	h := s.one(t)
	received, err := delivery.ParseTime(h.metadata["webhook_received_at"])
	require.NoError(t, err)
	require.WithinRange(t, received, before, time.Now())
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, h.metadata["webhook_delivery_id"])
	require.Equal(t, "{}", h.body)
	delete(h.metadata, "webhook_received_at")
	delete(h.metadata, "webhook_delivery_id")
	require.Equal(t, map[string]string{
		"webhook_route": "/callrail/{event}", "webhook_vendor": "callrail", "webhook_event": "post_call", "webhook_account": "main",
		"webhook_content_type": "application/json; charset=utf-8", "webhook_header_x_request_id": "7", "webhook_header_x_listed": "a, b",
	}, h.metadata)
	require.False(t, trace.SpanContextFromContext(h.ctx).IsValid(), "a stranger's trace")
	require.Equal(t, map[string]int64{"/callrail/{event} 1": 1}, s.metrics.all("webhook_verified"))
	require.Equal(t, map[string]int64{"/callrail/{event}": 2}, s.metrics.all("webhook_received_bytes"))
}

func TestDeliveriesOfOtherRoutes(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	corrupt := "no gzip"
	for _, c := range []call{
		{path: "/supersend", body: "{}", headers: []string{"X-Webhook-Secret: s3cret"}},
		{path: "/movement/tok%2Fen", body: "{}"},
		{path: "/any/mobiniti", body: corrupt, headers: []string{"Content-Encoding: gzip"}},
		{path: "/open", body: "{}"},
	} {
		status := post(t, s, c.path, c.body, c.headers...)
		require.Equal(t, 200, status)
	}
	got := s.handed()
	require.Equal(t, "reply", got[0].metadata["webhook_event"])
	require.Equal(t, "supersend", got[0].metadata["webhook_vendor"])
	require.Equal(t, "/movement/{token}", got[1].metadata["webhook_route"])
	require.Equal(t, "mobiniti", got[2].metadata["webhook_vendor"])
	require.Equal(t, "gzip", got[2].metadata["webhook_content_encoding"])
	require.Equal(t, corrupt, got[2].body)
	require.Len(t, got[3].metadata, 3, "route, id and time: %v", got[3].metadata)
	require.Equal(t, map[string]int64{"/supersend 1": 1, "/movement/{token} 1": 1}, s.metrics.all("webhook_verified"))
	ids := map[string]bool{}
	for _, h := range got {
		ids[h.metadata["webhook_delivery_id"]] = true
		for key, value := range h.metadata {
			require.NotContains(t, value, "tok/en", key)
			require.NotContains(t, value, "tok%2Fen", key)
		}
	}
	require.Len(t, ids, len(got))
}

// Nothing that a request holds becomes metadata unless the route lists it.
func TestNothingPretendsToBeOurs(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	var query, cookies, headers []string
	for _, key := range []string{
		delivery.KeyID, delivery.KeyReceivedAt, delivery.KeyRoute, delivery.KeyVendor, delivery.KeyAccount, delivery.KeyEvent, delivery.KeyContentType, delivery.KeyContentEncoding,
		delivery.HeaderKey("X-Request-Id"), delivery.HeaderKey("X-Listed"), "decode_reason", "http_server_remote_ip",
	} {
		query = append(query, key+"=evil")
		cookies = append(cookies, key+"=evil")
		headers = append(headers, key+": evil", strings.ReplaceAll(key, "_", "-")+": evil")
	}
	headers = append(headers, "Cookie: "+strings.Join(cookies, "; "), "X-Forwarded-For: 6.6.6.6", "X-Real-Ip: 6.6.6.6", "Forwarded: for=6.6.6.6", "Vendor: evil", "Trailer: X-Listed", sign("evil=evil"))
	status := post(t, s, "/callrail/post_call?"+strings.Join(query, "&"), "evil=evil", append(headers, "Content-Type: application/x-www-form-urlencoded")...)
	require.Equal(t, 200, status)
	h := s.one(t)
	for key, value := range h.metadata {
		require.NotEqual(t, "evil", value, key)
		require.NotContains(t, value, "6.6.6.6", key)
	}
	require.Len(t, h.metadata, 7)
	require.Equal(t, "evil=evil", h.body)
}

// TestMetrics: labels are of the configuration, whatever a stranger sends.
func TestMetrics(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), holds)
	for i := range 20 {
		post(t, s, "/nowhere/"+strconv.Itoa(i), "{}")
		post(t, s, "/movement/"+strconv.Itoa(i), "{}")
		post(t, s, "/callrail/"+strconv.Itoa(i), "{}")
	}
	require.Equal(t, map[string]int64{"none not_found": 20, "/movement/{token} unverified": 20, "/callrail/{event} unverified": 20}, s.metrics.all("webhook_deliveries"))
	require.Empty(t, s.metrics.all("webhook_verified"))
	// Gauges are told of now and then.
	c := s.dial(t)
	_, err := io.WriteString(c, call{method: "POST", path: "/open", body: "12345"}.text())
	require.NoError(t, err)
	eventually(t, func() bool {
		return s.metrics.all("webhook_in_flight")[""] == 1 && s.metrics.all("webhook_reserved_bytes")[""] == 5
	})
	s.one(t).settle(nil)
	eventually(t, func() bool {
		return s.metrics.all("webhook_in_flight")[""] == 0 && s.metrics.all("webhook_reserved_bytes")[""] == 0
	})
}

// TestLogs: a line a minute for each route and outcome, and nothing of a request
// in any.
func TestLogs(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, "access_log: true\n"), nacks)
	for range 50 {
		post(t, s, "/movement/hush?phone=hush", "hush", "X-Hush: hush", "User-Agent: hush")
		post(t, s, "/hush", "hush")
	}
	post(t, s, "/movement/tok%2Fen", "hush")
	post(t, s, "/supersend", "hush", "X-Webhook-Secret: s3cret")
	require.NotContains(t, s.logs.String(), "hush")
	require.NotContains(t, s.logs.String(), "s3cret")
	require.NotContains(t, s.logs.String(), "tok/en")
	require.NotContains(t, s.logs.String(), "broker-7")
	require.Equal(t, 4, strings.Count(s.logs.String(), "Requests were not accepted"), s.logs.String())
	require.Equal(t, 102, strings.Count(s.logs.String(), "Answered a request"))
	// What came after the first is told of when its minute is over.
	s.door.observe.flush(s.door, time.Now().Add(warnEvery))
	require.Equal(t, 6, strings.Count(s.logs.String(), "Requests were not accepted"))
	require.Equal(t, 2, strings.Count(s.logs.String(), "requests=49"))
}
