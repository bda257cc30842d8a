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
	array string // its name
	// person has the members of a part that name its person by a number or an id, the best
	// first.
	person []string
}

// kinds has the arrays of parts that the value of a change may have, by the field of the
// change.
var kinds = map[string][]kind{
	"calls": {
		{"calls", []string{"from", "from_user_id", "to", "to_user_id"}}, // one of them is ours, which no contact has
		{"statuses", []string{"recipient_id", "recipient_user_id"}},
	},
	"messages": {
		{"messages", []string{"from", "from_user_id"}},
		{"statuses", []string{"recipient_participant_id", "recipient_participant_user_id", "recipient_id", "recipient_user_id"}},
	},
	"smb_message_echoes": {{"message_echoes", []string{"to", "to_user_id"}}},
	"user_preferences":   {{"user_preferences", []string{"wa_id", "user_id"}}},
}

// kinds returns the arrays of parts that the value of the change may have.
func (c *change) kinds() []kind {
	field, _ := c.Field.Scalar()
	return kinds[field]
}

// envelope is how many bytes an event may have, at most, besides its raw and what its data
// repeats of the raw. A slice counts as larger by so much, because what slices share is
// repeated in the data of each event, too.
const envelope = 1 << 10

// pieces yields the slices of a payload, or those of all payloads in an array.
func pieces(document payload.Value) iter.Seq[payload.Value] {
	if document.Kind() != payload.Array {
		return piecesOf(document)
	}
	return func(yield func(payload.Value) bool) {
		for element := range document.Elements() {
			for piece := range piecesOf(element) {
				if !yield(piece) {
					return
				}
			}
		}
	}
}

// piecesOf yields the slices of one payload.
func piecesOf(document payload.Value) iter.Seq[payload.Value] {
	return func(yield func(payload.Value) bool) {
		if alone(document) {
			yield(document)
			return
		}
		count, size := 0, 0
		peopleOf := map[payload.Value]*people{}
		for s := range slicesOf(document, peopleOf) {
			count++
			size += s.size() + envelope
		}
		if count == 1 || size > vendors.SliceLimit(document, count) {
			yield(document)
			return
		}
		for s := range slicesOf(document, peopleOf) {
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
// The people of each change that names several are kept in peopleOf, by their contacts, so
// that they are found once.
func slicesOf(document payload.Value, peopleOf map[payload.Value]*people) iter.Seq[*slice] {
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
				var everyone *people
				nobody := ""
				if count > 1 && v.Contacts.Kind() == payload.Array && !v.Contacts.Absent() {
					if everyone = peopleOf[v.Contacts]; everyone == nil {
						everyone = c.people(v.Contacts)
						peopleOf[v.Contacts] = everyone
					}
					nobody = everyone.nobody
				}
				firstOfValue := c.beside(&v, everyone)
				for _, k := range c.kinds() {
					for part := range c.Value.Get(k.array).Elements() {
						beginEntry()
						s.begin(&firstOfChange, `"value":`, member{`"field":`, c.Field})
						s.begin(&firstOfValue, "", member{`"messaging_product":`, v.MessagingProduct}, member{`"metadata":`, v.Metadata})
						s.addContacts(everyone.textOf(part, k), nobody)
						nobody = ""
						if !emit(`"`, k.array, `":[`, part.Text(), "]}}]}]}") {
							return
						}
					}
				}
			}
		}
	}
}

// beside returns the text of the members that stand beside the known ones in the value of a
// change. The contacts are known if there are people.
func (c *change) beside(v *value, everyone *people) string {
	known := []payload.Value{v.MessagingProduct, v.Metadata}
	if everyone != nil {
		known = append(known, v.Contacts)
	}
	for _, k := range c.kinds() {
		if array := c.Value.Get(k.array); !array.Absent() {
			known = append(known, array)
		}
	}
	return beside(c.Value, known...)
}

// people has the contacts of a change by the numbers and ids that parts name people by.
type people struct {
	byID   map[string]int // places in all
	all    []person
	nobody string // the text of the contacts of those that no part names, which the first slice has
}

// person has the contacts that have one number or id.
type person struct {
	contact payload.Value
	more    []payload.Value
	text    string // of the contacts, with commas between them; "" if no part names the person so
}

// people returns the people of a change.
func (c *change) people(contacts payload.Value) *people {
	p := &people{byID: map[string]int{}}
	for contact := range contacts.Elements() {
		for _, id := range idsOf(contact) {
			if id == "" {
				continue
			}
			if at, known := p.byID[id]; known {
				p.all[at].more = append(p.all[at].more, contact)
				continue
			}
			p.byID[id] = len(p.all)
			p.all = append(p.all, person{contact: contact})
		}
	}
	for _, k := range c.kinds() {
		for part := range c.Value.Get(k.array).Elements() {
			if who := p.who(part, k); who != nil && who.text == "" {
				who.text = textOf(who.contact, who.more)
			}
		}
	}
	var nobody []payload.Value
	for contact := range contacts.Elements() {
		named := false
		for _, id := range idsOf(contact) {
			named = named || id != "" && p.all[p.byID[id]].text != ""
		}
		if !named {
			nobody = append(nobody, contact)
		}
	}
	if len(nobody) > 0 {
		p.nobody = textOf(nobody[0], nobody[1:])
	}
	return p
}

// textOf returns the texts of contacts, with commas between them.
func textOf(contact payload.Value, more []payload.Value) string {
	if len(more) == 0 {
		return contact.Text()
	}
	b := []byte(contact.Text())
	for _, contact := range more {
		b = append(append(b, ','), contact.Text()...)
	}
	return string(b)
}

// idsOf returns the number and the id that a contact has, "" where it has none.
func idsOf(element payload.Value) [2]string {
	c := payload.Bind[contact](element)
	return c.ids()
}

func (c *contact) ids() (ids [2]string) {
	ids[0], _ = c.WaID.Scalar()
	if ids[1], _ = c.UserID.Scalar(); ids[1] == ids[0] {
		ids[1] = ""
	}
	return ids
}

// who returns the person that a part names, or nil if no contact is of the person.
func (p *people) who(part payload.Value, k kind) *person {
	for _, name := range k.person {
		if id, _ := part.Get(name).Scalar(); id != "" {
			if at, known := p.byID[id]; known {
				return &p.all[at]
			}
		}
	}
	return nil
}

// textOf returns the text of the contacts of the part's person.
func (p *people) textOf(part payload.Value, k kind) string {
	if p == nil {
		return ""
	}
	if who := p.who(part, k); who != nil {
		return who.text
	}
	return ""
}

// addContacts adds the contacts of the part's person, and those of nobody.
func (s *slice) addContacts(own, nobody string) {
	switch {
	case own != "" && nobody != "":
		s.texts = append(s.texts, `"contacts":[`, own, ",", nobody, "],")
	case own != "" || nobody != "":
		s.texts = append(s.texts, `"contacts":[`, own, nobody, "],")
	}
}

// contactOf returns the contact of the person that a part names: the first one that has the
// best of the part's numbers and ids that a contact has.
func contactOf(contacts, part payload.Value, k kind) contact {
	for _, name := range k.person {
		id, _ := part.Get(name).Scalar()
		if id == "" {
			continue
		}
		for element := range contacts.Elements() {
			c := payload.Bind[contact](element)
			if ids := c.ids(); ids[0] == id || ids[1] == id {
				return c
			}
		}
	}
	return contact{}
}
