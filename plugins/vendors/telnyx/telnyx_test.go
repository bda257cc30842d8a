package telnyx

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

const (
	attempt1 = `{"data":{"event_type":"message.received","id":"5ed9ec04-a33f-4ef2-b452-3a2989f00001","occurred_at":"2026-03-02T18:47:41.038+00:00","payload":{"id":"84cca175-9755-4859-b67f-4730d7f58001","text":"Zwei Plätze?"},"record_type":"event"},"meta":{"attempt":1,"delivered_to":"https://hooks.example.com/telnyx"}}`
	attempt2 = `{"data":{"event_type":"message.received","id":"5ed9ec04-a33f-4ef2-b452-3a2989f00001","occurred_at":"2026-03-02T18:47:41.038+00:00","payload":{"id":"84cca175-9755-4859-b67f-4730d7f58001","text":"Zwei Plätze?"},"record_type":"event"},"meta":{"attempt":2,"delivered_to":"https://hooks.example.com/telnyx"}}`
)

// The vendor publishes how it signs, but no signature: the tests of its own libraries make a
// key for each run. So the key is the first one of RFC 8032, section 7.1, and OpenSSL has made
// the signature of attempt1.
const (
	publicKey = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	signature = "0W7dI84kJTHZ3qdIVsHGIA8HJ263cH5EP2A4hRWiG6TZ+MOn7SnGbI2ynR+shziLpW6c2Yu4mqUB/3K+wlgVBg=="
	timestamp = 1772477261
)

func TestSignature(t *testing.T) {
	v, ok := vendors.Get("telnyx")
	require.True(t, ok)
	verifier, err := v.Signing.Verifier([]string{"PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=", publicKey})
	require.NoError(t, err)
	genuine := func() *signing.Request {
		r := &signing.Request{Header: http.Header{}, Body: []byte(attempt1), Now: time.Unix(timestamp, 0)}
		r.Header.Set("telnyx-timestamp", "1772477261")
		r.Header.Set("telnyx-signature-ed25519", signature)
		return r
	}
	require.Equal(t, 2, verifier.Verify(genuine()))
	for name, change := range map[string]struct {
		change func(*signing.Request)
		want   int
	}{
		"body":            {func(r *signing.Request) { r.Body = []byte(attempt2) }, 0},
		"timestamp":       {func(r *signing.Request) { r.Header.Set("telnyx-timestamp", "1772477262") }, 0},
		"no timestamp":    {func(r *signing.Request) { r.Header.Del("telnyx-timestamp") }, 0},
		"no signature":    {func(r *signing.Request) { r.Header.Del("telnyx-signature-ed25519") }, 0},
		"as late as may":  {func(r *signing.Request) { r.Now = r.Now.Add(300 * time.Second) }, 2},
		"too late":        {func(r *signing.Request) { r.Now = r.Now.Add(301 * time.Second) }, 0},
		"from the future": {func(r *signing.Request) { r.Now = r.Now.Add(-301 * time.Second) }, 0},
		"signature":       {func(r *signing.Request) { r.Header.Set("telnyx-signature-ed25519", "1"+signature[1:]) }, 0},
	} {
		r := genuine()
		change.change(r)
		require.Equal(t, change.want, verifier.Verify(r), name)
	}
}

// The vendor sends again with another number of the attempt, which is in no id.
func TestAttemptsHaveOneID(t *testing.T) {
	require.Equal(t, decode(t, attempt1).ID, decode(t, attempt2).ID)
}

func decode(t *testing.T, body string) (decoded event.Event) {
	t.Helper()
	v, ok := vendors.Get("telnyx")
	require.True(t, ok)
	d := &delivery.Delivery{Vendor: v.Name, Body: []byte(body)}
	document, err := v.Payload(d)
	require.NoError(t, err)
	require.NoError(t, v.Decode(d, document, 1, func(e event.Event) error {
		decoded = e
		return nil
	}))
	require.Equal(t, event.IDNatural, decoded.IDBasis)
	return decoded
}
