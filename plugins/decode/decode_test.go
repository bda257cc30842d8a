package decode_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/vendors"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "github.com/hookswitch/hookswitch/plugins"
)

func process(t *testing.T, yaml string, msg *service.Message) service.MessageBatch {
	t.Helper()
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.AddProcessorYAML("label: decode\n"+yaml))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	defer func() { require.NoError(t, stop(context.WithoutCancel(t.Context()))) }()
	var out service.MessageBatch
	require.NoError(t, resources.AccessProcessor(t.Context(), "decode", func(p *service.ResourceProcessor) {
		out, err = p.Process(t.Context(), msg)
	}))
	require.NoError(t, err)
	return out
}

func message(body string, metadata ...string) *service.Message {
	msg := service.NewMessage([]byte(body))
	for i := 0; i < len(metadata); i += 2 {
		msg.MetaSetMut(metadata[i], metadata[i+1])
	}
	return msg
}

func metadata(t *testing.T, msg *service.Message) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, msg.MetaWalk(func(key, value string) error {
		all[key] = value
		return nil
	}))
	return all
}

func attributes(t *testing.T, msg *service.Message) map[string]any {
	t.Helper()
	body, err := msg.AsBytes()
	require.NoError(t, err)
	var e map[string]any
	require.NoError(t, json.Unmarshal(body, &e))
	return e
}

const call = `{"resource_id":"CAL1","customer_phone_number":"+16145550117"}`

func TestFields(t *testing.T) {
	out := process(t, `webhook_decode: { vendor: callrail, event: '${! @route }', account: main }`, message(call, "route", "post_call", "Authorization", "x"))
	require.Len(t, out, 1)
	require.NoError(t, out[0].GetError())
	e := attributes(t, out[0])
	require.Equal(t, "/callrail/main", e["source"])
	require.Equal(t, "call.completed", e["type"])
	require.Equal(t, "callrail/main/+16145550117", e["partitionkey"])
	require.NotContains(t, e, "recordedtime")
	require.Equal(t, map[string]string{
		"event_id": e["id"].(string), "event_type": "call.completed", "event_key": "callrail/main/+16145550117",
		"event_vendor": "callrail", "event_schema": "call.completed", "content-type": "application/cloudevents+json",
	}, metadata(t, out[0]), "request metadata does not travel on")
}

func TestFieldsDefaultToMetadata(t *testing.T) {
	out := process(t, `webhook_decode: {}`, message("resource_id=CAL1", "webhook_vendor", "callrail", "webhook_event", "post_call",
		"webhook_account", "north", "webhook_content_type", "application/x-www-form-urlencoded"))
	require.NoError(t, out[0].GetError())
	require.Equal(t, "/callrail/north", attributes(t, out[0])["source"])
	require.Equal(t, "call.completed", attributes(t, out[0])["type"])
}

// A delivery gives the same event wherever its metadata come from, and a field that
// the config sets holds against them.
func TestFieldsHoldAgainstMetadata(t *testing.T) {
	received := message(call, "webhook_vendor", "callrail", "webhook_event", "pre_call", "webhook_account", "south", "webhook_content_type", "application/json",
		"webhook_received_at", "2026-03-03T00:30:00.12Z", "webhook_delivery_id", "d-1", "webhook_route", "/callrail/{event}", "webhook_header_x_request_id", "r-1")
	for _, yaml := range []string{`webhook_decode: {}`, `callrail_decode: {}`} {
		out := process(t, yaml, received.Copy())
		require.NoError(t, out[0].GetError())
		e := attributes(t, out[0])
		require.Equal(t, "/callrail/south", e["source"])
		require.Equal(t, "call.started", e["type"])
		require.Equal(t, "2026-03-03T00:30:00.12Z", e["recordedtime"])
		require.Equal(t, "d-1", e["deliveryid"])
		meta := metadata(t, out[0])
		require.Equal(t, "2026-03-03", meta["event_date"])
		for key := range meta {
			require.NotContains(t, key, "webhook_", "what the door knows of a delivery ends with it")
		}
	}
	out := process(t, `webhook_decode: { vendor: callrail, event: post_call, account: main, received_at: "2026-04-05T06:07:08+02:00", delivery_id: d-2 }`, received)
	require.NoError(t, out[0].GetError())
	e := attributes(t, out[0])
	require.Equal(t, "/callrail/main", e["source"])
	require.Equal(t, "call.completed", e["type"])
	require.Equal(t, "2026-04-05T04:07:08Z", e["recordedtime"])
	require.Equal(t, "d-2", e["deliveryid"])
}

func TestUndecodable(t *testing.T) {
	report := `{"statuses":[],"messages":[{"id":1},{"id":2},{"id":3}]}`
	tests := []struct{ name, yaml, body, reason, detail string }{
		{"no JSON", `callrail_decode: {}`, `Service unavailable`, "malformed", "reading callrail body of 19 bytes"},
		{"no object", `callrail_decode: {}`, `[]`, "malformed", "expected a JSON object, got an array"},
		{"too many events", `mobiniti_decode: { max_events: 2 }`, report, "too_many_events", "expected at most 2 events"},
		{"too large an event", `callrail_decode: { max_event_bytes: 200 }`, call, "event_too_large", "expected events of at most 200 bytes"},
		{"no vendor", `webhook_decode: {}`, call, "misconfigured", `expected a vendor that is compiled in, got ""`},
		{"unknown vendor", `webhook_decode: { vendor: '${! "x" + "y" }' }`, call, "misconfigured", `got "xy"`},
		{"invalid account", `callrail_decode: { account: '${! "Main/" + "1" }' }`, call, "misconfigured", "reading account"},
		{"failing interpolation", `callrail_decode: { event: '${! json("a.b").not_null() }' }`, call, "misconfigured", "reading field event"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := process(t, test.yaml, message(test.body, "kept", "as it was"))
			require.Len(t, out, 1)
			require.ErrorContains(t, out[0].GetError(), test.detail)
			body, err := out[0].AsBytes()
			require.NoError(t, err)
			require.Equal(t, test.body, string(body), "it flows on unchanged")
			meta := metadata(t, out[0])
			require.Equal(t, test.reason, meta["decode_reason"])
			require.Contains(t, meta["decode_detail"], test.detail)
			require.Equal(t, "as it was", meta["kept"])
		})
	}
	require.Len(t, process(t, `mobiniti_decode: { max_events: 3 }`, message(report)), 3, "as many as are allowed")
}

// However many events the configuration allows, a body of nothing but small messages
// gives no more than its bytes are worth.
func TestEventsForBytes(t *testing.T) {
	report := func(n int, message string) string {
		return `{"statuses":[],"messages":[` + strings.TrimSuffix(strings.Repeat(message+",", n), ",") + `]}`
	}
	genuine := `{"id":"a8a2b40a-86ae-4a91-a61d-000000000031","phone_number":"2125550143"}`
	require.Len(t, process(t, `mobiniti_decode: {}`, message(report(1000, genuine))), 1000)
	require.Len(t, process(t, `mobiniti_decode: {}`, message(report(100, `{"id":1}`))), 100)
	out := process(t, `mobiniti_decode: {}`, message(report(1000, `{"id":1}`)))
	require.Len(t, out, 1)
	require.Equal(t, "too_many_events", metadata(t, out[0])["decode_reason"])
	require.Contains(t, metadata(t, out[0])["decode_detail"], "expected at most 241 events")
}

// What cannot become events keeps no secret either, if it can be parsed.
func TestUndecodableKeepsNoSecret(t *testing.T) {
	for _, contentType := range []string{"", "application/json", "application/x-www-form-urlencoded"} {
		out := process(t, `oneroute_decode: {}`, message(`[{"credentials":"SECRET"}]`, "webhook_content_type", contentType))
		require.Error(t, out[0].GetError())
		text, err := out[0].AsBytes()
		require.NoError(t, err)
		require.Equal(t, `[{}]`, string(text))
	}

	body := `{"event":"newMessage","conversation":{"Channel":{"credentials":{"token":"SECRET"},"webhookUrl":"https://SECRET.example"}}}`
	for _, yaml := range []string{
		`oneroute_decode: { max_event_bytes: 10 }`,
		`oneroute_decode: { account: '${! "Main/" + "1" }' }`,
		`webhook_decode: { vendor: oneroute, event: '${! json("a.b").not_null() }' }`,
	} {
		out := process(t, yaml, message(body))
		require.Error(t, out[0].GetError())
		text, err := out[0].AsBytes()
		require.NoError(t, err)
		require.Equal(t, `{"event":"newMessage","conversation":{"Channel":{}}}`, string(text))
		require.NotContains(t, out[0].GetError().Error(), "SECRET")
		require.NotContains(t, metadata(t, out[0])["decode_detail"], "SECRET")
	}
}

func TestDetailIsBounded(t *testing.T) {
	body := `{"` + strings.Repeat("k", 10_000) + `":{"` + strings.Repeat("l\t", 10_000)
	out := process(t, `callrail_decode: {}`, message(body))
	detail := metadata(t, out[0])["decode_detail"]
	require.LessOrEqual(t, len(detail), 512)
	require.NotContains(t, detail, "\t")
}

// What an earlier processor could not make is no body: it stays as it is, so that
// the dead letter holds it.
func TestEarlierFailureIsLeftAlone(t *testing.T) {
	msg := message(call, "kept", "as it was")
	msg.SetError(errors.New("an earlier processor failed"))
	out := process(t, `callrail_decode: {}`, msg)
	require.Len(t, out, 1)
	require.ErrorContains(t, out[0].GetError(), "an earlier processor failed")
	body, err := out[0].AsBytes()
	require.NoError(t, err)
	require.Equal(t, call, string(body))
	require.Equal(t, map[string]string{"kept": "as it was"}, metadata(t, out[0]))
}

func TestDeliveryOfAnotherVendor(t *testing.T) {
	out := process(t, `callrail_decode: {}`, message(`{"credentials":"SECRET","a":1}`, "webhook_vendor", "oneroute"))
	require.ErrorContains(t, out[0].GetError(), "expected a delivery of callrail, got one of oneroute")
	body, err := out[0].AsBytes()
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, string(body))
	require.Equal(t, "misconfigured", metadata(t, out[0])["decode_reason"])
}

// What stands in a message's metadata is not always what the door has set.
func TestMetadataThatCannotBeRead(t *testing.T) {
	for _, test := range []struct{ key, value, reason, detail string }{
		{"webhook_account", "Main/..", "misconfigured", "reading account: expected 1 to 64 of a to z, 0 to 9 and -"},
		{"webhook_received_at", "yesterday", "misconfigured", "expected a time such as 2026-07-01T15:13:12.04Z, got \"yesterday\""},
		{"webhook_received_at", "9999-12-31T23:59:59-01:00", "misconfigured", "expected a time such as"}, // in UTC it is the year 10000
		{"webhook_content_encoding", "gzip", "malformed", "expected it to inflate as gzip, it is broken"},
	} {
		out := process(t, `callrail_decode: {}`, message(call, test.key, test.value))
		require.ErrorContains(t, out[0].GetError(), test.detail)
		require.Equal(t, test.reason, metadata(t, out[0])["decode_reason"])
		require.Equal(t, test.value, metadata(t, out[0])[test.key], "it flows on unchanged")
	}
}

// One processor serves all threads of a pipeline, and the memory of one message
// serves the next: what comes out of one must not show in another.
func TestConcurrently(t *testing.T) {
	paths, err := filepath.Glob("../vendors/*/testdata/*/*.json")
	require.NoError(t, err)
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.AddProcessorYAML("label: decode\nwebhook_decode: {}"))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	defer func() { require.NoError(t, stop(context.WithoutCancel(t.Context()))) }()

	decode := func(path string, body []byte) (texts []string, err error) {
		err = resources.AccessProcessor(t.Context(), "decode", func(p *service.ResourceProcessor) {
			msg := service.NewMessage(body)
			vendor, rest, _ := strings.Cut(strings.TrimPrefix(filepath.ToSlash(path), "../vendors/"), "/testdata/")
			msg.MetaSetMut("webhook_vendor", vendor)
			if event := filepath.Dir(rest); event != vendors.Undeclared {
				msg.MetaSetMut("webhook_event", event)
			}
			var out service.MessageBatch
			if out, err = p.Process(t.Context(), msg); err != nil {
				return
			}
			for _, m := range out {
				text, _ := m.AsBytes()
				key, _ := m.MetaGet("event_key")
				texts = append(texts, key+string(text))
			}
		})
		return texts, err
	}
	bodies := make([][]byte, len(paths))
	want := make([][]string, len(paths))
	for i, path := range paths {
		bodies[i], err = os.ReadFile(path)
		require.NoError(t, err)
		want[i], err = decode(path, bodies[i])
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for round := range 5 {
				for i := range paths {
					i := (i*7 + worker*13 + round) % len(paths)
					got, err := decode(paths[i], bodies[i])
					if !assert.NoError(t, err) || !assert.Equal(t, want[i], got, paths[i]) {
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestConfigIsRefused(t *testing.T) {
	for yaml, errContains := range map[string]string{
		`webhook_decode: { vendor: nobody }`:        "expected a vendor that is compiled in",
		`callrail_decode: { account: Main }`:        "expected 1 to 64 of a to z, 0 to 9 and -",
		`callrail_decode: { max_events: 0 }`:        "expected at least 1",
		`callrail_decode: { max_event_bytes: 0 }`:   "expected at least 1",
		`mobiniti_decode: { event: keyword_added }`: "expected a native event of Mobiniti",
		`callrail_decode: { vendor: callrail }`:     "field vendor not recognised",
		`callrail_decode: { event: "${! x( }" }`:    "expected",
		`callrail_decode: { account: "${! x( }" }`:  "expected",
	} {
		builder := service.NewResourceBuilder()
		err := builder.AddProcessorYAML("label: decode\n" + yaml)
		if err == nil {
			_, _, err = builder.Build()
		}
		require.ErrorContains(t, err, errContains, yaml)
	}
}
