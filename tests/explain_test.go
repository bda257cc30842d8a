package tests

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// inventedKeys are the keys of samples that no vendor sends: they stand for keys that are
// new, and for bodies that are not the vendor's.
var inventedKeys = map[string][]string{
	"callrail": {"sentiment.agent[]", "sentiment.caller", "brand_new", "Duration", "custom\ufffd"},
	"mobiniti": {
		"batch_id", "dry", "messages[]", "phone_number", "statuses.100", "statuses[]", "statuses[].bad",
		"statuses[].recipients", "statuses[].recipients[].n",
	},
	"oneroute": {"headers[].kept"},
	"twilio":   {"BrandNew"},
	"whatsapp": {
		"batch_id", "entry[].uid", "entry[].changes[].seq", "entry[].changes[].value.contacts[]", "entry[].changes[].value.shard",
		"entry[].changes[].value.statuses",
	},
}

// TestEveryKeyHasAPlace expects each key of each sample to be read for a field of the event,
// or to stand in raw only with a reason. Each reason has to be true: it names no key that is
// read, and no key that no sample has. The samples have all keys of the vendors' pages.
func TestEveryKeyHasAPlace(t *testing.T) {
	for _, v := range vendors.All() {
		t.Run(v.Name, func(t *testing.T) {
			found := map[string]bool{} // the names in RawOnly that a sample has
			for _, s := range samplesOf(t, v) {
				explanation, err := v.Explain(&s.delivery)
				if err != nil {
					continue // the golden has the error
				}
				var native *vendors.NativeEvent
				if len(explanation.VendorEvents) == 1 { // else a key may be read of one native event, and of another not
					native, _ = v.Native(explanation.VendorEvents[0])
				}
				for _, key := range explanation.Keys {
					if len(key.Fields) == 0 && key.Reason == "" && !slices.Contains(inventedKeys[v.Name], key.Name) {
						t.Errorf("%s: the key %s is not read, and has no reason", s.name(), key.Name)
					}
					if native != nil && !explanation.Unrecognized {
						confirm(t, &s, slices.Concat(native.RawOnly, v.RawOnly), key, found)
					}
				}
			}
			requireFound(t, v.RawOnly, found)
			for _, native := range v.Events {
				requireFound(t, native.RawOnly, found)
			}
		})
	}
}

// confirm notes the names in reasons that the key is within, and expects that the key is not read.
func confirm(t *testing.T, s *sample, reasons []vendors.RawOnly, key vendors.WireKey, found map[string]bool) {
	t.Helper()
	for _, reason := range reasons {
		for _, name := range reason.Keys {
			if key.Within(name) {
				found[name] = true
				if len(key.Fields) > 0 {
					t.Errorf("%s: the key %s stands in raw only, because: %s; it is read as %v", s.name(), key.Name, reason.Reason, key.Fields)
				}
			}
		}
	}
}

func requireFound(t *testing.T, reasons []vendors.RawOnly, found map[string]bool) {
	t.Helper()
	for _, reason := range reasons {
		require.NotEmpty(t, reason.Reason)
		for _, name := range reason.Keys {
			if !found[name] {
				t.Errorf("no sample has the key %s, which stands in raw only, because: %s", name, reason.Reason)
			}
		}
	}
}
