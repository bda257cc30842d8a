// Package replay_test replays dead letters through the built distribution.
package replay_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/tests/services"
)

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

// replay runs the command in a folder, and returns the lines of stdout, stderr, and the
// exit code.
func replay(t *testing.T, dir string, args ...string) (events []string, log string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), services.Binary(), append([]string{"replay"}, args...)...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		code = exit.ExitCode()
	}
	if stdout.Len() > 0 {
		events = strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
	}
	return events, stderr.String(), code
}

const decodes = "webhook_decode: {}"

// quickstart returns the path of the quickstart with another decoder.
func quickstart(t *testing.T, decoder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "quickstart.yaml"))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), decodes))
	path := filepath.Join(t.TempDir(), "quickstart.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), decodes, decoder, 1)), 0o600))
	return path
}

// What a door cannot decode becomes events when a config that can decode it replays the
// dead letters, with the time and the id of the first delivery, beside the running process.
func TestStory(t *testing.T) {
	older := quickstart(t, "webhook_decode: { max_events: 1 }")
	newer := quickstart(t, decodes)
	h := services.Start(t, older)
	sample := services.SampleOf(t, "mobiniti/testdata/delivery_report/several.json")
	header := http.Header{"Content-Type": {"application/json"}}
	for path, body := range map[string][]byte{"/mobiniti/delivery_report": sample.Body, "/callrail/post_call": []byte("no JSON")} {
		status, err := h.Send(path, header, body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	const letters = "dead_letters.jsonl"
	received := map[string]string{}
	for _, line := range h.Lines(t, letters) {
		l := services.DeadLetter(t, line)
		received[l.DeliveryID] = l.ReceivedAt
	}
	require.Len(t, received, 2)
	require.Empty(t, h.Lines(t, "stdout"))

	// This config fails again, and so do its letters.
	events, log, code := replay(t, h.Dir, "--vendor", "mobiniti", older)
	require.Empty(t, events, log)
	require.Equal(t, 1, code, log)
	require.Len(t, h.Lines(t, letters), 3)

	var first []string
	for n := range 2 {
		events, log, code := replay(t, h.Dir, "--reason", "too_many_events", newer)
		require.Equal(t, 0, code, log)
		require.Contains(t, log, "1 repeated")
		require.Greater(t, len(events), 1)
		for _, line := range events {
			var e struct{ VendorEvent, RecordedTime, DeliveryID string }
			require.NoError(t, json.Unmarshal([]byte(line), &e))
			require.Equal(t, "delivery_report", e.VendorEvent)
			require.NotEmpty(t, e.DeliveryID)
			require.Equal(t, received[e.DeliveryID], e.RecordedTime)
		}
		if n == 0 {
			first = events
		}
		require.Equal(t, first, events, "the same events with the same ids")
	}
	require.ElementsMatch(t, services.Unstamped(t, first), goldens(t, sample.Path))

	// What fails again goes to the file that is read, which has an end all the same.
	events, log, code = replay(t, h.Dir, newer)
	require.Equal(t, 1, code, log)
	require.Equal(t, first, events)
	lines := h.Lines(t, letters)
	require.Len(t, lines, 4)
	last := services.DeadLetter(t, lines[3])
	require.Equal(t, "no JSON", string(last.Body))
	require.Equal(t, last.DeliveryID, last.ID)
}

// An event that a processor refuses is kept as its delivery, and passes when its body is
// repaired. Its number has the text that the vendor sent.
func TestRepair(t *testing.T) {
	strict := quickstart(t, decodes+`
    - mapping: 'root = if this.data.message.text == "STOP" { throw("no stops here") } else { this }'`)
	h := services.Start(t, strict)
	status, err := h.Send("/mobiniti/inbound", http.Header{"Content-Type": {"application/json"}}, []byte(`{"z":1.50,"id":"c-1","message":"STOP","a":10000000000000000001}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	letters := h.Lines(t, "dead_letters.jsonl")
	require.Len(t, letters, 1)
	l := services.DeadLetter(t, letters[0])
	require.Equal(t, delivery.Failed, l.Reason)
	require.Contains(t, l.Detail, "no stops here")

	events, log, code := replay(t, h.Dir, "--set", "message=Go on, please", "--set", "short_code=64600", strict)
	require.Equal(t, 0, code, log)
	require.Len(t, events, 1)
	var e struct {
		RecordedTime, DeliveryID string
		Data                     struct {
			Message struct{ Text, To string }
			Raw     map[string]json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal([]byte(events[0]), &e))
	require.Equal(t, l.ReceivedAt, e.RecordedTime)
	require.Equal(t, l.DeliveryID, e.DeliveryID)
	require.Equal(t, "Go on, please", e.Data.Message.Text)
	require.Equal(t, "64600", e.Data.Message.To)
	require.Equal(t, "10000000000000000001", string(e.Data.Raw["a"]))
}

// A dry run counts and runs nothing.
func TestDryRun(t *testing.T) {
	h := services.Start(t, "quickstart.yaml")
	for range 3 {
		status, err := h.Send("/callrail/post_call", http.Header{}, []byte("no JSON"))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	file := filepath.Join(h.Dir, "dead_letters.jsonl")
	appendTo(t, file, "half of a lin")
	events, log, code := replay(t, h.Dir, "--dry-run", quickstart(t, decodes))
	require.Empty(t, events)
	require.Equal(t, 1, code, log)
	require.Contains(t, log, "dead_letters.jsonl:4: reading dead letter")
	require.Contains(t, log, "3 callrail malformed")
	require.Len(t, h.Lines(t, "dead_letters.jsonl"), 4)
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// A record that the output refuses for ever holds up no other, and an output that refuses
// all ends the replay.
func TestRefused(t *testing.T) {
	var taken atomic.Int64
	away := false
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || away || strings.Contains(string(body), "poison") {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		taken.Add(1)
	}))
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(`
input: { webhook: { vendors: "*", unverified: true } }
pipeline: { processors: [ { webhook_decode: {} } ] }
output: { http_client: { url: "`+receiver.URL+`", drop_on: [ 422 ] } }
`), 0o600))
	var records []byte
	const n = 300
	for i := range n {
		l := delivery.DeadLetter{Vendor: "callrail", Event: "post_call", DeliveryID: strconv.Itoa(i), Reason: delivery.TooManyEvents, Body: []byte(`{"resource_id":"CAL1"}`)}
		if i == 200 {
			l.Body = []byte(`{"resource_id":"poison"}`)
		}
		l.ID = l.DefaultID()
		records = append(l.AppendJSON(records), '\n')
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "letters", "date=2026-07-01"), 0o700))
	packed := &bytes.Buffer{}
	w := gzip.NewWriter(packed)
	_, err := w.Write(records)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "letters", "date=2026-07-01", "1.jsonl.gz"), packed.Bytes(), 0o600))

	_, log, code := replay(t, dir, "--from", "letters", config)
	require.Equal(t, 1, code, log)
	require.Contains(t, log, "dead letter 200: the output refuses it")
	require.Contains(t, log, fmt.Sprintf("%d records, 0 not read or edited", n))
	require.Contains(t, log, "; 1 refused")
	require.GreaterOrEqual(t, taken.Load(), int64(n-1))

	away = true
	_, log, code = replay(t, dir, "--from", "letters", config)
	require.Equal(t, 1, code, log)
	require.Contains(t, log, "records in a row")
}

// goldens returns the events of a sample.
func goldens(t *testing.T, path string) (events []string) {
	t.Helper()
	for _, s := range services.Samples(t) {
		if s.Path == path {
			for _, e := range s.Events {
				events = append(events, e.JSON)
			}
		}
	}
	require.NotEmpty(t, events, path)
	return events
}
