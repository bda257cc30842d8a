// Package s3_test runs the configs that write objects, to a real S3 server.
package s3_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	services.RequireEvents(t, samples, services.Unstamped(t, events))
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

const query = `
import duckdb, json, sys
rows = duckdb.sql(f"""
  SELECT id, type, vendor, source, partitionkey, dataschema, epoch_us(time) AS time, epoch_us(recordedtime) AS recordedtime, deliveryid, contact_phone, call_duration_seconds, data, strftime(date, '%Y-%m-%d') AS date
  FROM read_parquet('{sys.argv[1]}/events/**/*.parquet', hive_partitioning = true)
""")
types = dict(zip(rows.columns, map(str, rows.types)))
stored = duckdb.sql(f"SELECT time, recordedtime FROM read_parquet('{sys.argv[1]}/events/**/*.parquet')")
types.update(zip(stored.columns, map(str, stored.types)))
print(json.dumps(types))
for row in rows.fetchall():
    print(json.dumps(dict(zip(rows.columns, row)), default=str))
`

// TestParquet reads the lake as an analyst would.
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
		path := filepath.Join(dir, filepath.FromSlash(o.Key))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, o.Body, 0o644))
	}
	var stderr bytes.Buffer
	cmd := exec.Command(python, "-c", query, dir)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	d := json.NewDecoder(bytes.NewReader(out))
	var types map[string]string
	require.NoError(t, d.Decode(&types))
	require.Equal(t, "TIMESTAMP WITH TIME ZONE", types["time"])
	require.Equal(t, "TIMESTAMP WITH TIME ZONE", types["recordedtime"])
	require.Equal(t, "DOUBLE", types["call_duration_seconds"])

	var got []row
	for d.More() {
		var r row
		require.NoError(t, d.Decode(&r))
		require.NotNil(t, r.Recorded)
		require.Equal(t, time.UnixMicro(*r.Recorded).UTC().Format(time.DateOnly), r.Date)
		require.NotEmpty(t, r.DeliveryID)
		r.stamped = stamped{}
		got = append(got, r)
	}
	var want []row
	for _, s := range samples {
		for _, e := range s.Events {
			want = append(want, rowOf(t, e))
		}
	}
	require.ElementsMatch(t, want, got)
}

// row is what the query selects of an event.
type row struct {
	ID           string   `json:"id"`
	Type         string   `json:"type"`
	Vendor       string   `json:"vendor"`
	Source       string   `json:"source"`
	PartitionKey string   `json:"partitionkey"`
	DataSchema   string   `json:"dataschema"`
	Micros       *int64   `json:"time"`
	Phone        *string  `json:"contact_phone"`
	Duration     *float64 `json:"call_duration_seconds"`
	Data         string   `json:"data"`

	stamped
}

// stamped is what the door adds to an event, and the day that the object is of.
type stamped struct {
	Recorded   *int64 `json:"recordedtime"`
	DeliveryID string `json:"deliveryid"`
	Date       string `json:"date"`
}

func rowOf(t *testing.T, e services.Event) row {
	t.Helper()
	var event struct {
		row
		Time *time.Time      `json:"time"`
		Data json.RawMessage `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(e.JSON), &event))
	var data struct {
		Contact struct {
			Phone *string `json:"phone"`
		} `json:"contact"`
		Call struct {
			DurationSeconds *float64 `json:"duration_seconds"`
		} `json:"call"`
	}
	require.NoError(t, json.Unmarshal(event.Data, &data))
	r := event.row
	if event.Time != nil {
		micros := event.Time.UnixMicro()
		r.Micros = &micros
	}
	r.Phone, r.Duration, r.Data = data.Contact.Phone, data.Call.DurationSeconds, string(event.Data)
	return r
}
