package whatsapp

import (
	"fmt"
	"iter"
	"slices"

	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// A payload has an array of entries, an entry has an array of changes, and a change has a
// field and a value. The value of some fields has arrays of parts, such as messages and
// statuses. Each part is a slice: a payload of this part alone, with what tells of its entry,
// its change and its person. A change of another field is a slice too, and so are an entry, a
// change and parts that are not as expected. What stands beside the known members rides in
// the first slice only.
//
// Time and memory are linear in the payload. A slice repeats what it shares with other
// slices. A payload whose slices together would be too large is not sliced.

// kind is an array of parts in the value of a change.
type kind struct {
	array string // the name of the array
	event string // the native event of a part
	// person has the members of a part that name its person by a number or an id, the best
	// first.
	person []string
}

// kinds has the arrays of parts that the value of a change may have, by the field of the
// change.
var kinds = map[string][]kind{
	"messages": {
		{"messages", "messages", []string{"from", "from_user_id"}},
		{"statuses", "statuses", []string{"recipient_participant_id", "recipient_participant_user_id", "recipient_id", "recipient_user_id"}},
	},
	"smb_message_echoes": {{"message_echoes", "smb_message_echoes", []string{"to", "to_user_id"}}},
	"user_preferences":   {{"user_preferences", "user_preferences", []string{"wa_id", "user_id"}}},
}

// kinds returns the arrays of parts that the value of the change may have.
func (c *change) kinds() []kind {
	field, _ := c.Field.Scalar()
	return kinds[field]
}

// pieces yields the slices of a payload.
func pieces(document payload.Value) iter.Seq[payload.Value] {
	return func(yield func(payload.Value) bool) {
		if alone(document) {
			yield(document)
			return
		}
		count, size := 0, 0
		for s := range slicesOf(document) {
			count++
			size += s.size()
		}
		if count == 1 || size > vendors.SliceLimit(document, count) {
			yield(document)
			return
		}
		for s := range slicesOf(document) {
			piece, err := payload.Parse(s.String())
			if err != nil {
				panic(fmt.Sprintf("whatsapp: building a slice: %v", err)) // all texts in the slice are parts of a payload
			}
			if !yield(piece) {
				return
			}
		}
	}
}

// alone reports whether the payload is of one part, as most payloads are.
func alone(document payload.Value) bool {
	_, c := only(document)
	_, part := c.part()
	return part.Kind() != payload.Missing
}

// only returns the entry and the change of a payload that has one entry with one change. It
// returns empty structures for another payload.
func only(document payload.Value) (entry, change) {
	e := payload.Bind[entry](element(document.Get("entry")))
	c := element(e.Changes)
	if c.Kind() != payload.Object {
		return entry{}, change{}
	}
	return e, payload.Bind[change](c)
}

// element returns the element of an array that has one. It returns a missing value for
// another value.
func element(array payload.Value) (first payload.Value) {
	for v := range array.Elements() {
		if first.Kind() != payload.Missing {
			return payload.Value{}
		}
		first = v
	}
	return first
}

// part returns the part of a change that has one, and its kind. The part is missing if the
// change has several parts or none.
func (c *change) part() (of kind, part payload.Value) {
	of, count := c.parts()
	if count != 1 {
		return of, payload.Value{}
	}
	return of, element(c.Value.Get(of.array))
}

// parts returns how many parts a change has, and the kind of the last one. It returns 0 if the
// change is of another field, or if some of its parts are not as expected.
func (c *change) parts() (of kind, count int) {
	for _, k := range c.kinds() {
		array := c.Value.Get(k.array)
		if array.Absent() {
			continue
		}
		if array.Kind() != payload.Array {
			return kind{}, 0
		}
		for part := range array.Elements() {
			if part.Kind() != payload.Object || part.Absent() {
				return kind{}, 0
			}
			count++
		}
		of = k
	}
	return of, count
}

// slice is the text of a payload in pieces.
type slice struct {
	texts []string
}

func (s *slice) size() (n int) {
	for _, text := range s.texts {
		n += len(text)
	}
	return n
}

func (s *slice) String() string {
	b := make([]byte, 0, s.size())
	for _, text := range s.texts {
		b = append(b, text...)
	}
	return string(b)
}

// member is a member of an object that every slice repeats.
type member struct {
	key   string // `"name":`
	value payload.Value
}

// begin adds the members of an object to a slice, and the key of the member that is cut. The
// text first has the members that only the first slice has.
func (s *slice) begin(first *string, cut string, repeated ...member) {
	s.texts = append(s.texts, "{", *first)
	*first = ""
	for _, m := range repeated {
		if m.value.Kind() != payload.Missing {
			s.texts = append(s.texts, m.key, m.value.Text(), ",")
		}
	}
	s.texts = append(s.texts, cut)
}

// beside returns the text of the members that stand beside the known ones, with a comma behind
// each.
func beside(object payload.Value, known ...payload.Value) string {
	unknown := object.Len()
	for _, v := range known {
		if v.Kind() != payload.Missing {
			unknown--
		}
	}
	if unknown == 0 {
		return ""
	}
	text := object.Rewrite(func(_ string, v payload.Value) string {
		if slices.Contains(known, v) {
			return ""
		}
		return v.Text()
	})
	return text[1:len(text)-1] + ","
}

// slicesOf yields the slices of a payload. A slice may be used until the next one is yielded.
func slicesOf(document payload.Value) iter.Seq[*slice] {
	return func(yield func(*slice) bool) {
		s := &slice{}
		emit := func(texts ...string) bool {
			s.texts = append(s.texts, texts...)
			return yield(s)
		}
		object, entries := document.Get("object"), document.Get("entry")
		if entries.Kind() != payload.Array || entries.Absent() {
			emit(document.Text())
			return
		}
		first := beside(document, object, entries)
		begin := func() {
			s.texts = s.texts[:0]
			s.begin(&first, `"entry":[`, member{`"object":`, object})
		}
		for element := range entries.Elements() {
			e := payload.Bind[entry](element)
			if e.Changes.Kind() != payload.Array || e.Changes.Absent() {
				if begin(); !emit(element.Text(), "]}") {
					return
				}
				continue
			}
			firstOfEntry := beside(element, e.ID, e.Time, e.Changes)
			beginEntry := func() {
				begin()
				s.begin(&firstOfEntry, `"changes":[`, member{`"id":`, e.ID}, member{`"time":`, e.Time})
			}
			for element := range e.Changes.Elements() {
				c := payload.Bind[change](element)
				_, count := c.parts()
				if count == 0 {
					if beginEntry(); !emit(element.Text(), "]}]}") {
						return
					}
					continue
				}
				firstOfChange := beside(element, c.Field, c.Value)
				v := payload.Bind[value](c.Value)
				firstOfValue, people := c.cut(&v, count)
				for _, k := range c.kinds() {
					for part := range c.Value.Get(k.array).Elements() {
						beginEntry()
						s.begin(&firstOfChange, `"value":`, member{`"field":`, c.Field})
						s.begin(&firstOfValue, "", member{`"messaging_product":`, v.MessagingProduct}, member{`"metadata":`, v.Metadata})
						s.addContacts(people, part, k)
						if !emit(`"`, k.array, `":[`, part.Text(), "]}}]}]}") {
							return
						}
					}
				}
			}
		}
	}
}

// cut returns the members of the value of a change that only the first of so many slices has,
// and the people of the change.
func (c *change) cut(v *value, parts int) (first string, p *people) {
	known := []payload.Value{v.MessagingProduct, v.Metadata}
	for _, k := range c.kinds() {
		if array := c.Value.Get(k.array); !array.Absent() {
			known = append(known, array)
		}
	}
	if parts > 1 && v.Contacts.Kind() == payload.Array && !v.Contacts.Absent() {
		known = append(known, v.Contacts)
		p = peopleOf(c, v.Contacts)
	}
	return beside(c.Value, known...), p
}

// people has the contacts of a change by the numbers and ids that parts name people by.
type people struct {
	byID   map[string]*person
	nobody string // the text of the contacts of people that no part names, which the first slice has
}

// person has the contacts that have one number or id.
type person struct {
	text  string // of the contacts, with commas between them
	all   []payload.Value
	named bool // whether a part names the person so
}

func peopleOf(c *change, contacts payload.Value) *people {
	p := &people{byID: map[string]*person{}}
	for element := range contacts.Elements() {
		for _, id := range idsOf(element) {
			if id == "" {
				continue
			}
			if p.byID[id] == nil {
				p.byID[id] = &person{}
			}
			p.byID[id].all = append(p.byID[id].all, element)
		}
	}
	for _, k := range c.kinds() {
		for part := range c.Value.Get(k.array).Elements() {
			if who := p.who(part, k); who != nil && !who.named {
				who.named, who.text = true, textOf(who.all)
			}
		}
	}
	var nobody []payload.Value
	for element := range contacts.Elements() {
		named := false
		for _, id := range idsOf(element) {
			named = named || id != "" && p.byID[id].named
		}
		if !named {
			nobody = append(nobody, element)
		}
	}
	p.nobody = textOf(nobody)
	return p
}

// textOf returns the texts of contacts, with commas between them.
func textOf(contacts []payload.Value) string {
	if len(contacts) == 1 {
		return contacts[0].Text()
	}
	var b []byte
	for i, contact := range contacts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, contact.Text()...)
	}
	return string(b)
}

// idsOf returns the number and the id that a contact has, "" where it has none.
func idsOf(element payload.Value) (ids [2]string) {
	c := payload.Bind[contact](element)
	ids[0], _ = c.WaID.Scalar()
	if ids[1], _ = c.UserID.Scalar(); ids[1] == ids[0] {
		ids[1] = ""
	}
	return ids
}

// who returns the person that a part names, or nil if no contact is of the person.
func (p *people) who(part payload.Value, k kind) *person {
	for _, name := range k.person {
		if id, _ := part.Get(name).Scalar(); id != "" && p.byID[id] != nil {
			return p.byID[id]
		}
	}
	return nil
}

// addContacts adds the contacts of the part's person and, in the first slice, those of nobody.
func (s *slice) addContacts(p *people, part payload.Value, k kind) {
	if p == nil {
		return
	}
	nobody, own := p.nobody, ""
	p.nobody = ""
	if who := p.who(part, k); who != nil {
		own = who.text
	}
	switch {
	case own != "" && nobody != "":
		s.texts = append(s.texts, `"contacts":[`, own, ",", nobody, "],")
	case own != "" || nobody != "":
		s.texts = append(s.texts, `"contacts":[`, own, nobody, "],")
	}
}

// contactOf returns the contact of the person that a part names: the first one that has the
// best of the part's numbers and ids that a contact has.
func contactOf(contacts, part payload.Value, k kind) payload.Value {
	for _, name := range k.person {
		id, _ := part.Get(name).Scalar()
		if id == "" {
			continue
		}
		for element := range contacts.Elements() {
			if ids := idsOf(element); ids[0] == id || ids[1] == id {
				return element
			}
		}
	}
	return payload.Value{}
}
