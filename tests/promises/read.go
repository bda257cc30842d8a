package promises

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookswitch/hookswitch/plugins/event"
)

// maxDepth is how deep a payload may be nested.
const maxDepth = 100

// reader reads JSON with a parser that has nothing in common with the parser of the
// project. It refuses what is no I-JSON (RFC 7493), except that numbers may have any size:
// the parser refuses duplicate names, invalid UTF-8 and lone surrogates; the reader
// refuses noncharacters, and U+0000, which databases cannot store.
type reader struct {
	json *jsontext.Decoder
	leaf func(isName bool, text []byte) // is given every name and scalar; may be nil

	unquoted []byte
}

func newReader(text []byte) *reader { return &reader{json: jsontext.NewDecoder(bytes.NewBuffer(text))} }

// end expects nothing more to be there.
func (r *reader) end() error {
	token, err := r.json.ReadToken()
	if err == nil {
		return fmt.Errorf("reading the end: expected nothing behind the value, got %s", token)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// value reads any value.
func (r *reader) value() error {
	deepest := r.json.StackDepth() + maxDepth
	for depth := r.json.StackDepth(); ; {
		switch r.json.PeekKind() {
		case '{', '[', '}', ']':
			if _, err := r.json.ReadToken(); err != nil {
				return err
			}
		default:
			if _, err := r.scalar(); err != nil {
				return err
			}
		}
		switch at := r.json.StackDepth(); {
		case at > deepest:
			return fmt.Errorf("reading a value: expected at most %d levels", maxDepth)
		case at == depth:
			return nil
		}
	}
}

// scalar reads a scalar or a name. It returns the characters of a string, and the text of
// any other scalar. The bytes may be used until the next call of a method.
func (r *reader) scalar() ([]byte, error) {
	within, before := r.json.StackIndex(r.json.StackDepth())
	text, err := r.json.ReadValue()
	if err != nil {
		return nil, err
	}
	if r.leaf != nil {
		r.leaf(within == '{' && before%2 == 0, text)
	}
	if text.Kind() != '"' {
		return text, nil
	}
	characters := text[1 : len(text)-1]
	if plain(characters) {
		return characters, nil
	}
	if r.unquoted, err = jsontext.AppendUnquote(r.unquoted[:0], text); err != nil {
		return nil, err
	}
	for at := 0; at < len(r.unquoted); {
		c, size := utf8.DecodeRune(r.unquoted[at:])
		if c == 0 || c&0xfffe == 0xfffe || 0xfdd0 <= c && c <= 0xfdef {
			return nil, fmt.Errorf("reading a string: expected characters, got %U", c)
		}
		at += size
	}
	return r.unquoted, nil
}

// plain reports whether the characters of a string are ASCII without escapes.
func plain(characters []byte) bool {
	for _, c := range characters {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// object reads an object that has some of the fields, and all that are Always there. It
// refuses any other name.
func (r *reader) object(fields []event.Field) error {
	if err := r.bracket('{'); err != nil {
		return err
	}
	var has uint64
	for r.json.PeekKind() == '"' {
		name, err := r.scalar()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(fields, func(f event.Field) bool { return f.Name == string(name) })
		if i < 0 {
			return fmt.Errorf("reading the name %q: expected a field that may stand here", name)
		}
		has |= 1 << i
		if err := r.field(&fields[i]); err != nil {
			return fmt.Errorf("%s: %w", fields[i].Name, err)
		}
	}
	if err := r.bracket('}'); err != nil {
		return err
	}
	for i := range fields {
		if fields[i].Always && has&(1<<i) == 0 {
			return fmt.Errorf("reading an object: expected the field %s", fields[i].Name)
		}
	}
	if has == 0 {
		return errors.New("reading an object: expected a field")
	}
	return nil
}

// bracket reads a bracket.
func (r *reader) bracket(want jsontext.Kind) error {
	token, err := r.json.ReadToken()
	if err == nil && token.Kind() != want {
		err = fmt.Errorf("reading a bracket: expected %s, got %s", want, token)
	}
	return err
}

// field reads the value of a field. A value that says nothing would have been left out.
func (r *reader) field(f *event.Field) error {
	if !f.Repeated {
		return r.element(f)
	}
	if err := r.bracket('['); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if r.json.PeekKind() != ']' {
			if err := r.element(f); err != nil {
				return err
			}
			continue
		}
		if n == 0 {
			return errors.New("reading an array: expected an element")
		}
		return r.bracket(']')
	}
}

// element reads the value of a field, or an element of a field's array.
func (r *reader) element(f *event.Field) error {
	kind := r.json.PeekKind()
	switch f.Kind {
	case event.Object:
		return r.object(f.Fields)
	case event.Payload:
		if kind != '{' {
			return errors.New("reading a payload: expected an object")
		}
		return r.value()
	}
	value, err := r.scalar()
	if err != nil {
		return err
	}
	ok := false
	switch f.Kind {
	case event.Text:
		ok = kind == '"' && (len(value) > 0 || f.Always || f.Repeated) && (f.Values == nil || slices.Contains(f.Values, string(value)))
	case event.DateTime:
		_, err := time.Parse(time.RFC3339, string(value))
		ok = kind == '"' && err == nil && strings.HasSuffix(string(value), "Z")
	case event.Numeric:
		ok = kind == '0'
	case event.Boolean:
		ok = kind == 't' || kind == 'f'
	}
	if !ok {
		return fmt.Errorf("reading a field: expected %s, got %.100q", f.Kind, value)
	}
	return nil
}
