package payload

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// AppendCanonical appends the canonical form of the value. It has no whitespace. The
// members of an object are sorted bytewise by the canonical text of their keys. Numbers are
// as sent. In strings the only escapes are \" \\ \b \t \n \f \r, and \u00xx in lower case
// for other control characters; everything else is literal. The canonical form of a missing
// value is null.
func (v Value) AppendCanonical(b []byte) []byte {
	switch v.Kind() {
	case Missing:
		return append(b, "null"...)
	case String:
		if v.node().escaped {
			return appendUnescaped(b, v.Text())
		}
	case Array:
		b = append(b, '[')
		for element := range v.Elements() {
			b = element.AppendCanonical(separate(b, '['))
		}
		return append(b, ']')
	case Object:
		type member struct {
			key   string
			value Value
		}
		members := make([]member, 0, v.Len())
		for key, value := range v.members() {
			members = append(members, member{key.canonical(), value})
		}
		slices.SortFunc(members, func(x, y member) int { return strings.Compare(unquote(x.key), unquote(y.key)) })
		b = append(b, '{')
		for _, m := range members {
			b = append(append(separate(b, '{'), m.key...), ':')
			b = m.value.AppendCanonical(b)
		}
		return append(b, '}')
	}
	return append(b, v.Text()...)
}

// Canonical returns the canonical form of the value.
func (v Value) Canonical() string {
	if v.Kind() == String && !v.node().escaped {
		return v.Text() // a string without escapes is in canonical form
	}
	b := v.AppendCanonical(make([]byte, 0, len(v.Text()))) // no canonical form is longer than the text
	return unsafe.String(unsafe.SliceData(b), len(b))      // nobody else has the bytes
}

func (k key) canonical() string {
	if !k.escaped {
		return k.text
	}
	return string(appendUnescaped(nil, k.text))
}

func unquote(s string) string { return s[1 : len(s)-1] }

// separate appends a comma unless b ends in the opening bracket, which no value ends in.
func separate(b []byte, open byte) []byte {
	if b[len(b)-1] != open {
		b = append(b, ',')
	}
	return b
}

// appendUnescaped appends the text of a string, quotes included, in canonical form. The
// escape of a lone surrogate has no other form and stays as sent; the strings of a document
// have none.
func appendUnescaped(b []byte, text string) []byte {
	b = append(b, '"')
	for s := unquote(text); s != ""; {
		r, size := unescapeRune(s)
		if r == loneSurrogate {
			b = append(b, s[:size]...)
		} else {
			b = appendEscaped(b, string(r))
		}
		s = s[size:]
	}
	return append(b, '"')
}

// AppendLiteral appends a valid JSON text, as sent, with its strings in canonical form. If
// the text has no whitespace, the result is what JavaScript's JSON.stringify writes for the parsed
// value, except that numbers stay as sent.
func AppendLiteral(b []byte, text string) []byte {
	for {
		start := strings.IndexByte(text, '"')
		if start < 0 {
			return append(b, text...)
		}
		end := start + 1
		for ; text[end] != '"'; end++ {
			if text[end] == '\\' {
				end++
			}
		}
		b = appendUnescaped(append(b, text[:start]...), text[start:end+1])
		text = text[end+1:]
	}
}

// AppendString appends s as a JSON string in canonical form. s has to be valid UTF-8.
func AppendString(b []byte, s string) []byte {
	if plainPrefix(s) < len(s) {
		return append(appendEscaped(append(b, '"'), s), '"')
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendEscaped appends s as it stands between the quotes of a string in canonical form.
func appendEscaped(b []byte, s string) []byte {
	for {
		i := plainPrefix(s)
		b = append(b, s[:i]...)
		if i == len(s) {
			return b
		}
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
		s = s[i+1:]
	}
}

// loneSurrogate is what unescapeRune returns for a surrogate escape that is not part of a
// pair. No valid string holds this rune.
const loneSurrogate rune = -1

// unescapeRune decodes the first character of the text between a string's quotes, which
// must not be empty, and returns the character and how many bytes of the text it takes.
func unescapeRune(s string) (rune, int) {
	if s[0] != '\\' {
		return utf8.DecodeRuneInString(s)
	}
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r := hex4(s[2:])
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			if pair := utf16.DecodeRune(r, hex4(s[8:])); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return loneSurrogate, 6
	}
	return rune(s[1]), 2
}

// hex4 decodes four hex digits. The parser has seen that they are hex digits.
func hex4(s string) rune {
	n, _ := strconv.ParseUint(s[:4], 16, 16)
	return rune(n)
}

func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for s != "" {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			i = len(s)
		}
		b = append(b, s[:i]...)
		if s = s[i:]; s == "" {
			break
		}
		r, size := unescapeRune(s)
		b = utf8.AppendRune(b, r)
		s = s[size:]
	}
	return string(b)
}
