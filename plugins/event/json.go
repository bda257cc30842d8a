package event

import (
	"unsafe"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// AppendJSON appends the event's JSON. Fields that are absent, and objects without fields,
// are left out. Strings have to be valid UTF-8, as everything is that was read from a
// payload.
func (e *Event) AppendJSON(b []byte) []byte {
	return appendObject(b, "", &encoding, unsafe.Pointer(e))
}

// encoding is how an event is written.
var encoding = member{fields: membersOf(envelope)}

// member is how a field is written, as one step of a program that is made once, at the start.
type member struct {
	step   step
	always bool    // written even if it is empty
	word   bool    // left out if the word at probe is 0, as most fields of most events are
	probe  uintptr // where the length or pointer of the field stands in its struct
	offset uintptr // where the field stands in its struct
	key    string  // `,"name":`
	size   uintptr // of an element of an array
	fields []member
}

// step is what is read at the offset of a field.
type step uint8

const (
	text    step = iota // a string
	literal             // a string that is JSON text
	boolean             // a Bool
	object              // a struct
	pointer             // a pointer to a struct
	texts               // a slice of strings
	objects             // a slice of structs
)

func membersOf(fields []Field) []member {
	members := make([]member, len(fields))
	for i, f := range fields {
		m := member{always: f.Always, offset: f.offset, key: `,"` + f.Name + `":`, size: f.goType.Size()}
		switch f.Kind {
		case Numeric, Payload:
			m.step = literal
		case Boolean:
			m.step = boolean
		case Object:
			m.step, m.fields = object, membersOf(f.Fields)
		}
		switch {
		case f.ref:
			m.step = pointer
		case f.Repeated && f.Kind == Object:
			m.step = objects
		case f.Repeated:
			m.step = texts
		}
		switch m.step {
		case text, literal, texts, objects:
			m.word, m.probe = !m.always, m.offset+unsafe.Sizeof(uintptr(0)) // the length stands behind the pointer
		case pointer:
			m.word, m.probe = true, m.offset
		}
		members[i] = m
	}
	return members
}

// appendMembers appends the members of the object at p, which has to be of the type that the
// members were made from. Each has a comma in front: that of the first is where the opening
// brace of the object is to stand.
func appendMembers(b []byte, members []member, p unsafe.Pointer) []byte {
	for i := range members {
		m := &members[i]
		if m.word && *(*uintptr)(unsafe.Add(p, m.probe)) == 0 {
			continue
		}
		at := unsafe.Add(p, m.offset)
		switch m.step {
		case text:
			b = payload.AppendString(append(b, m.key...), *(*string)(at))
		case literal:
			b = append(append(b, m.key...), *(*string)(at)...)
		case boolean:
			if v := *(*Bool)(at); v != 0 {
				b = append(append(b, m.key...), v.String()...)
			}
		case object:
			if !isZero(at, m.size) {
				b = appendObject(b, m.key, m, at)
			}
		case pointer:
			b = appendObject(b, m.key, m, *(*unsafe.Pointer)(at))
		case texts:
			b = appendTexts(b, m.key, *(*[]string)(at))
		case objects:
			b = appendObjects(b, m.key, m, *(*[]struct{})(at))
		}
	}
	return b
}

// isZero reports whether the words of a struct are all 0, as those of most objects are. A
// struct has whole words only, because each has a string.
func isZero(p unsafe.Pointer, size uintptr) bool {
	for at := uintptr(0); at < size; at += unsafe.Sizeof(at) {
		if *(*uintptr)(unsafe.Add(p, at)) != 0 {
			return false
		}
	}
	return true
}

// appendObject appends the object at p, if it has a field.
func appendObject(b []byte, key string, m *member, p unsafe.Pointer) []byte {
	begin := len(b)
	b = append(b, key...)
	content := len(b)
	if b = appendMembers(b, m.fields, p); len(b) == content {
		return b[:begin]
	}
	b[content] = '{'
	return append(b, '}')
}

func appendTexts(b []byte, key string, values []string) []byte {
	b = append(b, key...)
	for i, value := range values {
		b = payload.AppendString(append(b, "[,"[min(i, 1)]), value)
	}
	return append(b, ']')
}

// appendObjects appends an array of the structs that values holds, whatever their type is.
// An element without a field is left out.
func appendObjects(b []byte, key string, m *member, values []struct{}) []byte {
	begin := len(b)
	b = append(b, key...)
	content := len(b)
	first := unsafe.Pointer(unsafe.SliceData(values))
	for i := range values {
		b = appendObject(b, ",", m, unsafe.Add(first, uintptr(i)*m.size))
	}
	if len(b) == content {
		return b[:begin]
	}
	b[content] = '['
	return append(b, ']')
}
