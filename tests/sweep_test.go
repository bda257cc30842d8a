package tests

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/Jeffail/gabs/v2"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/promises"
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
	document, err := v.Payload(d)
	require.NoError(t, err, "%s", d.Body)
	defer document.Release()
	require.NoError(t, promises.Check(v, d, document), "%s", d.Body)
}
