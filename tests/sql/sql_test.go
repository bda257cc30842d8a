// Package sql_test puts the questions of configs/sql to what the shipped configs write.
package sql_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/services"
)

var update = flag.Bool("update", false, "write the answers")

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

const queries = "../../configs/sql"

// TestQuestions writes the samples of all vendors by s3.yaml and by lake.yaml, with some of
// them sent again or written twice, and puts every question to both: the answers are equal,
// and those of testdata.
func TestQuestions(t *testing.T) {
	python := services.DuckDB(t)
	s := services.StartS3(t)
	letters := write(t, deliveries(t))
	answers := map[string]string{}
	for config, view := range map[string]string{"s3.yaml": "json_lines.sql", "lake.yaml": "parquet.sql"} {
		bucket := s.Bucket(t)
		replay(t, s, config, bucket, letters)
		dir := t.TempDir()
		services.WriteObjects(t, dir, s.Objects(t, bucket))
		for _, question := range questions(t) {
			answer := ask(t, python, dir, view, "once.sql", question)
			if known, ok := answers[question]; ok {
				require.Empty(t, cmp.Diff(known, answer), "%s: JSON lines and Parquet give the same answer", question)
			}
			answers[question] = answer
		}
	}
	for question, answer := range answers {
		path := filepath.Join("testdata", strings.TrimSuffix(question, ".sql")+".jsonl")
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(answer), 0o600))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(string(want), answer), "%s: go test ./tests/sql -update writes the answers; read what changed", question)
		require.NotEmpty(t, answer, question)
	}
}

// TestOnce writes many events several times, as an output does that is interrupted, and as a
// vendor does that sends again: each event is there once, and none is lost.
func TestOnce(t *testing.T) {
	python := services.DuckDB(t)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "events", "date=2026-07-02"), 0o755))
	const events = 2000
	for file := range 4 {
		var text bytes.Buffer
		w := gzip.NewWriter(&text)
		for i := range events {
			basis := []string{"content", "natural"}[i%2]
			// Two files have the same delivery, and two the same event of another delivery,
			// which was received at the same time.
			_, err := fmt.Fprintf(w, `{"id":"%d","idbasis":"%s","source":"/acme","type":"message.received","deliveryid":"%d","recordedtime":"2026-07-02T09:00:00Z","data":{}}`+"\n", i, basis, i*2+file/2)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		require.NoError(t, os.WriteFile(filepath.Join(dir, "events", "date=2026-07-02", fmt.Sprintf("%d.jsonl.gz", file)), text.Bytes(), 0o600))
	}
	count := filepath.Join(t.TempDir(), "count.sql")
	require.NoError(t, os.WriteFile(count, []byte("select count(*) as events, count(distinct id) as ids from once"), 0o600))
	require.JSONEq(t, fmt.Sprintf(`{"events":%d,"ids":%d}`, events, events), ask(t, python, dir, "json_lines.sql", "once.sql", count))
}

// TestQuestionsNameNoVendor holds the queries to what they are for: each serves all vendors.
func TestQuestionsNameNoVendor(t *testing.T) {
	all := questions(t)
	require.Len(t, all, 10)
	for _, question := range all {
		text, err := os.ReadFile(filepath.Join(queries, question))
		require.NoError(t, err)
		require.NotRegexp(t, `vendor\w* *(=|<|!|in\b|like\b|not\b)|'/`, string(text), question)
		for _, v := range vendors.All() {
			if !slices.Contains(event.Channel("").Values(), v.Name) { // a channel may be in a question
				require.NotRegexp(t, `(?i)`+v.Name, string(text), question)
			}
			for _, e := range v.Events {
				if !event.InCatalogue(e.Name) {
					require.NotRegexp(t, `'`+regexp.QuoteMeta(e.Name)+`'`, string(text), question)
				}
			}
		}
	}
}

// questions returns the names of the files with a question.
func questions(t *testing.T) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(queries, "*.sql"))
	require.NoError(t, err)
	for _, path := range paths {
		if name := filepath.Base(path); !slices.Contains([]string{"json_lines.sql", "parquet.sql", "once.sql"}, name) {
			names = append(names, name)
		}
	}
	return names
}

// deliveries returns a delivery of each sample, a minute apart, and after them what comes
// more than once.
func deliveries(t *testing.T) (all []delivery.DeadLetter) {
	t.Helper()
	at := time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC)
	receive := func(s services.Sample, id string) {
		at = at.Add(time.Minute)
		all = append(all, delivery.DeadLetter{
			ID: id, Reason: delivery.Failed, Vendor: s.Vendor, Event: s.Event, ContentType: s.ContentType,
			ReceivedAt: delivery.FormatTime(at), DeliveryID: id, Body: s.Body,
		})
	}
	samples := services.Samples(t)
	for _, s := range samples {
		if s.Reason == "" {
			receive(s, filepath.ToSlash(strings.TrimPrefix(s.Path, filepath.FromSlash("../../plugins/vendors/"))))
		}
	}
	again := func(path, id string) { receive(services.SampleOf(t, path), id) }
	again("callrail/testdata/pre_call/ringing.json", "sent again, natural, out of order")
	again("mobiniti/testdata/inbound/keyword.json", "sent again, content")
	again("movement/testdata/undeclared/subscription_unsubscribe.json", "a second unsubscribe, equal to the first")
	twice := all[len(all)-1]
	twice.ID = "the same delivery, written twice"
	all = append(all, twice)
	at = at.Add(4 * 24 * time.Hour)
	again("mobiniti/testdata/inbound/keyword.json", "the same word, four days later")
	return all
}

// write writes deliveries as the records of dead letters, which keep when they were received.
func write(t *testing.T, all []delivery.DeadLetter) (path string) {
	t.Helper()
	var lines []byte
	for _, l := range all {
		lines = append(l.AppendJSON(lines), '\n')
	}
	path = filepath.Join(t.TempDir(), "deliveries.jsonl")
	require.NoError(t, os.WriteFile(path, lines, 0o600))
	return path
}

// replay runs the deliveries through a shipped config into a bucket.
func replay(t *testing.T, s *services.S3, config, bucket, letters string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), services.Binary(), "replay", "--from", letters, filepath.Join("..", "..", "configs", config))
	cmd.Env = append(append(os.Environ(), s.Env...), "HOOKSWITCH_S3_BUCKET="+bucket, "HOOKSWITCH_UNVERIFIED=true")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", config, out)
}

// client runs the statements of files, and writes the rows of the last one to stdout.
const client = `
import duckdb, sys
db = duckdb.connect()
statements = [s.query.strip().rstrip(';') for path in sys.argv[1:] for s in duckdb.extract_statements(open(path).read())]
for statement in statements[:-1]:
    db.execute(statement)
db.execute(f"copy ({statements[-1]}) to 'answer' (format json)")
print(open('answer').read(), end='')
`

// ask runs files of SQL, those of configs/sql or others by their whole path, in a folder, and returns the rows of the last statement as JSON lines.
func ask(t *testing.T, python, dir string, files ...string) string {
	t.Helper()
	args := []string{"-c", client}
	for _, file := range files {
		if !filepath.IsAbs(file) {
			path, err := filepath.Abs(filepath.Join(queries, file))
			require.NoError(t, err)
			file = path
		}
		args = append(args, file)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%v\n%s", files, stderr.String())
	for line := range bytes.Lines(out) {
		require.True(t, json.Valid(line), "%s", line)
	}
	return string(out)
}
