package decode_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

func init() {
	vendors.Register(vendors.Vendor{
		Name: "pieces", Title: "Pieces", Page: "https://example.com/webhooks", Setup: "Somewhere.",
		Pieces: payload.Value.Elements,
		Named:  func(r *vendors.Reader, p payload.Value) string { return r.Text("vendorevent", p.Get("what")) },
		Events: []vendors.NativeEvent{{Name: "sent", Types: []string{event.MessageSent}, Convert: func(in *vendors.Input) vendors.Draft {
			return vendors.Draft{Type: event.MessageSent, ID: vendors.Natural(in.Payload.Get("id")), Read: in.Read()}
		}}},
		Other: func(in *vendors.Input) vendors.Draft { return vendors.Draft{Read: in.Read()} },
	})
}

// A delivery in pieces is decoded whole or not at all: where a piece cannot become an event,
// no event of the others flows on beside the flagged delivery.
func TestPieces(t *testing.T) {
	const sent = `{"what":"sent","id":1}`
	out := process(t, `webhook_decode: {}`, message(`[`+sent+`, {"what":"opened"} ]`, "webhook_vendor", "pieces"))
	require.Len(t, out, 2)
	for i, eventType := range []string{event.MessageSent, "pieces.opened"} {
		require.NoError(t, out[i].GetError())
		require.Equal(t, eventType, attributes(t, out[i])["type"])
	}

	for body, reason := range map[string]string{
		`[` + sent + `,7]`: "malformed",
		`[]`:               "malformed",
		`[` + sent + `,` + sent + `,` + sent + `]`:                    "too_many_events",
		`[` + sent + `,{"text":"` + strings.Repeat("x", 2000) + `"}]`: "event_too_large",
	} {
		out := process(t, `webhook_decode: { max_events: 2, max_event_bytes: 2000 }`, message(body, "webhook_vendor", "pieces"))
		require.Len(t, out, 1, body)
		require.Error(t, out[0].GetError(), body)
		require.Equal(t, reason, metadata(t, out[0])["decode_reason"], body)
		text, err := out[0].AsBytes()
		require.NoError(t, err)
		require.Equal(t, body, string(text), "it flows on unchanged")
	}
}
