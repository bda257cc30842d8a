package vendors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"mime"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Input is what a native event is converted from.
type Input struct {
	Payload payload.Value // an object
	Event   string        // the native event; "" if nothing names or matches one

	MaxEvents int // how many events the payload may give

	vendor *Vendor
	reader Reader
	known  bool // the payload has a key that a native structure has a field for
}

// Bind returns the payload as a native structure: see payload.BindTo. A conversion
// reads the payload by it: where the route declares a native event and the payload has
// none of the keys that its conversion binds, the payload is something else.
func Bind[T any](in *Input) (native T) {
	BindTo(in, &native)
	return native
}

// BindTo fills a native structure, which is empty, as Bind does.
func BindTo[T any](in *Input, native *T) {
	if payload.BindTo(in.Payload, native) {
		in.known = true
	}
}

// TooMany refuses a payload that gives more than MaxEvents events.
func (in *Input) TooMany() error {
	return Refuse(TooManyEvents, "decoding %s delivery: expected at most %d events, it gives more", in.vendor.Name, in.MaxEvents)
}

// Read returns a reader for the next event. It serves until Read is called again.
func (in *Input) Read() *Reader {
	in.reader.issues = nil
	return &in.reader
}

// Draft is what a vendor knows of one event. Decode completes it.
type Draft struct {
	Type    string     // "" for a vendor-scoped type
	ID      Identity   // what the id is computed from
	Subject Subject    // what happened to whom or what
	Time    string     // RFC 3339 in UTC
	Person  string     // whose events go to one partition, by the vendor's own ladder; "" if nobody is named
	Data    event.Data // without issues and raw
	Read    *Reader    // what Data was read with, for its issues
	Raw     string     // the text of the event's own payload; "" if it is all of Input.Payload
}

// Subject is what an event is about, and the vendor's id of it. Without an id
// there is none.
type Subject struct{ Kind, ID string }

// Identity is what an id is computed from. The zero value is the whole payload.
type Identity struct {
	basis event.IDBasis
	few   [4]payload.Value // the parts if they are at most so many, to allocate none
	many  []payload.Value  // else
	n     int
}

func identity(basis event.IDBasis, parts []payload.Value) Identity {
	id := Identity{basis: basis, n: len(parts)}
	if id.n > len(id.few) {
		id.many = slices.Clone(parts)
	} else {
		copy(id.few[:], parts)
	}
	return id
}

func (id *Identity) parts() []payload.Value {
	if id.n > len(id.few) {
		return id.many
	}
	return id.few[:id.n]
}

// Natural is an identity whose parts name the occurrence. If one of them is
// absent, the content of the payload takes their place.
func Natural(parts ...payload.Value) Identity { return identity(event.IDNatural, parts) }

// Content is an identity whose parts are what is known of the occurrence, absent
// ones too. Without any the whole payload is.
func Content(parts ...payload.Value) Identity { return identity(event.IDContent, parts) }

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
// errors are Undecodable; what was read comes with them if it is JSON. The
// delivery's body must not change while the payload or anything that is decoded of
// it is in use.
func (v *Vendor) Payload(d *delivery.Delivery) (payload.Value, error) {
	if d.ContentEncoding != "" {
		return payload.Value{}, Refuse(Malformed, "reading %s body of %d bytes: expected it to inflate as %s, it is broken", v.Name, len(d.Body), d.ContentEncoding)
	}
	read := payload.Parse
	if isForm(d) {
		read = payload.ParseForm
	}
	document, err := read(unsafe.String(unsafe.SliceData(d.Body), len(d.Body)))
	if err != nil {
		return payload.Value{}, Refuse(Malformed, "reading %s body of %d bytes: %w", v.Name, len(d.Body), err)
	}
	if len(v.Secrets) > 0 {
		whole := document
		document = whole.Without(v.Secrets...)
		whole.Release()
	}
	if document.Kind() != payload.Object {
		return document, Refuse(Malformed, "reading %s body of %d bytes: expected a JSON object, got %s", v.Name, len(d.Body), document.Kind())
	}
	return document, nil
}

// isForm tells a form by the content type, then by the first bytes. A body that
// begins as an object, array or string is none, whatever the content type says:
// only [a]=1 can be a form that begins so.
func isForm(d *delivery.Delivery) bool {
	if len(d.Body) > 0 && d.Body[0] == '{' {
		return false // as almost all are
	}
	body := bytes.TrimLeft(bytes.TrimPrefix(d.Body, []byte("\ufeff")), " \t\r\n")
	if len(body) > 0 && body[0] == '{' {
		return false
	}
	mediaType, _, _ := mime.ParseMediaType(d.ContentType)
	name, _, found := bytes.Cut(body, []byte("="))
	switch {
	case strings.HasSuffix(mediaType, "json"):
		return false
	case mediaType != "application/x-www-form-urlencoded":
		return found && !bytes.ContainsAny(name, " \t\r\n\"<>[]{}:")
	case len(body) > 0 && (body[0] == '[' || body[0] == '"'):
		return found && !bytes.ContainsRune(name, '"')
	}
	return true
}

// Decode turns a delivery, whose payload is the document, into its events, at
// least one and at most maxEvents, and emits them in turn, each until emit returns.
// Apart from emit it is a pure function: the same delivery gives the same events.
// Its errors are Undecodable, or emit's.
func (v *Vendor) Decode(d *delivery.Delivery, document payload.Value, maxEvents int, emit func(event.Event) error) error {
	c := completions.Get().(*completion)
	defer func() {
		if cap(c.text) > maxPooledText {
			return
		}
		*c = completion{text: c.text}
		completions.Put(c)
	}()
	c.vendor, c.delivery = v, d
	c.in = Input{Payload: document, MaxEvents: maxEvents, vendor: v, reader: Reader{northAmerican: v.NorthAmerican}}
	c.basis, c.contradiction = v.native(&c.in, d)
	native, ok := v.Native(c.in.Event)
	switch {
	case !ok:
		draft := v.Other(&c.in)
		return emit(c.complete(&draft))
	case native.Convert != nil:
		draft := native.Convert(&c.in)
		if c.unlikeDeclared() {
			draft = c.unrecognized()
		}
		return emit(c.complete(&draft))
	}
	events := 0
	return native.Split(&c.in, func(draft Draft) error {
		if events++; events > maxEvents {
			return c.in.TooMany()
		}
		if c.unlikeDeclared() {
			if events > 1 {
				return nil // the first event has all of the payload
			}
			draft = c.unrecognized()
		}
		return emit(c.complete(&draft))
	})
}

// unlikeDeclared reports whether a route has declared a native event and the payload has
// none of the keys that its conversion, which has run, binds. A key whose value is null
// or of a wrong type is one: vendors send such.
func (c *completion) unlikeDeclared() bool { return c.basis == event.BasisDeclared && !c.in.known }

// unrecognized converts a payload that is not what the route declares.
func (c *completion) unrecognized() Draft {
	c.contradiction = true
	draft := c.vendor.Other(&c.in)
	draft.Type = event.Unrecognized(c.vendor.Name)
	return draft
}

// native finds the native event: a name in the payload wins over a declared one,
// which wins over a guess.
func (v *Vendor) native(in *Input, d *delivery.Delivery) (basis event.Basis, contradiction bool) {
	declared := Clean(d.Event, maxVendorEvent)
	if v.Named != nil {
		if in.Event = Clean(v.Named(in.Payload), maxVendorEvent); in.Event != "" {
			return event.BasisPayload, declared != "" && declared != in.Event
		}
	}
	if in.Event = declared; in.Event != "" {
		return event.BasisDeclared, false
	}
	if v.Shape != nil {
		if in.Event = v.Shape(in.Payload); in.Event != "" {
			return event.BasisShape, false
		}
	}
	return "", false
}

// completion makes events of the drafts of a delivery. Drafts and events are passed
// on by value: they are large and full of pointers, whose copies cost little on the
// stack and much on the heap.
type completion struct {
	vendor        *Vendor
	delivery      *delivery.Delivery
	in            Input
	basis         event.Basis
	contradiction bool   // the route declares another native event than the payload is of
	text          []byte // what the id is computed from, then the id and the partition key
}

// maxPooledText is how many bytes of text a completion has at most whose memory is used
// again. An id is computed over more only where it is computed over a large payload.
const maxPooledText = 64 << 10

var completions = sync.Pool{New: func() any { return &completion{text: make([]byte, 0, 512)} }}

// complete makes an event of a draft.
func (c *completion) complete(draft *Draft) event.Event {
	v, d := c.vendor, c.delivery
	e := event.Event{
		SpecVersion:     event.SpecVersion,
		Source:          v.source,
		Type:            draft.Type,
		Time:            draft.Time,
		DataContentType: "application/json",
		Vendor:          v.Name,
		VendorEvent:     c.in.Event,
		EventBasis:      c.basis,
		DeliveryID:      d.ID,
		Data:            draft.Data,
	}
	if d.Account != "" {
		e.Source += "/" + d.Account
	}
	if e.Type == "" {
		e.Type = event.Scoped(v.Name, e.VendorEvent)
	}
	e.DataSchema = event.DataSchema(e.Type)
	if !d.ReceivedAt.IsZero() {
		e.RecordedTime = delivery.FormatTime(d.ReceivedAt)
	}
	if e.Data.Raw = event.Raw(draft.Raw); e.Data.Raw == "" {
		e.Data.Raw = event.Raw(c.in.Payload.Text())
	}
	if draft.Read != nil {
		e.Data.Issues = draft.Read.issues
	}
	if c.contradiction {
		e.Data.Issues = append(e.Data.Issues, event.Issue{Field: "vendorevent", Reason: event.Contradiction})
	}
	c.name(&e, draft)
	return e
}

// name completes the event with what names it: the subject, the id and the
// partition key.
func (c *completion) name(e *event.Event, draft *Draft) {
	const idSize = 32
	var sum [sha256.Size]byte
	sum, e.IDBasis = c.id(&draft.ID, e.Source, draft.Raw)
	b := hex.AppendEncode(c.text[:0], sum[:idSize/2])
	if id := Clean(draft.Subject.ID, maxAttribute); id != "" {
		b = append(append(append(b, draft.Subject.Kind...), '/'), id...)
	}
	subject := len(b)
	b = append(append(b, e.Source[1:]...), '/')
	switch person := Clean(draft.Person, maxAttribute); {
	case person != "":
		b = append(b, person...)
	case subject > idSize:
		b = append(b, b[idSize:subject]...)
	default:
		b = append(b, b[:idSize]...)
	}
	c.text = b
	all := string(b) // one allocation
	e.ID, e.Subject, e.PartitionKey = all[:idSize], all[idSize:subject], all[subject:]
}

// id computes what an id is the first 16 bytes of: SHA-256 over the canonical JSON array
// ["1", source, vendorevent, part, ...]. A part is a string's value, the text of
// a number or boolean, the canonical form of an array or object, or null.
func (c *completion) id(id *Identity, source, raw string) ([sha256.Size]byte, event.IDBasis) {
	basis, parts := id.basis, id.parts()
	absent := 0
	for _, part := range parts {
		if part.Absent() {
			absent++
		}
	}
	if basis != event.IDNatural || absent > 0 {
		basis = event.IDContent
	}
	if absent == len(parts) || absent > 0 && id.basis == event.IDNatural {
		parts = []payload.Value{c.own(raw)}
	}

	b := payload.AppendString(append(c.text[:0], `["1",`...), source)
	if b = append(b, ','); c.in.Event == "" {
		b = append(b, "null"...)
	} else {
		b = payload.AppendString(b, c.in.Event)
	}
	for _, part := range parts {
		b = append(b, ',')
		switch {
		case part.Absent() && len(parts) > 1:
			b = append(b, "null"...)
		case part.Kind() == payload.String:
			b = part.AppendCanonical(b)
		default:
			canonical := part.Canonical()
			b = payload.AppendString(slices.Grow(b, len(canonical)), canonical)
		}
	}
	c.text = append(b, ']')
	return sha256.Sum256(c.text), basis
}

// own returns the payload of the event alone: all of it or a slice.
func (c *completion) own(raw string) payload.Value {
	if raw == "" {
		return c.in.Payload
	}
	slice, err := payload.Parse(raw)
	if err != nil {
		panic(fmt.Sprintf("vendor %s: building a payload: %v", c.vendor.Name, err)) // its decoder builds no JSON
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
	if !printable(s) && strings.ContainsFunc(s, forbidden) {
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

// printable reports whether s is ASCII without control characters, as almost all
// attributes are.
func printable(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		// Adding 1 sets the high bit of '~'+1, subtracting a space that of what is less.
		const ones = 0x0101010101010101
		x := binary.LittleEndian.Uint64([]byte(s[:8]))
		if (x|(x+ones)|(x-' '*ones))&(0x80*ones) != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] < ' ' || '~' < s[i] {
			return false
		}
	}
	return true
}

func forbidden(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef
}
