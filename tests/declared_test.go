package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/promises"
)

// TestNoneOfTheKeys posts bodies that have nothing of the native event that their route
// declares: they count as none.
func TestNoneOfTheKeys(t *testing.T) {
	for _, v := range vendors.All() {
		for _, native := range v.Events {
			for body, contentType := range map[string]string{
				`{"test":"yes"}`:                      "application/json",
				`{}`:                                  "application/json",
				`{"test":{"id":"1"},"Resource_ID":1}`: "application/json", // keys are matched in their case, and at the top
				"payload=":                            "application/x-www-form-urlencoded",
			} {
				t.Run(v.Name+"/"+native.Name+"/"+body, func(t *testing.T) {
					d := &delivery.Delivery{Vendor: v.Name, Event: native.Name, ContentType: contentType, Body: []byte(body)}
					events, err := decode(v, d)
					require.NoError(t, err)
					require.Len(t, events, 1)
					e := events[0]
					require.Equal(t, v.Name+".unrecognized", e.Type)
					require.Equal(t, "vendor", e.Schema())
					require.Equal(t, native.Name, e.VendorEvent)
					require.Equal(t, []event.Issue{{Field: "vendorevent", Reason: event.Contradiction}}, e.Data.Issues)
					require.NoError(t, promises.CheckAgain(v, e))
				})
			}
		}
	}
}

// TestOneOfTheKeys leaves the payload of every sample with one of its keys in turn, its
// value null: that is a poor body of the declared native event, and no other one.
func TestOneOfTheKeys(t *testing.T) {
	for _, v := range vendors.All() {
		known := map[string]bool{} // native events of which some key is read
		for _, s := range samplesOf(t, v) {
			of, err := decode(v, &s.delivery)
			if err != nil {
				continue
			}
			native, ok := v.Native(of[0].VendorEvent)
			if !ok {
				continue
			}
			document, err := payload.Parse(string(of[0].Data.Raw))
			require.NoError(t, err)
			for name := range document.Members() {
				body := append(payload.AppendString([]byte("{"), name), ":null}"...)
				events, err := decode(v, &delivery.Delivery{Vendor: v.Name, Event: native.Name, Body: body})
				require.NoError(t, err)
				require.Len(t, events, 1, "%s", body)
				if events[0].Type != v.Name+".unrecognized" {
					require.Contains(t, native.Types, events[0].Type, "%s", body)
					require.Empty(t, events[0].Data.Issues, "%s", body)
					known[native.Name] = true
				}
			}
		}
		for _, native := range v.Events {
			require.True(t, known[native.Name], "%s: expected %s to read a key of a sample", v.Name, native.Name)
		}
	}
}
