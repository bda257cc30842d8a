package fuzz

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// mend returns a JSON object that is like the text. It leaves out what JSON does not have,
// and adds what is lacking: bytes that are changed at random in a JSON text make JSON of it
// only once in fifteen times.
func mend(text []byte) []byte {
	m := mender{text: text, mended: make([]byte, 0, 2*len(text))}
	m.container('{')
	return m.mended
}

type mender struct {
	text   []byte // what has not been read
	mended []byte
	depth  int
}

// container reads an array or object, from its opening bracket on.
func (m *mender) container(open byte) {
	m.depth++
	m.text = m.text[1:]
	m.mended = append(m.mended, open)
	for first := true; len(m.text) > 0; first = false {
		m.text = bytes.TrimLeft(m.text, " \t\r\n,:")
		if len(m.text) == 0 {
			break
		}
		if m.text[0] == '}' || m.text[0] == ']' {
			m.text = m.text[1:]
			break
		}
		if !first {
			m.mended = append(m.mended, ',')
		}
		if open == '{' {
			m.name()
		}
		m.value()
	}
	m.mended = append(m.mended, open+2) // the closing bracket
	m.depth--
}

func (m *mender) name() {
	if m.text[0] == '"' {
		m.string()
	} else {
		m.mended = append(m.mended, `""`...)
	}
	m.mended = append(m.mended, ':')
	m.text = bytes.TrimLeft(m.text, " \t\r\n:")
}

func (m *mender) value() {
	for len(m.text) > 0 {
		switch c := m.text[0]; {
		case c == '"':
			m.string()
			return
		case (c == '{' || c == '[') && m.depth < 90:
			m.container(c)
			return
		case c == 't' || c == 'f' || c == 'n':
			m.text = bytes.TrimLeft(m.text, "abcdefghijklmnopqrstuvwxyz")
			m.mended = append(m.mended, map[byte]string{'t': "true", 'f': "false", 'n': "null"}[c]...)
			return
		case c == '-' || '0' <= c && c <= '9':
			m.number()
			return
		case c == ',' || c == ':' || c == '}' || c == ']':
			m.mended = append(m.mended, "null"...)
			return
		}
		m.text = m.text[1:]
	}
	m.mended = append(m.mended, "null"...)
}

func (m *mender) number() {
	rest := bytes.TrimLeft(m.text, "0123456789+-.eE")
	number := m.text[:len(m.text)-len(rest)]
	m.text = rest
	if !json.Valid(number) {
		number = []byte("0")
	}
	m.mended = append(m.mended, number...)
}

// string reads a string, from its opening quotation mark on.
func (m *mender) string() {
	m.mended = append(m.mended, '"')
	m.text = m.text[1:]
	for len(m.text) > 0 {
		c, size := utf8.DecodeRune(m.text)
		switch {
		case c == '"':
			m.text = m.text[1:]
			m.mended = append(m.mended, '"')
			return
		case c == '\\':
			size = escape(m.text)
			if size == 0 {
				size = 1
				m.mended = append(m.mended, '\\')
			}
			m.mended = append(m.mended, m.text[:size]...)
		case c < ' ' || c == utf8.RuneError && size == 1:
			m.mended = append(m.mended, '?')
		default:
			m.mended = append(m.mended, m.text[:size]...)
		}
		m.text = m.text[size:]
	}
	m.mended = append(m.mended, '"')
}

// escape returns how many bytes the escape has with which the text begins, 0 if it is none.
func escape(text []byte) int {
	switch {
	case len(text) >= 2 && strings.IndexByte(`"\/bfnrt`, text[1]) >= 0:
		return 2
	case len(text) >= 6 && text[1] == 'u' && len(bytes.Trim(text[2:6], "0123456789abcdefABCDEF")) == 0:
		return 6
	}
	return 0
}

func TestMend(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b":["x",{}]}`:      `{"a":1,"b":["x",{}]}`,
		`{"a" 1 "b":[tru,x"x\q`:     `{"a":1,"b":[true,"x\\q"]}`,
		`{a:1,"b":,"c"`:             `{"":null,"":1,"b":null,"c":null}`,
		"{\"a\":\"\n\xff\\u12\"}}x": `{"a":"??\\u12"}`,
		`{"a":01e]`:                 `{"a":0}`,
		`{`:                         `{}`,
	} {
		if got := string(mend([]byte(text))); got != want {
			t.Errorf("mending %q: expected %s, got %s", text, want, got)
		}
	}
}
