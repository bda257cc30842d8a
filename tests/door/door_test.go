// Package door_test runs the compiled distribution with the webhook input and an
// output that fails in every way, and holds each answer against what the output
// got.
package door_test

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

const secret = "EXAMPLE-SECRET"

// setup is what differs between the configs.
type setup struct {
	limits   string // of the input
	stream   string // top-level fields
	output   string // http_client, unless given
	inFlight int    // of http_client
}

// start starts the distribution with the input, and the receiver behind it.
func start(t *testing.T, r *receiver, s setup) *services.Hookswitch {
	t.Helper()
	if s.output == "" {
		// One try: what the receiver says is what the pipeline says.
		s.output = fmt.Sprintf("http_client: { url: %q, verb: POST, timeout: 120s, retries: 0, max_in_flight: %d }", r.URL(), max(s.inFlight, 1))
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
%s
input:
  webhook:
    address: ${HOOKSWITCH_ADDRESS}
    limits: { %s }
    routes:
      - path: /in
        verify: { hmac: { header: X-Signature }, secret_env: DOOR_SECRET }
pipeline: { threads: 2 }
output: { %s }
`, s.stream, s.limits, s.output), 0o600))
	h := services.Start(t, path, "DOOR_SECRET="+secret)
	if r != nil {
		t.Cleanup(r.Die) // before the distribution, which would wait for it
	}
	return h
}

// counted returns how many deliveries had an outcome.
func counted(t *testing.T, h *services.Hookswitch, outcome string) int {
	t.Helper()
	route := "/in"
	if outcome == "not_found" {
		route = "none"
	}
	return int(h.Metric(t, fmt.Sprintf(`webhook_deliveries{label="",outcome=%q,path="root.input",route=%q}`, outcome, route)))
}

// settle waits until the door holds nothing, and each delivery that the pipeline
// had taken at its deadline has its verdict. To be called when nobody posts.
func settle(t *testing.T, h *services.Hookswitch) {
	t.Helper()
	time.Sleep(3 * time.Second) // the gauges are set every second: no old ones
	services.Eventually(t, func() bool {
		return h.Metric(t, "webhook_in_flight") == 0 && h.Metric(t, "webhook_reserved_bytes") == 0 &&
			int(h.Metric(t, "webhook_late")) >= counted(t, h, "timeout")
	}, "no delivery is in flight and no memory reserved")
}

// newBody returns a body from which the receiver knows the delivery, and whether
// it came whole.
func newBody(id string, size int) []byte {
	head := fmt.Sprintf("%s %d\n", id, size)
	return append([]byte(head), bytes.Repeat([]byte("x"), max(0, size-len(head)))...)
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// answer is what a sender was told.
type answer struct {
	status     int // 0 if there was no answer
	text       string
	retryAfter string
	closed     bool // the connection, by the door
	err        error
}

// newClient returns a client that keeps its connections.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * time.Minute}
}

func newRequest(t *testing.T, h *services.Hookswitch, body []byte) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/in", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-Signature", sign(body))
	return req
}

func do(client *http.Client, req *http.Request) answer {
	resp, err := client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, strings.TrimSuffix(string(text), "\n"), resp.Header.Get("Retry-After"), resp.Close, err}
}

func get(t *testing.T, client *http.Client, url string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	return do(client, req)
}

// postAll posts n deliveries at once, named by prefix and number, and returns a
// function that waits for their answers.
func postAll(t *testing.T, h *services.Hookswitch, client *http.Client, prefix string, n, size int) (wait func() []answer) {
	t.Helper()
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range n {
		req := newRequest(t, h, newBody(name(prefix, i), size))
		all.Go(func() { answers[i] = do(client, req) })
	}
	return func() []answer {
		all.Wait()
		return answers
	}
}

func name(prefix string, i int) string { return fmt.Sprintf("%s-%d", prefix, i) }

// dial opens a connection to the door.
func dial(t *testing.T, h *services.Hookswitch) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*time.Minute)))
	return conn
}

// head is the header of a delivery.
func head(body []byte) string {
	return fmt.Sprintf("POST /in HTTP/1.1\r\nHost: door\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n", sign(body), len(body))
}
