package payload_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

func TestMended(t *testing.T) {
	tests := []struct{ name, text, mended string }{
		{"a high surrogate", `["\ud83d cut"]`, `["� cut"]`},
		{"a low surrogate", `["\uDE00"]`, `["�"]`},
		{"surrogates in the wrong order", `["\ude00\ud83d"]`, `["��"]`},
		{"a surrogate in front of a pair", `["\ud83d\ud83d\ude00"]`, `["�\ud83d\ude00"]`},
		{"a surrogate behind a pair", `["\ud83d\ude00\ude00"]`, `["\ud83d\ude00�"]`},
		{"a surrogate in front of another escape", `["\ud83d\n","\ud83d\u0041"]`, `["�\n","�\u0041"]`},
		{"NUL", `["a\u0000b\\u0000"]`, `["a�b\\u0000"]`},
		{"noncharacters", "[\"\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff\"]", `["������"]`},
		{"noncharacters escaped", `["\ufdd0\uFDEF\ufffe\uFFFF\ud83f\udffe\udbff\udfff"]`, `["������"]`},
		{"in keys", `{"\u0000a":{"` + "\uffff" + `":"\ud800"}}`, `{"�a":{"�":"�"}}`},
		{"with whitespace", "{ \"\\u0000\" : [ 1 , \"\\u0000\" ] }", `{"�":[1,"�"]}`},
		{"a key twice", `{"a":1,"b":2,"a":3}`, `{"b":2,"a":3}`},
		{"a key often", `{"a":1,"a":2,"a":[3],"a":{"a":4}}`, `{"a":{"a":4}}`},
		{"a key twice at a depth", `[[{"a":{"b":[{"c":1,"c":2}]}}]]`, `[[{"a":{"b":[{"c":2}]}}]]`},
		{"keys within what is left out", `{"a":{"b":1,"b":2},"a":3}`, `{"a":3}`},
		{"an empty key twice", `{"":1,"":2}`, `{"":2}`},
		{"a long key twice", `{"a key of many bytes":1,"a key of many bytes":2}`, `{"a key of many bytes":2}`},
		{"a key that is escaped once", `{"a":1,"\u0061":2,"é":3,"\u00e9":4,"/":5,"\/":6}`, `{"\u0061":2,"\u00e9":4,"\/":6}`},
		{"a pair and its character", `{"\ud83d\ude00":1,"😀":2}`, `{"😀":2}`},
		{"keys that become the same", `{"\u0000":1,"b":2,"\ud800":3,"�":4}`, `{"b":2,"�":4}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := parse(t, test.text)
			require.True(t, v.Mended())
			require.Equal(t, test.mended, v.Text())
			require.True(t, v.Without("none").Mended(), "a copy is as mended as the document that it is made from")
			again := parse(t, test.mended)
			require.False(t, again.Mended())
			require.Equal(t, test.mended, again.Text())
		})
	}
	for name, text := range map[string]string{
		"characters next to noncharacters": "[\"\ufdcf\ufdf0\ufffd\ufffc\U0001fffd\u1ffe\U00020000\ufdfa\"]",
		"their escapes":                    `["\ufdcf\ufdf0\ufffd\ufffc\ud83f\udffd\u1ffe\ud840\udc00\u0001\ud7ff\ue000"]`,
		"keys that differ":                 `{"a":1,"A":2,"":3,"aa":4,"a ":5,"\u0001":6,"é":7,"e\u0301":8}`,
		"the same key in several objects":  `{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}`,
		"long keys that differ within":     `{"customer_phone_number_formatted":1,"customer_place_number_formatted":2}`,
		"large numbers":                    `[12345678901234567890,1e999]`,
	} {
		v := parse(t, text)
		require.False(t, v.Mended(), name)
		require.Equal(t, text, v.Text(), name)
	}
	require.False(t, payload.Value{}.Mended())
}

// A document that is not mended may use the memory of one that was.
func TestMendedIsOfOneDocument(t *testing.T) {
	for range 100 {
		parse(t, `{"a":1,"a":2}`).Release()
		v := parse(t, `{"a":1,"b":2}`)
		require.False(t, v.Mended())
		v.Release()
	}
}

func TestMendedForm(t *testing.T) {
	for form, want := range map[string]string{
		"a%00=b%EF%BF%BF&c[%00]=%F0%9F%BF%BE": `{"a�":"b�","c":{"�":"�"}}`,
		"a%00=1&b=2&a%EF%BF%BE=3":             `{"b":"2","a�":"3"}`,
	} {
		v, err := payload.ParseBody(form, urlencoded)
		require.NoError(t, err)
		require.True(t, v.Mended())
		require.Equal(t, want, v.Text())
	}
	v, err := payload.ParseBody("a=1&a=2&b=%EF%BF%BD", urlencoded)
	require.NoError(t, err)
	require.False(t, v.Mended(), "a repeated name is an array")
}

// However many members an object has, of which lengths, and how the keys are written: the
// last member of each name is left.
func TestRepeatedKeys(t *testing.T) {
	for _, members := range []int{2, 3, 7, 8, 63, 64, 127, 128, 170, 171, 255, 256, 1000, 20_000} {
		for _, length := range []int{1, 8, 16, 17, 40} {
			key := func(i int) string { return fmt.Sprintf("%0*d", length, i) }
			var text strings.Builder
			for i := range members {
				fmt.Fprintf(&text, `,"%s":%d`, key(i), i)
			}
			plain := "{" + text.String()[1:] + "}"
			v := parse(t, plain)
			require.False(t, v.Mended())
			require.Equal(t, plain, v.Text())

			for _, i := range []int{0, members / 2, members - 1} {
				v := parse(t, fmt.Sprintf(`{"\u00%02x%s":"last",%s`, key(i)[0], key(i)[1:], plain[1:]))
				require.True(t, v.Mended())
				require.Equal(t, plain, v.Text())

				v = parse(t, fmt.Sprintf(`%s,"\u00%02x%s":"last"}`, plain[:len(plain)-1], key(i)[0], key(i)[1:]))
				require.True(t, v.Mended())
				require.Equal(t, members, v.Len())
				require.Equal(t, `"last"`, v.Get(key(i)).Text())
			}
		}
	}
}

// Invalid UTF-8 and noncharacters are found wherever they stand, because ASCII is read 32
// and 8 bytes at a time.
func TestCharactersWhereverTheyStand(t *testing.T) {
	for before := range 70 {
		for _, around := range []string{"a", "é", "日"} {
			text := `"` + strings.Repeat("a", before) + "%s" + strings.Repeat(around, 40) + `"`
			require.False(t, parse(t, fmt.Sprintf(text, around)).Mended())
			v := parse(t, fmt.Sprintf(text, "\uffff"))
			require.True(t, v.Mended())
			require.Equal(t, fmt.Sprintf(text, "�"), v.Text())
			_, err := payload.Parse(fmt.Sprintf(text, "\xed\xa0\x80")) // a surrogate
			require.EqualError(t, err, fmt.Sprintf("reading JSON: expected UTF-8, byte %d is not", before+1))
		}
	}
}

// FuzzInteroperable holds whatever is read, of JSON and of forms, to I-JSON: jsontext refuses
// repeated keys, invalid UTF-8 and lone surrogates. What is I-JSON as sent is not mended, and
// what was mended has not to be mended again.
func FuzzInteroperable(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,"\ud83d\ude00\ud800",{"\u0000":null,"\uffff":2,"\ufffd":3}]}`, `{"a":1,"a":{"b":2,"\u0062":3}}`, "[\"\ufdd0\U0001ffff\"]",
		`a=1&a[b%00]=%EF%BF%BF&c=%F0%9F%98%80&a[b%EF%BF%BD]=2`, "{\"\x7f\":\"é\u2028\"}", ` { "a" : 1 , "b" : [ ] , "a" : { } } `,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := payload.Parse(text); err == nil {
			require.Equal(t, !interoperable(t, strings.TrimPrefix(text, "\ufeff")), v.Mended(), "mended to %s", v.Text())
			requireInteroperable(t, v)
		}
		if v, err := payload.ParseBody(text, urlencoded); err == nil {
			requireInteroperable(t, v)
		}
	})
}

func requireInteroperable(t *testing.T, v payload.Value) {
	t.Helper()
	require.True(t, interoperable(t, v.Text()), "%s", v.Text())
	require.LessOrEqual(t, depth([]byte(v.Text())), payload.MaxDepth)
	again := parse(t, v.Text())
	require.False(t, again.Mended())
	require.Equal(t, v.Text(), again.Text())
	require.Equal(t, v.Canonical(), again.Canonical())
	require.True(t, interoperable(t, v.Canonical()), "%s", v.Canonical())
}

// interoperable reports whether a valid JSON text is I-JSON, but for the size of numbers.
func interoperable(t *testing.T, text string) bool {
	t.Helper()
	d := jsontext.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil || token.Kind() == '"' && mend(token.String()) != token.String() {
			return false
		}
	}
}

// mend replaces the unreadable characters of a text.
func mend(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0, r >= 0xfdd0 && r <= 0xfdef, r%0x10000 == 0xfffe, r%0x10000 == 0xffff:
			return '\ufffd'
		}
		return r
	}, text)
}

// readMended reads a valid JSON text with jsontext, replaces unreadable characters, and lets
// the last member of a name count.
func readMended(t *testing.T, text []byte) any {
	t.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var read func() any
	read = func() any {
		token, err := d.ReadToken()
		require.NoError(t, err)
		switch token.Kind() {
		case '{':
			object := map[string]any{}
			for d.PeekKind() != '}' {
				name, _ := read().(string)
				object[name] = read()
			}
			_, err = d.ReadToken()
			require.NoError(t, err)
			return object
		case '[':
			array := []any{}
			for d.PeekKind() != ']' {
				array = append(array, read())
			}
			_, err = d.ReadToken()
			require.NoError(t, err)
			return array
		case '"':
			return mend(token.String())
		case '0':
			return json.Number(token.String())
		case 't', 'f':
			return token.Bool()
		}
		return nil
	}
	return read()
}
