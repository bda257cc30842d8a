package payload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep arrays and objects may be nested.
const MaxDepth = 128

var byteOrderMark = []byte("\ufeff")

// syntax is RFC 8259 as it is: duplicate keys are kept, and so are the escapes
// of lone surrogates, which jsontext counts as invalid UTF-8. Truly invalid
// UTF-8 is refused by Parse.
var syntax = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

var decoders = sync.Pool{New: func() any { return jsontext.NewDecoder(strings.NewReader(""), syntax...) }}

// Parse reads a text that is one JSON value, a byte order mark in front of it
// allowed. It refuses what RFC 8259 does, invalid UTF-8 and nesting deeper than
// [MaxDepth]. The text may be changed afterwards.
func Parse(text []byte) (Value, error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	if len(text) > math.MaxInt32 {
		return Value{}, fmt.Errorf("reading JSON: expected less than 2 GiB, got %d bytes", len(text))
	}
	if !utf8.Valid(text) {
		return Value{}, fmt.Errorf("reading JSON: expected UTF-8, byte %d is not", invalidUTF8(text))
	}
	doc, compact, err := parse(text)
	if err == nil && !compact {
		v := jsontext.Value(bytes.Clone(text))
		if err = v.Compact(); err == nil {
			doc, _, err = parse(v)
		}
	}
	if err != nil {
		return Value{}, fmt.Errorf("reading JSON: %w", err)
	}
	return Value{doc: doc}, nil
}

func invalidUTF8(text []byte) (at int) {
	for {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
}

// parse notes where every value of the text stands. It also returns whether the
// text is compact, as that of a document has to be.
func parse(text []byte) (_ *document, compact bool, _ error) {
	d := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(d)
	d.Reset(bytes.NewBuffer(text), syntax...)

	var (
		nodes     = make([]node, 0, len(text)/10+8) // vendors' bodies have a value every 10 to 40 bytes, keys counted
		open      [MaxDepth]uint32                  // the containers that are not yet closed
		depth     int
		end       uint32 // of the last token
		separator uint32 // bytes of ',' or ':' due before the next token
	)
	compact = true
	for {
		kind := d.PeekKind()
		if depth == 0 && len(nodes) > 0 && kind != 0 {
			return nil, false, fmt.Errorf("expected nothing after the value, got more behind byte %d", end)
		}
		var start uint32
		switch kind {
		case '{', '[':
			if depth == MaxDepth {
				return nil, false, fmt.Errorf("expected at most %d levels of nesting, got more behind byte %d", MaxDepth, end)
			}
			if _, err := d.ReadToken(); err != nil {
				return nil, false, err
			}
			start = uint32(d.InputOffset()) - 1
			compact = compact && start == end+separator
			open[depth] = uint32(len(nodes))
			depth++
			nodes = append(nodes, node{start: start, kind: kinds[kind]})
			end, separator = start+1, 0
		case '}', ']':
			if _, err := d.ReadToken(); err != nil {
				return nil, false, err
			}
			start = uint32(d.InputOffset()) - 1
			compact = compact && start == end
			depth--
			end, separator = start+1, 1
			n := &nodes[open[depth]]
			n.end, n.next = end, uint32(len(nodes))
		default:
			leaf, err := d.ReadValue()
			if errors.Is(err, io.EOF) && len(nodes) > 0 && depth == 0 {
				return &document{string(text), nodes}, compact && int(end) == len(text), nil
			}
			if err != nil {
				return nil, false, err
			}
			start = uint32(d.InputOffset()) - uint32(len(leaf))
			compact = compact && start == end+separator
			end, separator = start+uint32(len(leaf)), 1
			nodes = append(nodes, node{
				start: start, end: end, next: uint32(len(nodes)) + 1, kind: kinds[kind],
				escaped: kind == '"' && bytes.IndexByte(leaf, '\\') >= 0,
			})
		}
	}
}

var kinds = [256]Kind{'n': Null, 't': Bool, 'f': Bool, '0': Number, '"': String, '[': Array, '{': Object}
