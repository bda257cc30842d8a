package spool_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// TestBacklog has many more small records than the spool may keep go through it: it
// fills while the output is away, then drains while it is filled, all arrive, and the
// memory stays flat.
func TestBacklog(t *testing.T) {
	t.Parallel()
	records, size := 400_000, 16<<20
	if *long {
		records, size = 2_000_000, 64<<20
	}
	// Measured: 250 to 370 MiB, whatever the number of records. Most of it is garbage of
	// the input, which makes messages as fast as it can: the spool holds 32 MiB of messages
	// that are not committed yet, and as much in its window.
	const most = 640 << 20
	address := services.FreeAddress(t)
	h := services.Launch(t, services.Binary(), setup{
		dir: filepath.Join(t.TempDir(), "spool"), log: `"OFF"`,
		spool:  fmt.Sprintf("max_size: %d, batch: { count: 1000 }", size),
		input:  fmt.Sprintf(`generate: { count: %d, interval: "", batch_size: 100, mapping: 'root = "record %%v".format(counter())' }`, records),
		output: fmt.Sprintf("socket: { network: tcp, address: %q }", address),
	}.config(t))
	h.Await(t)
	services.Eventually(t, func() bool { return h.Metric(t, "spool_full") == 1 }, "the spool is full")
	kept := h.Metric(t, "spool_records")

	var distinct, again atomic.Int64
	seen := make([]bool, records+1)
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	defer listener.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "record %d", &n); err != nil || n < 1 || n > records {
				done <- fmt.Errorf("a record that nobody has sent: %q", lines.Text())
				return
			}
			if seen[n] {
				again.Add(1)
			} else {
				seen[n] = true
				distinct.Add(1)
			}
		}
		done <- lines.Err()
	}()
	for deadline := time.Now().Add(10 * time.Minute); h.Running(); time.Sleep(50 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%d of %d records have come", distinct.Load(), records)
	}
	require.Zero(t, h.Exited(t))
	require.NoError(t, <-done)
	require.EqualValues(t, records, distinct.Load())
	peak := h.PeakResident(t)
	t.Logf("%d records through %d MiB, %d again, %.0f kept when full, at most %d MiB resident", records, size>>20, again.Load(), kept, peak>>20)
	require.Less(t, peak, int64(most))
}
