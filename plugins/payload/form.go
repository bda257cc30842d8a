package payload

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxFormParts is how many names and values a form may have, the names within names
// counted too: each takes a hundred bytes while the form is lifted, and no form that a
// person fills in has a hundredth of them.
const MaxFormParts = 20_000

// ParseForm lifts an application/x-www-form-urlencoded body to a JSON object of
// strings, in the order sent: a repeated name is an array, a[b]=c nests, a[]=c is
// an array. A name that holds both values and nested names (a=1&a[b]=2) is an
// array of its values and then the object, so that nothing is lost. It refuses what is
// no form, invalid UTF-8, nesting deeper than [MaxDepth], and a form of more than
// [MaxFormParts] names and values.
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

// namePath splits a[b][c] into a, b and c, and a[] into a and "". A name whose
// brackets do not add up to that is one part.
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

// field is what a form holds under one name.
type field struct {
	name   string
	array  bool // its name ends in []
	values []string
	fields []*field
	index  map[string]*field
}

// add adds a value under a path of names, and returns how many parts the form has more.
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
