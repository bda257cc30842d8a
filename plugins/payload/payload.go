// Package payload reads the JSON document that a delivery carries, strictly by
// RFC 8259, without losing anything of it: key order, duplicate keys, the text
// of numbers and lone surrogate escapes all stay as they were sent.
//
// # Terminology
//
// The text of a value is its JSON as sent, without insignificant whitespace.
// A value's canonical form is the text that ids are computed over: keys sorted,
// strings escaped in one way only (see [Value.AppendCanonical]).
// A value is absent if the document lacks it, or if it is null, "", [] or {}:
// vendors write a missing value in any of these ways.
//
// # The parser
//
// jsontext, the syntax layer of Go's next encoding/json, reads the text. A
// decoder needs some fifty members of a document, matched in their exact letter
// case, the whole document again as text, and at times its canonical form; so
// one pass notes where each value stands, which serves all three and allocates
// nothing a value. BenchmarkParse compares the choices.
package payload

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of a value. Missing is the kind of the zero Value.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// document is a parsed text and where its values stand in it, in document order:
// a container is followed by its elements, a member by its key and its value.
type document struct {
	text  string
	nodes []node
}

type node struct {
	start, end uint32 // of the value's text
	next       uint32 // the node behind this value and all that is in it
	kind       Kind
	escaped    bool // a string that holds a backslash
}

// Value is a value of a document. The zero Value is a missing one, and every
// method may be called on it.
type Value struct {
	doc *document
	at  uint32
}

func (v Value) node() *node { return &v.doc.nodes[v.at] }

// Kind returns the value's kind.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return Missing
	}
	return v.node().kind
}

// Text returns the value's JSON, compact and otherwise as sent; "" if missing.
func (v Value) Text() string {
	if v.doc == nil {
		return ""
	}
	n := v.node()
	return v.doc.text[n.start:n.end]
}

// Absent reports whether the value is missing, null, "", [] or {}.
func (v Value) Absent() bool {
	switch v.Kind() {
	case Missing, Null:
		return true
	case String, Array, Object:
		n := v.node()
		return n.end-n.start == 2
	}
	return false
}

// Scalar returns a string's decoded value, or the text of a number or boolean,
// and whether the value is one of these. A lone surrogate escape decodes to
// U+FFFD.
func (v Value) Scalar() (string, bool) {
	switch v.Kind() {
	case Bool, Number:
		return v.Text(), true
	case String:
		n := v.node()
		s := v.doc.text[n.start+1 : n.end-1]
		if n.escaped {
			s = unescape(s)
		}
		return s, true
	}
	return "", false
}

// Get returns the member of that exact name, the last one if there are several,
// or a missing value.
func (v Value) Get(name string) Value {
	var found Value
	for key, member := range v.members() {
		if key.is(name) {
			found = member
		}
	}
	return found
}

// Has reports whether the object has a member of that exact name, whatever its
// value.
func (v Value) Has(name string) bool {
	for key := range v.members() {
		if key.is(name) {
			return true
		}
	}
	return false
}

// Members yields an object's members as they stand in the document, duplicates
// included. It yields nothing if the value is no object.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for key, member := range v.members() {
			name, _ := key.Scalar()
			if !yield(name, member) {
				return
			}
		}
	}
}

func (v Value) members() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for at, end := v.at+1, v.node().next; at < end; {
			member := Value{v.doc, at + 1}
			if !yield(Value{v.doc, at}, member) {
				return
			}
			at = member.node().next
		}
	}
}

// Elements yields an array's elements. It yields nothing if the value is no
// array.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		for at, end := v.at+1, v.node().next; at < end; {
			element := Value{v.doc, at}
			if !yield(element) {
				return
			}
			at = element.node().next
		}
	}
}

// is reports whether a string decodes to s.
func (v Value) is(s string) bool {
	n := v.node()
	if text := v.doc.text[n.start+1 : n.end-1]; !n.escaped {
		return text == s
	}
	key, _ := v.Scalar()
	return key == s
}

// Rewrite returns the text of an object with another text for the value of each
// member; a member whose text is "" is left out. Keys stay as sent.
func (v Value) Rewrite(text func(name string, member Value) string) string {
	b := []byte{'{'}
	for key, member := range v.members() {
		name, _ := key.Scalar()
		if value := text(name, member); value != "" {
			b = append(append(separate(b, '{'), key.Text()...), ':')
			b = append(b, value...)
		}
	}
	return string(append(b, '}'))
}

// Without returns the document of the value with every member removed, at any
// depth, whose name is one of names in any letter case.
func (v Value) Without(names ...string) Value {
	isNamed := func(key Value) bool {
		name, _ := key.Scalar()
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(name, n) })
	}
	b, found := v.appendWithout(nil, isNamed)
	if !found {
		return v
	}
	left, err := Parse(b)
	if err != nil {
		panic("payload: removing members: " + err.Error()) // what is left of a document is one
	}
	return left
}

func (v Value) appendWithout(b []byte, isNamed func(key Value) bool) (_ []byte, found bool) {
	switch v.Kind() {
	case Object:
		b = append(b, '{')
		for key, member := range v.members() {
			if isNamed(key) {
				found = true
				continue
			}
			b = append(append(separate(b, '{'), key.Text()...), ':')
			var within bool
			b, within = member.appendWithout(b, isNamed)
			found = found || within
		}
		return append(b, '}'), found
	case Array:
		b = append(b, '[')
		for element := range v.Elements() {
			var within bool
			b, within = element.appendWithout(separate(b, '['), isNamed)
			found = found || within
		}
		return append(b, ']'), found
	}
	return append(b, v.Text()...), false
}

// Strings returns an array of strings.
func Strings(texts []string) Value {
	b := []byte{'['}
	for _, text := range texts {
		b = AppendString(separate(b, '['), text)
	}
	array, err := Parse(append(b, ']'))
	if err != nil {
		panic("payload: building an array: " + err.Error())
	}
	return array
}

// Bind returns a native structure filled from an object: a struct whose fields,
// those of embedded structs included, are of type Value and carry the name of a
// member in a json tag. Members without a field are passed over, fields without
// a member stay missing.
func Bind[T any](v Value) T {
	var native T
	index := fieldIndex(reflect.TypeFor[T]())
	fields := reflect.ValueOf(&native).Elem()
	for name, member := range v.Members() {
		if at, ok := index[name]; ok {
			*fields.FieldByIndex(at).Addr().Interface().(*Value) = member
		}
	}
	return native
}

var fieldIndexes sync.Map // of map[string][]int by reflect.Type

func fieldIndex(t reflect.Type) map[string][]int {
	if index, ok := fieldIndexes.Load(t); ok {
		return index.(map[string][]int)
	}
	index := map[string][]int{}
	for _, field := range reflect.VisibleFields(t) {
		if field.Anonymous {
			continue
		}
		name := field.Tag.Get("json")
		if name == "" || field.Type != reflect.TypeFor[Value]() || index[name] != nil {
			panic(fmt.Sprintf("payload: %v.%s has to be a Value with a json tag of its own", t, field.Name))
		}
		index[name] = field.Index
	}
	fieldIndexes.Store(t, index)
	return index
}
