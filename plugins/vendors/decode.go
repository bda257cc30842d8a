package vendors

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
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

// Input is what a conversion makes events from.
type Input struct {
	Payload payload.Value // an object
	Event   string        // the native event; "" if nothing names it and no shape is like the payload's

	MaxEvents int // how many events the delivery may give

	vendor *Vendor
	reader Reader
	name   []event.Issue // why the name of the native event could not be read
}

// Reads tells Decode that the conversion reads these values of the payload without a Reader
// (see Reader.Note).
func (in *Input) Reads(values ...payload.Value) { in.reader.find(values...) }

// TooMany returns the error of a payload that gives more than MaxEvents events.
func (in *Input) TooMany() error {
	return Refuse(delivery.TooManyEvents, "decoding %s delivery: expected at most %d events, it gives more", in.vendor.Name, in.MaxEvents)
}

// Read returns a reader for the next event. The reader may be used until Read is called
// again.
func (in *Input) Read() *Reader {
	in.reader.issues = nil
	return &in.reader
}

// Draft is what a vendor knows of one event. Decode completes it.
type Draft struct {
	Type    string   // "" for a vendor-scoped type
	ID      Identity // what the id is computed from
	Subject Subject  // what happened to whom or what
	Time    event.Time
	Person  Ladder     // who the event is about, all of whose events go to one partition
	Data    event.Data // without issues and raw
	Read    *Reader    // the reader that Data was read with: it has the issues
	Raw     string     // the text of the event's own payload; "" if it is all of Input.Payload
}

// Ladder names a person in the vendor's terms, the best first. Names that the vendor has not
// sent are "". The last names may be those of a conversation.
type Ladder [3]string

// Subject is what an event is about: the kind of thing, and the vendor's id of the thing.
// An event whose ID is "" has no subject.
type Subject struct{ Kind, ID string }

// Identity is what the id of an event is computed from. The zero value stands for the whole
// payload.
type Identity struct {
	basis event.IDBasis
	n     int              // how many parts there are
	few   [4]payload.Value // the parts, if four or less: so no memory is allocated for them
	many  []payload.Value  // the parts, if more than four
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

// Natural returns an identity whose parts name the occurrence. If one part is absent, the
// id is computed from the content of the whole payload instead.
func Natural(parts ...payload.Value) Identity { return identity(event.IDNatural, parts) }

// Content returns an identity whose parts are all that is known of the occurrence. An
// absent part counts as null. Without parts, or if all parts are absent, the id is computed
// from the whole payload.
func Content(parts ...payload.Value) Identity { return identity(event.IDContent, parts) }

// Undecodable is a delivery that cannot become events.
type Undecodable struct {
	Reason delivery.Reason // all but Failed
	Err    error
}

func (u *Undecodable) Error() string { return u.Err.Error() }

func (u *Undecodable) Unwrap() error { return u.Err }

// Refuse returns an error of type *Undecodable.
func Refuse(reason delivery.Reason, format string, args ...any) error {
	return &Undecodable{reason, fmt.Errorf(format, args...)}
}

// Payload reads the payload of a delivery and removes the vendor's redacted keys. The
// payload is an object; for a vendor that puts several native events into a delivery it may
// be an array. Its errors are of type *Undecodable; with the error for a payload that is
// another JSON value it also returns this JSON. The body of the delivery must not change
// while the payload, or an event that was decoded from the payload, is in use.
func (v *Vendor) Payload(d *delivery.Delivery) (payload.Value, error) {
	if d.ContentEncoding != "" {
		return payload.Value{}, Refuse(delivery.Malformed, "reading %s body of %d bytes: expected it to inflate as %s, it is broken", v.Name, len(d.Body), d.ContentEncoding)
	}
	document, err := payload.ParseBody(unsafe.String(unsafe.SliceData(d.Body), len(d.Body)), d.ContentType)
	if err != nil {
		return payload.Value{}, Refuse(delivery.Malformed, "reading %s body of %d bytes: %w", v.Name, len(d.Body), err)
	}
	if len(v.RedactedKeys) > 0 {
		whole := document
		document = whole.Without(v.RedactedKeys...)
		whole.Release()
	}
	if document.Kind() != payload.Object && (v.Pieces == nil || document.Kind() != payload.Array) {
		return document, Refuse(delivery.Malformed, "reading %s body of %d bytes: expected a JSON object, got %s", v.Name, len(d.Body), document.Kind())
	}
	return document, nil
}

// Decode turns a delivery into events: at least one and at most maxEvents. The document is
// the payload of the delivery. Decode calls emit for each event in turn. The same delivery
// always gives the same events. An error is of type *Undecodable, or it is an error of
// emit, which ends the decoding.
func (v *Vendor) Decode(d *delivery.Delivery, document payload.Value, maxEvents int, emit func(event.Event) error) error {
	return v.decode(d, document, maxEvents, emit, nil)
}

func (v *Vendor) decode(d *delivery.Delivery, document payload.Value, maxEvents int, emit func(event.Event) error, t *trace) error {
	c := completions.Get().(*completion)
	defer func() {
		if cap(c.text) > maxPooledText {
			return
		}
		*c = completion{text: c.text}
		completions.Put(c)
	}()
	c.vendor, c.delivery, c.emit = v, d, emit
	c.in = Input{MaxEvents: maxEvents, vendor: v, reader: Reader{numbering: v.Numbering, trace: t}}
	if v.Pieces == nil {
		return c.decode(document, document.Mended())
	}
	return c.decodePieces(document)
}

// decodePieces makes events from a payload that has several native events. It is a function
// of its own because the body of its loop takes memory for the error, which other payloads
// do not need.
func (c *completion) decodePieces(document payload.Value) error {
	none := true
	for piece := range c.vendor.Pieces(document) {
		none = false
		if err := c.decodePiece(document, piece); err != nil {
			return err
		}
	}
	switch {
	case !none:
		return nil
	case document.Kind() == payload.Object:
		return c.decode(document, document.Mended()) // an object gives at least one event
	}
	return Refuse(delivery.Malformed, "reading %s body of %d bytes: expected at least one JSON object in the array, it is empty", c.vendor.Name, len(c.delivery.Body))
}

// decodePiece makes events from a piece of the document, and releases a piece that is a
// document of its own.
func (c *completion) decodePiece(document, piece payload.Value) error {
	mended := document.MendedIn(piece.Text())
	if !piece.Within(document) {
		defer piece.Release()
		mended = mended || piece.Mended()
	}
	if piece.Kind() != payload.Object {
		return Refuse(delivery.Malformed, "reading %s body of %d bytes: expected JSON objects in an array, got %s", c.vendor.Name, len(c.delivery.Body), piece.Kind())
	}
	return c.decode(piece, mended)
}

// decode makes events from the payload of one native event, which may have been mended.
func (c *completion) decode(document payload.Value, mended bool) error {
	c.in.Payload, c.in.reader.found, c.mended = document, false, mended
	c.basis, c.contradiction = c.vendor.native(&c.in, c.delivery)
	native, ok := c.vendor.Native(c.in.Event)
	c.unknown = !ok && c.in.Event != ""
	if t := c.in.reader.trace; t != nil {
		defer t.walk(document)
	}
	switch {
	case !ok:
		draft := c.vendor.Other(&c.in)
		return c.give(&draft)
	case native.Convert != nil:
		draft := native.Convert(&c.in)
		if c.unlikeDeclared() {
			draft = c.unrecognized()
		}
		return c.give(&draft)
	}
	whole := false
	return native.Split(&c.in, func(draft Draft) error {
		if c.unlikeDeclared() {
			if whole {
				return nil // the first event has the whole payload
			}
			whole = true
			draft = c.unrecognized()
		}
		return c.give(&draft)
	})
}

// unlikeDeclared reports whether the route declares a native event but the payload has none
// of the keys that the conversion reads. It has to be called after the conversion.
func (c *completion) unlikeDeclared() bool {
	return c.basis == event.BasisDeclared && !c.in.reader.found
}

// unrecognized converts a payload that is not of the native event that the route declares.
func (c *completion) unrecognized() Draft {
	c.contradiction = true
	draft := c.vendor.Other(&c.in)
	draft.Type = event.Unrecognized(c.vendor.Name)
	return draft
}

// native sets the native event of the input, and returns how the native event is known and
// whether the route declares another one. A name in the payload holds against the name
// that the route declares, and this one against a guess from the payload's shape.
func (v *Vendor) native(in *Input, d *delivery.Delivery) (basis event.Basis, contradiction bool) {
	declared := Clean(d.Event, maxVendorEvent)
	in.name = nil
	if v.Named != nil {
		r := in.Read()
		in.Event = Clean(v.Named(r, in.Payload), maxVendorEvent)
		in.name, r.found = r.issues, false // the keys that name the native event are none of the conversion's
		if in.Event != "" {
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

// completion makes events from the drafts of a delivery. Drafts and events are passed on by
// value because they are large and full of pointers: to copy them on the stack costs
// little, to allocate them on the heap costs much.
type completion struct {
	vendor        *Vendor
	delivery      *delivery.Delivery
	emit          func(event.Event) error
	in            Input
	events        int // how many the delivery has given
	basis         event.Basis
	contradiction bool   // the route declares another native event than the payload is of
	unknown       bool   // the vendor's list has no such native event
	mended        bool   // the payload is not as it was sent (see payload.Value.Mended)
	text          []byte // a buffer, for the text that an id is computed from, and then for the id, subject and partition key
}

// maxPooledText is how long the buffer of a completion may be so that the completion goes
// back to the pool. Longer buffers are those of large payloads; these are rare, and the
// pool would keep their memory for good.
const maxPooledText = 64 << 10

var completions = sync.Pool{New: func() any { return &completion{text: make([]byte, 0, 512)} }}

// give makes an event from a draft and emits the event, unless the delivery has given as many
// events as it may. The event is built field by field: a literal would be built elsewhere, and
// copied as a whole.
func (c *completion) give(draft *Draft) error {
	if c.events++; c.events > c.in.MaxEvents {
		return c.in.TooMany()
	}
	var e event.Event
	v, d := c.vendor, c.delivery
	e.SpecVersion, e.DataContentType = event.SpecVersion, "application/json"
	e.Source, e.Vendor = v.source, v.Name
	e.VendorEvent, e.EventBasis = c.in.Event, c.basis
	e.Type, e.Time = draft.Type, draft.Time
	e.Data = draft.Data // by itself, because Go assigns several values by way of copies of them
	e.DeliveryID = d.ID
	if d.Account != "" {
		e.Source += "/" + d.Account
	}
	if e.Type == "" {
		e.Type = event.Scoped(v.Name, e.VendorEvent)
	}
	e.DataSchema = event.DataSchema(e.Type)
	if !d.ReceivedAt.IsZero() {
		e.RecordedTime = event.Time(delivery.FormatTime(d.ReceivedAt))
	}
	if e.Data.Raw = event.Raw(draft.Raw); e.Data.Raw == "" {
		e.Data.Raw = event.Raw(c.in.Payload.Text())
	}
	if draft.Read != nil {
		e.Data.Issues = draft.Read.issues
	}
	if c.mended {
		e.Data.Issues = append(e.Data.Issues, event.Issue{Field: "raw", Reason: event.NotInteroperable})
	}
	e.Data.Issues = append(e.Data.Issues, c.in.name...)
	if c.unknown {
		e.Data.Issues = append(e.Data.Issues, event.Issue{Field: "vendorevent", Reason: event.UnknownEvent})
	}
	if c.contradiction {
		e.Data.Issues = append(e.Data.Issues, event.Issue{Field: "vendorevent", Reason: event.Contradiction})
	}
	c.name(&e, draft)
	if t := c.in.reader.trace; t != nil {
		t.complete(draft)
	}
	return c.emit(e)
}

// name sets the id, the subject and the partition key of an event.
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
	switch person := draft.Person.best(); {
	case person != "":
		b = append(b, person...)
	case subject > idSize:
		b = append(b, b[idSize:subject]...)
	default:
		b = append(b, b[:idSize]...)
	}
	c.text = b
	all := string(b) // one allocation serves three strings
	e.ID, e.Subject, e.PartitionKey = all[:idSize], all[idSize:subject], all[subject:]
}

// best returns the best name that is there, as an attribute can hold the name, or "". An e-mail
// address is the same person's in any letter case, and vendors send it as the person wrote it.
func (l *Ladder) best() string {
	for _, name := range l {
		if name = Clean(name, maxAttribute); name != "" {
			if strings.Contains(name, "@") {
				name = Clean(strings.ToLower(name), maxAttribute) // some letters are longer in lower case
			}
			return name
		}
	}
	return ""
}

// id computes SHA-256 over the canonical JSON array ["1", source, vendorevent, part, ...];
// an event's id is the first 16 bytes of this sum. A part is the value of a string, the text
// of a number or boolean, the canonical form of an array or object, or null.
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
		own := c.own(raw)
		if raw != "" {
			defer own.Release()
		}
		parts = []payload.Value{own}
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

// own returns the payload of one event: the payload of the delivery, or the text in raw.
func (c *completion) own(raw string) payload.Value {
	if raw == "" {
		return c.in.Payload
	}
	slice, err := payload.Parse(raw)
	if err != nil {
		panic(fmt.Sprintf("vendor %s: building a payload: %v", c.vendor.Name, err)) // the vendor's decoder has built a text that is no JSON
	}
	return slice
}

// Attributes are bounded in bytes because they travel as headers, keys and metadata.
const (
	maxVendorEvent = 128
	maxAttribute   = 256
)

// Clean returns s without the characters that an attribute of CloudEvents must not hold,
// cut to at most that many bytes. It does not cut a character in two.
func Clean(s string, most int) string {
	if !printable(s) {
		s = strings.Map(func(r rune) rune { // which turns what is no UTF-8 into U+FFFD
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
		// To add 1 sets the high bit of the byte behind '~'; to subtract a space sets the
		// high bit of every byte that is less than a space.
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

// forbidden reports whether an attribute must not hold the character.
func forbidden(r rune) bool {
	return unicode.IsControl(r) || r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef
}
