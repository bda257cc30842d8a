package payload

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxFormParts is how many names and values a form may have; in a[b]=c there are two
// names and a value. Each takes some hundred bytes while the form is read. A form that a
// person fills in has a few hundred of them.
const MaxFormParts = 20_000

// ParseForm reads an application/x-www-form-urlencoded body as a JSON object of strings,
// its members in the order sent. The value of a repeated name is an array, that of a[]=c
// an array too, that of a[b]=c an object. A name that has both values and names within
// (a=1&a[b]=2) gives an array of the values with the object behind them, so that nothing
// is lost. The object is mended as [Parse] mends a document. ParseForm refuses a broken
// percent encoding, invalid UTF-8, a body without a field, names that are nested deeper than
// [MaxDepth], and more than [MaxFormParts] names and values.
func ParseForm(body string) (Value, error) {
	body = strings.TrimRight(strings.TrimPrefix(body, byteOrderMark), "\r\n")
	var root field
	parts := 0
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" || pair == "=" {
			continue
		}
		escapedName, escapedValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(escapedName)
		if err != nil {
			return Value{}, fmt.Errorf("reading form: %w", err)
		}
		value, err := url.QueryUnescape(escapedValue)
		if err != nil {
			return Value{}, fmt.Errorf("reading form: %w", err)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return Value{}, fmt.Errorf("reading form: expected UTF-8, field %.64q is not", escapedName)
		}
		path := namePath(name)
		if len(path) > MaxDepth {
			return Value{}, fmt.Errorf("reading form: expected at most %d levels of nesting, got %d", MaxDepth, len(path))
		}
		parts += root.add(path, value)
		if parts > MaxFormParts {
			return Value{}, fmt.Errorf("reading form: expected at most %d names and values", MaxFormParts)
		}
	}
	if len(root.fields) == 0 {
		return Value{}, errors.New("reading form: expected at least one field")
	}
	return Parse(string(root.append(nil)))
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

// field is what a form has under one name.
type field struct {
	name   string
	array  bool // the name was sent with [] behind it
	values []string
	fields []*field
	index  map[string]*field
}

// add adds a value under a path of names, and returns how many names and values it has
// added.
func (f *field) add(path []string, value string) (added int) {
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
	f.values = append(f.values, value)
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
	for i, value := range f.values {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, value)
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
