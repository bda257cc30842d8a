// Package memory_test holds the memory of the distribution to what configs/README.md says
// that a container needs.
package memory_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

const (
	body     = 8 << 20  // limits.body of the shipped configs
	inFlight = 64 << 20 // limits.in_flight, which the shipped configs leave at its default
)

// config has the limits of the shipped configs, and an output that takes as many
// deliveries at a time as the output to Kafka does.
const config = `
input:
  webhook:
    address: ${HOOKSWITCH_ADDRESS}
    limits: { body: 8MiB, answer: 5m }
    routes: [ { path: "/{vendor}/{event}", verify: { none: true } } ]
pipeline:
  processors: [ { webhook_decode: {} } ]
output:
  http_client: { url: "${HANGING_URL}", timeout: 5m, retries: 0, max_in_flight: 512 }
`

// shape is a body that takes much memory for its bytes.
type shape struct{ name, path, contentType, body string }

func shapes(t *testing.T) []shape {
	t.Helper()
	const (
		json = "application/json"
		form = "application/x-www-form-urlencoded"
	)
	report := services.SampleOf(t, "mobiniti/testdata/delivery_report/messages_10000.json.gz")
	return []shape{
		{"a report of 10,000 messages", "/mobiniti/delivery_report", json, string(report.Body)},
		{"empty messages", "/mobiniti/delivery_report", json, filled(`{"statuses":[],"messages":[`, `{}`, `,`, `]}`)},
		{"almost empty messages", "/mobiniti/delivery_report", json, messages(`{"id":1}`)},
		{"as many messages as there may be", "/mobiniti/delivery_report", json, messages(`{"id":"` + strings.Repeat("x", 54) + `"}`)},
		{"empty recipients", "/mobiniti/delivery_report", json, filled(`{"messages":[],"statuses":[{"code":"100","recipients":[`, `""`, `,`, `]}]}`)},
		{"a text that every slice repeats", "/mobiniti/delivery_report", json, `{"total_messages":"` + strings.Repeat("x", body-200) + `","statuses":[],"messages":[{"id":1}` + strings.Repeat(`,{"id":1}`, 7) + `]}`},
		{"an array of zeros", "/callrail/post_call", json, filled(`[`, `0`, `,`, `]`)},
		{"zeros in an object", "/callrail/post_call", json, filled(`{"resource_id":[`, `0`, `,`, `]}`)},
		{"zeros that are tags", "/callrail/post_call", json, filled(`{"tags":[`, `0`, `,`, `]}`)},
		{"zeros beside secrets", "/oneroute/newMessage", json, filled(`{"message":{},"a":[`, `0`, `,`, `]}`)},
		{"zeros beside commas", "/callrail/post_call", json, filled(`{"tags":[`+strings.Repeat("0,", body/20)+`0],"note":"`, ",", "", `"}`)},
		{"empty keys", "/callrail/post_call", json, filled(`{`, `"":0`, `,`, `}`)},
		{"empty keys of an open map", "/callrail/form_submission", json, filled(`{"form_data":{`, `"":0`, `,`, `}}`)},
		{"escaped keys", "/callrail/call_modified", json, filled(`{"id":0,`, `"\n":0`, `,`, `}`)},
		{"escapes in a long string", "/callrail/text_message_received", json, filled(`{"resource_id":"MSG1","content":"`, `\"`, ``, `"}`)},
		{"deep nesting", "/callrail/post_call", json, filled(`{"resource_id":[`, strings.Repeat("[", 90)+strings.Repeat("]", 90), `,`, `]}`)},
		{"values of a form", "/callrail/form_submission", form, filled(``, `a`, `&`, ``)},
		{"names of a form", "/callrail/form_submission", form, different(func(i int) string { return fmt.Sprintf("%x&", i) })},
		{"nested names of a form", "/callrail/form_submission", form, different(func(i int) string { return fmt.Sprintf("%x", i) + strings.Repeat("[b]", 90) + "&" })},
		{"quotation marks in a form", "/callrail/text_message_received", form, "resource_id=MSG1&content=" + strings.Repeat(`"`, 24<<18-4000)},
	}
}

// filled returns a body of the largest size with as many elements as it holds.
func filled(begin, element, separator, end string) string {
	n := (body - len(begin) - len(end) + len(separator)) / (len(element) + len(separator))
	return begin + strings.TrimSuffix(strings.Repeat(element+separator, n), separator) + end
}

// messages returns a report of as many messages as the decoder takes, if they are
// not too small.
func messages(message string) string {
	return `{"statuses":[],"messages":[` + strings.TrimSuffix(strings.Repeat(message+",", 20_000), ",") + `]}`
}

// different returns a body of the largest size with as many elements, each another one,
// as it holds.
func different(element func(int) string) string {
	var b strings.Builder
	for i := 0; ; i++ {
		next := element(i)
		if b.Len()+len(next) > body {
			return b.String()
		}
		b.WriteString(next)
	}
}

// TestResident posts as much of each shape as the door lets in, behind an output that
// hangs: with the memory limit that configs/README.md names, the process stays within the
// memory that configs/README.md names.
func TestResident(t *testing.T) {
	limit, container := readme(t)
	path := filepath.Join(t.TempDir(), "hanging.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	url := hanging(t)
	for _, s := range shapes(t) {
		t.Run(s.name, func(t *testing.T) {
			// As on a machine of many cores, whose threads would decode as many at a time.
			h := services.Start(t, path, "HANGING_URL="+url, "GOMEMLIMIT="+limit, "GOMAXPROCS=16")
			var senders sync.WaitGroup
			defer senders.Wait()
			defer h.Kill()
			n := inFlight / len(s.body)
			for range n {
				senders.Go(func() {
					// Nobody is answered: the process is killed at last.
					_, _ = h.Send(s.path, http.Header{"Content-Type": {s.contentType}}, []byte(s.body))
				})
			}
			services.Eventually(t, func() bool { return int(h.Metric(t, "processor_batch_sent")) == n }, "all deliveries are decoded")
			peak := h.PeakResident(t)
			t.Logf("%d deliveries of %d KiB: %d MiB at most", n, len(s.body)>>10, peak>>20)
			require.Less(t, peak, container)
		})
	}
}

// spooled is config with the spool of kafka.yaml, and with that of s3.yaml and what
// makes objects there.
var spooled = map[string]string{
	"kafka.yaml": config + `
buffer: { spool: { dir: spool } }
`,
	"s3.yaml": config + `
  processors: [ { archive: { format: lines } }, { compress: { algorithm: gzip } } ]
buffer: { spool: { dir: spool, batch: { count: 0, byte_size: 16MiB, period: 1s } } }
`,
}

// TestResidentSpool posts the worst shapes to doors with a spool, several times what
// fits its window, behind an output that hangs.
func TestResidentSpool(t *testing.T) {
	limit, container := readme(t)
	url := hanging(t)
	worst := map[string]bool{"a report of 10,000 messages": true, "as many messages as there may be": true, "empty keys of an open map": true, "quotation marks in a form": true}
	for name, config := range spooled {
		path := filepath.Join(t.TempDir(), "hanging.yaml")
		require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
		for _, s := range shapes(t) {
			if !worst[s.name] {
				continue
			}
			t.Run(name+", "+s.name, func(t *testing.T) {
				h := services.Start(t, path, "HANGING_URL="+url, "GOMEMLIMIT="+limit, "GOMAXPROCS=16")
				defer h.Kill()
				var senders sync.WaitGroup
				n := 2 * inFlight / len(s.body)
				for sender := range 8 {
					senders.Go(func() {
						for i := sender; i < n; i += 8 {
							status, err := h.Send(s.path, http.Header{"Content-Type": {s.contentType}}, []byte(s.body))
							assert.NoError(t, err)
							assert.Equal(t, http.StatusOK, status, "the disk has room")
						}
					})
				}
				senders.Wait()
				var peak int64
				services.Eventually(t, func() bool { // what the window holds is decoded
					before := peak
					time.Sleep(2 * time.Second)
					peak = h.PeakResident(t)
					return peak == before
				}, "the memory grows no more")
				t.Logf("%d deliveries of %d KiB: %d MiB at most", n, len(s.body)>>10, peak>>20)
				require.Less(t, peak, container)
			})
		}
	}
}

// readme returns the memory limit and the memory of a container that configs/README.md names.
func readme(t *testing.T) (limit string, container int64) {
	t.Helper()
	text, err := os.ReadFile("../../configs/README.md")
	require.NoError(t, err)
	found := regexp.MustCompile(`container of (\d+) MiB[^.]*` + "`GOMEMLIMIT=([0-9]+MiB)`").FindSubmatch(text)
	require.NotNil(t, found, "expected configs/README.md to name the memory of a container, and GOMEMLIMIT")
	container, err = strconv.ParseInt(string(found[1]), 10, 64)
	require.NoError(t, err)
	return string(found[2]), container << 20
}

// hanging returns the URL of a server that reads and never answers.
func hanging(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
	}()
	return "http://" + l.Addr().String()
}
