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
	eventsKey      = regexp.MustCompile(`^events/date=(\d{4}-\d\d-\d\d)/vendor=([a-z]+)/schema=([a-z_.]+)/[0-9a-f-]{36}\.(jsonl\.gz|parquet)$`)
	deadLettersKey = regexp.MustCompile(`^dead_letters/date=\d{4}-\d\d-\d\d/[0-9a-f-]{36}\.jsonl\.gz$`)
)

func start(t *testing.T, s *services.S3, config, bucket string) *services.Hookswitch {
	t.Helper()
	return services.Start(t, config, append(s.Env, "HOOKSWITCH_S3_BUCKET="+bucket)...)
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
	start(t, s, "s3.yaml", bucket).Deliver(t, samples...)

	objects, letters := split(t, s.Objects(t, bucket))
	services.RequireDeadLetters(t, samples, letters)
	var events []string
	for _, o := range objects {
		require.Equal(t, "application/gzip", o.ContentType)
		key := eventsKey.FindStringSubmatch(o.Key)
		for _, line := range lines(t, o.Body) {
			var e struct {
				Vendor     string `json:"vendor"`
				DataSchema string `json:"dataschema"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &e), line)
			require.Equal(t, key[2], e.Vendor)
			require.Equal(t, "urn:hookswitch:"+key[3]+":1", e.DataSchema)
			events = append(events, line)
		}
	}
	services.RequireEvents(t, samples, services.Unstamped(t, events))
	require.Less(t, len(objects), len(events), "an object holds many events")
}

// TestReport writes the events of one large delivery: an object a schema.
func TestReport(t *testing.T) {
	s := services.StartS3(t)
	bucket := s.Bucket(t)
	h := start(t, s, "s3.yaml", bucket)
	h.Deliver(t, services.SampleOf(t, "mobiniti/testdata/delivery_report/messages_10000.json.gz"))
	counts := map[string]int{}
	objects, letters := split(t, s.Objects(t, bucket))
	require.Empty(t, letters)
	for _, o := range objects {
		counts[eventsKey.FindStringSubmatch(o.Key)[3]] += len(lines(t, o.Body))
	}
	require.Equal(t, map[string]int{"message.delivered": 9000, "message.failed": 900, "message.bounced": 100}, counts)
	require.Len(t, objects, 3)
}

// TestReplicas has two of them write at once: no object replaces another's.
func TestReplicas(t *testing.T) {
	s := services.StartS3(t)
	bucket := s.Bucket(t)
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	var senders sync.WaitGroup
	for range 2 {
		h := start(t, s, "s3.yaml", bucket)
		for range 3 {
			senders.Go(func() {
				status, err := h.Post(sample.Vendor, sample.Event, sample.ContentType, sample.Body)
				assert.NoError(t, err)
				assert.Equal(t, http.StatusOK, status)
			})
		}
	}
	senders.Wait()
	n := 0
	for _, o := range s.Objects(t, bucket) {
		n += len(lines(t, o.Body))
	}
	require.Equal(t, 6, n)
}

// TestOutage has a server that goes away: the sender is told, and what could be
// decoded is nowhere a dead letter.
func TestOutage(t *testing.T) {
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	for _, config := range []string{"s3.yaml", "lake.yaml"} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			s := services.NewS3(t)
			bucket := s.Bucket(t)
			h := start(t, s, config, bucket)
			h.Deliver(t, sample)
			s.Stop()
			status, err := h.Post(sample.Vendor, sample.Event, sample.ContentType, sample.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.Empty(t, h.Lines(t, "dead_letters.jsonl"))
		})
	}
}

// TestNoBucket has a bucket that is not there.
func TestNoBucket(t *testing.T) {
	s := services.StartS3(t)
	h := start(t, s, "s3.yaml", "hookswitch-test-nowhere")
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	status, err := h.Post(sample.Vendor, sample.Event, sample.ContentType, sample.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
}

// TestStop stops it while events are gathered: they are written all the same.
func TestStop(t *testing.T) {
	s := services.StartS3(t)
	bucket := s.Bucket(t)
	h := services.Start(t, "s3.yaml", append(s.Env, "HOOKSWITCH_S3_BUCKET="+bucket, "HOOKSWITCH_S3_PERIOD=4s")...)
	sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	type answer struct {
		status int
		err    error
	}
	answered := make(chan answer)
	go func() {
		status, err := h.Post(sample.Vendor, sample.Event, sample.ContentType, sample.Body)
		answered <- answer{status, err}
	}()
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_events") > 0 }, "the delivery is decoded")
	go h.Stop()
	got := <-answered
	require.NoError(t, got.err)
	require.Equal(t, http.StatusOK, got.status)
	require.Len(t, s.Objects(t, bucket), 1)
}

const query = `
import duckdb, json, sys
rows = duckdb.sql(f"""
  SELECT id, type, vendor, source, partitionkey, dataschema, epoch_us(time) AS time, epoch_us(recordedtime) AS recordedtime, deliveryid, contact_phone, call_duration_seconds, data, strftime(date, '%Y-%m-%d') AS date, schema
  FROM (SELECT *, 'urn:hookswitch:' || schema || ':1' AS dataschema FROM read_parquet('{sys.argv[1]}/events/**/*.parquet', hive_partitioning = true))
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
	start(t, s, "lake.yaml", bucket).Deliver(t, samples...)

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
