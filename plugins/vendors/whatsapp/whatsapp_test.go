package whatsapp_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/whatsapp"
	"github.com/hookswitch/hookswitch/tests/promises"
)

func whatsapp(t *testing.T) *vendors.Vendor {
	t.Helper()
	v, ok := vendors.Get("whatsapp")
	require.True(t, ok)
	return v
}

// TestSigningVector verifies the vector that GitHub publishes for this scheme. Meta signs by
// the same header and publishes no vector.
//
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
func TestSigningVector(t *testing.T) {
	v, err := whatsapp(t).Signing.Verifier([]string{"It's a Secret to Everybody"})
	require.NoError(t, err)
	r := &signing.Request{
		Header: http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		Body:   []byte("Hello, World!"),
	}
	require.Equal(t, 1, v.Verify(r))
	r.Body = []byte("Hello, World?")
	require.Zero(t, v.Verify(r))
}

// TestRandomBatches decodes payloads of several entries, changes and parts, some of which are
// odd. In each payload stands a text of the greatest length with which the payload is still
// sliced.
func TestRandomBatches(t *testing.T) {
	v := whatsapp(t)
	random := rand.New(rand.NewPCG(1, 2))
	atBound := 0
	for range 200 {
		b := &batch{Rand: random, sound: random.IntN(2) == 0}
		document := b.document()
		deliver := func(length int) *delivery.Delivery {
			b.long = strings.Repeat("x", length)
			body, err := json.Marshal(document)
			require.NoError(t, err)
			return &delivery.Delivery{Vendor: v.Name, Body: body}
		}
		const most = 1 << 14
		tooLong := sort.Search(most, func(length int) bool { return eventsOf(t, v, deliver(length)) == 1 })
		if 0 < tooLong && tooLong < most {
			atBound++
		}
		d := deliver(max(tooLong-1, 0))
		parsed, err := v.Payload(d)
		require.NoError(t, err)
		require.NoError(t, promises.Check(v, d, parsed), "%s", d.Body)
	}
	require.Greater(t, atBound, 25, "of 200 payloads")
}

func eventsOf(t *testing.T, v *vendors.Vendor, d *delivery.Delivery) (n int) {
	t.Helper()
	document, err := v.Payload(d)
	require.NoError(t, err)
	defer document.Release()
	require.NoError(t, v.Decode(d, document, promises.MaxEvents, func(event.Event) error {
		n++
		return nil
	}))
	return n
}

// batch makes payloads of few people, each of whom has a number, an id or both.
type batch struct {
	*rand.Rand
	sound bool   // whether all parts are as expected
	long  string // a text that stands in one place of the payload, and in several slices
	taken bool   // whether the text stands somewhere
	parts int
}

func (b *batch) document() any {
	document := map[string]any{"object": "whatsapp_business_account", "entry": b.some(3, b.entry)}
	if b.odd() {
		document["batch_id"] = 7
	}
	return document
}

func (b *batch) entry() any {
	return b.mostly(map[string]any{"id": b.oneOf("204580129340311", b.text()), "changes": b.some(3, b.change)})
}

func (b *batch) change() any {
	value := map[string]any{
		"metadata": map[string]any{"display_phone_number": "12025550100", "note": b.text()},
		"contacts": b.some(20, b.contact),
		"messages": b.some(20, func() any {
			return b.mostly(map[string]any{"id": b.id(), "type": "text", "from": b.number(), "from_user_id": b.userID()})
		}),
	}
	if b.IntN(2) == 0 {
		value["statuses"] = b.some(20, func() any {
			return b.mostly(map[string]any{"id": b.id(), "status": "read", "recipient_id": b.number(), "recipient_user_id": b.userID()})
		})
	}
	if b.odd() {
		value[b.oneOf("contacts", "messages", "statuses", "errors").(string)] = b.oneOf(nil, "x", 7, map[string]any{"a": 1})
	}
	return b.mostly(map[string]any{"value": value, "field": b.oneOf("messages", "messages", "messages", "account_update")})
}

func (b *batch) contact() any {
	return b.mostly(map[string]any{"wa_id": b.number(), "user_id": b.userID(), "n": b.IntN(1000)})
}

// text returns the text of any length, once, and then a short one.
func (b *batch) text() any {
	if b.taken {
		return "204580129340312"
	}
	b.taken = true
	return &b.long
}

func (b *batch) id() string {
	b.parts++
	return fmt.Sprintf("wamid.%d", b.parts)
}

func (b *batch) number() any { return b.oneOf("12025550143", "12025550144", "12025550145", nil, "") }

func (b *batch) userID() any { return b.oneOf("US.1", "US.2", "12025550143", nil) }

// mostly returns v, and at times another value instead.
func (b *batch) mostly(v any) any {
	if b.odd() {
		return b.oneOf(nil, "", "x", 7, []any{}, map[string]any{}, []any{map[string]any{"id": 7}})
	}
	return v
}

func (b *batch) odd() bool { return !b.sound && b.IntN(12) == 0 }

func (b *batch) oneOf(values ...any) any { return values[b.IntN(len(values))] }

func (b *batch) some(most int, element func() any) any {
	elements := make([]any, 1+b.IntN(most))
	for i := range elements {
		elements[i] = element()
	}
	return elements
}
