package whatsapp

import (
	"fmt"
	"iter"
	"slices"
	"strings"

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

// level is an object that is cut into slices: the text of its members, each with a comma
// behind it.
type level struct {
	first  string // the members that the first slice has
	always string // the members that every slice has
}

// levelOf returns the members of an object without those that are cut. The members in always
// are in every slice.
func levelOf(v payload.Value, always []payload.Value, cut ...payload.Value) level {
	members := func(of func(payload.Value) bool) string {
		text := v.Rewrite(func(_ string, member payload.Value) string {
			if of(member) {
				return member.Text()
			}
			return ""
		})
		if text == "{}" {
			return ""
		}
		return text[1:len(text)-1] + ","
	}
	return level{
		first:  members(func(m payload.Value) bool { return !slices.Contains(always, m) && !slices.Contains(cut, m) }),
		always: members(func(m payload.Value) bool { return slices.Contains(always, m) }),
	}
}

// begin adds the members of the object to a slice, and the key of what is cut.
func (s *slice) begin(l *level, key string) {
	s.texts = append(s.texts, "{", l.first, l.always, key)
	l.first = ""
}

// slicesOf yields the slices of a payload. A slice may be used until the next one is yielded.
func slicesOf(document payload.Value) iter.Seq[*slice] {
	return func(yield func(*slice) bool) {
		entries := document.Get("entry")
		top := levelOf(document, []payload.Value{document.Get("object")}, entries)
		s := &slice{}
		emit := func(texts ...string) bool {
			s.texts = append(s.texts, texts...)
			return yield(s)
		}
		begin := func() {
			s.texts = s.texts[:0]
			s.begin(&top, `"entry":[`)
		}
		if entries.Kind() != payload.Array || entries.Absent() {
			emit(document.Text())
			return
		}
		for element := range entries.Elements() {
			e := payload.Bind[entry](element)
			if e.Changes.Kind() != payload.Array || e.Changes.Absent() {
				if begin(); !emit(element.Text(), "]}") {
					return
				}
				continue
			}
			entryLevel := levelOf(element, []payload.Value{e.ID, e.Time}, e.Changes)
			beginEntry := func() {
				begin()
				s.begin(&entryLevel, `"changes":[`)
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
				changeLevel := levelOf(element, []payload.Value{c.Field}, c.Value)
				valueLevel, people := c.cut(count)
				for _, k := range c.kinds() {
					for part := range c.Value.Get(k.array).Elements() {
						beginEntry()
						s.begin(&changeLevel, `"value":`)
						s.begin(&valueLevel, "")
						s.texts = append(s.texts, people.contactsOf(part, k)...)
						if !emit(`"`, k.array, `":[`, part.Text(), "]}}]}]}") {
							return
						}
					}
				}
			}
		}
	}
}

// cut returns the members of the value of a change that has so many parts, and the contacts
// among them.
func (c *change) cut(parts int) (level, *people) {
	v := payload.Bind[value](c.Value)
	always := []payload.Value{v.MessagingProduct, v.Metadata}
	var cut []payload.Value
	for _, k := range c.kinds() {
		if array := c.Value.Get(k.array); !array.Absent() {
			cut = append(cut, array)
		}
	}
	if parts == 1 || v.Contacts.Kind() != payload.Array || v.Contacts.Absent() {
		return levelOf(c.Value, always, cut...), nil
	}
	return levelOf(c.Value, always, append(cut, v.Contacts)...), peopleOf(c, v.Contacts)
}

// people has the contacts of a change by the numbers and ids that parts name people by.
type people struct {
	byID   map[string]*person
	nobody contacts // of people that no part names, which the first slice has
}

// person has the contacts that have one number or id.
type person struct {
	contacts
	named bool // whether a part names the person so
}

// contacts is the text of contacts, with commas between them.
type contacts struct{ strings.Builder }

func (c *contacts) add(contact payload.Value) {
	if c.Len() > 0 {
		c.WriteByte(',')
	}
	c.WriteString(contact.Text())
}

func peopleOf(c *change, all payload.Value) *people {
	p := &people{byID: map[string]*person{}}
	for element := range all.Elements() {
		for _, id := range idsOf(element) {
			if id == "" {
				continue
			}
			if p.byID[id] == nil {
				p.byID[id] = &person{}
			}
			p.byID[id].add(element)
		}
	}
	for _, k := range c.kinds() {
		for part := range c.Value.Get(k.array).Elements() {
			if who := p.who(part, k); who != nil {
				who.named = true
			}
		}
	}
	for element := range all.Elements() {
		named := false
		for _, id := range idsOf(element) {
			named = named || p.byID[id] != nil && p.byID[id].named
		}
		if !named {
			p.nobody.add(element)
		}
	}
	return p
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

// contactsOf returns the text of the member contacts of a slice, in pieces: the contacts of the
// part's person and, in the first slice, those of nobody.
func (p *people) contactsOf(part payload.Value, k kind) []string {
	if p == nil {
		return nil
	}
	nobody := p.nobody.String()
	p.nobody.Reset()
	own := ""
	if who := p.who(part, k); who != nil {
		own = who.String()
	}
	switch {
	case own == "" && nobody == "":
		return nil
	case own == "" || nobody == "":
		return []string{`"contacts":[`, own, nobody, "],"}
	}
	return []string{`"contacts":[`, own, ",", nobody, "],"}
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
