package deadletter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/tests/samples"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "github.com/hookswitch/hookswitch/plugins"
)

// processors returns a function that runs a message through a processor of the
// configuration.
func processors(t testing.TB) func(yaml string, msg *service.Message) service.MessageBatch {
	t.Helper()
	builder := service.NewResourceBuilder()
	builder.SetEngineVersion("1.2.3")
	for label, yaml := range map[string]string{
		"dead_letter":         "dead_letter: {}",
		"dead_letter_restore": "dead_letter_restore: {}",
		"webhook_decode":      "webhook_decode: {}",
		"fail":                `mapping: 'root = throw("it failed")'`,
		"text":                "mapping: |\n  root = this\n  root.data.raw = this.data.raw.format_json(no_indent: true).string()",
		"no_raw":              "mapping: |\n  root = this\n  root.data.raw = deleted()",
	} {
		require.NoError(t, builder.AddProcessorYAML("label: "+label+"\n"+yaml))
	}
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop(context.Background())) })
	return func(label string, msg *service.Message) (out service.MessageBatch) {
		require.NoError(t, resources.AccessProcessor(t.Context(), label, func(p *service.ResourceProcessor) {
			out, err = p.Process(t.Context(), msg)
		}))
		require.NoError(t, err)
		return out
	}
}

func message(body string, metadata ...string) *service.Message {
	msg := service.NewMessage([]byte(body))
	for i := 0; i < len(metadata); i += 2 {
		msg.MetaSetMut(metadata[i], metadata[i+1])
	}
	return msg
}

func text(t testing.TB, msg *service.Message) string {
	t.Helper()
	b, err := msg.AsBytes()
	require.NoError(t, err)
	return string(b)
}

func record(t testing.TB, msg *service.Message) *delivery.DeadLetter {
	t.Helper()
	require.NoError(t, msg.GetError(), "it is no error any more")
	l, err := delivery.ParseDeadLetter(text(t, msg))
	require.NoError(t, err)
	contentType, _ := msg.MetaGet("content-type")
	require.Equal(t, "application/cloudevents+json", contentType)
	return l
}

// only returns the message of a batch of one.
func only(t testing.TB, batch service.MessageBatch) *service.Message {
	t.Helper()
	require.Len(t, batch, 1)
	return batch[0]
}

const (
	call = `{"resource_id":"CAL1", "customer_phone_number":"+16145550117","value":1.50}`
)

func delivered(body string, metadata ...string) *service.Message {
	return message(body, append([]string{
		"webhook_vendor", "callrail", "webhook_event", "post_call", "webhook_account", "north", "webhook_content_type", "application/json", "webhook_route", "/callrail/{event}",
		"webhook_received_at", "2026-03-03T00:30:00.12Z", "webhook_delivery_id", "d-1", "webhook_header_user_agent", "J\xfcrgen",
	}, metadata...)...)
}

func TestDeadLetterOfADecoder(t *testing.T) {
	process := processors(t)
	msg := only(t, process("webhook_decode", delivered("no JSON", "path", "/callrail/a-secret?token=a-secret")))
	require.Error(t, msg.GetError())
	require.Equal(t, &delivery.DeadLetter{
		ID: "d-1", Source: "/callrail", Reason: delivery.Malformed, Detail: `reading callrail body of 7 bytes: reading JSON: byte 0: expected a value, got 'n'`, Version: "1.2.3",
		Vendor: "callrail", Event: "post_call", Account: "north", Route: "/callrail/{event}", ContentType: "application/json",
		ReceivedAt: "2026-03-03T00:30:00.12Z", DeliveryID: "d-1", Headers: []delivery.HeaderText{{Name: "user_agent", Value: "J\xfcrgen"}}, Body: []byte("no JSON"),
	}, record(t, only(t, process("dead_letter", msg))), "and nothing of the other metadata")
}

func TestDeadLetterLeavesOthersAlone(t *testing.T) {
	process := processors(t)
	msg := only(t, process("dead_letter", delivered(call)))
	require.NoError(t, msg.GetError())
	require.Equal(t, call, text(t, msg))
	_, set := msg.MetaGet("content-type")
	require.False(t, set)
}

// A delivery that failed before a decoder saw it, of whatever stream.
func TestDeadLetterOfAFailure(t *testing.T) {
	process := processors(t)
	msg := only(t, process("fail", delivered(call)))
	msg.SetError(errors.New("it failed\x00" + strings.Repeat("x", 10_000)))
	l := record(t, only(t, process("dead_letter", msg)))
	require.Equal(t, delivery.Failed, l.Reason)
	require.Equal(t, "it failed"+strings.Repeat("x", 503), l.Detail, "the engine's errors may quote a message")
	require.Equal(t, call, string(l.Body))

	msg = message("\x00\xff")
	msg.SetError(errors.New("it failed"))
	l = record(t, only(t, process("dead_letter", msg)))
	require.Equal(t, "/unknown", l.Source)
	require.Equal(t, "\x00\xff", string(l.Body))
	require.Len(t, l.ID, 32)

	msg = message("x", "webhook_vendor", "../nobody")
	msg.SetError(errors.New("it failed"))
	l = record(t, only(t, process("dead_letter", msg)))
	require.Equal(t, "/unknown", l.Source, "it holds no text of a sender")
	require.Equal(t, "../nobody", l.Vendor)
}

// An event that failed becomes a delivery that gives the same event again.
func TestDeadLetterOfAnEvent(t *testing.T) {
	process := processors(t)
	for _, raw := range []string{"", "text"} {
		event := only(t, process("webhook_decode", delivered(call)))
		require.NoError(t, event.GetError())
		whole := text(t, event)
		id, _ := event.MetaGet("event_id")
		if raw != "" {
			event = only(t, process(raw, event))
			require.Contains(t, text(t, event), `"raw":"{\"`)
		}
		event = only(t, process("fail", event))
		require.Error(t, event.GetError())
		l := record(t, only(t, process("dead_letter", event)))
		if raw == "" {
			require.Equal(t, `{"resource_id":"CAL1","customer_phone_number":"+16145550117","value":1.50}`, string(l.Body))
		}
		require.Contains(t, l.Detail, "it failed")
		l.Body, l.Detail = nil, ""
		require.Equal(t, &delivery.DeadLetter{
			ID: "d-1." + id, Source: "/callrail", Reason: delivery.Failed, Version: "1.2.3", Vendor: "callrail", Event: "post_call", Account: "north",
			ContentType: "application/json", ReceivedAt: "2026-03-03T00:30:00.12Z", DeliveryID: "d-1",
		}, l)
		again := only(t, process("webhook_decode", only(t, process("dead_letter_restore", event))))
		if raw == "" {
			require.Equal(t, whole, text(t, again))
		} else {
			againID, _ := again.MetaGet("event_id")
			require.Equal(t, id, againID)
		}
	}
}

// The events of one delivery are kept one by one, under an id each, which they keep when
// they fail again, in a decoder as well.
func TestDeadLettersOfOneDelivery(t *testing.T) {
	process := processors(t)
	sample := samples.At(t, filepath.Join("..", "vendors", "mobiniti", "testdata", "delivery_report", "several.json"))
	events := process("webhook_decode", message(string(sample.Body), "webhook_vendor", "mobiniti", "webhook_event", "delivery_report", "webhook_delivery_id", "d-2"))
	require.Greater(t, len(events), 1)
	ids := map[string]bool{}
	for _, event := range events {
		l := record(t, only(t, process("dead_letter", only(t, process("fail", event)))))
		require.Equal(t, "d-2", l.DeliveryID)
		require.False(t, ids[l.ID], l.ID)
		ids[l.ID] = true
		again := only(t, process("dead_letter_restore", message(text(t, event))))
		again.SetError(errors.New("it failed"))
		require.Equal(t, l.ID, record(t, only(t, process("dead_letter", again))).ID)
	}
}

// An event without raw is kept, and no decoder makes another event of it.
func TestDeadLetterOfAnEventWithoutRaw(t *testing.T) {
	process := processors(t)
	event := only(t, process("no_raw", only(t, process("webhook_decode", delivered(call)))))
	whole := text(t, event)
	l := record(t, only(t, process("dead_letter", only(t, process("fail", event)))))
	require.Equal(t, whole, string(l.Body))
	require.Equal(t, "/callrail", l.Source)
	require.Empty(t, l.Vendor)
	require.Equal(t, "2026-03-03T00:30:00.12Z", l.ReceivedAt)
	restored := only(t, process("dead_letter_restore", event))
	require.ErrorContains(t, restored.GetError(), "expected a delivery, got an event without raw")
	require.ErrorContains(t, only(t, process("webhook_decode", restored)).GetError(), "event without raw")
}

// No credential is in what can be parsed, and a body that cannot be is kept.
func TestDeadLetterRedacts(t *testing.T) {
	process := processors(t)
	const body = `{"event":"newMessage","credentials":{"token":"EXAMPLE-SECRET"},"a":[{"WebhookURL":"EXAMPLE-SECRET","b":1.50}]}`
	for _, vendor := range []string{"oneroute", "nobody", ""} {
		msg := message(body, "webhook_vendor", vendor)
		msg.SetError(errors.New("it failed"))
		require.Equal(t, `{"event":"newMessage","a":[{"b":1.50}]}`, string(record(t, only(t, process("dead_letter", msg))).Body), vendor)
	}
	for vendor, body := range map[string]string{"oneroute": body[:50], "callrail": body} {
		msg := message(body, "webhook_vendor", vendor)
		msg.SetError(errors.New("it failed"))
		require.Equal(t, body, string(record(t, only(t, process("dead_letter", msg))).Body), vendor)
	}
}

func TestRestore(t *testing.T) {
	process := processors(t)
	msg := only(t, process("dead_letter", only(t, process("webhook_decode", delivered("no JSON")))))
	restored := only(t, process("dead_letter_restore", message(text(t, msg), "webhook_vendor", "forged", "webhook_header_cookie", "forged", "decode_reason", "malformed", "kafka_topic", "dead")))
	require.NoError(t, restored.GetError())
	require.Equal(t, "no JSON", text(t, restored))
	metadata := map[string]string{}
	require.NoError(t, restored.MetaWalk(func(key, value string) error {
		metadata[key] = value
		return nil
	}))
	require.Equal(t, map[string]string{
		"webhook_vendor": "callrail", "webhook_event": "post_call", "webhook_account": "north", "webhook_content_type": "application/json", "webhook_route": "/callrail/{event}",
		"webhook_received_at": "2026-03-03T00:30:00.12Z", "webhook_delivery_id": "d-1", "webhook_header_user_agent": "J\xfcrgen", "webhook_dead_letter_id": "d-1", "kafka_topic": "dead",
	}, metadata)

	for _, body := range []string{"", "x", "{}", call} {
		bad := only(t, process("dead_letter_restore", message(body, "a", "b")))
		require.ErrorContains(t, bad.GetError(), "reading dead letter")
		require.Equal(t, body, text(t, bad))
		require.Equal(t, body, string(record(t, only(t, process("dead_letter", bad))).Body))
	}
	flagged := message(text(t, msg))
	flagged.SetError(errors.New("before"))
	require.EqualError(t, only(t, process("dead_letter_restore", flagged)).GetError(), "before")
}

// outcome is what a decoder makes of a message.
func outcome(t testing.TB, batch service.MessageBatch) []string {
	t.Helper()
	var all []string
	for _, msg := range batch {
		reason, _ := msg.MetaGet("decode_reason")
		all = append(all, fmt.Sprintf("%v %s %s", msg.GetError() != nil, reason, text(t, msg)))
	}
	return all
}

// Promise 5: a dead letter replays to exactly what the first delivery would have given.
func TestReplayGivesWhatTheDeliveryWouldHaveGiven(t *testing.T) {
	process := processors(t)
	check := func(msg *service.Message) {
		t.Helper()
		expected := outcome(t, process("webhook_decode", msg.Copy()))
		failed := msg.Copy()
		failed.SetError(errors.New("it failed"))
		letter := only(t, process("dead_letter", failed))
		require.True(t, json.Valid([]byte(text(t, letter))))
		require.Equal(t, expected, outcome(t, process("webhook_decode", only(t, process("dead_letter_restore", message(text(t, letter)))))))

		// So do the dead letters of what cannot be decoded.
		out := process("webhook_decode", msg.Copy())
		if len(out) == 1 && out[0].GetError() != nil {
			again := only(t, process("dead_letter_restore", message(text(t, only(t, process("dead_letter", out[0]))))))
			require.Equal(t, expected, outcome(t, process("webhook_decode", again)))
		}
	}

	var bodies [][]byte
	n := 0
	require.NoError(t, filepath.WalkDir(filepath.Join("..", "vendors"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "testdata") || strings.Contains(path, ".golden") || strings.HasSuffix(path, ".gz") {
			return err
		}
		s := samples.At(t, path)
		n++
		bodies = append(bodies, s.Body)
		check(message(string(s.Body), "webhook_vendor", s.Vendor, "webhook_event", s.Event, "webhook_content_type", s.ContentType, "webhook_received_at", "2026-03-03T00:30:00.12Z", "webhook_delivery_id", "d-1"))
		return nil
	}))
	require.Greater(t, n, 50)
	latin := message("resource_id=CAL1&customer_name=D%E1na", "webhook_vendor", "callrail", "webhook_event", "post_call", "webhook_content_type", "application/x-www-form-urlencoded; charset=ISO-8859-1")
	require.Contains(t, text(t, only(t, process("webhook_decode", latin.Copy()))), `"name":"Dána"`)
	check(latin)

	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // bodies of a test
	vendors := []string{"callrail", "mobiniti", "movement", "oneroute", "supersend", "nobody", ""}
	for range 2000 {
		body := append([]byte(nil), bodies[random.IntN(len(bodies))]...)
		if len(body) == 0 || len(body) > 20_000 {
			continue
		}
		for range random.IntN(4) {
			body[random.IntN(len(body))] = byte(random.Uint32())
		}
		noise := make([]byte, random.IntN(6))
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		check(message(string(body[:random.IntN(len(body)+1)]), "webhook_vendor", vendors[random.IntN(len(vendors))], "webhook_event", string(noise), "webhook_content_type", "application/json", "webhook_received_at", string(noise), "webhook_delivery_id", string(noise)))
	}
}
