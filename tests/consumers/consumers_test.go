// Package consumers_test has the programs that people read events with read what the
// shipped configs write: every event of every golden, and what was read is compared with
// the golden.
package consumers_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

// requireRead expects events, each as JSON in the form of the program that read it, to be
// those of the samples. Delivery is at least once, so an event may come again.
func requireRead(t *testing.T, samples []services.Sample, read []string) {
	t.Helper()
	var want []string
	for _, s := range samples {
		for _, e := range s.Events {
			want = append(want, normal(decode(t, e.JSON)))
		}
	}
	var got []string
	for _, text := range read {
		e := decode(t, text)
		require.NotContains(t, e, "error", "%.2000s", text)
		for _, stamp := range []string{"recordedtime", "deliveryid"} {
			require.NotEmpty(t, e[stamp], "%.2000s", text)
			delete(e, stamp)
		}
		got = append(got, normal(e))
	}
	require.NotEmpty(t, want)
	require.Empty(t, cmp.Diff(distinct(want), distinct(got)))
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var e map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&e), "%.2000s", text)
	return e
}

func distinct(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// normal returns an event as JSON in one form: keys sorted, numbers as the floats of 64 bits
// that JavaScript has, null for what no such float can hold, as JavaScript writes it, and the
// event's time in milliseconds.
func normal(e map[string]any) string {
	if text, ok := e["time"].(string); ok {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			e["time"] = at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
		}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(floats(e)) // which cannot fail: it was JSON
	return b.String()
}

func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return nil
		}
		return f
	case map[string]any:
		for key := range v {
			v[key] = floats(v[key])
		}
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	}
	return v
}
