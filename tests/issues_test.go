package tests

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
)

// TestUnreadableValueIsAnIssue puts an object in place of every scalar of every sample, in
// turn. For each native event and type, one of these objects at least has to be an issue: a
// conversion that loses its issues would leave out what it cannot read, and not say so.
func TestUnreadableValueIsAnIssue(t *testing.T) {
	type kind struct{ vendor, native, eventType string }
	noted := map[kind]bool{}
	for _, s := range allSamples(t) {
		document, err := s.vendor.Payload(&s.delivery)
		if s.packed() || err != nil || document.Kind() != payload.Object {
			continue
		}
		text := []byte(document.Text())
		d := delivery.Delivery{Vendor: s.vendor.Name, Event: s.delivery.Event, Body: text}
		events, err := decode(s.vendor, &d)
		require.NoError(t, err)
		var open []kind
		for _, e := range events {
			k := kind{e.Vendor, e.VendorEvent, e.Type}
			if !event.InCatalogue(e.Type) || noted[k] {
				continue // vendor-scoped types promise no field
			}
			noted[k] = false
			open = append(open, k)
		}
		if len(open) == 0 {
			continue
		}
		for _, path := range paths(nil, parse(t, text).Data()) {
			c := parse(t, text)
			switch c.Search(path...).Data().(type) {
			case map[string]any, []any:
				continue
			}
			if _, err := c.Set(map[string]any{"x": 1}, path...); err != nil {
				continue
			}
			d.Body = c.EncodeJSON()
			events, err := decode(s.vendor, &d)
			require.NoError(t, err, "%s", d.Body)
			for _, e := range events {
				k := kind{e.Vendor, e.VendorEvent, e.Type}
				if slices.Contains(open, k) && slices.ContainsFunc(e.Data.Issues, func(i event.Issue) bool { return i.Reason == event.WrongType }) {
					noted[k] = true
				}
			}
		}
	}
	require.Greater(t, len(noted), 100)
	for k, yes := range noted {
		require.True(t, yes, "%+v", k)
	}
}
