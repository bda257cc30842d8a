package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                          {},
		"24h":                       now.Add(-24 * time.Hour),
		"2026-07-01":                time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC),
		"2026-07-01T15:13:12+02:00": time.Date(2026, 7, 1, 13, 13, 12, 0, time.UTC),
	} {
		got, err := parseSince(text, now)
		require.NoError(t, err)
		require.True(t, want.Equal(got), "%s: %s", text, got)
	}
	for _, text := range []string{"yesterday", "-24h", "0s", "2026-07"} {
		_, err := parseSince(text, now)
		require.ErrorContains(t, err, "reading flag since: expected a time such as")
	}
}

func TestFilter(t *testing.T) {
	since := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	l := &delivery.DeadLetter{Vendor: "callrail", Reason: delivery.Malformed, ReceivedAt: "2026-07-01T00:00:00Z"}
	for _, f := range []filter{{}, {vendor: "callrail"}, {reason: delivery.Malformed}, {since: since}, {"callrail", delivery.Malformed, since}} {
		require.True(t, f.wants(l), "%+v", f)
	}
	for _, f := range []filter{{vendor: "mobiniti"}, {reason: delivery.Failed}, {since: since.Add(1)}, {"callrail", delivery.Failed, since}} {
		require.False(t, f.wants(l), "%+v", f)
	}
	require.False(t, filter{since: since}.wants(&delivery.DeadLetter{}), "whose time nobody knows")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b", "2.jsonl"), "three\r\n\nfour")
	write(t, filepath.Join(dir, "a", "1.jsonl.gz"), gzipped(t, "one\n")+gzipped(t, "two\n"))
	write(t, filepath.Join(dir, "c.jsonl-20260701"), "five\n")
	write(t, filepath.Join(dir, "events.parquet"), "no lines")
	sources, err := openSources([]string{dir, filepath.Join(dir, "events.parquet")})
	require.NoError(t, err)

	// What is appended later is not read: it may be what fails again.
	file, err := os.OpenFile(filepath.Join(dir, "c.jsonl-20260701"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString("again\n")
	require.NoError(t, err)
	require.NoError(t, file.Close())

	var lines []string
	for _, s := range sources {
		require.NoError(t, s.lines(func(number int, line string) bool {
			lines = append(lines, fmt.Sprint(number, " ", line))
			return true
		}))
	}
	require.Equal(t, []string{"1 one", "2 two", "1 three", "3 four", "1 five", "1 no lines"}, lines)

	empty := t.TempDir()
	_, err = openSources([]string{empty})
	require.EqualError(t, err, "reading flag from: expected files named *.jsonl* in "+empty+", there are none")
	_, err = openSources([]string{filepath.Join(empty, "none.jsonl")})
	require.ErrorContains(t, err, "reading flag from: ")
	write(t, filepath.Join(empty, "cut.jsonl.gz"), gzipped(t, "one\n")[:20])
	sources, err = openSources([]string{empty})
	require.NoError(t, err)
	require.ErrorContains(t, sources[0].lines(func(int, string) bool { return true }), "reading dead letters of "+filepath.Join(empty, "cut.jsonl.gz"))
}

// A shell gives <(zcat old.gz) as the path of a pipe, which tells no size.
func TestSourceOfAPipe(t *testing.T) {
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer out.Close()
	_, err = in.WriteString("one\ntwo\n")
	require.NoError(t, err)
	require.NoError(t, in.Close())
	sources, err := openSources([]string{fmt.Sprintf("/dev/fd/%d", out.Fd())})
	require.NoError(t, err)
	var lines []string
	require.NoError(t, sources[0].lines(func(_ int, line string) bool {
		lines = append(lines, line)
		return true
	}))
	require.Equal(t, []string{"one", "two"}, lines)
}

func records(t *testing.T, ids ...string) string {
	t.Helper()
	var b []byte
	for _, id := range ids {
		l := delivery.DeadLetter{ID: id, Vendor: "callrail", Reason: delivery.Malformed, Body: []byte(id)}
		b = append(l.AppendJSON(b), '\n')
	}
	return string(b)
}

func startReplay(t *testing.T, log *bytes.Buffer, text string) *replay {
	t.Helper()
	path := filepath.Join(t.TempDir(), "letters.jsonl")
	write(t, path, text)
	sources, err := openSources([]string{path})
	require.NoError(t, err)
	r := newReplay(sources, filter{}, nil, log)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go r.read(ctx)
	return r
}

func bodies(t *testing.T, batch service.MessageBatch) (all []string) {
	t.Helper()
	for _, msg := range batch {
		body, err := msg.AsBytes()
		require.NoError(t, err)
		all = append(all, string(body))
	}
	return all
}

// A batch that is refused comes again in halves, down to the one record that is refused
// itself; a record comes once, and the end comes when all is acknowledged.
func TestReplayHalvesWhatIsRefused(t *testing.T) {
	var log bytes.Buffer
	r := startReplay(t, &log, records(t, "1", "2", "poison", "2", "4")+"no record\n"+records(t, "5"))
	var taken []string
	for {
		batch, ack, err := r.ReadBatch(t.Context())
		if errors.Is(err, service.ErrEndOfInput) {
			break
		}
		require.NoError(t, err)
		var refusal error
		texts := bodies(t, batch)
		if strings.Contains(strings.Join(texts, " "), "poison") {
			refusal = errors.New("no poison")
		} else {
			taken = append(taken, texts...)
		}
		require.NoError(t, ack(t.Context(), refusal))
	}
	require.ElementsMatch(t, []string{"1", "2", "4", "5"}, taken)
	require.Equal(t, counts{read: 7, broken: 1, repeated: 1, taken: 4, refused: 1}, r.counts)
	require.Contains(t, log.String(), "letters.jsonl:6: reading dead letter")
	require.Contains(t, log.String(), "letters.jsonl:3: dead letter poison: the output refuses it: no poison")
}

// The end waits for what the pipeline has.
func TestReplayWaitsForItsLastBatch(t *testing.T) {
	r := startReplay(t, &bytes.Buffer{}, records(t, "1"))
	_, ack, err := r.ReadBatch(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err = r.ReadBatch(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, ack(t.Context(), nil))
	_, _, err = r.ReadBatch(t.Context())
	require.ErrorIs(t, err, service.ErrEndOfInput)
}

// However many records there are, the pipeline has only so many bytes of them at once.
func TestReplayIsBounded(t *testing.T) {
	l := delivery.DeadLetter{Vendor: "callrail", Body: make([]byte, 8<<20)}
	var text []byte
	for i := range 6 {
		l.ID = strconv.Itoa(i)
		text = append(l.AppendJSON(text), '\n')
	}
	r := startReplay(t, &bytes.Buffer{}, string(text))
	given := 0
	var acks []service.AckFunc
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		batch, ack, err := r.ReadBatch(ctx)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			break
		}
		given += len(batch)
		acks = append(acks, ack)
	}
	require.Equal(t, 3, given, "of 8 MiB and some each, in 32 MiB")
	for _, ack := range acks {
		require.NoError(t, ack(t.Context(), nil))
	}
}

// An event that has lost its raw is told of, and goes to no decoder.
func TestReplayLeavesOutEvents(t *testing.T) {
	l := delivery.DeadLetter{ID: "1", Source: "/callrail", ContentType: "application/cloudevents+json", Body: []byte("{}")}
	var log bytes.Buffer
	r := startReplay(t, &log, string(l.AppendJSON(nil))+"\n")
	_, _, err := r.ReadBatch(t.Context())
	require.ErrorIs(t, err, service.ErrEndOfInput)
	require.Equal(t, counts{read: 1, broken: 1}, r.counts)
	require.Contains(t, log.String(), "got an event without raw")
}

// Dead letters of CallRail's calls of 3 KB, decoded and dropped.
func BenchmarkReplay(b *testing.B) {
	v, _ := vendors.Get("callrail")
	body, err := v.Sample("post_call")
	require.NoError(b, err)
	dir := b.TempDir()
	path, config := filepath.Join(dir, "letters.jsonl"), filepath.Join(dir, "config.yaml")
	file, err := os.Create(path)
	require.NoError(b, err)
	l := delivery.DeadLetter{Vendor: "callrail", Event: "post_call", ContentType: "application/json", ReceivedAt: "2026-07-01T15:13:12Z", Body: body}
	for i := range b.N {
		l.DeliveryID = strconv.Itoa(i)
		l.ID = l.DeliveryID
		_, err = file.Write(append(l.AppendJSON(nil), '\n'))
		require.NoError(b, err)
	}
	require.NoError(b, file.Close())
	require.NoError(b, os.WriteFile(config, []byte(`
logger: { level: "OFF" }
input: { stdin: {} }
pipeline: { processors: [ { webhook_decode: {} } ] }
output: { drop: {} }
`), 0o600))
	sources, err := openSources([]string{path})
	require.NoError(b, err)
	b.ResetTimer()
	r := newReplay(sources, filter{}, nil, io.Discard)
	go r.read(b.Context())
	require.NoError(b, r.run(b.Context(), pipeline{config: config}))
	require.Equal(b, b.N, r.counts.taken)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
