package postmark

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// TestBounceTypes converts a bounce of every type that the vendor lists.
//
// https://postmarkapp.com/developer/api/bounce-api#bounce-types
func TestBounceTypes(t *testing.T) {
	v, ok := vendors.Get("postmark")
	require.True(t, ok)
	for bounceType, want := range map[string]struct {
		eventType string
		failure   event.Failure
	}{
		"HardBounce":              {event.EmailBounced, event.Permanent},
		"BadEmailAddress":         {event.EmailBounced, event.Permanent},
		"SoftBounce":              {event.EmailBounced, event.Temporary},
		"DnsError":                {event.EmailBounced, event.Temporary},
		"SpamNotification":        {event.EmailBounced, event.Temporary},
		"Blocked":                 {event.EmailBounced, event.Temporary},
		"DMARCPolicy":             {event.EmailBounced, event.Temporary},
		"VirusNotification":       {event.EmailBounced, ""},
		"Unknown":                 {event.EmailBounced, ""},
		"Transient":               {event.EmailDeferred, event.Temporary},
		"ManuallyDeactivated":     {event.EmailDropped, event.Permanent},
		"TemplateRenderingFailed": {event.EmailDropped, event.Temporary},
		"SMTPApiError":            {event.EmailDropped, ""},
		"SpamComplaint":           {event.EmailComplained, ""},
		"Subscribe":               {event.ContactSubscribed, ""},
		"Unsubscribe":             {event.ContactUnsubscribed, ""},
		"AddressChange":           {"postmark.bounce", ""},
		"AutoResponder":           {"postmark.bounce", ""},
		"ChallengeVerification":   {"postmark.bounce", ""},
		"InboundError":            {"postmark.bounce", ""},
		"OpenRelayTest":           {"postmark.bounce", ""},
		"Unconfirmed":             {"postmark.bounce", ""},
	} {
		t.Run(bounceType, func(t *testing.T) {
			d := &delivery.Delivery{Vendor: "postmark", Body: fmt.Appendf(nil, `{"RecordType":"Bounce","ID":1,"Type":%q}`, bounceType)}
			document, err := v.Payload(d)
			require.NoError(t, err)
			require.NoError(t, v.Decode(d, document, 1, func(e event.Event) error {
				require.Equal(t, want.eventType, e.Type)
				require.Equal(t, want.failure, e.Data.Email.Failure)
				return nil
			}))
		})
	}
}
