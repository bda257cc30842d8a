package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// prepareDirectory makes the directory when it is missing, and returns its absolute
// path without symbolic links, which SQLite does not follow.
func prepareDirectory(options *Options) (string, error) {
	if options.Dir == "" {
		return "", errors.New("opening the spool: expected a directory, got an empty path")
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return "", fmt.Errorf("opening the spool in %s: %w", options.Dir, err)
	}
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return "", fmt.Errorf("syncing the parent of %s: %w", dir, err)
		}
	case !errors.Is(err, os.ErrExist):
		return "", fmt.Errorf("making the spool's directory: %w", err)
	}
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("opening the spool in %s: %w", options.Dir, err)
	}
	volatile, err := isVolatile(dir)
	if err != nil {
		return "", fmt.Errorf("looking at the file system of %s: %w", dir, err)
	}
	if volatile && !options.AllowVolatile {
		return "", fmt.Errorf("opening the spool in %s: expected a file system on disk, got one in memory, which loses everything at a power cut", dir)
	}
	return dir, nil
}

// lock holds the directory until the file is closed, also when the process is killed.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the spool's lock: %w", err)
	}
	free, err := flock(f)
	if err == nil && free {
		err = errors.Join(f.Truncate(0), f.Chmod(0o600))
		if err == nil {
			_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
		}
		if err == nil {
			return f, nil
		}
	}
	defer func() { _ = f.Close() }()
	if err != nil {
		return nil, fmt.Errorf("locking the spool in %s: %w", dir, err)
	}
	holder := "another process or stream"
	text := make([]byte, 20)
	if n, _ := f.ReadAt(text, 0); n > 0 {
		holder = "process " + strings.TrimSpace(string(text[:n]))
	}
	return nil, fmt.Errorf("locking the spool in %s: expected to have it alone, but %s has it open", dir, holder)
}

// asideSize returns the bytes that files which were set aside take.
func asideSize(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var size int64
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), asidePrefix) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // an operator has deleted it
		}
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}
