// Package folders has the folders that tests write to.
package folders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Cache returns the folder of what outlives a run of the tests.
func Cache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache: %w", err)
	}
	return filepath.Join(dir, "hookswitch-test"), nil
}

// LeaveMemory puts temporary folders on a disk, where the system has them in memory: no
// spool is kept there.
func LeaveMemory() error {
	const tmpfs = 0x01021994 // TMPFS_MAGIC of Linux
	var fs syscall.Statfs_t
	if err := syscall.Statfs(os.TempDir(), &fs); err != nil || fs.Type != tmpfs {
		return err
	}
	cache, err := Cache()
	if err != nil {
		return err
	}
	dir := filepath.Join(cache, "tmp")
	return errors.Join(os.MkdirAll(dir, 0o700), os.Setenv("TMPDIR", dir))
}
