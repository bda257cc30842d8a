package consumers_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// duckdb writes the rows of a table function as lines of JSON.
const duckdb = `
import duckdb, sys
db = duckdb.connect()
db.execute("set timezone = 'UTC'")
for (row,) in db.execute(f"select to_json(e) from {sys.argv[1]} e").fetchall():
    print(row)
`

// TestDuckDB reads the objects of s3.yaml and of lake.yaml as tables, whose columns DuckDB
// finds out by itself.
func TestDuckDB(t *testing.T) {
	python := services.DuckDB(t)
	s := services.StartS3(t)
	samples := services.Samples(t)
	for config, table := range map[string]string{
		"s3.yaml":   "read_json('events/**/*.jsonl.gz', hive_partitioning = false)",
		"lake.yaml": "read_parquet('events/**/*.parquet', hive_partitioning = false)",
	} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			bucket := s.Bucket(t)
			h := services.Start(t, config, append(s.Env, "HOOKSWITCH_S3_BUCKET="+bucket, "HOOKSWITCH_S3_PERIOD=1s")...)
			h.Deliver(t, samples...)
			h.Drained(t)
			dir := t.TempDir()
			services.WriteObjects(t, dir, s.Objects(t, bucket))
			var stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), python, "-c", duckdb, table)
			cmd.Dir, cmd.Stderr = dir, &stderr
			out, err := cmd.Output()
			require.NoError(t, err, stderr.String())
			requireTable(t, samples, strings.Split(strings.TrimSpace(string(out)), "\n"))
		})
	}
}

// requireTable expects rows of a table, each as JSON, to be the events of the samples. A table
// has raw as text, times in microseconds, and null or an empty list for what is absent.
func requireTable(t *testing.T, samples []services.Sample, rows []string) {
	t.Helper()
	var all []services.Sample
	for _, s := range samples {
		var events []services.Event
		for _, e := range s.Events {
			events = append(events, services.Event{JSON: inTable(t, e.JSON, func(raw any) any { return raw })})
		}
		all = append(all, services.Sample{Events: events})
	}
	var read []string
	for _, row := range rows {
		read = append(read, inTable(t, row, func(raw any) any {
			text, ok := raw.(string)
			require.True(t, ok, "raw is text: %.2000s", row)
			return decode(t, text)
		}))
	}
	requireRead(t, all, read)
}

// inTable returns an event without what is absent in it, and with its raw as the function
// gives it.
func inTable(t *testing.T, event string, payload func(raw any) any) string {
	t.Helper()
	e := decode(t, event)
	data, ok := e["data"].(map[string]any)
	require.True(t, ok, "%.2000s", event)
	raw := payload(data["raw"])
	data["raw"] = nil // in which nothing is absent, and no text is a time
	e, ok = present(e).(map[string]any)
	require.True(t, ok, "%.2000s", event)
	e["raw"] = raw
	text, err := json.Marshal(e)
	require.NoError(t, err)
	return string(text)
}

// present returns a value without what is absent in it, nil if that is all, and times in one
// form.
func present(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			if v[key] = present(v[key]); v[key] == nil {
				delete(v, key)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = present(v[i])
		}
	case string:
		for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05"} {
			if at, err := time.Parse(form, v); err == nil {
				return at.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
			}
		}
	}
	return v
}
