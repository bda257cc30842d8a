// Package s3_test runs the configs that write objects, to a real S3 server.
package s3_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/tests/services"
)

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

var (
	eventsKey      = regexp.MustCompile(`^events/date=(\d{4}-\d\d-\d\d)/[0-9a-f-]{36}\.(jsonl\.gz|parquet)$`)
	deadLettersKey = regexp.MustCompile(`^dead_letters/date=\d{4}-\d\d-\d\d/[0-9a-f-]{36}\.jsonl\.gz$`)
)

// start starts a config that gathers for a second. Later variables win.
func start(t *testing.T, s *services.S3, config, bucket string, env ...string) *services.Hookswitch {
	t.Helper()
	return services.Start(t, config, append(append(s.Env, "HOOKSWITCH_S3_BUCKET="+bucket, "HOOKSWITCH_S3_PERIOD=1s"), env...)...)
}

func lines(t *testing.T, packed []byte) []string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return strings.Split(string(text), "\n")
}

// split returns the objects of events and the lines of those of dead letters.
func split(t *testing.T, objects []services.Object) (events []services.Object, letters []string) {
	t.Helper()
	for _, o := range objects {
		require.Empty(t, o.Metadata, o.Key)
		if deadLettersKey.MatchString(o.Key) {
			require.Equal(t, "application/gzip", o.ContentType)
			letters = append(letters, lines(t, o.Body)...)
			continue
		}
		require.Regexp(t, eventsKey, o.Key)
		events = append(events, o)
	}
	return events, letters
}

func TestLines(t *testing.T) {
	s := services.StartS3(t)
	bucket := s.Bucket(t)
	samples := services.Samples(t)
	h := start(t, s, "s3.yaml", bucket)
	h.Deliver(t, samples...)
	h.Drained(t)

	objects, letters := split(t, s.Objects(t, bucket))
	services.RequireDeadLetters(t, samples, letters)
	var events []string
	for _, o := range objects {
		require.Equal(t, "application/gzip", o.ContentType)
		day := eventsKey.FindStringSubmatch(o.Key)[1]
		for _, line := range lines(t, o.Body) {
			var e struct {
				RecordedTime time.Time `json:"recordedtime"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &e), line)
			require.Equal(t, day, e.RecordedTime.Format(time.DateOnly))
			events = append(events, line)
		}
	}
	services.RequireEvents(t, rawAsText(t, samples), services.Unstamped(t, events))
	require.LessOrEqual(t, len(objects), 10, "an object holds all events of a second")
}

// TestReport writes the events of one large delivery: one object.
func TestReport(t *testing.T) {
	s := services.StartS3(t)
	bucket := s.Bucket(t)
	h := start(t, s, "s3.yaml", bucket)
	h.Deliver(t, services.SampleOf(t, "mobiniti/testdata/delivery_report/messages_10000.json.gz"))
	h.Drained(t)
	counts := map[string]int{}
	objects, letters := split(t, s.Objects(t, bucket))
	require.Empty(t, letters)
	for _, o := range objects {
		for _, line := range lines(t, o.Body) {
			var e struct {
				Type string `json:"type"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &e), line)
			counts[e.Type]++
		}
	}
	require.Equal(t, map[string]int{"message.delivered": 9000, "message.failed": 900, "message.bounced": 100}, counts)
	require.Len(t, objects, 1)
}

// TestReplicas has two of them write at once: no object replaces another's.
func TestReplicas(t *testing.T) {
	s := services.StartS3(t)
	bucket := s.Bucket(t)
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	var senders sync.WaitGroup
	var replicas []*services.Hookswitch
	for range 2 {
		h := start(t, s, "s3.yaml", bucket)
		replicas = append(replicas, h)
		for range 3 {
			senders.Go(func() {
				status, err := h.Post(sample.Vendor, sample.Event, sample.ContentType, sample.Body)
				assert.NoError(t, err)
				assert.Equal(t, http.StatusOK, status)
			})
		}
	}
	senders.Wait()
	for _, h := range replicas {
		h.Drained(t)
	}
	n := 0
	for _, o := range s.Objects(t, bucket) {
		n += len(lines(t, o.Body))
	}
	require.Equal(t, 6, n)
}

// TestOutage has a server that goes away: the senders are answered from the disk,
// nothing of it is a dead letter, and when a server is there again it has all.
func TestOutage(t *testing.T) {
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	for _, config := range []string{"s3.yaml", "lake.yaml"} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			spool := "HOOKSWITCH_SPOOL_DIR=" + t.TempDir()
			s := services.NewS3(t)
			bucket := s.Bucket(t)
			h := start(t, s, config, bucket, spool)
			h.Deliver(t, sample)
			h.Drained(t)
			s.Stop()
			const more = 20
			for range more {
				h.Deliver(t, sample)
			}
			services.Eventually(t, func() bool { return h.Metric(t, "spool_redelivered") > 0 }, "the upload is tried again")
			services.Eventually(t, func() bool { return h.Metric(t, "spool_records") == more }, "all wait")
			h.Stop()
			require.Zero(t, h.Exited(t))

			s = services.NewS3(t)
			bucket = s.Bucket(t)
			h = start(t, s, config, bucket, spool)
			h.Drained(t)
			objects, letters := split(t, s.Objects(t, bucket))
			require.Empty(t, letters)
			require.Len(t, objects, 1, "they were gathered again")
			if config == "s3.yaml" {
				require.Len(t, lines(t, objects[0].Body), more)
			}
		})
	}
}

// TestNoBucket has a bucket that is not there: the deliveries wait on disk.
func TestNoBucket(t *testing.T) {
	s := services.StartS3(t)
	h := start(t, s, "s3.yaml", "hookswitch-test-nowhere")
	h.Deliver(t, services.SampleOf(t, "callrail/testdata/post_call/answered.json"))
	services.Eventually(t, func() bool { return h.Metric(t, "spool_redelivered") > 0 }, "the upload is tried again")
	services.Eventually(t, func() bool { return h.Metric(t, "spool_records") == 1 }, "the delivery waits")
}

// TestStop stops it while events are gathered: they wait on disk, and the stop waits
// for nothing.
func TestStop(t *testing.T) {
	s := services.StartS3(t)
	bucket := s.Bucket(t)
	spool := "HOOKSWITCH_SPOOL_DIR=" + t.TempDir()
	h := start(t, s, "s3.yaml", bucket, spool, "HOOKSWITCH_S3_PERIOD=1h")
	h.Deliver(t, services.SampleOf(t, "callrail/testdata/post_call/answered.json"))
	h.Stop()
	require.Zero(t, h.Exited(t))
	require.Empty(t, s.Objects(t, bucket))

	start(t, s, "s3.yaml", bucket, spool).Drained(t)
	require.Len(t, s.Objects(t, bucket), 1)
}

// table reads the lake as an analyst would. It prints the types of some columns, and then each
// row as JSON.
const table = `
import duckdb, json, sys
duckdb.sql("SET TimeZone = 'UTC'")
events = duckdb.sql(f"FROM read_parquet('{sys.argv[1]}/events/**/*.parquet', hive_partitioning = true, union_by_name = true)")
print(json.dumps({name: duckdb.sql(f"SELECT typeof({name}) FROM events LIMIT 1").fetchall()[0][0] for name in sys.argv[2:]}))
for row in duckdb.sql("SELECT to_json(events) FROM events").fetchall():
    print(row[0])
`

// TestParquet finds every event of every sample in one table, with every field of the event.
func TestParquet(t *testing.T) {
	s := services.StartS3(t)
	python := services.DuckDB(t)
	bucket := s.Bucket(t)
	samples := services.Samples(t)
	h := start(t, s, "lake.yaml", bucket)
	h.Deliver(t, samples...)
	h.Drained(t)

	dir := t.TempDir()
	objects, letters := split(t, s.Objects(t, bucket))
	services.RequireDeadLetters(t, samples, letters)
	for _, o := range objects {
		require.Equal(t, "application/vnd.apache.parquet", o.ContentType)
	}
	services.WriteObjects(t, dir, objects)
	types := map[string]string{
		"time": "TIMESTAMP WITH TIME ZONE", "recordedtime": "TIMESTAMP WITH TIME ZONE", "data.call.started_at": "TIMESTAMP WITH TIME ZONE",
		"data.call.duration_seconds": "DOUBLE", "data.call.answered": "BOOLEAN", "data.call.tags": "VARCHAR[]",
		"data.raw": "VARCHAR", "data.issues": "STRUCT(field VARCHAR, reason VARCHAR)[]",
	}
	var stderr bytes.Buffer
	cmd := exec.Command(python, append([]string{"-c", table, dir}, slices.Collect(maps.Keys(types))...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	d := json.NewDecoder(bytes.NewReader(out))
	var found map[string]string
	require.NoError(t, d.Decode(&found))
	require.Equal(t, types, found)

	var got, want []string
	for d.More() {
		var row map[string]any
		require.NoError(t, d.Decode(&row))
		recorded := micros(t, row["recordedtime"].(string))
		require.Equal(t, time.UnixMicro(recorded).UTC().Format(time.DateOnly), row["date"])
		require.NotEmpty(t, row["deliveryid"])
		row["recordedtime"], row["deliveryid"] = nil, nil
		got = append(got, rowOf(t, row))
	}
	for _, s := range rawAsText(t, samples) {
		for _, e := range s.Events {
			var object map[string]any
			require.NoError(t, json.Unmarshal([]byte(e.JSON), &object))
			want = append(want, rowOf(t, object))
		}
	}
	require.ElementsMatch(t, want, got)
}

// rowOf returns the row of an event as JSON: all its fields, times in microseconds.
func rowOf(t *testing.T, e map[string]any) string {
	t.Helper()
	text, err := json.Marshal(columns(t, event.Fields(), e))
	require.NoError(t, err)
	return string(text)
}

// columns returns all fields of an object. What is absent is null, but an absent array is an
// empty one: the engine's encoder tells no difference.
func columns(t *testing.T, fields []event.Field, object map[string]any) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, f := range fields {
		value := object[f.Name]
		switch v := value.(type) {
		case nil:
			if f.Repeated {
				value = []any{}
			}
		case map[string]any:
			value = columns(t, f.Fields, v)
		case []any:
			elements := make([]any, len(v))
			for i, element := range v {
				if elements[i] = element; f.Kind == event.Object {
					elements[i] = columns(t, f.Fields, element.(map[string]any))
				}
			}
			value = elements
		case string:
			if f.Kind == event.DateTime {
				value = micros(t, v)
			}
		}
		all[f.Name] = value
	}
	return all
}

// micros reads a time as events or as DuckDB write it.
func micros(t *testing.T, text string) int64 {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		parsed, err = time.Parse("2006-01-02 15:04:05-07", text)
	}
	require.NoError(t, err)
	return parsed.UnixMicro()
}

// rawAsText returns the samples with events whose raw is text.
func rawAsText(t *testing.T, samples []services.Sample) []services.Sample {
	t.Helper()
	samples = slices.Clone(samples)
	for i, s := range samples {
		samples[i].Events = slices.Clone(s.Events)
		for j, e := range s.Events {
			var decoded event.Event
			require.NoError(t, json.Unmarshal([]byte(e.JSON), &decoded))
			require.Equal(t, e.JSON, string(decoded.AppendJSON(nil)))
			decoded.Data.Raw = event.Raw(payload.AppendString(nil, string(decoded.Data.Raw)))
			samples[i].Events[j].JSON = string(decoded.AppendJSON(nil))
		}
	}
	return samples
}

// TestRefusedByEncoder has an event that cannot be encoded. It can be decoded, so that it is no
// dead letter: it is parked, and the events that it was gathered with are stored.
func TestRefusedByEncoder(t *testing.T) {
	s := services.StartS3(t)
	bucket := s.Bucket(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "lake.yaml"))
	require.NoError(t, err)
	config := string(text)
	for place, more := range map[string]string{
		"            - event_common_schema: {}\n": "            - mapping: |\n                root = this\n                root.time = if this.vendor == \"mobiniti\" { \"never\" }\n",
		"  spool:\n": "    park_after: 1\n",
	} {
		require.Equal(t, 1, strings.Count(config, place))
		config = strings.Replace(config, place, place+more, 1)
	}
	path := filepath.Join(t.TempDir(), "lake.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o644))
	h := start(t, s, path, bucket)
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	h.Deliver(t, services.SampleOf(t, "mobiniti/testdata/unsubscribe/stop.json"), sample)
	delivered := 1
	services.Eventually(t, func() bool {
		h.Deliver(t, sample)
		delivered++
		return h.Metric(t, "spool_parked") == 1
	}, "the event is parked")
	services.Eventually(t, func() bool { return h.Metric(t, "spool_records") == 1 }, "all others are stored")
	objects, letters := split(t, s.Objects(t, bucket))
	require.Empty(t, letters)
	rows := 0
	for _, o := range objects {
		file, err := parquet.OpenFile(bytes.NewReader(o.Body), int64(len(o.Body)))
		require.NoError(t, err)
		rows += int(file.NumRows())
	}
	require.Equal(t, delivered, rows)
}
