package delivery

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Reason is why a delivery has not become events.
type Reason string

// The reasons. A decoder gives all but the last.
const (
	Malformed     Reason = "malformed"       // the body is no JSON object and no form
	TooManyEvents Reason = "too_many_events" // the payload gives more events than the configuration allows
	EventTooLarge Reason = "event_too_large" // an event has more bytes than the configuration allows
	Misconfigured Reason = "misconfigured"   // a field of the configuration gives a value that cannot be used, such as a vendor that is not compiled in
	Failed        Reason = "failed"          // a processor before or behind the decoder has failed
)

// Reasons are all reasons.
var Reasons = []Reason{Malformed, TooManyEvents, EventTooLarge, Misconfigured, Failed}

// Metadata keys of a message that has not become events, and of a delivery that comes
// from a dead letter.
const (
	KeyReason       = "decode_reason"
	KeyDetail       = "decode_detail"           // a sentence
	KeyDeadLetterID = Prefix + "dead_letter_id" // the id of the dead letter
)

// DeadLetterType is the type of the CloudEvent that a dead letter is.
const DeadLetterType = "hookswitch.dead_letter"

// DeadLetter is the record of a delivery that has not become events: the delivery, and
// why. The texts of the delivery are those of its metadata, so that the delivery comes
// back byte for byte; they are empty where nothing is known.
type DeadLetter struct {
	ID      string // the same whenever the delivery fails; DefaultID where nothing else is known
	Source  string // /<vendor>
	Reason  Reason
	Detail  string // a sentence
	Version string // of the program that wrote the record

	Vendor          string
	Event           string
	Account         string
	Route           string
	ContentType     string
	ContentEncoding string
	ReceivedAt      string
	DeliveryID      string
	Headers         []HeaderText
	Body            []byte
}

// HeaderText is a field of the request's header: the end of its metadata key, such as
// user_agent, and its value.
type HeaderText struct{ Name, Value string }

// texts returns the metadata keys of the delivery beside those of its headers, in the order
// of the record, and where their values are.
func (l *DeadLetter) texts() [8]struct {
	key   string
	value *string
} {
	return [...]struct {
		key   string
		value *string
	}{
		{KeyVendor, &l.Vendor},
		{KeyEvent, &l.Event},
		{KeyAccount, &l.Account},
		{KeyRoute, &l.Route},
		{KeyContentType, &l.ContentType},
		{KeyContentEncoding, &l.ContentEncoding},
		{KeyReceivedAt, &l.ReceivedAt},
		{KeyID, &l.DeliveryID},
	}
}

// SetMetadata takes a metadata value of the delivery's message. It reports whether the key
// is one of a delivery.
func (l *DeadLetter) SetMetadata(key, value string) bool {
	switch name, isHeader := strings.CutPrefix(key, headerPrefix); {
	case isHeader:
		l.Headers = append(l.Headers, HeaderText{name, value})
		return true
	case key == KeyDeadLetterID:
		l.ID = value
		return true
	}
	for _, t := range l.texts() {
		if t.key == key {
			*t.value = value
			return true
		}
	}
	return false
}

// Metadata calls set for the metadata of the message that carries the delivery again.
func (l *DeadLetter) Metadata(set func(key, value string)) {
	for _, t := range l.texts() {
		if *t.value != "" {
			set(t.key, *t.value)
		}
	}
	for _, h := range l.Headers {
		set(headerPrefix+h.Name, h.Value)
	}
	set(KeyDeadLetterID, l.ID)
}

// DefaultID returns the id of the delivery. Where the delivery has none it returns 32 hex
// digits of a hash over the body and what is known beside it.
func (l *DeadLetter) DefaultID() string {
	if l.DeliveryID != "" {
		return l.DeliveryID
	}
	h := sha256.New()
	h.Write(fmt.Appendf(nil, "%q", []string{l.Vendor, l.Event, l.Account, l.ContentType, l.ContentEncoding, l.ReceivedAt}))
	h.Write(l.Body)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// AppendJSON appends the record: a CloudEvent, without a line break. The body is in base64.
// A text that JSON's readers do not all take, because it is no UTF-8, say, is written as
// {"base64": ...}.
func (l *DeadLetter) AppendJSON(b []byte) []byte {
	b = slices.Grow(b, base64.StdEncoding.EncodedLen(len(l.Body))+1<<10)
	b = appendMember(append(b, '{'), "specversion", "1.0")
	b = appendMember(b, "id", l.ID)
	b = appendMember(b, "source", l.Source)
	b = appendMember(b, "type", DeadLetterType)
	if t, err := ParseTime(l.ReceivedAt); err == nil && !t.IsZero() {
		b = appendMember(b, "time", FormatTime(t))
	}
	b = appendMember(b, "datacontenttype", "application/json")
	b = append(b, `,"data":{`...)
	b = appendMember(b, "reason", string(l.Reason))
	b = appendMember(b, "detail", l.Detail)
	b = appendMember(b, "version", l.Version)
	for _, t := range l.texts() {
		if *t.value != "" {
			b = appendMember(b, strings.TrimPrefix(t.key, Prefix), *t.value)
		}
	}
	if len(l.Headers) > 0 {
		slices.SortFunc(l.Headers, func(a, b HeaderText) int { return cmp.Compare(a.Name, b.Name) })
		b = append(b, `,"headers":[`...)
		for i, h := range l.Headers {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendMember(appendMember(append(b, '{'), "name", h.Name), "value", h.Value)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = append(b, `,"body":"`...)
	b = base64.StdEncoding.AppendEncode(b, l.Body)
	return append(b, `"}}`...)
}

func appendMember(b []byte, name, text string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(payload.AppendString(b, name), ':')
	if !utf8.ValidString(text) || strings.ContainsFunc(text, uninteroperable) {
		b = append(b, `{"base64":"`...)
		return append(base64.StdEncoding.AppendEncode(b, []byte(text)), `"}`...)
	}
	return payload.AppendString(b, text)
}

// uninteroperable reports whether some readers of JSON refuse a text with the character, or
// change the character: databases refuse NUL, and I-JSON the noncharacters.
func uninteroperable(r rune) bool {
	return r == 0 || r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef
}

// ParseDeadLetter reads a record. Members that it does not know are left out, because a
// newer version may have written them. The record keeps parts of the text.
func ParseDeadLetter(text string) (*DeadLetter, error) {
	document, err := payload.Parse(text)
	defer document.Release()
	if err != nil {
		return nil, fmt.Errorf("reading dead letter: %w", err)
	}
	if kind, _ := document.Get("type").Scalar(); kind != DeadLetterType {
		return nil, fmt.Errorf("reading dead letter: expected a CloudEvent of type %s, got %.64q", DeadLetterType, kind)
	}
	r := reader{}
	l := &DeadLetter{ID: r.text("id", document.Get("id")), Source: r.text("source", document.Get("source"))}
	hasBody := false
	for name, v := range document.Get("data").Members() {
		switch name {
		case "reason":
			l.Reason = Reason(r.text(name, v))
		case "detail":
			l.Detail = r.text(name, v)
		case "version":
			l.Version = r.text(name, v)
		case "headers":
			for h := range v.Elements() {
				l.Headers = append(l.Headers, HeaderText{r.text("headers", h.Get("name")), r.text("headers", h.Get("value"))})
			}
		case "body":
			hasBody = v.Kind() == payload.String
			l.Body = r.bytes(name, v)
		default:
			for _, t := range l.texts() {
				if t.key[len(Prefix):] == name {
					*t.value = r.text(name, v)
				}
			}
		}
	}
	if !hasBody {
		r.refuse("body", "a text in base64")
	}
	if l.ID == "" {
		r.refuse("id", "a text")
	}
	return l, r.err
}

// reader reads members of a record and keeps the first error.
type reader struct{ err error }

func (r *reader) refuse(name, expected string) {
	r.err = cmp.Or(r.err, errors.New("reading dead letter: field "+name+": expected "+expected))
}

// text returns a string, or the bytes of {"base64": ...}; "" for null and for nothing.
func (r *reader) text(name string, v payload.Value) string {
	switch v.Kind() {
	case payload.Missing, payload.Null:
		return ""
	case payload.Object:
		return string(r.bytes(name, v.Get("base64")))
	case payload.String:
		text, _ := v.Scalar()
		return text
	}
	r.refuse(name, "a text")
	return ""
}

func (r *reader) bytes(name string, v payload.Value) []byte {
	text, _ := v.Scalar()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || v.Kind() != payload.String {
		r.refuse(name, "a text in base64")
	}
	return b
}

// Received returns when the delivery was received: the zero time where that is not known.
func (l *DeadLetter) Received() time.Time {
	t, _ := ParseTime(l.ReceivedAt)
	return t
}
