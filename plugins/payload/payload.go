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
// A decoder needs some fifty members of a document, matched in their exact letter
// case, the whole document again as text, and at times its canonical form. One
// pass that notes where each value stands serves all three and allocates nothing
// a value, which no library does: BenchmarkParse compares the choices. It eats
// strangers' bytes, so FuzzParse holds it to encoding/json and to jsontext.
package payload

import (
	"iter"
	"slices"
	"strings"
	"sync"
	"unsafe"
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
// a container is followed by its elements or the values of its members.
type document struct {
	text  string
	nodes []node
}

var documents = sync.Pool{New: func() any { return new(document) }}

// maxPooled is how many nodes a document has at most whose memory is used again: some
// 1 MiB of them. Larger documents are rare, and would be kept for good.
const maxPooled = 1 << 16

// Release gives the memory of the value's document back. Afterwards nothing of the
// document may be used but texts that were read from it.
func (v Value) Release() {
	if v.doc == nil {
		return
	}
	v.doc.text = ""
	if cap(v.doc.nodes) > maxPooled {
		v.doc.nodes = nil
		return
	}
	documents.Put(v.doc)
}

// node is where a value stands in the text. It takes 20 bytes, and a value of a list
// of digits takes two bytes of the text: this size decides what a hostile document
// costs.
type node struct {
	start, end uint32 // where the value's text begins, and the place behind it
	next       uint32 // index of the node behind this value and all that is in it
	key        uint32 // of a member: where its key begins, which ends one byte, the colon, before the value
	kind       Kind
	escaped    bool // the value is a string with a backslash
	keyEscaped bool // the member's key has a backslash
}

// keyText returns the key of a member, with its quotes.
func (d *document) keyText(n *node) string { return d.text[n.key : n.start-1] }

// Value is a value of a document. The zero Value is a missing one, and every
// method may be called on it.
type Value struct {
	doc *document
	at  uint32
}

func (v Value) node() *node { return &v.doc.nodes[v.at] }

// size returns how many nodes the value and all that is in it have.
func (v Value) size() int {
	if v.doc == nil {
		return 0
	}
	return int(v.node().next - v.at)
}

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
	if v.doc == nil {
		return true
	}
	n := v.node()
	return n.kind == Null || n.kind >= String && n.end-n.start == 2
}

// Scalar returns a string's decoded value, or the text of a number or boolean,
// and whether the value is one of these. A lone surrogate escape decodes to
// U+FFFD.
func (v Value) Scalar() (string, bool) {
	if v.doc == nil {
		return "", false
	}
	switch n := v.node(); n.kind {
	case Bool, Number:
		return v.doc.text[n.start:n.end], true
	case String:
		return unquoted(v.doc.text[n.start:n.end], n.escaped), true
	}
	return "", false
}

// unquoted returns the decoded value of a string.
func unquoted(text string, escaped bool) string {
	if escaped {
		return unescape(unquote(text))
	}
	return unquote(text)
}

// Len returns how many elements an array or members an object has, 0 if the value is
// neither.
func (v Value) Len() (n int) {
	if v.doc == nil {
		return 0
	}
	for at, end := v.at+1, v.node().next; at < end; at = v.doc.nodes[at].next {
		n++
	}
	return n
}

// Get returns the member of that exact name, the last one if there are several,
// or a missing value.
func (v Value) Get(name string) Value {
	var found Value
	for key, member := range v.members() {
		if key.name() == name {
			found = member
		}
	}
	return found
}

// Has reports whether the object has a member of that exact name, whatever its
// value.
func (v Value) Has(name string) bool {
	for key := range v.members() {
		if key.name() == name {
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
			if !yield(key.name(), member) {
				return
			}
		}
	}
}

func (v Value) members() iter.Seq2[key, Value] {
	return func(yield func(key, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for at, end := v.at+1, v.node().next; at < end; {
			n := &v.doc.nodes[at]
			if !yield(key{v.doc.keyText(n), n.keyEscaped}, Value{v.doc, at}) {
				return
			}
			at = n.next
		}
	}
}

// key is that of a member.
type key struct {
	text    string // with its quotes
	escaped bool
}

func (k key) name() string { return unquoted(k.text, k.escaped) }

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

// Rewrite returns the text of an object with another text for the value of each
// member; a member whose text is "" is left out. Keys stay as sent.
func (v Value) Rewrite(text func(name string, member Value) string) string {
	b := []byte{'{'}
	for key, member := range v.members() {
		if value := text(key.name(), member); value != "" {
			b = append(append(separate(b, '{'), key.text...), ':')
			b = append(b, value...)
		}
	}
	return string(append(b, '}'))
}

// Without returns a document of the value, from which every member is left out,
// at any depth, whose name is one of names in any letter case.
func (v Value) Without(names ...string) Value {
	doc := documents.Get().(*document)
	c := copier{names: names, text: make([]byte, 0, len(v.Text())), nodes: slices.Grow(doc.nodes[:0], v.size())}
	c.copy(v)
	doc.text, doc.nodes = unsafe.String(unsafe.SliceData(c.text), len(c.text)), c.nodes // nobody else has c.text
	return Value{doc: doc}
}

// copier writes a document of parts of another one.
type copier struct {
	names []string // of members that are left out
	text  []byte
	nodes []node
}

func (c *copier) copy(v Value) {
	n := v.node()
	self := len(c.nodes)
	c.nodes = append(c.nodes, node{start: uint32(len(c.text)), kind: n.kind, escaped: n.escaped})
	switch n.kind {
	case Object:
		c.text = append(c.text, '{')
		for key, member := range v.members() {
			if c.leavesOut(key) {
				continue
			}
			c.text = separate(c.text, '{')
			begin, at := uint32(len(c.text)), len(c.nodes)
			c.text = append(append(c.text, key.text...), ':')
			c.copy(member)
			n := &c.nodes[at]
			n.key, n.keyEscaped = begin, key.escaped
		}
		c.text = append(c.text, '}')
	case Array:
		c.text = append(c.text, '[')
		for element := range v.Elements() {
			c.text = separate(c.text, '[')
			c.copy(element)
		}
		c.text = append(c.text, ']')
	default:
		c.text = append(c.text, v.Text()...)
	}
	c.nodes[self].end, c.nodes[self].next = uint32(len(c.text)), uint32(len(c.nodes))
}

func (c *copier) leavesOut(k key) bool {
	name := k.name()
	for _, n := range c.names {
		// No letter has a case of more than three times its bytes.
		if len(name) >= len(n) && len(name) <= 3*len(n) && strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}

// Strings returns an array of strings.
func Strings(texts []string) Value {
	b := []byte{'['}
	for _, text := range texts {
		b = AppendString(separate(b, '['), text)
	}
	array, err := Parse(string(append(b, ']')))
	if err != nil {
		panic("payload: building an array: " + err.Error())
	}
	return array
}
