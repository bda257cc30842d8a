// Package deadletter has the processors that make the record of a delivery that could not
// become events, and the delivery of the record.
package deadletter

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// Register registers dead_letter and dead_letter_restore.
func Register() {
	service.MustRegisterProcessor("dead_letter", recordSpec(), func(_ *service.ParsedConfig, mgr *service.Resources) (service.Processor, error) {
		return &recorder{version: mgr.EngineVersion(), letters: mgr.Metrics().NewCounter("webhook_dead_letters", "vendor", "reason")}, nil
	})
	service.MustRegisterProcessor("dead_letter_restore", restoreSpec(), func(*service.ParsedConfig, *service.Resources) (service.Processor, error) {
		return restorer{}, nil
	})
}

func spec() *service.ConfigSpec { return service.NewConfigSpec().Stable().Categories("Mapping") }

func recordSpec() *service.ConfigSpec {
	reasons := make([]string, len(delivery.Reasons))
	for i, r := range delivery.Reasons {
		reasons[i] = "`" + string(r) + "`"
	}
	return spec().
		Summary("Turns a message that failed into a dead letter: a record that keeps its delivery whole, with the reason.").
		Description(`
The record is one line of CloudEvents JSON of the type `+"`"+delivery.DeadLetterType+"`"+`. Its `+"`id`"+` is the id of the delivery, or 32 hex digits of its content, and stays the same however often the delivery is replayed and fails. Its `+"`data`"+` has `+"`reason`"+` (`+strings.Join(reasons, ", ")+`), `+"`detail`"+` (a sentence), `+"`version`"+` (of this program), `+"`vendor`, `event`, `account`, `route`, `content_type`, `content_encoding` (of a body that does not inflate), `received_at`, `delivery_id`, `headers` (of `name` and `value`: those that the route lists) and `body`"+` in base64. A text that is no UTF-8 is `+"`{\"base64\": ...}`"+`. What is not known is absent.

A message without an error passes as it is. The error of the others is cleared, so that `+"`archive`, `reject_errored`"+` and the like take them. Their metadata stay, and `+"`content-type`"+` is set.

An event that failed in a processor behind its decoder becomes a delivery again, with the reason `+"`failed`"+`: the body is the event's `+"`raw`"+`, and the rest is told by its envelope. The record's `+"`id`"+` is the id of the delivery, a dot and the id of the event, because one delivery may give many. An event that has no `+"`raw`"+` any more is kept as it is, but no decoder takes it again.

Keys that hold a vendor's secrets are removed from whatever can be parsed, of a vendor that is not known those of all vendors. A body that cannot be read is kept as it was received: guard dead letters like the vendors' secrets.

Counts `+"`webhook_dead_letters` by vendor and reason.").
		Example("Behind a decoder", "What failed to a file, events to stdout.", `
pipeline:
  processors:
    - webhook_decode: {}
output:
  switch:
    cases:
      - check: errored()
        output:
          file: { path: dead_letters.jsonl }
          processors:
            - dead_letter: {}
      - output: { stdout: {} }
`)
}

func restoreSpec() *service.ConfigSpec {
	return spec().
		Summary("Turns a dead letter back into the delivery that it keeps, as a `webhook` input gave it.").
		Description(`
The message's bytes become the body, and its metadata `+"`webhook_*`"+` those of the delivery; others stay. So `+"`webhook_decode`"+` gives the events that the first delivery would have given, with the time at which it was received and its id. A message is one record, whatever input it comes from.

A message that is no dead letter, or the dead letter of an event without `+"`raw`"+`, flows on unchanged and flagged as failed. A message that is flagged already passes as it is.`).
		Example("From Kafka", "Dead letters of a topic, decoded again.", `
input:
  kafka_franz:
    seed_brokers: [ 127.0.0.1:9092 ]
    topics: [ hookswitch.dead_letters ]
    consumer_group: replay
pipeline:
  processors:
    - dead_letter_restore: {}
    - webhook_decode: {}
`)
}

// maxDetail is how many bytes the detail of a record may have: the error of a processor may
// quote the message.
const maxDetail = 512

// unknown is the vendor of deliveries whose vendor is not compiled in.
const unknown = "unknown"

var recorded atomic.Int64

// Recorded returns how many dead letters this process has made.
func Recorded() int64 { return recorded.Load() }

// recorder makes dead letters.
type recorder struct {
	version string
	letters *service.MetricCounter
}

// Process implements service.Processor.
func (r *recorder) Process(_ context.Context, msg *service.Message) (service.MessageBatch, error) {
	failure := msg.GetError()
	if failure == nil {
		return service.MessageBatch{msg}, nil
	}
	l, err := letter(msg)
	if err != nil {
		return nil, fmt.Errorf("making dead letter: %w", err)
	}
	if l.Version = r.version; l.Reason == "" {
		l.Reason, l.Detail = delivery.Failed, vendors.Clean(failure.Error(), maxDetail)
	}
	msg.SetBytes(l.AppendJSON(nil))
	msg.MetaSetMut("content-type", event.ContentType)
	msg.SetError(nil)
	r.letters.Incr(1, l.Source[1:], string(l.Reason))
	recorded.Add(1)
	return service.MessageBatch{msg}, nil
}

// Close implements service.Processor.
func (*recorder) Close(context.Context) error { return nil }

// letter returns the dead letter of a message. Its reason is empty where no decoder has
// given one.
func letter(msg *service.Message) (*delivery.DeadLetter, error) {
	body, err := msg.AsBytes()
	if err != nil {
		return nil, err
	}
	l := &delivery.DeadLetter{Body: body}
	isDelivery := false
	_ = msg.MetaWalk(func(key, value string) error {
		switch {
		case l.SetMetadata(key, value):
			isDelivery = true
		case key == delivery.KeyReason:
			isDelivery = true
			l.Reason = known(value)
		case key == delivery.KeyDetail:
			l.Detail = vendors.Clean(value, maxDetail)
		}
		return nil
	})
	if !isDelivery && ofEvent(l) {
		return l, nil
	}
	l.Source = source(l.Vendor)
	redact(l)
	if l.ID == "" {
		l.ID = l.DefaultID()
	}
	return l, nil
}

func known(reason string) delivery.Reason {
	for _, r := range delivery.Reasons {
		if string(r) == reason {
			return r
		}
	}
	return ""
}

// source returns the source of a dead letter. It holds no text of a sender.
func source(vendor string) string {
	if _, ok := vendors.Get(vendor); !ok {
		vendor = unknown
	}
	return "/" + vendor
}

// redact removes the keys that hold secrets from a body that can be parsed: those of the
// delivery's vendor, or of all vendors where that vendor is not known. A body without such
// keys stays as it was received.
func redact(l *delivery.DeadLetter) {
	all := vendors.All()
	if v, ok := vendors.Get(l.Vendor); ok {
		all = []*vendors.Vendor{v}
	}
	for _, v := range all {
		if len(v.RedactedKeys) == 0 {
			continue
		}
		d := &delivery.Delivery{Body: l.Body, ContentType: l.ContentType, ContentEncoding: l.ContentEncoding}
		document, _ := v.Payload(d)
		lenient := *v
		lenient.RedactedKeys = nil
		whole, _ := lenient.Payload(d)
		if redacted := document.Text(); redacted != whole.Text() {
			l.Body = []byte(redacted)
		}
		whole.Release()
		document.Release()
	}
}

// ofEvent fills in the dead letter of an event, and reports whether the body is an event.
// Its delivery is the smallest that gives just this event.
func ofEvent(l *delivery.DeadLetter) bool {
	document, err := payload.Parse(string(l.Body))
	defer document.Release()
	if err != nil {
		return false
	}
	text := func(name string) string {
		text, _ := document.Get(name).Scalar()
		return text
	}
	vendor := text("vendor")
	if _, ok := vendors.Get(vendor); !ok || text("specversion") != event.SpecVersion {
		return false
	}
	account, isSource := strings.CutPrefix(text("source"), "/"+vendor)
	id := text("id")
	if !isSource || id == "" {
		return false
	}
	l.Source, l.ReceivedAt, l.DeliveryID, l.ID = source(vendor), text("recordedtime"), text("deliveryid"), id
	if l.DeliveryID != "" {
		l.ID = l.DeliveryID + "." + id
	}
	raw := document.Get("data").Get("raw")
	if raw.Absent() {
		l.ContentType = event.ContentType
		return true
	}
	l.Vendor, l.Event, l.Account, l.ContentType = vendor, text("vendorevent"), strings.TrimPrefix(account, "/"), "application/json"
	if l.Body = []byte(raw.Text()); raw.Kind() == payload.String {
		content, _ := raw.Scalar()
		l.Body = []byte(content)
	}
	redact(l)
	return true
}

// restorer makes deliveries of dead letters.
type restorer struct{}

// Process implements service.Processor.
func (restorer) Process(_ context.Context, msg *service.Message) (service.MessageBatch, error) {
	if msg.GetError() != nil {
		return service.MessageBatch{msg}, nil // the message need not hold a dead letter
	}
	text, err := msg.AsBytes()
	if err != nil {
		return nil, err
	}
	l, err := delivery.ParseDeadLetter(string(text))
	if err != nil {
		return nil, err
	}
	if err := Restore(l, msg); err != nil {
		return nil, err
	}
	return service.MessageBatch{msg}, nil
}

// Close implements service.Processor.
func (restorer) Close(context.Context) error { return nil }

// Restore makes a message that of the delivery that a dead letter keeps. The message is
// unchanged if the dead letter keeps no delivery.
func Restore(l *delivery.DeadLetter, msg *service.Message) error {
	if l.Vendor == "" && l.ContentType == event.ContentType {
		return fmt.Errorf("restoring dead letter %.80s: expected a delivery, got an event without raw, which no decoder takes", l.ID)
	}
	var old []string
	_ = msg.MetaWalk(func(key, _ string) error {
		if strings.HasPrefix(key, delivery.Prefix) || key == delivery.KeyReason || key == delivery.KeyDetail {
			old = append(old, key)
		}
		return nil
	})
	for _, key := range old {
		msg.MetaDelete(key)
	}
	msg.SetBytes(l.Body)
	l.Metadata(func(key, value string) { msg.MetaSetMut(key, value) })
	return nil
}
