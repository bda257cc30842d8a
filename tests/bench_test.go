package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/samples"
)

// comparison has a body, and two processors of the engine that make the same events from
// the body: our decoder, and the Bloblang that a user would write today. The Bloblang knows
// only the native event of this body. Unless it is held to more samples, it notes no issues,
// so it has less to do than the decoder.
type comparison struct {
	name     string
	body     func(testing.TB) []byte
	decoder  string
	bloblang string   // "" if only the decoder is measured
	samples  []string // more bodies that both have to make the same events from
}

var comparisons = []comparison{
	{
		name:     "callrail",
		body:     sampleBody("callrail/testdata/post_call/abandoned.json"),
		decoder:  "callrail_decode: { event: post_call }",
		bloblang: mappings("callrail"),
	},
	{
		name:     "mailgun",
		body:     sampleBody("mailgun/testdata/undeclared/delivered_every_key.json"),
		decoder:  "mailgun_decode: {}",
		bloblang: mappings("mailgun"),
	},
	{
		name:     "mobiniti",
		body:     sampleBody("mobiniti/testdata/inbound/keyword.json"),
		decoder:  "mobiniti_decode: { event: inbound }",
		bloblang: mappings("mobiniti"),
		samples: []string{
			"mobiniti/testdata/inbound/anonymous.json",
			"mobiniti/testdata/inbound/nameless.json",
			"mobiniti/testdata/inbound/whole_name.json",
			"mobiniti/testdata/inbound/withheld_number.json",
		},
	},
	{
		name:     "mobiniti_delivery_report",
		body:     deliveryReport(100),
		decoder:  "mobiniti_decode: { event: delivery_report }",
		bloblang: mappings("mobiniti_delivery_report", "mobiniti_delivery_report_message"),
	},
	{
		name:    "mobiniti_delivery_report_1000",
		body:    deliveryReport(1_000),
		decoder: "mobiniti_decode: { event: delivery_report }",
	},
	{
		name:    "mobiniti_delivery_report_10000",
		body:    deliveryReport(10_000),
		decoder: "mobiniti_decode: { event: delivery_report }",
	},
	{
		name:     "movement",
		body:     sampleBody("movement/testdata/undeclared/call_finished.json"),
		decoder:  "movement_decode: {}",
		bloblang: mappings("movement"),
	},
	{
		name:     "oneroute",
		body:     sampleBody("oneroute/testdata/undeclared/received.json"),
		decoder:  "oneroute_decode: {}",
		bloblang: mappings("oneroute"),
	},
	{
		name:     "postmark",
		body:     sampleBody("postmark/testdata/undeclared/click.json"),
		decoder:  "postmark_decode: {}",
		bloblang: mappings("postmark"),
	},
	{
		name:     "sendgrid",
		body:     sendgridBatch,
		decoder:  "sendgrid_decode: {}",
		bloblang: `processors: [ { unarchive: { format: json_array } }, { mapping: 'from "./bloblang/sendgrid.blobl"' } ]`,
	},
	{
		name:     "supersend",
		body:     sampleBody("supersend/testdata/undeclared/click.json"),
		decoder:  "supersend_decode: {}",
		bloblang: mappings("supersend"),
	},
	{
		name:     "twilio",
		body:     formBody("twilio/testdata/undeclared/sms.form"),
		decoder:  "twilio_decode: { event: incoming_message }",
		bloblang: mappings("twilio"),
	},
	{
		name:     "whatsapp",
		body:     sampleBody("whatsapp/testdata/undeclared/text_reply.json"),
		decoder:  "whatsapp_decode: {}",
		bloblang: mappings("whatsapp"),
	},
	{
		name:     "whatsapp_statuses",
		body:     sampleBody("whatsapp/testdata/undeclared/statuses_10.json"),
		decoder:  "whatsapp_decode: {}",
		bloblang: mappings("whatsapp_statuses", "whatsapp_status"),
	},
	{
		name:     "telnyx",
		body:     sampleBody("telnyx/testdata/undeclared/message_finalized_delivered.json"),
		decoder:  "telnyx_decode: {}",
		bloblang: mappings("telnyx"),
	},
}

// sampleBody returns a sample as it is on the wire: senders do not indent their JSON.
func sampleBody(path string) func(testing.TB) []byte {
	return func(t testing.TB) []byte {
		t.Helper()
		var body bytes.Buffer
		require.NoError(t, json.Compact(&body, samples.At(t, filepath.Join("..", "plugins", "vendors", path)).Body))
		return body.Bytes()
	}
}

// sendgridBatch returns ten events of SendGrid: those of its samples, which are arrays of one
// event each, twice.
func sendgridBatch(t testing.TB) []byte {
	t.Helper()
	var events [][]byte
	for _, name := range []string{"processed", "deferred", "delivered", "open", "click"} {
		event := sampleBody("sendgrid/testdata/undeclared/" + name + ".json")(t)
		event = event[len("[") : len(event)-len("]")]
		events = append(events, event, event)
	}
	return slices.Concat([]byte("["), bytes.Join(events, []byte(",")), []byte("]\r\n"))
}

// formBody returns a sample that is a form.
func formBody(path string) func(testing.TB) []byte {
	return func(t testing.TB) []byte {
		t.Helper()
		return samples.At(t, filepath.Join("..", "plugins", "vendors", path)).Body
	}
}

// mappings returns the configuration of a mapping, or of a mapping that gives an array and
// another one for each element of the array.
func mappings(split string, each ...string) string {
	mapping := func(name string) string { return fmt.Sprintf(`mapping: 'from "./bloblang/%s.blobl"'`, name) }
	if len(each) == 0 {
		return mapping(split)
	}
	return "processors: [ { " + mapping(split) + " }, { unarchive: { format: json_array } }, { " + mapping(each[0]) + " } ]"
}

// deliveryReport returns a report of n messages, n a multiple of 100: 90 of 100
// delivered, 9 failed and 1 bounced.
func deliveryReport(n int) func(testing.TB) []byte {
	type status struct {
		Code       string   `json:"code"`
		Status     string   `json:"status"`
		Count      int      `json:"count"`
		Recipients []string `json:"recipients"`
		Success    bool     `json:"success"`
		Bounce     bool     `json:"bounce"`
	}
	type message struct {
		ID          string `json:"id"`
		From        string `json:"from"`
		Message     string `json:"message"`
		PhoneNumber string `json:"phone_number"`
		Metadata    []any  `json:"metadata"`
	}
	return func(t testing.TB) []byte {
		t.Helper()
		statuses := []*status{
			{Code: "100", Status: "The message delivered successfully.", Success: true},
			{Code: "201", Status: "Not delivered."},
			{Code: "301", Status: "Not delivered.", Bounce: true},
		}
		messages := make([]message, 0, n)
		for i := range n {
			number := fmt.Sprintf("212555%04d", i)
			messages = append(messages, message{
				ID:          fmt.Sprintf("a8a2b40a-86ae-4a91-a61d-%012d", i),
				From:        "+12125550100",
				Message:     "Sale ends today",
				PhoneNumber: number,
				Metadata:    []any{},
			})
			s := statuses[0]
			switch {
			case i%100 >= 99:
				s = statuses[2]
			case i%100 >= 90:
				s = statuses[1]
			}
			s.Count++
			s.Recipients = append(s.Recipients, "1"+number)
		}
		body, err := json.Marshal(struct {
			TotalMessages int       `json:"total_messages"`
			Statuses      []*status `json:"statuses"`
			Messages      []message `json:"messages"`
		}{n, statuses, messages})
		require.NoError(t, err)
		return body
	}
}

// BenchmarkDecode compares the decoders with Bloblang, from a fresh message with
// the body to the bytes and the metadata of all its events:
//
//	go test ./tests -run '^$' -bench Decode -count 6
//
// Divide the ns/op of <name>/bloblang by that of <name>/hookswitch, medians of
// several counts: that is how many times less the decoder takes. To be reached
// are 12 for callrail and 8 for every other.
//
// A delivery report takes time and memory in proportion to its messages: the
// ns/event of mobiniti_delivery_report_10000 are to be about those of
// mobiniti_delivery_report_1000, and its ns/op at most 12 times as many.
func BenchmarkDecode(b *testing.B) {
	for _, c := range comparisons {
		b.Run(c.name+"/hookswitch", func(b *testing.B) { benchmark(b, c.decoder, c.body(b)) })
		if c.bloblang != "" {
			b.Run(c.name+"/bloblang", func(b *testing.B) { benchmark(b, c.bloblang, c.body(b)) })
		}
	}
}

func benchmark(b *testing.B, yaml string, body []byte) {
	useProcessor(b, yaml, func(p *service.ResourceProcessor) {
		events := 0
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			events += len(processBody(b, p, body))
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	})
}

// processBody returns the events that a processor makes of a body, their bytes
// written: Bloblang leaves that to whoever asks for them first.
func processBody(t testing.TB, p *service.ResourceProcessor, body []byte) service.MessageBatch {
	batches, err := p.ProcessBatch(t.Context(), service.MessageBatch{service.NewMessage(body)})
	if err != nil || len(batches) != 1 {
		t.Fatalf("expected one batch, got %d: %v", len(batches), err)
	}
	for _, msg := range batches[0] {
		text, err := msg.AsBytes()
		if err != nil || len(text) == 0 || msg.GetError() != nil {
			t.Fatalf("expected an event, got %q: %v", text, msg.GetError())
		}
	}
	return batches[0]
}

// TestBloblangGivesTheSameEvent holds what BenchmarkDecode compares to the same
// result: events equal as JSON values, and their metadata.
func TestBloblangGivesTheSameEvent(t *testing.T) {
	for _, c := range comparisons {
		if c.bloblang == "" {
			continue
		}
		bodies := map[string]func(testing.TB) []byte{"measured": c.body}
		for _, path := range c.samples {
			bodies[filepath.Base(path)] = sampleBody(path)
		}
		for name, body := range bodies {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				want, got := eventsOf(t, c.decoder, body(t)), eventsOf(t, c.bloblang, body(t))
				require.Len(t, got, len(want))
				for i := range want {
					require.Empty(t, cmp.Diff(want[i], got[i]))
				}
			})
		}
	}
}

// eventValue is an event as JSON values, and its metadata.
type eventValue struct {
	Event, Metadata any
}

func eventsOf(t testing.TB, yaml string, body []byte) (events []eventValue) {
	t.Helper()
	useProcessor(t, yaml, func(p *service.ResourceProcessor) {
		for _, msg := range processBody(t, p, body) {
			metadata := map[string]any{}
			require.NoError(t, msg.MetaWalkMut(func(key string, value any) error {
				metadata[key] = value
				return nil
			}))
			text, err := msg.AsBytes()
			require.NoError(t, err)
			events = append(events, eventValue{unmarshal(t, text), metadata})
		}
	})
	require.NotEmpty(t, events)
	return events
}
