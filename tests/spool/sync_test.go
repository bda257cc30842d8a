package spool_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// call is a system call of a trace. The lines of a trace are in the order in which the
// kernel entered and left the calls.
type call struct {
	name, file, data string
	entered, left    int // lines
	failed           bool
}

var (
	whole      = regexp.MustCompile(`^\d+ +(\w+)\(\d+<([^>]*)>(.*)$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	unfinished = " <unfinished ...>"
)

// readTrace reads what strace -f -y has written.
func readTrace(t *testing.T, path string) (calls []*call) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	under := map[string]*call{} // by thread
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 16<<20)
	for n := 0; lines.Scan(); n++ {
		line := lines.Text()
		thread, _, _ := strings.Cut(line, " ")
		if found := whole.FindStringSubmatch(line); found != nil {
			c := &call{name: found[1], file: found[2], data: found[3], entered: n, left: n}
			calls = append(calls, c)
			if rest, ok := strings.CutSuffix(c.data, unfinished); ok {
				c.data, under[thread] = rest, c
			} else {
				c.failed = strings.Contains(line, ") = -1 ")
			}
		} else if found := resumed.FindStringSubmatch(line); found != nil && under[thread] != nil {
			c := under[thread]
			c.data += found[2]
			c.left, c.failed = n, strings.Contains(line, ") = -1 ")
			delete(under, thread)
		}
	}
	require.NoError(t, lines.Err())
	return calls
}

// unsynced returns the answers 200 of a trace that were written before a sync had
// returned that covers their delivery, and how many others there are. A delivery's
// body holds each of its marks; isStore tells the files that keep it.
func unsynced(calls []*call, marks func(request string) []string, isStore func(file string) bool) (early []string, synced int) {
	requests := map[string]string{} // what was read, by socket
	for _, c := range calls {
		switch {
		case c.failed:
		case c.name == "read" && strings.HasPrefix(c.file, "socket:"):
			requests[c.file] += c.data
		case c.name == "write" && strings.Contains(c.data, `"HTTP/1.1 200 OK`):
			request := requests[c.file]
			delete(requests, c.file)
			for _, mark := range marks(request) {
				if syncedBefore(calls, mark, isStore, c.entered) {
					synced++
				} else {
					early = append(early, mark)
				}
			}
		}
	}
	return early, synced
}

// syncedBefore reports whether a write of the mark had been synced before a line.
func syncedBefore(calls []*call, mark string, isStore func(file string) bool, line int) bool {
	for i, w := range calls {
		if w.entered >= line {
			return false
		}
		if w.failed || !strings.HasPrefix(w.name, "pwrite") || !isStore(w.file) || !strings.Contains(w.data, mark) {
			continue
		}
		for _, s := range calls[i:] {
			if s.entered >= line {
				break
			}
			if (s.name == "fsync" || s.name == "fdatasync") && !s.failed && s.file == w.file && s.entered > w.left && s.left < line {
				return true
			}
		}
	}
	return false
}

// mark is in the body of a delivery twice at a place, since one may lie across the end
// of a page, and at several places, since the body may lie in several pages.
var mark = regexp.MustCompile(`mark-\d+-[abc]`)

func markedBody(n int) []byte {
	var body []byte
	for _, place := range []string{"a", "b", "c"} {
		body = fmt.Appendf(body, "mark-%04d-%s mark-%04d-%s %s", n, place, n, place, bytes.Repeat([]byte("x"), 3000))
	}
	return body
}

// traced returns a program that traces another one.
func traced(t *testing.T, program string) (tracing, trace string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		services.Missing(t, "tracing system calls", err)
	}
	dir := t.TempDir()
	tracing, trace = filepath.Join(dir, "traced"), filepath.Join(dir, "trace")
	// With -D the program itself is what is started and stopped.
	require.NoError(t, os.WriteFile(tracing, fmt.Appendf(nil,
		"#!/bin/sh\nexec %s -D -f -y -qq -s 65536 -e signal=none -e trace=read,write,pwrite64,pwritev,fsync,fdatasync -o %s %s \"$@\"\n",
		strace, trace, program), 0o700))
	return tracing, trace
}

// deliverTraced posts deliveries to a program that is traced, and returns the calls.
func deliverTraced(t *testing.T, program, config string, deliveries int) []*call {
	t.Helper()
	tracing, trace := traced(t, program)
	h := services.Launch(t, tracing, config)
	h.Await(t)
	var senders sync.WaitGroup
	statuses := make([]int, deliveries)
	for s := range 8 {
		senders.Go(func() {
			for n := s; n < deliveries; n += 8 {
				statuses[n], _ = h.Post("callrail", "post_call", "application/json", markedBody(n))
			}
		})
	}
	senders.Wait()
	for n, status := range statuses {
		require.Equal(t, http.StatusOK, status, n)
	}
	h.Stop()
	var calls []*call
	services.Eventually(t, func() bool {
		calls = readTrace(t, trace)
		return len(calls) > 0
	}, "the trace is written")
	return calls
}

// TestSyncedBeforeAnswered traces the system calls: no 200 is written to a socket before
// the sync of its delivery has returned.
func TestSyncedBeforeAnswered(t *testing.T) {
	t.Parallel()
	const deliveries = 200
	marks := func(request string) []string {
		found := map[string]bool{}
		var all []string
		for _, m := range mark.FindAllString(request, -1) {
			if !found[m] {
				found[m] = true
				all = append(all, m)
			}
		}
		return all
	}
	t.Run("spool", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "spool")
		calls := deliverTraced(t, services.Binary(), setup{dir: dir, output: "drop: {}"}.config(t), deliveries)
		isLog := func(file string) bool { return strings.HasPrefix(file, dir) && strings.HasSuffix(file, "-wal") }
		early, synced := unsynced(calls, marks, isLog)
		require.Empty(t, early, "answered 200 before they were synced")
		require.Equal(t, 3*deliveries, synced)
		t.Logf("%d deliveries, all synced before their answer, by %d syncs", deliveries, syncs(calls, isLog))
	})
	// The engine's buffer does not sync: the trace tells.
	t.Run("sqlite of the engine", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		config := writeConfig(t, fmt.Sprintf(`
http: { address: "${HOOKSWITCH_ADMIN_ADDRESS}" }
logger: { level: "OFF" }
input: { http_server: { address: "${HOOKSWITCH_ADDRESS}", path: / } }
buffer: { sqlite: { path: %q } }
output: { drop: {} }
`, filepath.Join(dir, "buffer.db")))
		calls := deliverTraced(t, services.Compile(t, "tests/spool/stock"), config, deliveries)
		isStore := func(file string) bool { return strings.HasPrefix(file, dir) }
		early, synced := unsynced(calls, marks, isStore)
		require.Len(t, early, 3*deliveries-synced)
		require.NotEmpty(t, early)
		t.Logf("%d deliveries, %d marks of them answered before they were synced, by %d syncs", deliveries, len(early), syncs(calls, isStore))
	})
}

func syncs(calls []*call, isStore func(file string) bool) (n int) {
	for _, c := range calls {
		if (c.name == "fsync" || c.name == "fdatasync") && !c.failed && isStore(c.file) {
			n++
		}
	}
	return n
}

// TestTrace has traces that keep the order and that do not.
func TestTrace(t *testing.T) {
	const post, written, answer = `7 read(9<socket:[5]>, "POST / mark-0001-a", 4096) = 18`, `8 pwrite64(4</s/spool.db-wal>, "mark-0001-a", 11, 0) = 11`, `7 write(9<socket:[5]>, "HTTP/1.1 200 OK\r\n", 17) = 17`
	for _, c := range []struct {
		what  string
		lines []string
		early int
	}{
		{"in order", []string{post, written, `8 fdatasync(4</s/spool.db-wal>) = 0`, answer}, 0},
		{"in order, among others", []string{post, written, `8 fsync(4</s/spool.db-wal> <unfinished ...>`, `7 read(8<socket:[4]>, "GET", 9) = 3`, `8 <... fsync resumed>) = 0`, answer}, 0},
		{"not synced", []string{post, written, answer}, 1},
		{"not written", []string{post, `8 fsync(4</s/spool.db-wal>) = 0`, answer}, 1},
		{"synced before it is written", []string{post, `8 fsync(4</s/spool.db-wal>) = 0`, written, answer}, 1},
		{"synced after the answer", []string{post, written, answer, `8 fsync(4</s/spool.db-wal>) = 0`}, 1},
		{"answered while the sync runs", []string{post, written, `8 fsync(4</s/spool.db-wal> <unfinished ...>`, answer, `8 <... fsync resumed>) = 0`}, 1},
		{"the sync began while it was written", []string{post, `8 pwrite64(4</s/spool.db-wal>, "mark-0001-a" <unfinished ...>`, `6 fsync(4</s/spool.db-wal> <unfinished ...>`, `8 <... pwrite64 resumed>, 11, 0) = 11`, `6 <... fsync resumed>) = 0`, answer}, 1},
		{"the sync failed", []string{post, written, `8 fsync(4</s/spool.db-wal>) = -1 EIO (Input/output error)`, answer}, 1},
		{"another file is synced", []string{post, written, `8 fsync(5</s/spool.db>) = 0`, answer}, 1},
	} {
		path := filepath.Join(t.TempDir(), "trace")
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(c.lines, "\n")+"\n"), 0o600))
		early, synced := unsynced(readTrace(t, path), func(string) []string { return []string{"mark-0001-a"} }, func(file string) bool { return strings.HasPrefix(file, "/s/") })
		require.Len(t, early, c.early, c.what)
		require.Equal(t, 1-c.early, synced, c.what)
	}
}
