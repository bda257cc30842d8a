package vendors

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Reader reads the fields of one event by their meaning: true and "true" are the same, and
// so are 13 and "13". A value that cannot be read is left out, and an issue names the field
// by its path in event.Data, or by the attribute of the event. Where a method takes several
// values, the first one that can be read counts.
type Reader struct {
	numbering event.Numbering
	issues    []event.Issue
	found     bool   // the payload has a key that was read
	trace     *trace // nil unless the decoding is to be explained
}

func (r *Reader) issue(field string, reason event.Reason) {
	if issue := (event.Issue{Field: field, Reason: reason}); !slices.Contains(r.issues, issue) {
		r.issues = append(r.issues, issue)
	}
}

// Contradict notes that the payload is not of the native event that the route declares.
func (r *Reader) Contradict() { r.issue("vendorevent", event.Contradiction) }

// Note tells that a field is read from values, or is derived from values that other fields
// have read: for Explain, and because a payload with none of the keys that are read is not of
// the native event that the route declares.
func (r *Reader) Note(field string, values ...payload.Value) {
	if !r.found || r.trace != nil { // which is seldom so: mostly Note costs no call
		r.note(field, values)
	}
}

func (r *Reader) note(field string, values []payload.Value) {
	r.find(values...)
	if r.trace != nil {
		r.trace.note(field, values)
	}
}

// find notes whether the payload has one of the values. A key counts whatever its value is,
// because vendors send null and values of wrong types.
func (r *Reader) find(values ...payload.Value) {
	for i := 0; i < len(values) && !r.found; i++ {
		r.found = values[i].Kind() != payload.Missing
	}
}

// read returns what parse makes of the first scalar that it takes, or "". Where parse takes
// none of the scalars, there is an issue with the reason; where there is an array or object
// instead of a scalar, the reason is wrong_type.
func (r *Reader) read(field string, reason event.Reason, parse func(string) (string, bool), values []payload.Value) string {
	r.Note(field, values...)
	var failed event.Reason
	for _, v := range values {
		if v.Absent() {
			continue
		}
		why := event.WrongType
		if s, ok := v.Scalar(); ok {
			if s, ok = parse(s); ok {
				if r.trace != nil {
					r.trace.gave(v, s)
				}
				return s
			}
			why = reason
		}
		if failed == "" {
			failed = why
		}
	}
	if failed != "" {
		r.issue(field, failed)
	}
	return ""
}

// Text reads a scalar as text.
func (r *Reader) Text(field string, values ...payload.Value) string {
	return r.read(field, event.WrongType, parseText, values)
}

func parseText(s string) (string, bool) { return s, true }

// Number reads a number.
func (r *Reader) Number(field string, values ...payload.Value) event.Number {
	return event.Number(r.read(field, event.NotANumber, parseNumber, values))
}

// Decimal reads money or a score, as sent.
func (r *Reader) Decimal(field string, values ...payload.Value) string {
	return r.read(field, event.NotANumber, parseNumber, values)
}

func parseNumber(s string) (string, bool) {
	n, ok := event.ParseNumber(s)
	return string(n), ok
}

// Time reads a time with a zone.
func (r *Reader) Time(field string, values ...payload.Value) event.Time {
	return event.Time(r.read(field, event.NotATime, parseTime, values))
}

func parseTime(s string) (string, bool) {
	t, ok := event.ParseTime(s)
	return string(t), ok
}

// EpochSeconds reads a time that is sent as the seconds since 1970, with or without a fraction.
func (r *Reader) EpochSeconds(field string, values ...payload.Value) event.Time {
	return event.Time(r.read(field, event.NotATime, parseEpochSeconds, values))
}

// EpochMillis reads a time that is sent as the milliseconds since 1970.
func (r *Reader) EpochMillis(field string, values ...payload.Value) event.Time {
	return event.Time(r.read(field, event.NotATime, parseEpochMillis, values))
}

// MailTime reads a time that is sent as headers of e-mails and of HTTP have it.
func (r *Reader) MailTime(field string, values ...payload.Value) event.Time {
	return event.Time(r.read(field, event.NotATime, parseMailTime, values))
}

func parseEpochSeconds(s string) (string, bool) {
	t, ok := event.ParseEpochSeconds(s)
	return string(t), ok
}

func parseEpochMillis(s string) (string, bool) {
	t, ok := event.ParseEpochMillis(s)
	return string(t), ok
}

func parseMailTime(s string) (string, bool) {
	t, ok := event.ParseMailTime(s)
	return string(t), ok
}

// Phone reads a phone number of our side.
func (r *Reader) Phone(field string, values ...payload.Value) string {
	return r.read(field, event.NotAPhone, phoneParsers[r.numbering], values)
}

// ContactPhone reads the phone number of the contact. Where the value is text but no phone
// number, such as Anonymous, it returns the text as sent. There is no issue then: a caller
// may withhold the number, and nothing is left out of the event.
func (r *Reader) ContactPhone(v payload.Value) (phone, asSent string) {
	sent := r.Text("contact.phone", v)
	r.Note("contact.phone_as_sent", v)
	phone, ok := phoneParsers[r.numbering](sent)
	if !ok {
		return "", sent
	}
	if r.trace != nil {
		r.trace.gave(v, phone)
	}
	return phone, ""
}

// PhoneOrShortCode reads the number that a message is from or to.
func (r *Reader) PhoneOrShortCode(field string, values ...payload.Value) string {
	return r.read(field, event.NotAPhone, numberParsers[r.numbering], values)
}

// Sender reads what a text shows as its sender or recipient on our side: a phone number, a
// short code or a name.
func (r *Reader) Sender(field string, values ...payload.Value) string {
	return r.read(field, event.NotAPhone, senderParsers[r.numbering], values)
}

// The parsers of numbers, by the numbering of the vendor. Functions that are made once take no
// memory when they are used.
var phoneParsers, numberParsers, senderParsers [3]func(string) (string, bool)

func init() {
	for numbering := range event.Numbering(len(phoneParsers)) {
		phone := func(s string) (string, bool) { return event.ParsePhone(s, numbering) }
		number := func(s string) (string, bool) {
			if phone, ok := phone(s); ok {
				return phone, true
			}
			return event.ParseShortCode(s)
		}
		phoneParsers[numbering], numberParsers[numbering] = phone, number
		senderParsers[numbering] = func(s string) (string, bool) {
			if number, ok := number(s); ok {
				return number, true
			}
			return event.ParseSenderName(s)
		}
	}
}

// Direction reads inbound or outbound, or a word that begins so: outbound-dial.
func (r *Reader) Direction(field string, values ...payload.Value) event.Direction {
	return event.Direction(r.read(field, event.NotInList, parseDirection, values))
}

func parseDirection(s string) (string, bool) {
	direction, _, _ := strings.Cut(s, "-")
	return direction, direction == string(event.Inbound) || direction == string(event.Outbound)
}

// Word reads one of the vendor's words for something that we have words of our own for.
func Word[T ~string](r *Reader, field string, v payload.Value, words map[string]T) T {
	return T(r.read(field, event.NotInList, func(s string) (string, bool) {
		word, ok := words[s]
		return string(word), ok
	}, []payload.Value{v}))
}

// Channel reads a medium, in any letter case. A medium that the list of channels does not
// have is read as other, with an issue.
func (r *Reader) Channel(field string, v payload.Value) event.Channel {
	channel := strings.ToLower(r.Text(field, v))
	if channel == "" || slices.Contains(event.Channel("").Values(), channel) {
		return event.Channel(channel)
	}
	r.issue(field, event.NotInList)
	return event.ChannelOther
}

// Email reads an e-mail address, without the space around it.
func (r *Reader) Email(field string, values ...payload.Value) string {
	return r.read(field, event.WrongType, parseEmail, values)
}

func parseEmail(s string) (string, bool) { return strings.TrimSpace(s), true }

// MessageID reads the id of an e-mail, as the header field Message-ID has it, without the angle
// brackets and the space around it.
func (r *Reader) MessageID(field string, values ...payload.Value) string {
	return r.read(field, event.WrongType, parseMessageID, values)
}

func parseMessageID(s string) (string, bool) { return strings.Trim(strings.TrimSpace(s), "<>"), true }

// Names reads the names of a contact whose vendor sends no whole name.
func (r *Reader) Names(c *event.Contact, first, last payload.Value) {
	c.FirstName = r.Text("contact.first_name", first)
	c.LastName = r.Text("contact.last_name", last)
	r.Note("contact.name", first, last)
	c.Name = cmp.Or(c.FirstName, c.LastName)
	if c.FirstName != "" && c.LastName != "" {
		c.Name = c.FirstName + " " + c.LastName
	}
}

// Bool reads a boolean.
func (r *Reader) Bool(field string, values ...payload.Value) event.Bool {
	switch r.read(field, event.NotABoolean, parseBool, values) {
	case "true":
		return event.True
	case "false":
		return event.False
	}
	return 0
}

func parseBool(s string) (string, bool) { return s, s == "true" || s == "false" }

// Texts reads an array of scalars. A single scalar counts as an array of one element.
func (r *Reader) Texts(field string, v payload.Value) []string {
	if v.Absent() {
		r.Note(field, v)
		return nil
	}
	if v.Kind() != payload.Array {
		if text := r.Text(field, v); text != "" {
			return []string{text}
		}
		return nil
	}
	texts := make([]string, 0, v.Len())
	for element := range v.Elements() {
		if text := r.Text(field, element); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// Pairs reads an open map. The value of a pair is a string: the JSON text of an array or
// object, "" for null.
func (r *Reader) Pairs(field string, v payload.Value) []event.Pair {
	r.Note(field, v)
	open := r.open(field, v)
	if open.Len() == 0 {
		return nil
	}
	pairs := make([]event.Pair, 0, open.Len())
	for name, member := range open.Members() {
		pairs = append(pairs, pair(name, member))
	}
	return pairs
}

// Others reads the members of an object that are not known, where customers of the vendor put
// members of their own beside those of the vendor. They are read as Pairs reads an open map. They
// do not tell what native event the payload is of, so they do not count as keys that were read.
func (r *Reader) Others(field string, v payload.Value, known map[string]bool) []event.Pair {
	var pairs []event.Pair
	for name, member := range v.Members() {
		if known[name] {
			continue
		}
		if r.trace != nil {
			r.trace.note(field, []payload.Value{member})
			r.trace.other[member] = true
		}
		if pairs == nil {
			pairs = make([]event.Pair, 0, 4) // few customers have more
		}
		pairs = append(pairs, pair(name, member))
	}
	return pairs
}

func pair(name string, member payload.Value) event.Pair {
	value, ok := member.Scalar()
	if !ok && member.Kind() != payload.Null {
		value = member.Text()
	}
	return event.Pair{Name: name, Value: value}
}

// Objects yields the members of an open map whose values are objects.
func (r *Reader) Objects(field string, v payload.Value) iter.Seq2[string, payload.Value] {
	return func(yield func(string, payload.Value) bool) {
		for name, member := range r.open(field, v).Members() {
			if object := r.object(field, member); object.Kind() == payload.Object && !yield(name, object) {
				return
			}
		}
	}
}

// open returns the value if it is an open map with members, else a missing value.
func (r *Reader) open(field string, v payload.Value) payload.Value {
	object := r.object(field, v)
	if r.trace != nil && object.Kind() == payload.Object {
		r.trace.open[v] = true
	}
	return object
}

// Elements reads an array of objects, each by the function read, and leaves out the elements
// of which no field was read. The memory is for those elements only that are objects: they
// may be few among many zeros.
func Elements[T comparable](r *Reader, field string, v payload.Value, read func(payload.Value) T) []T {
	array := r.array(field, v)
	objects := 0
	for element := range array.Elements() {
		if r.object(field, element).Kind() == payload.Object {
			objects++
		}
	}
	if objects == 0 {
		return nil
	}
	all := make([]T, 0, objects)
	for element := range array.Elements() {
		if element.Kind() != payload.Object || element.Absent() {
			continue
		}
		var empty T
		if t := read(element); t != empty {
			all = append(all, t)
		}
	}
	return all
}

// array returns the value if it is an array with elements, else a missing value.
func (r *Reader) array(field string, v payload.Value) payload.Value {
	return r.container(field, payload.Array, v)
}

// object returns the value if it is an object with members, else a missing value.
func (r *Reader) object(field string, v payload.Value) payload.Value {
	return r.container(field, payload.Object, v)
}

func (r *Reader) container(field string, kind payload.Kind, v payload.Value) payload.Value {
	r.find(v)
	if v.Absent() {
		r.Note(field, v)
		return payload.Value{}
	}
	if v.Kind() != kind {
		r.Note(field, v)
		r.issue(field, event.WrongType)
		return payload.Value{}
	}
	return v
}

// Object reads an object within the payload as a native structure. The structure is empty if
// the value is no object.
func Object[T any](r *Reader, field string, v payload.Value) T {
	return payload.Bind[T](r.object(field, v))
}
