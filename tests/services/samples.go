package services

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/tests/samples"
)

// Sample is a recorded body of a vendor's testdata, and what its golden says that
// it gives.
type Sample struct {
	Path        string
	Vendor      string
	Event       string // declared, "" if none is
	ContentType string
	Body        []byte

	Events []Event // none if only a summary is known, or if it is undecodable
	Reason string  // why it is undecodable
}

// Event is an event of a golden.
type Event struct {
	Key, Vendor, Schema, Type, ID string
	JSON                          string
}

// Samples returns the samples of all vendors but for those whose golden is only a
// summary.
func Samples(t testing.TB) []Sample {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "plugins", "vendors", "*", "testdata", "*", "*.golden"))
	require.NoError(t, err)
	var all []Sample
	vendors := map[string]bool{}
	for _, path := range paths {
		if strings.HasSuffix(path, ".gz.golden") {
			continue
		}
		s := SampleAt(t, strings.TrimSuffix(path, ".golden"))
		s.readGolden(t, path)
		all = append(all, s)
		vendors[s.Vendor] = true
	}
	require.GreaterOrEqual(t, len(vendors), 5)
	return all
}

// SampleOf returns the sample at a path below plugins/vendors, without its golden.
func SampleOf(t testing.TB, path string) Sample {
	t.Helper()
	return SampleAt(t, filepath.Join(root, "plugins", "vendors", filepath.FromSlash(path)))
}

// SampleAt returns the sample of a file, without its golden.
func SampleAt(t testing.TB, path string) Sample {
	t.Helper()
	s := samples.At(t, path)
	return Sample{Path: s.Path, Vendor: s.Vendor, Event: s.Event, ContentType: s.ContentType, Body: s.Body}
}

func (s *Sample) delivery() delivery.Delivery {
	return delivery.Delivery{Vendor: s.Vendor, Event: s.Event, ContentType: s.ContentType, Body: s.Body}
}

// readGolden reads what the sample gives: metadata and event by turns.
func (s *Sample) readGolden(t testing.TB, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(text))
	for d.More() {
		var metadata map[string]any
		require.NoError(t, d.Decode(&metadata), path)
		if reason, ok := metadata["decode_reason"].(string); ok {
			s.Reason = reason
			return
		}
		var event json.RawMessage
		require.NoError(t, d.Decode(&event), path)
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, event))
		value := func(key string) string {
			v, ok := metadata[key].(string)
			require.True(t, ok, "%s: metadata %s", path, key)
			return v
		}
		s.Events = append(s.Events, Event{
			Key: value("event_key"), Vendor: value("event_vendor"), Schema: value("event_schema"),
			Type: value("event_type"), ID: value("event_id"), JSON: compact.String(),
		})
	}
	require.NotEmpty(t, s.Events, path)
}

// secret is what samples hold where a vendor puts its secrets.
const secret = "EXAMPLE-SECRET"

// DeadLetter returns the dead letter of a line. It has what the door and the decoder give
// every dead letter.
func DeadLetter(t testing.TB, line string) *delivery.DeadLetter {
	t.Helper()
	l, err := delivery.ParseDeadLetter(line)
	require.NoError(t, err, "%.1000s", line)
	require.Equal(t, "/"+l.Vendor, l.Source)
	require.NotEmpty(t, l.Detail)
	require.NotEmpty(t, l.Version)
	return l
}

// RequireDeadLetters expects the dead letters of the samples that are undecodable,
// in any order, and no others.
func RequireDeadLetters(t testing.TB, samples []Sample, lines []string) {
	t.Helper()
	text := func(reason delivery.Reason, vendor, event, contentType string, body []byte) string {
		return fmt.Sprintf("%s %s %q %q: %q", reason, vendor, event, contentType, body)
	}
	rest := map[string]int{}
	for _, s := range samples {
		if s.Reason != "" {
			if bytes.Contains(s.Body, []byte(secret)) {
				s.Body = nil // the letter has it without the secret
			}
			rest[text(delivery.Reason(s.Reason), s.Vendor, s.Event, s.ContentType, s.Body)]++
		}
	}
	require.NotEmpty(t, rest)
	for _, line := range lines {
		l := DeadLetter(t, line)
		require.NotContains(t, string(l.Body), secret)
		if rest[text(l.Reason, l.Vendor, l.Event, l.ContentType, l.Body)] <= 0 {
			l.Body = nil
		}
		rest[text(l.Reason, l.Vendor, l.Event, l.ContentType, l.Body)]--
	}
	requireNoRest(t, rest)
}

// stamps are what the door adds to an event, in front of its data.
var stamps = regexp.MustCompile(`,"recordedtime":"([^"]+)","deliveryid":"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)

// Unstamped returns the events without what the door has stamped on each of them:
// when their delivery was received, and its id.
func Unstamped(t testing.TB, lines []string) []string {
	t.Helper()
	var unstamped []string
	for _, line := range lines {
		found := stamps.FindStringSubmatchIndex(line)
		require.NotNil(t, found, "an event without stamps: %.1000s", line)
		recorded, err := time.Parse(time.RFC3339Nano, line[found[2]:found[3]])
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), recorded, time.Hour)
		unstamped = append(unstamped, line[:found[0]]+line[found[1]:])
	}
	return unstamped
}

// RequireEvents expects the events of the samples, in any order, and no others.
func RequireEvents(t testing.TB, samples []Sample, lines []string) {
	t.Helper()
	rest := map[string]int{}
	for _, s := range samples {
		for _, e := range s.Events {
			rest[e.JSON]++
		}
	}
	require.NotEmpty(t, rest)
	for _, line := range lines {
		require.NotContains(t, line, secret)
		rest[line]--
	}
	requireNoRest(t, rest)
}

func requireNoRest(t testing.TB, rest map[string]int) {
	t.Helper()
	for what, n := range rest {
		require.Zero(t, n, "positive: times that it lacks, negative: times that it is too much: %.1000s", what)
	}
}
