package tests

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// FuzzDecode gives any bytes to every vendor's decoder, from the samples on.
func FuzzDecode(f *testing.F) {
	all := vendors.All()
	for i, v := range all {
		for _, s := range samplesOf(f, v) {
			if len(s.delivery.Body) < 64<<10 {
				f.Add(uint8(i), s.delivery.Event, s.delivery.ContentType, s.delivery.Body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, vendor uint8, declared, contentType string, body []byte) {
		v := all[int(vendor)%len(all)]
		d := &delivery.Delivery{Vendor: v.Name, Event: declared, ContentType: contentType, Body: body}
		if _, err := v.Payload(d); err != nil {
			u, ok := errors.AsType[*vendors.Undecodable](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, delivery.Malformed, u.Reason)
			return
		}
		requireEvents(t, v, d)
	})
}
