package payload

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// MaxFormParts is how many names and values a form may have; in a[b]=c there are two
// names and a value. Each takes some hundred bytes while the form is read. A form that a
// person fills in has a few hundred of them.
const MaxFormParts = 20_000

// form is a form while its fields are read.
type form struct {
	root  field // the fields are within it
	parts int   // how many names and values there are
}

// parseForm reads a form of one of the two media types of forms, with the parameters of its
// content type.
func parseForm(body, mediaType string, params map[string]string) (Value, error) {
	charset, err := charsetOf(params["charset"])
	if mediaType != multipartType && charset.decoder == nil && err == nil {
		if flat, ok := parseFlatForm(body); ok {
			return flat, nil
		}
	}
	var f form
	switch {
	case err != nil:
	case mediaType == multipartType:
		err = f.readMultipart(body, params["boundary"], charset)
	default:
		err = f.readURLEncoded(body, charset)
	}
	if err == nil && len(f.root.fields) == 0 {
		err = errors.New("expected at least one field")
	}
	if err != nil {
		return Value{}, fmt.Errorf("reading form: %w", err)
	}
	text := f.root.append(nil)
	return Parse(unsafe.String(unsafe.SliceData(text), len(text))) // nobody changes the text any more
}

// parseFlatForm reads an application/x-www-form-urlencoded body of UTF-8 in which each name
// stands once, has no brackets and is not escaped. Almost all forms are such, and they are
// written as JSON without keeping their fields. It takes no other form, and none that is to be
// refused.
func parseFlatForm(body string) (v Value, ok bool) {
	if len(body) > maxFlatForm {
		return Value{}, false
	}
	text := append(make([]byte, 0, len(body)+len(body)/4+64), '{')
	for rest := withoutEnds(body); rest != ""; {
		var pair string
		if pair, rest, _ = strings.Cut(rest, "&"); pair == "" || pair == "=" {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		name, value, _ := strings.Cut(pair, "=")
		if !isPlain(name) || strings.Contains(name, "[") {
			return Value{}, false
		}
		text = append(append(append(text, '"'), name...), '"', ':')
		if text, ok = appendFormText(text, value); !ok {
			return Value{}, false
		}
	}
	if len(text) == 1 {
		return Value{}, false
	}
	text = append(text, '}')
	v, err := Parse(unsafe.String(unsafe.SliceData(text), len(text))) // nobody changes the text any more
	if err != nil {
		return Value{}, false
	}
	if v.doc.lost { // a name stands twice
		v.Release()
		return Value{}, false
	}
	return v, true
}

// maxFlatForm is how many bytes a form may have to be read without counting its parts: it
// has not more than [MaxFormParts].
const maxFlatForm = MaxFormParts

// appendFormText appends the JSON string of a value, and reports whether the value is UTF-8 and
// its percent encoding is whole.
func appendFormText(b []byte, escaped string) (text []byte, ok bool) {
	if isPlain(escaped) {
		return append(append(append(b, '"'), escaped...), '"'), true
	}
	decoded, err := url.QueryUnescape(escaped)
	if err != nil || !utf8.ValidString(decoded) {
		return b, false
	}
	return AppendString(b, decoded), true
}

// isPlain reports whether a form and JSON write a text alike.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || '~' < c || c == '%' || c == '+' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// withoutEnds returns a body without the byte order mark in front and the line ends behind.
func withoutEnds(body string) string {
	return strings.TrimRight(strings.TrimPrefix(body, byteOrderMark), "\r\n")
}

// readURLEncoded reads the fields of an application/x-www-form-urlencoded body.
func (f *form) readURLEncoded(body string, charset charset) error {
	for pair := range strings.SplitSeq(withoutEnds(body), "&") {
		if pair == "" || pair == "=" {
			continue
		}
		escapedName, escapedValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(escapedName)
		if err != nil {
			return err
		}
		text, err := url.QueryUnescape(escapedValue)
		if err != nil {
			return err
		}
		if name, err = charset.decode(name, escapedName); err != nil {
			return err
		}
		if text, err = charset.decode(text, escapedName); err != nil {
			return err
		}
		if err := f.add(name, value{text: text}); err != nil {
			return err
		}
	}
	return nil
}

// add adds a field.
func (f *form) add(name string, v value) error {
	path := namePath(name)
	if len(path) > MaxDepth {
		return fmt.Errorf("expected at most %d levels of nesting, got %d", MaxDepth, len(path))
	}
	f.parts += f.root.add(path, v)
	if f.parts > MaxFormParts {
		return fmt.Errorf("expected at most %d names and values", MaxFormParts)
	}
	return nil
}

// charset decodes text. The zero charset is UTF-8.
type charset struct {
	name    string
	decoder *encoding.Decoder
}

// charsetOf returns the charset that has a label in the Encoding Standard of WHATWG, as
// browsers read the label: ISO-8859-1 is windows-1252. No label is UTF-8.
func charsetOf(label string) (charset, error) {
	if label == "" {
		return charset{}, nil
	}
	known, err := htmlindex.Get(label)
	if err != nil {
		return charset{}, fmt.Errorf("expected a charset of the Encoding Standard, got %.64q", label)
	}
	name, err := htmlindex.Name(known)
	if err != nil || name == "utf-8" {
		return charset{}, err
	}
	return charset{name, known.NewDecoder()}, nil
}

// decode returns a text as UTF-8. The text is the name or the value of a field, which the
// error names.
func (c charset) decode(text, fieldName string) (string, error) {
	decoded, name, err := text, "UTF-8", error(nil)
	ok := utf8.ValidString(text)
	if c.decoder != nil {
		name = c.name
		decoded, err = c.decoder.String(text)
		ok = err == nil && !strings.ContainsRune(decoded, utf8.RuneError) // which stands for bytes that are not of the charset
	}
	if !ok {
		return "", fmt.Errorf("expected %s, field %.64q is not", name, fieldName)
	}
	return decoded, nil
}

// namePath splits a[b][c] into a, b and c, and a[] into a and "". A name with any other
// use of brackets is not split.
func namePath(name string) []string {
	first, rest, nested := strings.Cut(name, "[")
	if !nested || first == "" || !strings.HasSuffix(rest, "]") {
		return []string{name}
	}
	path := append([]string{first}, strings.Split(strings.TrimSuffix(rest, "]"), "][")...)
	for i, part := range path {
		if strings.ContainsAny(part, "[]") || part == "" && i < len(path)-1 {
			return []string{name}
		}
	}
	return path
}

// value is the value of a field.
type value struct {
	text string
	json bool // the text is JSON, that of a file
}

// field is what a form has under one name.
type field struct {
	name   string
	array  bool // the name was sent with [] behind it
	values []value
	fields []*field
	index  map[string]*field
}

// add adds a value under a path of names, and returns how many names and values it has
// added.
func (f *field) add(path []string, v value) (added int) {
	for i, name := range path {
		if i > 0 && i == len(path)-1 && name == "" {
			f.array = true
			break
		}
		child, made := f.child(name)
		if made {
			added++
		}
		f = child
	}
	f.values = append(f.values, v)
	return added + 1
}

// child returns the field of that name within f, and whether it was made for the call.
// Only a field with many others in it has an index: most hold few.
func (f *field) child(name string) (child *field, made bool) {
	if f.index == nil {
		for _, child := range f.fields {
			if child.name == name {
				return child, false
			}
		}
	} else if child := f.index[name]; child != nil {
		return child, false
	}
	child = &field{name: name}
	f.fields = append(f.fields, child)
	switch {
	case f.index != nil:
		f.index[name] = child
	case len(f.fields) > 16:
		f.index = map[string]*field{}
		for _, child := range f.fields {
			f.index[child.name] = child
		}
	}
	return child, true
}

func (f *field) append(b []byte) []byte {
	array := f.array || len(f.values) > 1 || len(f.values) > 0 && len(f.fields) > 0
	if array {
		b = append(b, '[')
	}
	for i, v := range f.values {
		if i > 0 {
			b = append(b, ',')
		}
		if v.json {
			b = append(b, v.text...)
		} else {
			b = AppendString(b, v.text)
		}
	}
	if len(f.fields) > 0 {
		if len(f.values) > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		for i, child := range f.fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendString(b, child.name), ':')
			b = child.append(b)
		}
		b = append(b, '}')
	}
	if array {
		b = append(b, ']')
	}
	return b
}
