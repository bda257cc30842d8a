package distribution

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// sink takes events by HTTP.
type sink struct {
	url string

	mu     sync.Mutex
	status func(event string) int // of the answer
	taken  []string
}

func newSink(t *testing.T) *sink {
	t.Helper()
	k := &sink{status: takeAll}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		status := k.status(string(body))
		if status == http.StatusOK {
			k.taken = append(k.taken, string(body))
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	k.url = server.URL
	return k
}

func takeAll(string) int { return http.StatusOK }

// refuse lets the sink refuse for ever what contains the text.
func (k *sink) refuse(text string) {
	k.answer(func(event string) int {
		if strings.Contains(event, text) {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
}

func (k *sink) answer(status func(event string) int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = status
}

// has reports whether the sink has an event that contains the text.
func (k *sink) has(text string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, event := range k.taken {
		if strings.Contains(event, text) {
			return true
		}
	}
	return false
}

// spooled is a config with a spool in front of the sink, and its directory.
func spooled(t *testing.T, k *sink, address string) (config, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "spool")
	return write(t, fmt.Sprintf(`
input:
  webhook: { address: %q, vendors: callrail, unverified: true }
buffer:
  spool: { dir: %q, allow_volatile: true, park_after: 1, batch: { count: 1 } }
pipeline:
  processors: [ webhook_decode: {} ]
output:
  http_client: { url: %q, verb: POST, retries: 0, drop_on: [ 422 ], max_in_flight: 8 }
shutdown_delay: 0s
shutdown_timeout: 2s
`, address, dir, k.url)), dir
}

// post posts a delivery of that id, which has to be taken.
func post(t *testing.T, address, id string) {
	t.Helper()
	resp, err := http.Post("http://"+address+"/callrail/post_call", "application/json", bytes.NewReader(body(id)))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func body(id string) []byte {
	return fmt.Appendf(nil, `{"resource_id":%q,"start_time":"2026-07-01T15:13:11Z"}`, id)
}

// waiting is what ls shows of a delivery.
type waiting struct {
	ID        int64  `json:"id"`
	Vendor    string `json:"vendor"`
	Event     string `json:"event"`
	LastError string `json:"last_error"`
	Attempts  int    `json:"attempts"`
	Parked    bool   `json:"parked"`
}

func listSpool(t *testing.T, dir string, flags ...string) (all []waiting) {
	t.Helper()
	out := mustRun(t, append(append([]string{"spool", "ls", "--json"}, flags...), dir)...)
	for line := range strings.Lines(out) {
		var w waiting
		require.NoError(t, json.Unmarshal([]byte(line), &w), line)
		all = append(all, w)
	}
	return all
}

// park posts a delivery that the sink refuses while it takes others, until it is
// parked.
func park(t *testing.T, s *server, k *sink, address, dir, id string) waiting {
	t.Helper()
	k.refuse(id)
	post(t, address, id)
	var parked []waiting
	others := 0
	s.eventually(t, "a delivery is parked", func() bool {
		others++
		post(t, address, fmt.Sprintf("other-%d", others))
		parked = listSpool(t, dir, "--parked")
		return len(parked) > 0
	})
	require.Len(t, parked, 1)
	return parked[0]
}

// TestSpoolCommands lists, shows, unparks and drops beside the running process.
func TestSpoolCommands(t *testing.T) {
	k, address, admin := newSink(t), services.FreeAddress(t), services.FreeAddress(t)
	config, dir := spooled(t, k, address)
	s := start(t, []string{"HOOKSWITCH_ADMIN_ADDRESS=" + admin}, "run", config)
	s.listens(t, admin)
	s.eventually(t, "the door is open", func() bool {
		code, err := get("http://" + address + "/readyz")
		return err == nil && code == http.StatusOK
	})

	first := park(t, s, k, address, dir, "CAL-first")
	require.Equal(t, "callrail", first.Vendor)
	require.Equal(t, "post_call", first.Event)
	require.Contains(t, first.LastError, "422")
	require.NotZero(t, first.Attempts)
	id := strconv.FormatInt(first.ID, 10)
	require.Equal(t, string(body("CAL-first")), mustRun(t, "spool", "show", "--body", dir, id))
	require.Regexp(t, `(?m)^webhook_route +/callrail/\{event\}$`, mustRun(t, "spool", "show", dir, id))

	require.False(t, k.has("CAL-first"))
	k.answer(takeAll)
	require.Equal(t, "unparked 1 delivery\n", mustRun(t, "spool", "unpark", dir))
	s.eventually(t, "what was unparked is delivered", func() bool { return k.has("CAL-first") })

	second := park(t, s, k, address, dir, "CAL-second")
	id = strconv.FormatInt(second.ID, 10)
	_, stderr, err := run(t, "spool", "drop", dir, id)
	require.Error(t, err, "nobody is there to be asked")
	require.Contains(t, stderr, "--yes")
	require.Equal(t, "dropped 1 delivery\n", mustRun(t, "spool", "drop", "--yes", dir, id))
	k.answer(takeAll)
	s.eventually(t, "the spool is empty", func() bool { return len(listSpool(t, dir)) == 0 })
	require.False(t, k.has("CAL-second"))

	_, stderr, err = run(t, "spool", "drain", config)
	require.Error(t, err, "another process has the directory")
	require.Contains(t, stderr, dir)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	<-s.exited
	require.True(t, s.cmd.ProcessState.Success(), s.output.String())
}

// TestSpoolDrain empties what a process has left behind, with the parked deliveries.
func TestSpoolDrain(t *testing.T) {
	k, address, admin := newSink(t), services.FreeAddress(t), services.FreeAddress(t)
	config, dir := spooled(t, k, address)
	env := []string{"HOOKSWITCH_ADMIN_ADDRESS=" + admin}
	s := start(t, env, "run", config)
	s.listens(t, admin)
	s.eventually(t, "the door is open", func() bool {
		code, err := get("http://" + address + "/readyz")
		return err == nil && code == http.StatusOK
	})
	park(t, s, k, address, dir, "CAL-poison")
	k.answer(func(string) int { return http.StatusServiceUnavailable })
	for i := range 20 {
		post(t, address, fmt.Sprintf("CAL-%d-kept", i))
	}
	s.kill()
	require.NotEmpty(t, listSpool(t, dir))

	// While the output is away, it goes on until it is told to stop.
	d := start(t, env, "spool", "drain", config)
	d.eventually(t, "it says what is left", func() bool { return strings.Contains(d.output.String(), "deliveries are left, 1 parked, ") })
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
	<-d.exited
	require.Equal(t, 1, d.cmd.ProcessState.ExitCode(), d.output.String())

	// The poison is offered once more and is refused again.
	k.refuse("CAL-poison")
	t.Setenv("HOOKSWITCH_ADMIN_ADDRESS", admin)
	stdout, stderr, err := run(t, "spool", "drain", config)
	require.Error(t, err)
	require.Contains(t, stderr, "draining "+dir+": 1 delivery is left, 1 parked, the output said: ")
	require.NotContains(t, stdout+stderr, "Receiving webhooks", "a door was open")
	for i := range 20 {
		require.True(t, k.has(fmt.Sprintf("CAL-%d-kept", i)), "%d\n%s%s", i, stdout, stderr)
	}
	left := listSpool(t, dir)
	require.Len(t, left, 1)
	require.True(t, left[0].Parked)

	k.answer(takeAll)
	stdout, stderr, err = run(t, "spool", "drain", config)
	require.NoError(t, err, stdout+stderr)
	require.Contains(t, stderr, "draining "+dir+": nothing is left\n")
	require.True(t, k.has("CAL-poison"))
	require.Empty(t, listSpool(t, dir))

	_, stderr, err = run(t, "spool", "drain", write(t, idle))
	require.Error(t, err)
	require.Contains(t, stderr, "reading field buffer: expected spool, there is none to drain")
}
