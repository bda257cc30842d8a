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

// MaxDepth is how deep arrays and objects may be nested. An event adds two levels, and some
// readers of events stop at 128.
const MaxDepth = 100

const byteOrderMark = "\ufeff"

// Parse reads a text that is one JSON value. A byte order mark may stand in front of the
// value. Parse refuses what RFC 8259 refuses, invalid UTF-8, and arrays and objects that
// are nested deeper than [MaxDepth]. An error names the byte that was not expected. What
// I-JSON forbids but for large numbers is mended (see [Value.Mended]).
func Parse(text string) (Value, error) {
	v, unreadable, err := parse(strings.TrimPrefix(text, byteOrderMark))
	if err != nil {
		return Value{}, err
	}
	if unreadable {
		mended := replaceUnreadable(v.Text())
		v.Release()
		if v, _, err = parse(mended); err != nil {
			return Value{}, err
		}
	}
	// Keys are compared after the characters in them have been replaced.
	repeated := v.doc.findRepeated(v.doc.objects)
	if repeated > 0 {
		all := v
		v = all.without(nil, max(all.size()-repeated, 1))
		all.Release()
	}
	v.doc.mended, v.doc.lost = unreadable || repeated > 0, repeated > 0
	return v, nil
}

// parse reads a text as sent, and reports whether the text has unreadable characters.
func parse(text string) (v Value, unreadable bool, err error) {
	if len(text) > math.MaxInt32 {
		return Value{}, false, fmt.Errorf("reading JSON: expected less than 2 GiB, got %d bytes", len(text))
	}
	invalid, unreadable := checkCharacters(text)
	if invalid >= 0 {
		return Value{}, false, fmt.Errorf("reading JSON: expected UTF-8, byte %d is not", invalid)
	}
	doc := documents.Get().(*document)
	p := parser{text: text, nodes: slices.Grow(doc.nodes[:0], len(text)/24), objects: doc.objects[:0]} // bodies of vendors have a value every 20 to 60 bytes
	p.document()
	doc.text, doc.nodes, doc.objects = p.compact(), p.nodes, p.objects
	v = Value{doc: doc}
	if p.err != nil {
		v.Release()
		return Value{}, false, fmt.Errorf("reading JSON: %w", p.err)
	}
	return v, unreadable || p.unreadable, nil
}

// parser makes a node for every value. A node holds the place of its value in the text
// without insignificant whitespace.
//
// A method that is given a place in the text reads what stands at this place and returns
// the place behind it. If the text is wrong there, the method sets err and returns stop.
// Methods pass the place on and do not keep it in the parser, because a register is
// faster than memory for a number that changes with every byte.
type parser struct {
	text  string
	depth int
	nodes []node
	err   error

	objects []uint32 // the indexes of the nodes of objects with two or more members

	unreadable bool // an escape stands for an unreadable character

	spaces int             // how many bytes of whitespace have been read
	copied int             // how many bytes of text have been copied to dense or left out as whitespace
	dense  strings.Builder // the text that has been read, without whitespace; empty while there was none
}

// stop is returned instead of a place once the parser has an error.
const stop = -1

func (p *parser) document() {
	at := p.value(p.space(0))
	if at == stop {
		return
	}
	if at = p.space(at); at < len(p.text) {
		p.expected(at, "nothing after the value")
	}
}

// space returns the place behind whitespace. The check stands here, where the compiler
// puts it into the caller, because most bodies have no whitespace.
func (p *parser) space(at int) int {
	if at < len(p.text) && p.text[at] <= ' ' {
		return p.skip(at)
	}
	return at
}

func (p *parser) skip(start int) int {
	at := start
	for at < len(p.text) {
		switch p.text[at] {
		case ' ', '\t', '\n', '\r':
			at++
			continue
		}
		break
	}
	if at > start {
		if p.spaces == 0 {
			p.dense.Grow(len(p.text))
		}
		p.dense.WriteString(p.text[p.copied:start])
		p.copied = at
		p.spaces += at - start
	}
	return at
}

func (p *parser) compact() string {
	if p.spaces == 0 {
		return p.text
	}
	p.dense.WriteString(p.text[p.copied:])
	return p.dense.String()
}

func (p *parser) expected(at int, what string) int {
	if at >= len(p.text) {
		p.err = fmt.Errorf("byte %d: expected %s, got the end", len(p.text), what)
	} else {
		r, _ := utf8.DecodeRuneInString(p.text[at:])
		p.err = fmt.Errorf("byte %d: expected %s, got %q", at, what, r)
	}
	return stop
}

// peek returns the byte at a place. At the end of the text it returns 0, a byte that is
// valid nowhere outside of strings, so that callers need no check of their own.
func (p *parser) peek(at int) byte {
	if at < len(p.text) {
		return p.text[at]
	}
	return 0
}

func (p *parser) value(at int) int {
	switch c := p.peek(at); c {
	case '"':
		end, escaped := p.string(at)
		if end == stop {
			return stop
		}
		return p.add(String, at, end, escaped)
	case '{':
		return p.object(at)
	case '[':
		return p.array(at)
	case 't':
		return p.literal(at, "true", Bool)
	case 'f':
		return p.literal(at, "false", Bool)
	case 'n':
		return p.literal(at, "null", Null)
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return p.number(at)
		}
		return p.expected(at, "a value")
	}
}

// add appends the node of a value, and returns the place behind the value. It does not set
// the fields of the node that describe the key of a member: the method object sets these
// afterwards. The fields are set in place. To set the fields of a local node and copy the
// node is slower: the processor would have to wait for the writes of the single fields before
// it could read the node as a whole.
func (p *parser) add(kind Kind, start, end int, escaped bool) int {
	at := len(p.nodes)
	if at == cap(p.nodes) {
		p.nodes = slices.Grow(p.nodes, p.atMost()-at)
	}
	p.nodes = p.nodes[:at+1]
	n := &p.nodes[at]
	n.start, n.end, n.next = uint32(start-p.spaces), uint32(end-p.spaces), uint32(at+1)
	n.kind, n.escaped, n.repeated = kind, escaped, false
	return end
}

// atMost returns how many values the text has at most: a value is the first one of the
// document, of an array or of an object, or it stands behind a comma. Nodes that are grown
// once, to this bound, leave no smaller copies for the garbage collector, which would be
// four times as large together.
func (p *parser) atMost() int {
	return 1 + strings.Count(p.text, ",") + strings.Count(p.text, "[") + strings.Count(p.text, "{")
}

// open makes the node of an array or object whose opening bracket is at a place, and
// returns the index of the node, or stop if it is nested too deep.
func (p *parser) open(kind Kind, at int) (self int) {
	if p.depth++; p.depth > MaxDepth {
		p.err = fmt.Errorf("byte %d: expected at most %d levels of nesting", at, MaxDepth)
		return stop
	}
	self = len(p.nodes)
	p.add(kind, at, at, false)
	return self
}

// close completes the node of an array or object whose closing bracket is at a place,
// and returns the place behind the bracket.
func (p *parser) close(self, at int) int {
	at++
	p.depth--
	p.nodes[self].end, p.nodes[self].next = uint32(at-p.spaces), uint32(len(p.nodes))
	return at
}

func (p *parser) object(at int) int {
	self := p.open(Object, at)
	if self == stop {
		return stop
	}
	at = p.space(at + 1)
	if p.peek(at) == '}' {
		return p.close(self, at)
	}
	for {
		if p.peek(at) != '"' {
			return p.expected(at, "a key in quotes")
		}
		key := uint32(at - p.spaces)
		end, escaped := p.string(at)
		if end == stop {
			return stop
		}
		if at = p.space(end); p.peek(at) != ':' {
			return p.expected(at, "':' after a key")
		}
		member := len(p.nodes)
		if at = p.value(p.space(at + 1)); at == stop {
			return stop
		}
		n := &p.nodes[member]
		n.key, n.keyEscaped = key, escaped
		switch at = p.space(at); p.peek(at) {
		case ',':
			at = p.space(at + 1)
		case '}':
			if len(p.nodes) > self+2 {
				p.objects = append(p.objects, uint32(self))
			}
			return p.close(self, at)
		default:
			return p.expected(at, "',' or '}'")
		}
	}
}

func (p *parser) array(at int) int {
	self := p.open(Array, at)
	if self == stop {
		return stop
	}
	at = p.space(at + 1)
	if p.peek(at) == ']' {
		return p.close(self, at)
	}
	for {
		if at = p.value(at); at == stop {
			return stop
		}
		switch at = p.space(at); p.peek(at) {
		case ',':
			at = p.space(at + 1)
		case ']':
			return p.close(self, at)
		default:
			return p.expected(at, "',' or ']'")
		}
	}
}

func (p *parser) literal(at int, word string, kind Kind) int {
	if !strings.HasPrefix(p.text[at:], word) {
		return p.expected(at, "a value")
	}
	return p.add(kind, at, at+len(word), false)
}

func (p *parser) number(start int) int {
	at := start
	if p.peek(at) == '-' {
		at++
	}
	if p.peek(at) == '0' {
		at++
	} else if at = p.digits(at); at == stop {
		return stop
	}
	if p.peek(at) == '.' {
		if at = p.digits(at + 1); at == stop {
			return stop
		}
	}
	if c := p.peek(at); c == 'e' || c == 'E' {
		at++
		if c := p.peek(at); c == '+' || c == '-' {
			at++
		}
		if at = p.digits(at); at == stop {
			return stop
		}
	}
	return p.add(Number, start, at, false)
}

func (p *parser) digits(start int) int {
	at := start
	for c := p.peek(at); '0' <= c && c <= '9'; c = p.peek(at) {
		at++
	}
	if at == start {
		return p.expected(at, "a digit")
	}
	return at
}

// plainPrefix returns how many bytes at the start of s stand for themselves within a
// JSON string: those in front of the first quote, backslash or control character. A body
// is mostly strings, so it looks at eight bytes at a time. The last eight bytes may
// overlap with eight bytes that it has looked at already, and of a string of four to seven
// bytes the last four with the first four.
func plainPrefix(s string) int {
	last := len(s) - 8
	switch {
	case last >= 0:
		for i := 0; i < last; i += 8 {
			if found := special(binary.LittleEndian.Uint64([]byte(s[i : i+8]))); found != 0 {
				return i + bits.TrailingZeros64(found)/8
			}
		}
		return last + bits.TrailingZeros64(special(binary.LittleEndian.Uint64([]byte(s[last:]))))/8 // 8 if nothing was found
	case last >= -4:
		first, behind := binary.LittleEndian.Uint32([]byte(s)), binary.LittleEndian.Uint32([]byte(s[last+4:]))
		i := bits.TrailingZeros64(special(uint64(first)|uint64(behind)<<32)) / 8
		if i >= 4 {
			i += last
		}
		return i
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

// special looks at eight bytes. It returns a word in which the high bit of the first byte that
// is a quote, a backslash or a control character is set, and no bit below. Bits above this bit
// say nothing, because a borrow may have set them.
//
// A byte that is less than a limit gets its high bit where the limit is subtracted. A quote and
// a space differ in one bit. With this bit flipped, the quote is a space, and the controls are
// controls: so all of them are less than '!'.
func special(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quotes, backslashes := x^('"'^' ')*ones, x^'\\'*ones
	return ((quotes - '!'*ones) | (backslashes - ones)) &^ x & highs
}

// string returns the place behind a string, and whether the string holds a backslash.
func (p *parser) string(start int) (at int, escaped bool) {
	text := p.text
	at = start + 1
	at += plainPrefix(text[at:])
	if at < len(text) && text[at] == '"' {
		return at + 1, false
	}
	for {
		switch p.peek(at) {
		case '"':
			return at + 1, true
		case '\\':
			if at = p.escape(at); at == stop {
				return stop, true
			}
		default:
			return p.expected(at, "the end of a string, or an escape for a control character"), true
		}
		at += plainPrefix(text[at:])
	}
}

func (p *parser) escape(start int) int {
	at := start + 1
	switch p.peek(at) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return at + 1
	case 'u':
		at++
		for range 4 {
			switch c := p.peek(at); {
			case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
				at++
			default:
				return p.expected(at, "a hex digit")
			}
		}
		r, size := unescapeRune(p.text[start:]) // a pair of surrogates takes two escapes
		p.unreadable = p.unreadable || unreadable(r)
		return start + size
	}
	return p.expected(at, "an escape that JSON has")
}
