// Package tests holds every vendor of the registry to the promises of the project, with the
// samples in the vendors' testdata. It needs no list of vendors and samples: it tests all
// that there are.
package tests

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/samples"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "github.com/hookswitch/hookswitch/plugins"
)

// sample is a recorded body of a vendor, as the delivery that a route makes from the body.
type sample struct {
	path     string
	vendor   *vendors.Vendor
	delivery delivery.Delivery
}

func (s *sample) name() string {
	return s.vendor.Name + "/" + filepath.Base(filepath.Dir(s.path)) + "/" + filepath.Base(s.path)
}

func (s *sample) packed() bool { return strings.HasSuffix(s.path, ".gz") }

func samplesOf(t testing.TB, v *vendors.Vendor) []sample {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "plugins", "vendors", v.Name, "testdata", "*", "*"))
	require.NoError(t, err)
	var all []sample
	for _, path := range paths {
		if strings.HasSuffix(path, golden) {
			continue
		}
		at := samples.At(t, path)
		all = append(all, sample{path, v, delivery.Delivery{Vendor: v.Name, Event: at.Event, ContentType: at.ContentType, Body: at.Body}})
	}
	require.NotEmpty(t, all, "%s: expected samples in plugins/vendors/%s/testdata/<native event>/", v.Name, v.Name)
	return all
}

func allSamples(t testing.TB) (all []sample) {
	t.Helper()
	for _, v := range vendors.All() {
		all = append(all, samplesOf(t, v)...)
	}
	return all
}

// decode decodes a delivery without the engine.
func decode(v *vendors.Vendor, d *delivery.Delivery) (events []*event.Event, err error) {
	document, err := v.Payload(d)
	if err != nil {
		return nil, err
	}
	err = v.Decode(d, document, 20_000, func(e event.Event) error {
		events = append(events, &e)
		return nil
	})
	return events, err
}

// again decodes the raw of an event, with the account and the native event that the event
// names.
func again(t testing.TB, v *vendors.Vendor, e *event.Event) *event.Event {
	t.Helper()
	_, account, _ := strings.Cut(strings.TrimPrefix(e.Source, "/"), "/")
	events, err := decode(v, &delivery.Delivery{Vendor: v.Name, Account: account, Event: e.VendorEvent, Body: []byte(e.Data.Raw)})
	require.NoError(t, err, "raw: %s", e.Data.Raw)
	require.Len(t, events, 1, "raw: %s", e.Data.Raw)
	return events[0]
}

// unmarshal unmarshals JSON and keeps the text of numbers.
func unmarshal(t testing.TB, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v), "%s", text)
	return v
}
