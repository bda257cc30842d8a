package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// maxRecord is how many bytes a record may have.
const maxRecord = 64 << 20

// source is a file of records. It is read as far as it went at the start, because the
// config may append to it what fails again. A pipe is read to its end.
type source struct {
	path string // - for stdin
	size int64  // the bytes that are read
}

func openSources(paths []string) ([]source, error) {
	var all []source
	add := func(path string, info fs.FileInfo) {
		size := info.Size()
		if !info.Mode().IsRegular() {
			size = math.MaxInt64 // a pipe tells no size
		}
		all = append(all, source{path, size})
	}
	for _, path := range paths {
		if path == "-" {
			all = append(all, source{path: path})
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("reading flag from: %w", err)
		}
		if !info.IsDir() {
			add(path, info)
			continue
		}
		before := len(all)
		if err := fs.WalkDir(os.DirFS(path), ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || !strings.Contains(entry.Name(), ".jsonl") {
				return err
			}
			info, err := entry.Info()
			if err == nil {
				add(filepath.Join(path, name), info)
			}
			return err
		}); err != nil {
			return nil, fmt.Errorf("reading flag from: %w", err)
		}
		if len(all) == before {
			return nil, fmt.Errorf("reading flag from: expected files named *.jsonl* in %s, there are none", path)
		}
	}
	return all, nil
}

// lines calls take for each line that is not empty, until take returns false.
func (s source) lines(take func(number int, line string) bool) error {
	var text io.Reader = os.Stdin
	if s.path != "-" {
		file, err := os.Open(s.path)
		if err != nil {
			return fmt.Errorf("reading dead letters: %w", err)
		}
		defer func() { _ = file.Close() }()
		text = io.LimitReader(file, s.size)
	}
	buffered := bufio.NewReaderSize(text, 1<<20)
	text = buffered
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("reading dead letters of %s: %w", s.path, err)
		}
		text = unpacked
	}
	scanner := bufio.NewScanner(text)
	scanner.Buffer(make([]byte, 64<<10), maxRecord)
	number := 0
	for scanner.Scan() {
		number++
		if line := scanner.Text(); line != "" && !take(number, line) {
			return nil
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("reading dead letters of %s behind line %d: %w", s.path, number, err)
	}
	return nil
}
