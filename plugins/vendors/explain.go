package vendors

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Explanation says what the keys of a delivery's payload become.
type Explanation struct {
	VendorEvents []string      // the native events, each once; none if nothing names them and no shape is like the payload's
	Types        []string      // of the events, each once
	Issues       []event.Issue // of the events, each once

	// Unrecognized says that a payload is of no native event that has a name, or not of the
	// native event that the route declares.
	Unrecognized bool

	// Keys stand in the order of the payload, each once. Where a delivery has the payloads of
	// several native events, they are the keys of these payloads.
	Keys []WireKey
}

// WireKey says what a key of a payload becomes.
type WireKey struct {
	// Name has the names of the keys from the top of the payload down, with a dot between
	// them. [] stands for the elements of an array, * for the names in a map whose names the
	// vendor or its customer chooses: call.responses[].answer.text, contact.custom.*
	Name string
	// Fields has the fields that are read from the key: paths of data, or attributes of the
	// event. A field that is read from several keys takes the first of their values that can
	// be read.
	Fields []string
	Reason string // why the key stands in raw only; "" if Fields has some, or if the key is new to the decoder; of several reasons the first
	Empty  bool   // whether all values of the key are null, "", [] or {}
}

// OtherEvent is the reason why a key stands in raw only where the payload is of no native
// event that the decoder has.
const OtherEvent = "the native event is not known, so only what the vendor's events have in common is read"

// ScopedType is the reason why a key stands in raw only where the payload is short of what
// gives an event of the catalogue.
const ScopedType = "the event has a vendor-scoped type, of which only raw is promised"

// Explain decodes a delivery, and says what was read from each key of the payload. Its
// errors are those of Payload and Decode.
func (v *Vendor) Explain(d *delivery.Delivery) (*Explanation, error) {
	document, err := v.Payload(d)
	defer document.Release()
	if err != nil {
		return nil, err
	}
	explanation := &Explanation{}
	t := &trace{vendor: v, index: map[string]int{}}
	t.begin()
	err = v.decode(d, document, len(d.Body), func(e event.Event) error {
		t.events = append(t.events, e)
		if e.VendorEvent != "" {
			explanation.VendorEvents = once(explanation.VendorEvents, e.VendorEvent)
		}
		explanation.Unrecognized = explanation.Unrecognized || t.unrecognized(e)
		explanation.Types = once(explanation.Types, e.Type)
		for _, issue := range e.Data.Issues {
			explanation.Issues = once(explanation.Issues, issue)
		}
		return nil
	}, t)
	if err != nil {
		return nil, err
	}
	for i := range t.keys {
		if len(t.keys[i].Fields) > 0 {
			t.keys[i].Reason = ""
		}
	}
	explanation.Keys = t.keys
	return explanation, nil
}

// once appends what all does not have yet.
func once[T comparable](all []T, one T) []T {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// Within reports whether the key has this name, or stands within the value of the key that
// has this name.
func (k WireKey) Within(name string) bool {
	rest, ok := strings.CutPrefix(k.Name, name)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// trace has what a decoding reads, for an explanation.
type trace struct {
	vendor *Vendor

	// of the payload of one native event
	fields map[payload.Value][]string // what was read from a value
	open   map[payload.Value]bool     // the objects that are read as open maps
	other  map[payload.Value]bool     // the members that customers have put beside those of the vendor
	texts  []given
	events []event.Event

	keys  []WireKey
	index map[string]int // where each key stands in keys, by its name
}

// begin begins with the payload of a native event.
func (t *trace) begin() {
	t.fields, t.texts, t.events = map[payload.Value][]string{}, nil, nil
	t.open, t.other = map[payload.Value]bool{}, map[payload.Value]bool{}
}

// walk collects the keys of the payload of a native event that was decoded.
func (t *trace) walk(document payload.Value) {
	t.value("", document, nil)
	t.begin()
}

// unrecognized reports whether the payload of an event is of no native event that has a name,
// or not of the native event that the route declares.
func (t *trace) unrecognized(e event.Event) bool { return e.Type == event.Unrecognized(t.vendor.Name) }

// reason returns why a key that nothing is read from stands in the raw of the payload's events
// only, or "" if the key is new to the decoder.
func (t *trace) reason(key WireKey) string {
	var native *NativeEvent
	known := len(t.events) > 0 && !slices.ContainsFunc(t.events, t.unrecognized)
	if known {
		native, known = t.vendor.Native(t.events[0].VendorEvent)
	}
	reasons := t.vendor.RawOnly
	if known {
		reasons = slices.Concat(native.RawOnly, reasons)
	}
	for _, r := range reasons {
		if slices.ContainsFunc(r.Keys, key.Within) {
			return r.Reason
		}
	}
	ofCatalogue := func(e event.Event) bool { return event.InCatalogue(e.Type) }
	switch {
	case !known:
		return OtherEvent
	case slices.ContainsFunc(native.Types, event.InCatalogue) && !slices.ContainsFunc(t.events, ofCatalogue):
		return ScopedType
	}
	return ""
}

// given is what a reader has made of a value.
type given struct {
	value payload.Value
	text  string
}

func (t *trace) note(field string, values []payload.Value) {
	for _, v := range values {
		if v.Kind() != payload.Missing && !slices.Contains(t.fields[v], field) {
			t.fields[v] = append(t.fields[v], field)
		}
	}
}

func (t *trace) gave(v payload.Value, text string) { t.texts = append(t.texts, given{v, text}) }

// complete notes the attributes of an event that is made from a draft.
func (t *trace) complete(draft *Draft) {
	t.note("id", draft.ID.parts())
	t.attribute("time", string(draft.Time))
	t.attribute("subject", draft.Subject.ID)
	for _, name := range draft.Person {
		t.attribute("partitionkey", name)
	}
}

// attribute notes the values that an attribute takes its text from. An attribute takes a
// text that a field takes too, so both strings have the same memory. Two values that are
// merely equal have not.
func (t *trace) attribute(name, text string) {
	if text == "" {
		return
	}
	for _, g := range t.texts {
		if len(g.text) == len(text) && unsafe.StringData(g.text) == unsafe.StringData(text) {
			t.note(name, []payload.Value{g.value})
		}
	}
}

// value adds the keys of the scalars, empty arrays and empty objects within a value. What is
// read from an array or object as a whole is read from the keys within it, too.
func (t *trace) value(name string, v payload.Value, outer []string) {
	fields := t.fields[v]
	if fields == nil {
		fields = outer
	}
	empty := true
	for element := range v.Elements() {
		t.value(name+"[]", element, fields)
		empty = false
	}
	for member, value := range v.Members() {
		if t.open[v] || t.other[value] {
			member = "*"
		}
		t.value(strings.TrimPrefix(name+"."+member, "."), value, fields)
		empty = false
	}
	if !empty || name == "" {
		return
	}
	i, known := t.index[name]
	if !known {
		i = len(t.keys)
		t.index[name] = i
		t.keys = append(t.keys, WireKey{Name: name, Empty: true})
	}
	key := &t.keys[i]
	key.Empty = key.Empty && v.Absent()
	if len(fields) == 0 && key.Reason == "" {
		key.Reason = t.reason(*key)
	}
	for _, field := range fields {
		key.Fields = once(key.Fields, field)
	}
}
