package payload

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may be nested.
const MaxDepth = 128

const byteOrderMark = "\ufeff"

// Parse reads a text that is one JSON value, a byte order mark in front of it
// allowed. It refuses what RFC 8259 does, invalid UTF-8 and nesting deeper than
// [MaxDepth].
func Parse(text string) (Value, error) {
	text = strings.TrimPrefix(text, byteOrderMark)
	if len(text) > math.MaxInt32 {
		return Value{}, fmt.Errorf("reading JSON: expected less than 2 GiB, got %d bytes", len(text))
	}
	if !utf8.ValidString(text) {
		return Value{}, fmt.Errorf("reading JSON: expected UTF-8, byte %d is not", invalidUTF8(text))
	}
	doc := documents.Get().(*document)
	p := parser{text: text, nodes: slices.Grow(doc.nodes[:0], len(text)/16)} // a value every 12 to 40 bytes, keys counted
	err := p.parse()
	doc.text, doc.nodes = p.compact(), p.nodes
	v := Value{doc: doc}
	if err != nil {
		v.Release()
		return Value{}, fmt.Errorf("reading JSON: %w", err)
	}
	return v, nil
}

func invalidUTF8(text string) (at int) {
	for {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
}

// parser notes a node for every value, at the place that the value has in the
// text without insignificant whitespace. Between two methods, at stands on the
// next byte that is not yet read.
type parser struct {
	text  string
	at    int
	depth int
	nodes []node

	spaces int             // bytes of whitespace before at
	copied int             // bytes of text that are in dense, or left out of it
	dense  strings.Builder // the text so far without whitespace, if there was any
}

func (p *parser) parse() error {
	p.space()
	if err := p.value(); err != nil {
		return err
	}
	p.space()
	if p.at < len(p.text) {
		return p.expected("nothing after the value")
	}
	return nil
}

// place returns where at is in the text without whitespace.
func (p *parser) place() uint32 { return uint32(p.at - p.spaces) }

// space passes over whitespace; there is seldom any.
func (p *parser) space() {
	if p.at < len(p.text) && p.text[p.at] <= ' ' {
		p.skip()
	}
}

func (p *parser) skip() {
	start := p.at
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
			continue
		}
		break
	}
	if p.at > start {
		if p.spaces == 0 {
			p.dense.Grow(len(p.text))
		}
		p.dense.WriteString(p.text[p.copied:start])
		p.copied = p.at
		p.spaces += p.at - start
	}
}

func (p *parser) compact() string {
	if p.spaces == 0 {
		return p.text
	}
	p.dense.WriteString(p.text[p.copied:])
	return p.dense.String()
}

func (p *parser) expected(what string) error {
	if p.at >= len(p.text) {
		return fmt.Errorf("byte %d: expected %s, got the end", p.at, what)
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return fmt.Errorf("byte %d: expected %s, got %q", p.at, what, r)
}

// peek returns the next byte, 0 at the end: nothing valid goes on with a 0.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) value() error {
	switch c := p.peek(); c {
	case '"':
		return p.string("a value")
	case '{':
		return p.object()
	case '[':
		return p.array()
	case 't':
		return p.literal("true", Bool)
	case 'f':
		return p.literal("false", Bool)
	case 'n':
		return p.literal("null", Null)
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return p.number()
		}
		return p.expected("a value")
	}
}

// leaf notes a value without others in it, which began at start and ends at at.
func (p *parser) leaf(kind Kind, start int, escaped bool) {
	n := p.add()
	n.start, n.end, n.next = uint32(start-p.spaces), p.place(), uint32(len(p.nodes))
	n.kind, n.escaped = kind, escaped
}

// add returns the next node, to be filled in place: a node made elsewhere is slow
// to copy, as its fields are written in parts and read as one.
func (p *parser) add() *node {
	n := len(p.nodes)
	if n == cap(p.nodes) {
		p.nodes = slices.Grow(p.nodes, 1)
	}
	p.nodes = p.nodes[:n+1]
	return &p.nodes[n]
}

// open notes an array or object, whose bracket is next, and returns its node.
func (p *parser) open(kind Kind) (self int, err error) {
	if p.depth++; p.depth > MaxDepth {
		return 0, fmt.Errorf("byte %d: expected at most %d levels of nesting", p.at, MaxDepth)
	}
	self = len(p.nodes)
	*p.add() = node{start: p.place(), kind: kind}
	p.at++
	p.space()
	return self, nil
}

// close ends the array or object, whose bracket is next.
func (p *parser) close(self int) {
	p.at++
	p.depth--
	p.nodes[self].end, p.nodes[self].next = p.place(), uint32(len(p.nodes))
}

func (p *parser) object() error {
	self, err := p.open(Object)
	if err != nil {
		return err
	}
	if p.peek() != '}' {
		for {
			if err := p.string("a key in quotes"); err != nil {
				return err
			}
			p.space()
			if p.peek() != ':' {
				return p.expected("':' after a key")
			}
			p.at++
			p.space()
			if err := p.value(); err != nil {
				return err
			}
			p.space()
			if p.peek() == '}' {
				break
			}
			if p.peek() != ',' {
				return p.expected("',' or '}'")
			}
			p.at++
			p.space()
		}
	}
	p.close(self)
	return nil
}

func (p *parser) array() error {
	self, err := p.open(Array)
	if err != nil {
		return err
	}
	if p.peek() != ']' {
		for {
			if err := p.value(); err != nil {
				return err
			}
			p.space()
			if p.peek() == ']' {
				break
			}
			if p.peek() != ',' {
				return p.expected("',' or ']'")
			}
			p.at++
			p.space()
		}
	}
	p.close(self)
	return nil
}

func (p *parser) literal(word string, kind Kind) error {
	if !strings.HasPrefix(p.text[p.at:], word) {
		return p.expected("a value")
	}
	start := p.at
	p.at += len(word)
	p.leaf(kind, start, false)
	return nil
}

func (p *parser) number() error {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else if err := p.digits(); err != nil {
		return err
	}
	if p.peek() == '.' {
		p.at++
		if err := p.digits(); err != nil {
			return err
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if err := p.digits(); err != nil {
			return err
		}
	}
	p.leaf(Number, start, false)
	return nil
}

func (p *parser) digits() error {
	start := p.at
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.at++
	}
	if p.at == start {
		return p.expected("a digit")
	}
	return nil
}

// plainPrefix returns how many bytes at the start of s stand for themselves within
// a JSON string: up to a quote, a backslash or a control character. It looks at
// eight bytes at a time, at last at some of them again: most strings are longer,
// and a body is mostly strings.
func plainPrefix(s string) int {
	if len(s) < 8 {
		for i := range len(s) {
			if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
				return i
			}
		}
		return len(s)
	}
	for i := 0; i+8 < len(s); i += 8 {
		if found := special(s[i : i+8]); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	if found := special(s[len(s)-8:]); found != 0 {
		return len(s) - 8 + bits.TrailingZeros64(found)/8
	}
	return len(s)
}

// special sets the high bit of every of the first eight bytes that is a quote, a
// backslash or a control character; above the lowest such byte it may be set
// wrongly.
func special(s string) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	x := binary.LittleEndian.Uint64([]byte(s))
	quote, backslash := x^('"'*ones), x^('\\'*ones)
	return ((x-0x20*ones)&^x | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
}

func (p *parser) string(what string) error {
	if p.peek() != '"' {
		return p.expected(what)
	}
	start := p.at
	end := start + 1 + plainPrefix(p.text[start+1:])
	if end < len(p.text) && p.text[end] == '"' {
		p.at = end + 1
		p.leaf(String, start, false)
		return nil
	}
	p.at = end
	for {
		switch p.peek() {
		case '"':
			p.at++
			p.leaf(String, start, true)
			return nil
		case '\\':
			if err := p.escape(); err != nil {
				return err
			}
		default:
			return p.expected("the end of a string, or an escape for a control character")
		}
		p.at += plainPrefix(p.text[p.at:])
	}
}

func (p *parser) escape() error {
	p.at++
	switch p.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.at++
		return nil
	case 'u':
		p.at++
		for range 4 {
			switch c := p.peek(); {
			case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
				p.at++
			default:
				return p.expected("a hex digit")
			}
		}
		return nil
	}
	return p.expected("an escape that JSON has")
}
