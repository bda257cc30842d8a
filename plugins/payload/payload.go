// Package payload reads the JSON document that a delivery carries, strictly by RFC 8259.
// The order of keys, the escapes in strings and the text of numbers stay as they were sent.
// What makes readers of JSON disagree is mended, so that everyone can read a document: its
// text is I-JSON (RFC 7493), but numbers may be large (see [Value.Mended]).
//
// # Terminology
//
// The text of a value is its JSON as sent, without insignificant whitespace, and mended.
// A value's canonical form is the text that ids are computed over: keys sorted,
// strings escaped in one way only (see [Value.AppendCanonical]).
// A value is absent if the document lacks it, or if it is null, "", [] or {}:
// vendors write a missing value in any of these ways.
//
// # The parser
//
// A decoder needs some fifty members of a document, matched in their exact letter case,
// the whole document again as text, and at times the canonical form of the document. The
// parser notes in one pass where each value stands, which serves all three needs and
// allocates nothing for the single value. No library does so; BenchmarkParse compares the
// choices. The parser reads bytes of strangers, so FuzzParse compares it with
// encoding/json and with jsontext.
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

// The kinds of values. Missing is the kind of the zero Value.
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

// document is a parsed text and a node for each of its values, in the order of the text:
// behind the node of an array or object stand the nodes of the values in it.
type document struct {
	text    string
	nodes   []node
	objects []uint32 // the indexes of the nodes of objects with two or more members
	keys    keySet   // memory of findRepeated
	mended  bool     // see Value.Mended
	lost    bool     // an object has lost a member whose key was repeated
}

var documents = sync.Pool{New: func() any { return new(document) }}

// maxPooled is how many nodes a document may have so that its memory is used for other
// documents: as many as take some 1 MiB. Larger documents are rare, and the pool would
// keep their memory for good.
const maxPooled = 1 << 16

// Release gives the memory of the value's document back. Afterwards nothing of the
// document may be used but texts that were read from it.
func (v Value) Release() {
	if v.doc == nil {
		return
	}
	v.doc.text, v.doc.mended, v.doc.lost = "", false, false
	if cap(v.doc.nodes) > maxPooled {
		v.doc.nodes = nil
		return
	}
	documents.Put(v.doc)
}

// Within reports whether the value is a part of the document of another value.
func (v Value) Within(other Value) bool { return v.doc == other.doc }

// node says where a value stands in the text. A node takes 20 bytes, but a value in a list
// of digits takes two bytes of text, so the size of a node decides how much memory a
// hostile document takes.
type node struct {
	start, end uint32 // where the value's text begins, and the place behind it
	next       uint32 // index of the first node behind this value and the values in it
	key        uint32 // where the key of a member begins; between the key and the value stands only a colon
	kind       Kind
	escaped    bool // the value is a string with a backslash
	keyEscaped bool // the member's key has a backslash
	repeated   bool // a later member of the object has the same key
}

// keyText returns the key of the member whose value has the node n, with its quotes.
func (d *document) keyText(n *node) string { return d.text[n.key : n.start-1] }

// name returns the name of the member whose value has the node. The text is that of the document.
func (n *node) name(text string) string {
	name := text[n.key+1 : n.start-2] // without the quotes and the colon
	if n.keyEscaped {
		return unescape(name)
	}
	return name
}

// Value is a value of a document. The zero Value is a missing one, and every
// method may be called on it.
type Value struct {
	doc *document
	at  uint32
}

func (v Value) node() *node { return &v.doc.nodes[v.at] }

// size returns how many nodes the value and the values in it have together.
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

// Text returns the value's JSON, without insignificant whitespace and otherwise as sent, but
// for what was mended. It returns "" if the value is missing.
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

// Scalar returns the decoded value of a string, or the text of a number or boolean, and
// whether the value is one of these kinds.
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

// unquoted returns the decoded value of a string's text.
func unquoted(text string, escaped bool) string {
	text = unquote(text)
	if escaped {
		text = unescape(text)
	}
	return text
}

// Len returns how many elements an array has, or how many members an object has. It
// returns 0 if the value is neither.
func (v Value) Len() (n int) {
	if v.doc == nil {
		return 0
	}
	for at, end := v.at+1, v.node().next; at < end; at = v.doc.nodes[at].next {
		n++
	}
	return n
}

// Get returns the member of that exact name, or a missing value.
func (v Value) Get(name string) Value {
	for key, member := range v.members() {
		if key.name() == name {
			return member
		}
	}
	return Value{}
}

// Has reports whether the object has a member of that exact name, whatever its
// value.
func (v Value) Has(name string) bool { return v.Get(name).Kind() != Missing }

// Members yields an object's members in the order of the document. It yields nothing if the
// value is no object.
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

// key is the key of a member.
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

// Rewrite returns the text of an object in which the function text gives the text of each
// member's value. A member for which it gives "" is left out. Keys stay as sent.
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

// Without returns a new document of the value without the members, at any depth, whose
// name is one of names in any letter case. It has to be released like a parsed document.
func (v Value) Without(names ...string) Value { return v.without(names, v.size()) }

// without does the work of Without, and leaves out repeated members, too. It makes room for
// as many nodes.
func (v Value) without(names []string, size int) Value {
	doc := documents.Get().(*document)
	c := copier{names: names, text: make([]byte, 0, len(v.Text())), nodes: slices.Grow(doc.nodes[:0], size)}
	c.copy(v)
	doc.text, doc.nodes = unsafe.String(unsafe.SliceData(c.text), len(c.text)), c.nodes // nobody else changes c.text
	doc.mended, doc.lost = v.doc.mended, v.doc.lost
	return Value{doc: doc}
}

// copier builds a document from parts of another document.
type copier struct {
	names []string // the members that are left out have one of these
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
			if member.node().repeated || c.leavesOut(key) {
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
	if len(c.names) == 0 {
		return false
	}
	name := k.name()
	for _, n := range c.names {
		// In another case a letter takes at most three times its bytes.
		if len(name) >= len(n) && len(name) <= 3*len(n) && strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}

// Strings returns a document that is an array of the texts.
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
