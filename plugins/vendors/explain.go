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
	VendorEvent string        // the native event; "" if nothing names it and no shape is like the payload's
	Types       []string      // of the events, each once
	Issues      []event.Issue // of the events, each once

	// Unrecognized says that the payload is of no native event that has a name, or not of the
	// native event that the route declares.
	Unrecognized bool

	Keys []WireKey // in the order of the payload, each once
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
	Reason string // why the key stands in raw only; "" if Fields has some, or if the key is new to the decoder
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
	t := &trace{index: map[string]int{}}
	t.begin()
	err = v.decode(d, document, len(d.Body), func(e event.Event) error {
		explanation.VendorEvent = e.VendorEvent
		explanation.Unrecognized = explanation.Unrecognized || e.Type == event.Unrecognized(v.Name)
		if !slices.Contains(explanation.Types, e.Type) {
			explanation.Types = append(explanation.Types, e.Type)
		}
		for _, issue := range e.Data.Issues {
			if !slices.Contains(explanation.Issues, issue) {
				explanation.Issues = append(explanation.Issues, issue)
			}
		}
		return nil
	}, t)
	if err != nil {
		return nil, err
	}
	reasons := v.RawOnly
	native, known := v.Native(explanation.VendorEvent)
	known = known && !explanation.Unrecognized
	if known {
		reasons = slices.Concat(native.RawOnly, v.RawOnly)
	}
	for i := range t.keys {
		key := &t.keys[i]
		if len(key.Fields) > 0 {
			continue
		}
		for _, r := range reasons {
			if slices.ContainsFunc(r.Keys, key.Within) {
				key.Reason = r.Reason
				break
			}
		}
		switch {
		case key.Reason != "":
		case !known:
			key.Reason = OtherEvent
		case slices.ContainsFunc(native.Types, event.InCatalogue) && !slices.ContainsFunc(explanation.Types, event.InCatalogue):
			key.Reason = ScopedType
		}
	}
	explanation.Keys = t.keys
	return explanation, nil
}

// Within reports whether the key has this name, or stands within the value of the key that
// has this name.
func (k WireKey) Within(name string) bool {
	rest, ok := strings.CutPrefix(k.Name, name)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// trace has what a decoding reads, for an explanation.
type trace struct {
	fields map[payload.Value][]string // what was read from a value
	open   map[payload.Value]bool     // the objects that are read as open maps
	texts  []given

	keys  []WireKey
	index map[string]int // where each key stands in keys, by its name
}

// begin begins with the payload of a native event.
func (t *trace) begin() {
	t.fields, t.open, t.texts = map[payload.Value][]string{}, map[payload.Value]bool{}, nil
}

// walk collects the keys of the payload of a native event that was decoded.
func (t *trace) walk(document payload.Value) {
	t.value("", document, nil)
	t.begin()
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
		if t.open[v] {
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
	t.keys[i].Empty = t.keys[i].Empty && v.Absent()
	for _, field := range fields {
		if !slices.Contains(t.keys[i].Fields, field) {
			t.keys[i].Fields = append(t.keys[i].Fields, field)
		}
	}
}
