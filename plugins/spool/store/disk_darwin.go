package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// isVolatile reports false: a RAM disk of macOS is a device with an ordinary file
// system.
func isVolatile(string) (bool, error) { return false, nil }

// freeSpace returns the bytes that this process may still take of the file system.
func freeSpace(path string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}

// flock takes a file's lock, and reports whether it was free.
func flock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
