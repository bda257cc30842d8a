package spool_test

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// mountDisk mounts a small file system of its own.
func mountDisk(t *testing.T, size int64) string {
	t.Helper()
	if os.Geteuid() != 0 {
		services.Missing(t, "mounting a small file system", errors.New("only root may"))
	}
	image, dir := filepath.Join(t.TempDir(), "disk"), filepath.Join(t.TempDir(), "mounted")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, size))
	require.NoError(t, os.Mkdir(dir, 0o700))
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil { //nolint:gosec // of this test
			services.Missing(t, "mounting a small file system", errors.Join(err, errors.New(string(out))))
		}
	}
	t.Cleanup(func() {
		out, err := exec.Command("umount", dir).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return dir
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	for _, size := range []int{1 << 20, 4096, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
}

// TestDiskFull fills the disk by another file while deliveries come in: senders are
// told, nothing is lost that was answered 200, what is kept drains, and there is room
// again when the file is gone.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, minFree := range []string{"0B", "16MiB"} {
		t.Run("min_free "+minFree, func(t *testing.T) {
			t.Parallel()
			disk := mountDisk(t, 128<<20)
			filler := filepath.Join(disk, "filler")
			l := newLedger(t)
			l.sink.Set(services.Hangs)
			config := setup{dir: filepath.Join(disk, "spool"), spool: "min_free: " + minFree, output: toSink(l), log: `"ERROR"`}.config(t)
			h := services.Start(t, config)
			ready := func() int {
				status, err := h.Get("/readyz")
				require.NoError(t, err)
				return status
			}
			require.Equal(t, http.StatusOK, ready())
			stop := l.load(h)
			services.Eventually(t, func() bool { return l.count(http.StatusOK) >= 1000 }, "deliveries are taken")
			fill(t, filler)
			services.Eventually(t, func() bool { return l.count(http.StatusServiceUnavailable) >= 200 }, "senders are told")
			services.Eventually(t, func() bool { return ready() == http.StatusServiceUnavailable }, "it is not ready")
			services.Eventually(t, func() bool { return h.Metric(t, "spool_full") == 1 }, "the spool is full")
			stop()

			// What was acknowledged is forgotten although the disk is full: after a crash
			// it does not come again.
			l.sink.Set(services.Takes)
			l.requireAll(t)
			requireKept(t, h, 0)
			h.Kill()
			arrived := l.arrivedTimes()
			h = services.Start(t, config)
			requireKept(t, h, 0)
			require.Equal(t, arrived, l.arrivedTimes(), "what was acknowledged comes again")

			require.NoError(t, os.Remove(filler))
			services.Eventually(t, func() bool { return ready() == http.StatusOK }, "it is ready")
			accepted := l.count(http.StatusOK)
			l.send(h, 500)
			require.Equal(t, accepted+500, l.count(http.StatusOK))
			l.requireAll(t)
			requireKept(t, h, 0)
			h.Signal(t, syscall.SIGTERM)
			require.Zero(t, h.Exited(t))
			t.Logf("%s", l)
		})
	}
}
