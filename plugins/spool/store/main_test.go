package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestMain puts temporary folders on a disk, where the system has them in memory.
func TestMain(m *testing.M) {
	if err := leaveMemory(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func leaveMemory() error {
	volatile, err := isVolatile(os.TempDir())
	if err != nil || !volatile {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("finding the cache: %w", err)
	}
	dir := filepath.Join(cache, "hookswitch-test", "tmp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Setenv("TMPDIR", dir)
}
