// Package spool_test runs the compiled distribution with its spool through crashes,
// outages and full disks, and holds what senders were told against what the output
// has got.
package spool_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// long has the tests take their time: see .github/CONTRIBUTING.md.
var long = flag.Bool("long", false, "many more crashes, longer outages, a larger backlog")

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

// toSink posts each message to the ledger's sink. One try: what the sink says is
// what the spool hears.
func toSink(l *ledger) string {
	return fmt.Sprintf(`http_client:
    url: %q
    verb: POST
    headers:
      Content-Type: ${! @webhook_content_type.or("") }
      Vendor: ${! @webhook_vendor }
      Event: ${! @webhook_event.or("") }
      Delivery: ${! @webhook_delivery_id } ${! @webhook_received_at }
    retries: 0
    timeout: 60s
    max_in_flight: 32`, l.sink.URL())
}

// setup is what differs between the configs. A field that is empty is left out.
type setup struct {
	dir        string // of the spool
	spool      string // other fields of the spool
	input      string // the webhook, unless given
	processors string
	output     string
	log        string        // its level, WARN unless given
	delay      time.Duration // of the shutdown
	timeout    time.Duration // of the shutdown, 3s unless given
}

// config writes a config and returns its path.
func (s setup) config(t *testing.T) string {
	t.Helper()
	if s.input == "" {
		s.input = `webhook: { address: "${HOOKSWITCH_ADDRESS}", vendors: "*", unverified: true }`
	}
	return writeConfig(t, fmt.Sprintf(`
http: { address: "${HOOKSWITCH_ADMIN_ADDRESS}" }
logger: { level: %s }
shutdown_delay: %s
shutdown_timeout: %s
input:
  %s
buffer:
  spool: { dir: %q, allow_volatile: true, %s }
pipeline: { processors: [ %s ] }
output:
  %s
`, cmp.Or(s.log, "WARN"), s.delay, cmp.Or(s.timeout, 3*time.Second), s.input, s.dir, s.spool, s.processors, s.output))
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// requireKept waits until the spool keeps so many records, and nothing but those that
// are parked.
func requireKept(t *testing.T, h *services.Hookswitch, parked int) {
	t.Helper()
	time.Sleep(3 * time.Second) // the gauges are set every second: no old ones
	services.Eventually(t, func() bool {
		return h.Metric(t, "spool_records") == float64(parked) && h.Metric(t, "spool_parked") == float64(parked)
	}, "the spool keeps %d records, all of them parked", parked)
}
