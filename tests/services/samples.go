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

// DeadLetter is what the shipped configs write of what cannot be decoded.
type DeadLetter struct {
	Reason      string `json:"reason"`
	Detail      string `json:"detail"`
	Vendor      string `json:"vendor"`
	Event       string `json:"event"`
	ContentType string `json:"content_type"`
	Body        []byte `json:"body_base64"`
}

// secret is what samples hold where a vendor puts its secrets.
const secret = "EXAMPLE-SECRET"

// RequireDeadLetters expects the dead letters of the samples that are undecodable,
// in any order, and no others.
func RequireDeadLetters(t testing.TB, samples []Sample, lines []string) {
	t.Helper()
	rest := map[string]int{}
	for _, s := range samples {
		if s.Reason != "" {
			if bytes.Contains(s.Body, []byte(secret)) {
				s.Body = nil // the letter has it without the secret
			}
			rest[DeadLetter{s.Reason, "", s.Vendor, s.Event, s.ContentType, s.Body}.String()]++
		}
	}
	require.NotEmpty(t, rest)
	for _, line := range lines {
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		var letter DeadLetter
		require.NoError(t, d.Decode(&letter), line)
		require.NotEmpty(t, letter.Detail)
		require.NotContains(t, string(letter.Body), secret)
		if rest[letter.String()] <= 0 {
			letter.Body = nil
		}
		rest[letter.String()]--
	}
	requireNoRest(t, rest)
}

// String is all but the detail, which is for people.
func (l DeadLetter) String() string {
	return fmt.Sprintf("%s %s %q %q: %q", l.Reason, l.Vendor, l.Event, l.ContentType, l.Body)
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
