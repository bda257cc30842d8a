package vendors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Input is what a native event is converted from.
type Input struct {
	Payload payload.Value // an object
	Event   string        // the native event; "" if nothing names or matches one

	vendor *Vendor
}

// Read returns a reader for one event.
func (in *Input) Read() *Reader { return &Reader{northAmerican: in.vendor.NorthAmerican} }

// Draft is what a vendor knows of one event. Decode completes it.
type Draft struct {
	Type    string     // "" for a vendor-scoped type
	ID      Identity   // what the id is computed from
	Subject string     // see Subject
	Time    string     // RFC 3339 in UTC
	Person  string     // whose events go to one partition, by the vendor's own ladder; "" if nobody is named
	Data    event.Data // without issues and raw
	Issues  *Reader    // what Data was read with
	Raw     string     // the text of the event's own payload; "" if it is all of Input.Payload
}

// Subject returns a subject, or none if the vendor gives no id.
func Subject(kind, id string) string {
	if id == "" {
		return ""
	}
	return kind + "/" + id
}

// Identity is what an id is computed from. The zero value is the whole payload.
type Identity struct {
	basis event.IDBasis
	parts []payload.Value
}

// Natural is an identity whose parts name the occurrence. If one of them is
// absent, the content of the payload takes their place.
func Natural(parts ...payload.Value) Identity { return Identity{event.Natural, parts} }

// Content is an identity whose parts are what is known of the occurrence, absent
// ones too. Without any the whole payload is.
func Content(parts ...payload.Value) Identity { return Identity{event.Content, parts} }

// Undecodable is a delivery that cannot become events.
type Undecodable struct {
	Reason Reason
	Err    error
}

// Reason is why a delivery cannot become events.
type Reason string

// The reasons of a delivery that cannot become events.
const (
	Malformed     Reason = "malformed"       // the body is no JSON object and no form
	TooManyEvents Reason = "too_many_events" // more than the configuration allows
	EventTooLarge Reason = "event_too_large" // larger than the configuration allows
	Misconfigured Reason = "misconfigured"   // the configuration gives no vendor that is compiled in, or no valid label
)

func (u *Undecodable) Error() string { return u.Err.Error() }

func (u *Undecodable) Unwrap() error { return u.Err }

// Refuse returns an Undecodable.
func Refuse(reason Reason, format string, args ...any) error {
	return &Undecodable{reason, fmt.Errorf(format, args...)}
}

// Payload reads the payload of a delivery, without the vendor's secrets. Its
// errors are Undecodable.
func (v *Vendor) Payload(d *delivery.Delivery) (payload.Value, error) {
	read := payload.Parse
	if isForm(d) {
		read = payload.ParseForm
	}
	document, err := read(d.Body)
	if err != nil {
		return payload.Value{}, Refuse(Malformed, "reading %s body of %d bytes: %w", v.Name, len(d.Body), err)
	}
	if document.Kind() != payload.Object {
		return payload.Value{}, Refuse(Malformed, "reading %s body of %d bytes: expected a JSON object, got %s", v.Name, len(d.Body), document.Kind())
	}
	if len(v.Secrets) > 0 {
		document = document.Without(v.Secrets...)
	}
	return document, nil
}

// isForm tells a form by the content type, then by the first bytes: no form
// begins as JSON does, whatever the content type says.
func isForm(d *delivery.Delivery) bool {
	body := bytes.TrimLeft(bytes.TrimPrefix(d.Body, []byte("\ufeff")), " \t\r\n")
	if len(body) > 0 && strings.IndexByte(`{["`, body[0]) >= 0 {
		return false
	}
	mediaType, _, _ := mime.ParseMediaType(d.ContentType)
	switch {
	case mediaType == "application/x-www-form-urlencoded":
		return true
	case strings.HasSuffix(mediaType, "json"):
		return false
	}
	name, _, found := bytes.Cut(body, []byte("="))
	return found && !bytes.ContainsAny(name, " \t\r\n\"<>{}:")
}

// Decode turns a delivery into the events of its payload, at least one. It is a
// pure function: the same delivery gives the same events. Its errors are
// Undecodable.
func (v *Vendor) Decode(d *delivery.Delivery, document payload.Value, emit func(*event.Event) error) error {
	in := &Input{Payload: document, vendor: v}
	basis, contradiction := v.native(in, d)
	e, ok := v.Native(in.Event)
	if !ok {
		e.Convert = func(in *Input) []Draft { return []Draft{v.Other(in)} }
	}
	drafts := e.Convert(in)
	for i := range drafts {
		if len(drafts) == 1 {
			drafts[i].Raw = ""
		}
		if contradiction {
			drafts[i].Issues = drafts[i].Issues.with(event.Issue{Field: "vendorevent", Reason: event.Contradiction})
		}
		if err := emit(v.complete(in, d, basis, &drafts[i])); err != nil {
			return err
		}
	}
	return nil
}

// native finds the native event: a name in the payload wins over a declared one,
// which wins over a guess.
func (v *Vendor) native(in *Input, d *delivery.Delivery) (basis event.EventBasis, contradiction bool) {
	declared := Clean(d.Event, maxVendorEvent)
	if v.Named != nil {
		if in.Event = Clean(v.Named(in.Payload), maxVendorEvent); in.Event != "" {
			return event.Payload, declared != "" && declared != in.Event
		}
	}
	if in.Event = declared; in.Event != "" {
		return event.Declared, false
	}
	if v.Shape != nil {
		if in.Event = v.Shape(in.Payload); in.Event != "" {
			return event.Shape, false
		}
	}
	return "", false
}

// complete makes an event of a draft.
func (v *Vendor) complete(in *Input, d *delivery.Delivery, basis event.EventBasis, draft *Draft) *event.Event {
	source := v.Name
	if d.Account != "" {
		source += "/" + d.Account
	}
	e := &event.Event{
		SpecVersion:     event.SpecVersion,
		Source:          "/" + source,
		Type:            draft.Type,
		Subject:         Clean(draft.Subject, maxAttribute),
		Time:            draft.Time,
		DataContentType: "application/json",
		Vendor:          v.Name,
		VendorEvent:     in.Event,
		EventBasis:      basis,
		DeliveryID:      d.ID,
		Data:            draft.Data,
	}
	if e.Type == "" {
		e.Type = event.Scoped(v.Name, in.Event)
	}
	e.DataSchema = event.DataSchema(e.Type)
	if !d.ReceivedAt.IsZero() {
		e.RecordedTime = d.ReceivedAt.UTC().Format(time.RFC3339Nano)
	}
	e.Data.Raw = event.Raw(draft.Raw)
	if e.Data.Raw == "" {
		e.Data.Raw = event.Raw(in.Payload.Text())
	}
	e.ID, e.IDBasis = draft.ID.sum(e, in.Payload)
	place := Clean(draft.Person, maxAttribute)
	if place == "" {
		place = e.Subject
	}
	if place == "" {
		place = e.ID
	}
	e.PartitionKey = source + "/" + place
	if draft.Issues != nil {
		e.Data.Issues = draft.Issues.issues
	}
	return e
}

// sum computes an id: the first 16 bytes of SHA-256 over the canonical JSON array
// ["1", source, vendorevent, part, ...]. A part is a string's value, the text of
// a number or boolean, the canonical form of an array or object, or null.
func (id Identity) sum(e *event.Event, whole payload.Value) (string, event.IDBasis) {
	absent := 0
	for _, part := range id.parts {
		if part.Absent() {
			absent++
		}
	}
	basis, parts := id.basis, id.parts
	if basis != event.Natural || absent > 0 {
		basis = event.Content
	}
	if absent == len(parts) || absent > 0 && id.basis == event.Natural {
		parts = []payload.Value{rawOf(e, whole)}
	}
	b := make([]byte, 0, 256)
	b = payload.AppendString(append(b, `["1",`...), e.Source)
	if b = append(b, ','); e.VendorEvent == "" {
		b = append(b, "null"...)
	} else {
		b = payload.AppendString(b, e.VendorEvent)
	}
	for _, part := range parts {
		b = append(b, ',')
		switch {
		case part.Absent() && len(parts) > 1:
			b = append(b, "null"...)
		case part.Kind() == payload.String:
			b = part.AppendCanonical(b)
		default:
			b = payload.AppendString(b, part.Canonical())
		}
	}
	sum := sha256.Sum256(append(b, ']'))
	return hex.EncodeToString(sum[:16]), basis
}

// rawOf returns the event's own payload: all of it or a slice.
func rawOf(e *event.Event, whole payload.Value) payload.Value {
	if len(e.Data.Raw) == len(whole.Text()) && string(e.Data.Raw) == whole.Text() {
		return whole
	}
	slice, err := payload.Parse([]byte(e.Data.Raw))
	if err != nil {
		panic(fmt.Sprintf("vendor %s: building a payload: %v", e.Vendor, err)) // its decoder builds no JSON
	}
	return slice
}

// Attributes are bounded: they travel as headers, keys and metadata.
const (
	maxVendorEvent = 128
	maxAttribute   = 256
)

// Clean removes the characters that an attribute of CloudEvents must not hold
// and cuts the text to at most that many bytes.
func Clean(s string, most int) string {
	if i := strings.IndexFunc(s, forbidden); i >= 0 {
		s = strings.Map(func(r rune) rune {
			if forbidden(r) {
				return -1
			}
			return r
		}, s)
	}
	if len(s) > most {
		for !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	return s
}

func forbidden(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef
}
