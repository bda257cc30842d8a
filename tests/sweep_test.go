package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/Jeffail/gabs/v2"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// swept has the values that replace every node of every sample in turn. In one more turn
// the node is removed.
var swept = map[string]any{
	"null": nil, "empty string": "", "zero": json.Number("0"), "false": false, "true": true, "text": "x",
	"huge number": json.Number("99999999999999999999999999"), "huge exponent": json.Number("1e999"),
	"empty array": []any{}, "empty object": map[string]any{}, "array": []any{nil, "x", []any{}}, "object": map[string]any{"x": nil},
}

// TestSweep replaces every node of every sample by other values in turn. Whatever a vendor
// sends, nothing panics, a JSON object gives at least one event, nothing of the object is
// lost, and the raw of every event decodes to the same event.
func TestSweep(t *testing.T) {
	for _, s := range allSamples(t) {
		if s.packed() {
			continue // it has the nodes of smaller samples, thousands of times
		}
		document, err := s.vendor.Payload(&s.delivery)
		if err != nil || strings.Count(document.Text(), ":") > 1000 {
			continue
		}
		t.Run(s.name(), func(t *testing.T) {
			t.Parallel()
			text := []byte(document.Text())
			sweep(t, s, document.Text())
			for _, path := range paths(nil, parse(t, text).Data()) {
				if len(path) > payload.MaxDepth-2 {
					continue // some values would be nested too deep
				}
				for _, value := range swept {
					c := parse(t, text)
					if _, err := c.Set(value, path...); err == nil {
						sweep(t, s, c.EncodeJSON())
					}
				}
				if c := parse(t, text); c.Delete(path...) == nil {
					sweep(t, s, c.EncodeJSON())
				}
			}
		})
	}
}

func parse(t testing.TB, text []byte) *gabs.Container {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	c, err := gabs.ParseJSONDecoder(d)
	require.NoError(t, err)
	return c
}

// paths returns the paths of all nodes below a value.
func paths(prefix []string, v any) (all [][]string) {
	below := func(name string, v any) {
		path := append(prefix[:len(prefix):len(prefix)], name)
		all = append(append(all, path), paths(path, v)...)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			below(name, member)
		}
	case []any:
		for i, element := range v {
			below(strconv.Itoa(i), element)
		}
	}
	return all
}

func sweep[T string | []byte](t testing.TB, s sample, body T) {
	t.Helper()
	d := delivery.Delivery{Vendor: s.vendor.Name, Account: "main", Event: s.delivery.Event, Body: []byte(body)}
	requireEvents(t, s.vendor, &d)
}

// requireEvents expects the events of a body that is a JSON object to keep the promises.
func requireEvents(t testing.TB, v *vendors.Vendor, d *delivery.Delivery) {
	t.Helper()
	events, err := decode(v, d)
	require.NoError(t, err, "%s", d.Body)
	require.NotEmpty(t, events, "%s", d.Body)
	requireNothingLost(t, v, d, events)
	requireBounded(t, v, d, events)
	for _, e := range events {
		if got, want := redecodable(again(t, v, e)), redecodable(e); got != want {
			require.Equal(t, want, got, "raw does not decode to the same event")
		}
		requireVocabulary(t, e)
		require.Regexp(t, `^[0-9a-f]{32}$`, e.ID)
		require.True(t, strings.HasPrefix(e.PartitionKey, v.Name+"/"))
		requireInteroperable(t, e.AppendJSON(nil))
		for name, attribute := range map[string]string{"subject": e.Subject, "vendorevent": e.VendorEvent, "partitionkey": e.PartitionKey, "type": e.Type} {
			require.Equal(t, vendors.Clean(attribute, 400), attribute, name)
		}
		if e.Schema() == "vendor" {
			require.True(t, strings.HasPrefix(e.Type, v.Name+"."), e.Type)
		}
	}
}

// requireInteroperable expects a text to be I-JSON, but for the size of numbers. jsontext
// refuses repeated keys, invalid UTF-8 and lone surrogates.
func requireInteroperable(t testing.TB, text []byte) {
	t.Helper()
	for d := jsontext.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err, "%s", text)
		if token.Kind() == '"' {
			require.False(t, strings.ContainsFunc(token.String(), func(r rune) bool {
				return r == 0 || r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef
			}), "%s", text)
		}
	}
}

// requireNothingLost expects everything that was sent, except secrets, to stand in the raw
// of an event.
func requireNothingLost(t testing.TB, v *vendors.Vendor, d *delivery.Delivery, events []*event.Event) {
	t.Helper()
	document, err := v.Payload(d)
	require.NoError(t, err)
	if len(events) == 1 {
		require.True(t, string(events[0].Data.Raw) == document.Text(), "raw: %s\nsent: %s", events[0].Data.Raw, d.Body)
	}
	kept := map[string]int{}
	for _, e := range events {
		for leaf, n := range leaves(unmarshal(t, []byte(e.Data.Raw))) {
			kept[leaf] = max(kept[leaf], 0) + n
		}
	}
	for leaf, n := range leaves(unmarshal(t, []byte(document.Text()))) {
		if kept[leaf] < n {
			require.Fail(t, "lost "+leaf, "%d of %d are kept of %s", kept[leaf], n, document.Text())
		}
	}
}

// requireBounded expects the raws of a payload's events to have together at most 8 times
// the bytes of the payload, and 2 KiB an event.
func requireBounded(t testing.TB, v *vendors.Vendor, d *delivery.Delivery, events []*event.Event) {
	t.Helper()
	document, err := v.Payload(d)
	require.NoError(t, err)
	size := 0
	for _, e := range events {
		size += len(e.Data.Raw)
	}
	require.LessOrEqual(t, size, 8*len(document.Text())+2048*len(events), "%.4096s", d.Body)
}

// leaves counts the names and scalars within a value. It leaves out null and "", which say
// nothing.
func leaves(v any) map[string]int {
	counts := map[string]int{}
	var count func(v any)
	count = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				counts["name "+name]++
				count(member)
			}
		case []any:
			for _, element := range v {
				count(element)
			}
		case nil:
		default:
			if v == "" {
				return
			}
			counts[fmt.Sprintf("%T %v", v, v)]++
		}
	}
	count(v)
	return counts
}
