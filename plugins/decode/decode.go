// Package decode has the processors that turn deliveries into events: one processor for
// each vendor of the registry, and webhook_decode for streams of several vendors.
package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
	"golang.org/x/sync/semaphore"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

const (
	fieldVendor        = "vendor"
	fieldEvent         = "event"
	fieldAccount       = "account"
	fieldContentType   = "content_type"
	fieldReceivedAt    = "received_at"
	fieldDeliveryID    = "delivery_id"
	fieldMaxEvents     = "max_events"
	fieldMaxEventBytes = "max_event_bytes"
	fieldRaw           = "raw"
)

// The values of the field raw.
const (
	rawObject = "object"
	rawText   = "text"
	rawNone   = "none"
)

// Register registers <vendor>_decode for every vendor of the registry, and
// webhook_decode.
func Register() {
	for _, v := range vendors.All() {
		service.MustRegisterProcessor(v.Name+"_decode", vendorSpec(v), func(conf *service.ParsedConfig, mgr *service.Resources) (service.Processor, error) {
			return newProcessor(v, conf, mgr)
		})
	}
	service.MustRegisterProcessor("webhook_decode", webhookSpec(), func(conf *service.ParsedConfig, mgr *service.Resources) (service.Processor, error) {
		return newProcessor(nil, conf, mgr)
	})
}

func vendorSpec(v *vendors.Vendor) *service.ConfigSpec {
	fromEvent := service.NewInterpolatedStringField(fieldEvent).
		Description("The native event of the delivery, as the vendor names it: " + nativeEvents(v) + ". It decides where the payload does not name its event; where this is empty too, the payload's shape does.").
		Example(v.Events[0].Name).
		Default(fromMeta(delivery.KeyEvent))
	if v.Closed {
		names := v.EventNames()
		fromEvent = fromEvent.LintRule(literal(`^(`+strings.Join(names, "|")+`)?$`, "a native event of "+v.Title+": "+strings.Join(names, ", ")))
	}
	return spec().
		Summary("Decodes webhooks of "+v.Title+" into unified events.").
		Description(behaviour+"\n\nThe vendor's page: "+v.Page).
		Fields(append([]*service.ConfigField{fromEvent}, commonFields()...)...).
		Example("Behind a route", "Deliveries of one native event, dead letters and events apart.", fmt.Sprintf(example, v.Name+"_decode: { event: "+v.Events[0].Name+" }"))
}

// literal returns a lint rule: the value of a field has to match the pattern unless it
// has an interpolation.
func literal(pattern, expected string) string {
	return fmt.Sprintf(`root = if !this.string().contains("${") && !this.string().re_match(%q) { [ %q + this.string() ] }`, pattern, "expected "+expected+", got ")
}

func webhookSpec() *service.ConfigSpec {
	names := vendors.Names()
	return spec().
		Summary("Decodes webhooks of any vendor into unified events.").
		Description(behaviour+"\n\nFor streams of several vendors, replays and consumers behind Kafka: the vendor is told by each message.").
		Fields(append([]*service.ConfigField{
			service.NewInterpolatedStringField(fieldVendor).
				Description("Who sent the delivery: one of `" + strings.Join(names, "`, `") + "`.").
				LintRule(literal(`^(`+strings.Join(names, "|")+`)$`, "a vendor that is compiled in: "+strings.Join(names, ", "))).
				Default(fromMeta(delivery.KeyVendor)),
			service.NewInterpolatedStringField(fieldEvent).
				Description("The native event of the delivery, as the vendor names it. It decides where the payload does not name its event; where this is empty too, the payload's shape does.").
				Default(fromMeta(delivery.KeyEvent)),
		}, commonFields()...)...).
		Example("Behind Kafka", "Deliveries that were written undecoded, with the metadata as headers.", fmt.Sprintf(example, "webhook_decode: {}"))
}

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().Stable().Categories("Parsing")
}

const behaviour = `
One message in, its events out, at least one for any JSON object. A payload that has none of the keys of the declared native event becomes ` + "`<vendor>.unrecognized`" + `, with the issue ` + "`contradiction`" + `. The bytes of an event are CloudEvents JSON; its metadata is set anew: ` + "`event_id`, `event_type`, `event_key`, `event_vendor`, `event_schema`, `event_date` and `content-type`" + `.

A message that cannot be decoded flows on unchanged and flagged as failed, with the metadata ` + "`decode_reason`" + ` (` + "`malformed`, `too_many_events`, `event_too_large`, `misconfigured`" + `) and ` + "`decode_detail`" + `, a sentence. Route it by cause, with a ` + "`switch`" + ` whose first case checks ` + "`errored()`" + `. Keys that hold the vendor's secrets are removed from whatever can be parsed, also where it cannot become events.

Fields that are not set read the metadata that a ` + "`webhook`" + ` input has put on the message, ` + "`webhook_vendor`, `webhook_event`" + ` and so on, also where the message came by way of Kafka with them as headers. A field that is set holds.

Counts: ` + "`webhook_events` by vendor and schema, `webhook_issues` by vendor and reason, `webhook_undecodable` by vendor and reason."

const example = `
pipeline:
  processors:
    - %s
output:
  switch:
    cases:
      - check: errored()
        output: { file: { path: dead_letters.jsonl } }
      - output: { stdout: {} }
`

func commonFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewInterpolatedStringField(fieldAccount).
			Description("Which account of the vendor the delivery is of: a label of your own, " + delivery.AccountLabel + ". It stands in the source of events, so that two accounts never share ids.").
			Example("main").
			LintRule(literal(delivery.AccountPattern, delivery.AccountLabel)).
			Default(fromMeta(delivery.KeyAccount)),
		service.NewInterpolatedStringField(fieldContentType).
			Description("The Content-Type of the delivery, with its parameters: a form's charset, and the boundary of a multipart form. Without it the body's first byte tells JSON from a form.").
			Default(fromMeta(delivery.KeyContentType)).
			Advanced(),
		service.NewInterpolatedStringField(fieldReceivedAt).
			Description("When the delivery was received, RFC 3339: the event's `recordedtime`. Without it events have none.").
			Default(fromMeta(delivery.KeyReceivedAt)).
			Advanced(),
		service.NewInterpolatedStringField(fieldDeliveryID).
			Description("The id of the delivery: the event's `deliveryid`. Without it events have none.").
			Default(fromMeta(delivery.KeyID)).
			Advanced(),
		service.NewStringEnumField(fieldRaw, rawObject, rawText, rawNone).
			Description("What stands in the event's `data.raw`: `object` is the payload, `text` is a string that holds the payload's JSON text, for consumers that want a table, and `none` leaves it out.").
			Default(rawObject),
		service.NewIntField(fieldMaxEvents).
			Description(fmt.Sprintf("How many events a delivery may give, and in any case one for each %d bytes of its body and %d beside. One that gives more is flagged as too_many_events.", bytesOfEvent, freeEvents)).
			Default(20_000).
			LintRule(`root = if this < 1 { [ "expected at least 1" ] }`).
			Advanced(),
		service.NewIntField(fieldMaxEventBytes).
			Description("How many bytes an event may have. A delivery that gives a larger one is flagged as event_too_large.").
			Default(24 << 20).
			LintRule(`root = if this < 1 { [ "expected at least 1" ] }`).
			Advanced(),
	}
}

func nativeEvents(v *vendors.Vendor) string {
	names := "`" + strings.Join(v.EventNames(), "`, `") + "`"
	if !v.Closed {
		names += ", or another"
	}
	return names
}

// processor decodes the deliveries of one vendor. If vendor is nil, it decodes each
// delivery as one of the vendor that the message names.
type processor struct {
	vendor *vendors.Vendor

	vendorName, event, account, contentType, receivedAt, deliveryID *field

	raw           string
	maxEvents     int
	maxEventBytes int

	events, issues, undecodable *counter
}

func newProcessor(v *vendors.Vendor, conf *service.ParsedConfig, mgr *service.Resources) (*processor, error) {
	p := &processor{
		vendor:      v,
		events:      newCounter(mgr.Metrics().NewCounter("webhook_events", "vendor", "schema").Incr),
		issues:      newCounter(mgr.Metrics().NewCounter("webhook_issues", "vendor", "reason").Incr),
		undecodable: newCounter(mgr.Metrics().NewCounter("webhook_undecodable", "vendor", "reason").Incr),
	}
	var err error
	if v == nil {
		if p.vendorName, err = newField(conf, fieldVendor, delivery.KeyVendor); err != nil {
			return nil, err
		}
		if name := p.vendorName.text; name != nil {
			if _, ok := vendors.Get(*name); !ok {
				return nil, fmt.Errorf("reading field %s: expected a vendor that is compiled in, got %q", fieldVendor, *name)
			}
		}
	}
	if p.event, err = newField(conf, fieldEvent, delivery.KeyEvent); err != nil {
		return nil, err
	}
	if p.account, err = newField(conf, fieldAccount, delivery.KeyAccount); err != nil {
		return nil, err
	}
	if label := p.account.text; label != nil && *label != "" && !delivery.ValidAccount(*label) {
		return nil, fmt.Errorf("reading field %s: expected "+delivery.AccountLabel+", got %q", fieldAccount, *label)
	}
	if p.contentType, err = newField(conf, fieldContentType, delivery.KeyContentType); err != nil {
		return nil, err
	}
	if p.receivedAt, err = newField(conf, fieldReceivedAt, delivery.KeyReceivedAt); err != nil {
		return nil, err
	}
	if p.deliveryID, err = newField(conf, fieldDeliveryID, delivery.KeyID); err != nil {
		return nil, err
	}
	if p.raw, err = conf.FieldString(fieldRaw); err != nil {
		return nil, err
	}
	if p.maxEvents, err = conf.FieldInt(fieldMaxEvents); err != nil {
		return nil, err
	}
	if p.maxEventBytes, err = conf.FieldInt(fieldMaxEventBytes); err != nil {
		return nil, err
	}
	return p, nil
}

// Decoding allocates up to fifty times the bytes of a body: the index of its values, the
// texts of ids and events, the garbage on the way. So large bodies are decoded few at a
// time, and those of the largest size that the shipped configs let in one at a time,
// over all streams of the process. A small body never waits: as many of them as there
// are threads allocate less than one large body does.
const (
	smallBody   = 64 << 10
	largeBodies = 8 << 20 // bytes of large bodies that are decoded at a time
)

// An event takes some 1.5 KiB until an output has it, however few bytes of the body it
// is made of. So a delivery may give an event for each so many bytes, which is less
// than any vendor sends for an event, and some beside: else a body of empty messages
// would take two hundred times its memory while an output hangs.
const (
	bytesOfEvent = 64
	freeEvents   = 100
)

var admission = semaphore.NewWeighted(largeBodies)

// Process implements service.Processor.
func (p *processor) Process(ctx context.Context, msg *service.Message) (service.MessageBatch, error) {
	if msg.GetError() != nil {
		return service.MessageBatch{msg}, nil // an earlier processor has failed, so the message holds no body
	}
	if body, _ := msg.AsBytes(); len(body) > smallBody {
		weight := min(int64(len(body)), largeBodies)
		if err := admission.Acquire(ctx, weight); err != nil {
			return nil, err // the process stops: the engine drops what it is given once the context has ended
		}
		defer admission.Release(weight)
	}
	batch, vendor, err := p.decode(msg)
	if err == nil {
		return batch, nil
	}
	reason := delivery.Misconfigured
	if u, ok := errors.AsType[*vendors.Undecodable](err); ok {
		reason = u.Reason
	}
	p.undecodable.add(1, [2]string{vendor, string(reason)})
	msg.MetaSetMut(delivery.KeyReason, string(reason))
	msg.MetaSetMut(delivery.KeyDetail, vendors.Clean(err.Error(), 512))
	return nil, err
}

// Close implements service.Processor.
func (p *processor) Close(context.Context) error {
	for _, c := range []*counter{p.events, p.issues, p.undecodable} {
		c.flush()
	}
	return nil
}

// decode returns the messages of the events. It also returns the name of the vendor for
// metrics: "unknown" if the vendor is not compiled in.
func (p *processor) decode(msg *service.Message) (service.MessageBatch, string, error) {
	j := jobs.Get().(*job)
	defer j.free()
	j.msg = msg
	misconfigured := p.receive(msg, &j.delivery)
	v := p.vendor
	if v == nil || j.delivery.Vendor != "" && j.delivery.Vendor != v.Name {
		var known bool
		v, known = vendors.Get(j.delivery.Vendor)
		switch {
		case !known && misconfigured != nil:
			return nil, "unknown", misconfigured
		case !known:
			return nil, "unknown", fmt.Errorf("choosing a decoder: expected a vendor that is compiled in, got %.64q", j.delivery.Vendor)
		case p.vendor != nil:
			misconfigured = fmt.Errorf("choosing a decoder: expected a delivery of %s, got one of %s", p.vendor.Name, v.Name)
		}
	}
	document, err := v.Payload(&j.delivery)
	defer document.Release()
	if err == nil {
		err = misconfigured
	}
	if err == nil {
		j.raw, j.maxEventBytes = p.raw, p.maxEventBytes
		err = v.Decode(&j.delivery, document, min(p.maxEvents, freeEvents+len(j.delivery.Body)/bytesOfEvent), j.emit)
	}
	if err != nil {
		if len(v.RedactedKeys) > 0 && document.Kind() != payload.Missing {
			msg.SetBytes([]byte(document.Text())) // this text is without the redacted keys
		}
		return nil, v.Name, err
	}
	for _, s := range j.schemas {
		p.events.add(s.n, [2]string{v.Name, s.label})
	}
	for _, i := range j.issues {
		p.issues.add(i.n, [2]string{v.Name, string(i.label)})
	}
	return j.messages(), v.Name, nil
}

// job is the decoding of one message. A pool keeps jobs, so that the memory of a job
// serves many messages.
type job struct {
	msg           *service.Message
	delivery      delivery.Delivery
	raw           string // the field raw
	maxEventBytes int
	emit          func(event.Event) error           // the method add
	noteKey       func(key string, value any) error // appends the key to keys

	keys    []string // the metadata keys of the delivery's message, which do not travel on
	text    []byte   // the buffer that events are written to
	encoded []encoded
	schemas tally[string]
	issues  tally[event.Reason]

	eventType, schema, vendor, date boxed // metadata that is mostly the same from event to event
}

// boxed is a string as a value of metadata. Go allocates memory whenever a string becomes
// an any, so a string that is mostly the same is kept as an any.
type boxed struct{ value any }

// set returns text as an any.
func (b *boxed) set(text string) any {
	if kept, ok := b.value.(string); !ok || kept != text {
		b.value = text
	}
	return b.value
}

// encoded is an event that is to become a message: its JSON, and the values of the
// message's metadata.
type encoded struct {
	text                       []byte
	id, eventType, schema, key string
	vendor, recorded           string
}

// A job goes back to the pool unless it has held more events, or a longer text, than
// this. Such deliveries are rare, and the pool would keep their memory for good.
const (
	maxPooledEvents = 1024
	maxPooledText   = 64 << 10
)

var jobs = sync.Pool{New: func() any {
	j := &job{}
	j.emit = func(e event.Event) error { return j.add(&e) }
	j.noteKey = func(key string, _ any) error {
		j.keys = append(j.keys, key)
		return nil
	}
	return j
}}

// free gives the job back to the pool.
func (j *job) free() {
	if cap(j.encoded) > maxPooledEvents || cap(j.text) > maxPooledText {
		return
	}
	clear(j.encoded)
	clear(j.keys)
	j.msg, j.delivery = nil, delivery.Delivery{}
	j.keys, j.encoded, j.schemas, j.issues = j.keys[:0], j.encoded[:0], j.schemas[:0], j.issues[:0]
	jobs.Put(j)
}

// add encodes an event. It refuses an event that is too large.
func (j *job) add(e *event.Event) error {
	switch j.raw {
	case rawText:
		e.Data.Raw = event.Raw(payload.AppendString(make([]byte, 0, len(e.Data.Raw)+len(e.Data.Raw)/4), string(e.Data.Raw)))
	case rawNone:
		e.Data.Raw = ""
	}
	j.text = e.AppendJSON(slices.Grow(j.text[:0], len(e.Data.Raw)+2<<10))
	if len(j.text) > j.maxEventBytes {
		return vendors.Refuse(delivery.EventTooLarge, "decoding %s delivery: expected events of at most %d bytes, one has %d", e.Vendor, j.maxEventBytes, len(j.text))
	}
	schema := e.Schema()
	j.encoded = append(j.encoded, encoded{bytes.Clone(j.text), e.ID, e.Type, schema, e.PartitionKey, e.Vendor, string(e.RecordedTime)})
	j.schemas.add(schema, 1)
	for _, issue := range e.Data.Issues {
		j.issues.add(issue.Reason, 1)
	}
	return nil
}

// receive fills in the delivery that a message carries. The body is the message's bytes;
// everything else is read from the fields of the configuration, which default to
// metadata. If several fields cannot be read, the error names the first of them.
func (p *processor) receive(msg *service.Message, d *delivery.Delivery) error {
	r := reader{msg: msg}
	d.Body, r.err = msg.AsBytes()
	d.ContentEncoding, _ = msg.MetaGet(delivery.KeyContentEncoding)
	if p.vendor != nil {
		d.Vendor, _ = msg.MetaGet(delivery.KeyVendor)
	} else {
		d.Vendor = r.read(p.vendorName)
	}
	d.Event = r.read(p.event)
	d.Account = r.read(p.account)
	d.ContentType = r.read(p.contentType)
	receivedAt := r.read(p.receivedAt)
	d.ID = r.read(p.deliveryID)
	if r.err == nil && d.Account != "" && !delivery.ValidAccount(d.Account) {
		r.err = errors.New("reading account: expected " + delivery.AccountLabel)
	}
	if r.err == nil {
		d.ReceivedAt, r.err = delivery.ParseTime(receivedAt)
	}
	return r.err
}

// messages returns the messages of the events. The message of the delivery becomes that of
// the first event, without its own bytes and metadata.
func (j *job) messages() service.MessageBatch {
	batch := make(service.MessageBatch, len(j.encoded))
	for i := range j.encoded {
		e, msg := &j.encoded[i], j.msg
		if i == 0 {
			msg.SetBytes(e.text)
			_ = msg.MetaWalkMut(j.noteKey)
			for _, key := range j.keys {
				msg.MetaDelete(key)
			}
		} else {
			msg = service.NewMessageWithContext(j.msg.Context(), e.text)
		}
		msg.MetaSetMut("event_id", e.id)
		msg.MetaSetMut("event_type", j.eventType.set(e.eventType))
		msg.MetaSetMut("event_key", e.key)
		msg.MetaSetMut("event_vendor", j.vendor.set(e.vendor))
		msg.MetaSetMut("event_schema", j.schema.set(e.schema))
		if e.recorded != "" {
			msg.MetaSetMut("event_date", j.date.set(e.recorded[:len("2006-01-02")]))
		}
		msg.MetaSetMut("content-type", event.ContentType)
		batch[i] = msg
	}
	return batch
}

// field is an interpolated field whose default is the value of a metadata key.
type field struct {
	name  string
	meta  string  // the metadata key, which is read without the interpolation; "" if the configuration sets the field
	text  *string // the value of a field that interpolates nothing, nil for others
	value *service.InterpolatedString
}

// fromMeta returns the interpolation that reads a metadata key, "" without the key.
func fromMeta(key string) string { return `${! metadata("` + key + `").or("") }` }

func newField(conf *service.ParsedConfig, name, meta string) (*field, error) {
	text, err := conf.FieldString(name)
	if err != nil {
		return nil, err
	}
	value, err := conf.FieldInterpolatedString(name)
	if err != nil {
		return nil, err
	}
	if text != fromMeta(meta) {
		meta = ""
	}
	f := &field{name: name, meta: meta, value: value}
	if text, ok := value.Static(); ok {
		f.text = &text
	}
	return f, nil
}

// reader reads the fields for a message, and keeps the first error.
type reader struct {
	msg *service.Message
	err error
}

func (r *reader) read(f *field) string {
	switch {
	case f.text != nil:
		return *f.text
	case f.meta != "":
		value, _ := r.msg.MetaGet(f.meta)
		return value
	}
	value, err := f.value.TryString(r.msg)
	if err != nil && r.err == nil {
		// The error of the interpolation is left out, because it may quote the message.
		r.err = fmt.Errorf("reading field %s: expected an interpolation that gives a value", f.name)
	}
	return value
}
