package delivery_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
)

func TestDeadLetterIsACloudEvent(t *testing.T) {
	l := delivery.DeadLetter{
		ID: "d-1", Source: "/callrail", Reason: delivery.Malformed, Detail: `a "sentence"`, Version: "1.2.3",
		Vendor: "callrail", Event: "post_call", ReceivedAt: "2026-03-03T00:30:00.120+01:00", DeliveryID: "d-1",
		Headers: []delivery.HeaderText{{Name: "x_b", Value: "2"}, {Name: "x_a", Value: "J\xfcrgen"}},
		Body:    []byte("Service <Unavailable>"),
	}
	require.Equal(t, `{"specversion":"1.0","id":"d-1","source":"/callrail","type":"hookswitch.dead_letter","time":"2026-03-02T23:30:00.12Z","datacontenttype":"application/json",`+
		`"data":{"reason":"malformed","detail":"a \"sentence\"","version":"1.2.3","vendor":"callrail","event":"post_call","received_at":"2026-03-03T00:30:00.120+01:00","delivery_id":"d-1",`+
		`"headers":[{"name":"x_a","value":{"base64":"SvxyZ2Vu"}},{"name":"x_b","value":"2"}],"body":"U2VydmljZSA8VW5hdmFpbGFibGU+"}}`, string(l.AppendJSON(nil)))
}

// Any metadata and any body come back byte for byte.
func FuzzDeadLetter(f *testing.F) {
	f.Add("callrail", "post_call", "main", "application/json", "2026-03-03T00:30:00Z", "d-1", "r-1", []byte(`{"a":1}`))
	f.Add("\xff\xfe", "\x00", "\ufffe", "a\nb\u2028", "yesterday", "", "\xc3", []byte("\x00\xff\n"))
	f.Add("", "", "", "", "", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, vendor, event, account, contentType, receivedAt, id, header string, body []byte) {
		in := map[string]string{
			delivery.KeyVendor: vendor, delivery.KeyEvent: event, delivery.KeyAccount: account, delivery.KeyRoute: header, delivery.KeyContentType: contentType,
			delivery.KeyContentEncoding: account, delivery.KeyReceivedAt: receivedAt, delivery.KeyID: id,
		}
		l := &delivery.DeadLetter{Source: "/unknown", Reason: delivery.Failed, Body: body}
		for key, value := range in {
			require.True(t, l.SetMetadata(key, value))
			if value == "" {
				delete(in, key)
			}
		}
		in[delivery.HeaderKey("X-Request-Id")] = header
		require.True(t, l.SetMetadata(delivery.HeaderKey("X-Request-Id"), header))
		require.False(t, l.SetMetadata("webhook_other", vendor))
		l.ID = l.DefaultID()
		require.NotEmpty(t, l.ID)

		text := l.AppendJSON(nil)
		require.True(t, json.Valid(text), "%s", text)
		require.NotContains(t, string(text), "\n")
		read, err := delivery.ParseDeadLetter(string(text))
		require.NoError(t, err)
		require.Equal(t, string(text), string(read.AppendJSON(nil)))
		out := map[string]string{}
		read.Metadata(func(key, value string) { out[key] = value })
		require.Equal(t, l.ID, out[delivery.KeyDeadLetterID])
		delete(out, delivery.KeyDeadLetterID)
		require.Equal(t, in, out)
		require.Equal(t, string(body), string(read.Body))
	})
}

func TestDefaultIDTellsDeliveriesApart(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range []delivery.DeadLetter{
		{DeliveryID: "d-1", Body: []byte("x")},
		{},
		{Body: []byte("x")},
		{Vendor: "callrail", Body: []byte("x")},
		{Event: "callrail", Body: []byte("x")},
		{Account: "callrail", Body: []byte("x")},
		{ReceivedAt: "2026-03-03T00:30:00Z", Body: []byte("x")},
		{Vendor: `call" "rail`},
		{Vendor: "call", Event: "rail"},
	} {
		require.False(t, seen[l.DefaultID()], "%+v", l)
		seen[l.DefaultID()] = true
		again := l
		again.Reason, again.Detail, again.Version = delivery.Failed, "other", "2"
		require.Equal(t, l.DefaultID(), again.DefaultID())
	}
}

func TestParseDeadLetter(t *testing.T) {
	text := func(data string) string {
		return `{"specversion":"1.0","id":"d-1","source":"/x","type":"hookswitch.dead_letter","data":` + data + `}`
	}
	l, err := delivery.ParseDeadLetter(` { "type": "hookswitch.dead_letter", "id": "1", "new": [], "data": { "vendor": null, "later": {"a":1}, "body": "PDw\/Pz8+Pg==" } } `)
	require.NoError(t, err, "another writer has written it anew")
	require.Equal(t, &delivery.DeadLetter{ID: "1", Body: []byte("<<???>>")}, l)
	for text, want := range map[string]string{
		"":                                "reading dead letter",
		"[]":                              `expected a CloudEvent of type hookswitch.dead_letter, got ""`,
		`{"type":"call.completed"}`:       `got "call.completed"`,
		text(`{}`):                        "field body: expected a text in base64",
		text(`{"body":7}`):                "field body: expected a text in base64",
		text(`{"body":"!"}`):              "field body: expected a text in base64",
		text(`{"body":"","vendor":7}`):    "field vendor: expected a text",
		text(`{"body":"","event":{}}`):    "field event: expected a text in base64",
		text(`{"body":"","headers":[7]}`): "",
		`{"type":"hookswitch.dead_letter","data":{"body":""}}`: "field id: expected a text",
	} {
		_, err := delivery.ParseDeadLetter(text)
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
}

func TestReceived(t *testing.T) {
	require.Equal(t, "2026-03-03T00:30:00.12Z", delivery.FormatTime((&delivery.DeadLetter{ReceivedAt: "2026-03-03T01:30:00.12+01:00"}).Received()))
	for _, text := range []string{"", "yesterday"} {
		l := delivery.DeadLetter{ReceivedAt: text}
		require.True(t, l.Received().IsZero())
		require.False(t, strings.Contains(string(l.AppendJSON(nil)), `"time"`))
	}
}
