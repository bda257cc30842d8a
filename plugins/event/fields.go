package event

import (
	"fmt"
	"reflect"
	"strings"
)

// Field is a field of the event, as its struct field describes it.
type Field struct {
	Name     string
	Kind     Kind
	Repeated bool     // an array of Kind
	Always   bool     // never absent
	Doc      string   // what the field says, in whole sentences
	Unit     string   // of a number; "" if it counts things, or is no number
	PII      PII      // of a field that is no Object
	Values   []string // what a Text is one of, in this version; nil if any text may stand in the field
	Fields   []Field  // of an Object

	offset uintptr      // where the field stands in its struct
	goType reflect.Type // of the field, or of an element of the array
	ref    bool         // the field is a pointer
}

// Kind is what stands in a field.
type Kind string

// The kinds of fields.
const (
	Object   Kind = "object"
	Text     Kind = "text"
	Numeric  Kind = "number"
	Boolean  Kind = "boolean"
	DateTime Kind = "time" // RFC 3339 in UTC
	Payload  Kind = "payload"
)

// PII says what a field tells about people.
type PII string

// The classes of PII. Personal identifies or describes a person; Content is what people said
// or wrote.
const (
	None     PII = "none"
	Personal PII = "personal"
	Content  PII = "content"
)

var envelope = fieldsOf(reflect.TypeFor[Event]())

// Fields returns the fields of an event, in the order in which they are written. The caller
// must not change them.
func Fields() []Field { return envelope }

// DataFields returns the fields of data. The caller must not change them.
func DataFields() []Field { return envelope[len(envelope)-1].Fields }

// Lookup returns the field of data at a path such as contact.location.city. A path does not
// say which element of an array is meant.
func Lookup(path string) (field Field, ok bool) {
	fields := DataFields()
	for name := range strings.SplitSeq(path, ".") {
		ok = false
		for _, f := range fields {
			if f.Name == name {
				field, fields, ok = f, f.Fields, true
				break
			}
		}
		if !ok {
			return Field{}, false
		}
	}
	return field, ok
}

// fieldsOf reads the fields of a struct. It panics where a field is not described whole: a
// distribution with such a field must not start.
func fieldsOf(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		s := t.Field(i)
		name, options, _ := strings.Cut(s.Tag.Get("json"), ",")
		f := Field{
			Name: name, Always: options == "",
			Doc: s.Tag.Get("doc"), Unit: s.Tag.Get("unit"), PII: PII(s.Tag.Get("pii")),
			offset: s.Offset, goType: s.Type,
		}
		switch s.Type.Kind() {
		case reflect.Pointer:
			f.goType, f.ref = s.Type.Elem(), true
		case reflect.Slice:
			f.goType, f.Repeated = s.Type.Elem(), true
		}
		f.Kind = kindOf(f.goType)
		if f.Kind == Object {
			f.Fields = fieldsOf(f.goType)
		}
		if enum, ok := reflect.Zero(f.goType).Interface().(interface{ Values() []string }); ok {
			f.Values = enum.Values()
		}
		described := name != "" && f.Doc != "" && (f.PII == None || f.PII == Personal || f.PII == Content) == (f.Kind != Object)
		if !described || f.ref && f.Kind != Object || f.Repeated && f.Kind != Object && f.Kind != Text {
			panic(fmt.Sprintf("event: %v.%s has to have the tags json, doc and pii, and a type that an event can hold", t, s.Name))
		}
		fields = append(fields, f)
	}
	return fields
}

func kindOf(t reflect.Type) Kind {
	switch t {
	case reflect.TypeFor[Time]():
		return DateTime
	case reflect.TypeFor[Number]():
		return Numeric
	case reflect.TypeFor[Bool]():
		return Boolean
	case reflect.TypeFor[Raw]():
		return Payload
	}
	switch t.Kind() {
	case reflect.Struct:
		return Object
	case reflect.String:
		return Text
	}
	panic(fmt.Sprintf("event: no kind of field has the type %v", t))
}
