package payload_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

func parse(t testing.TB, text string) payload.Value {
	t.Helper()
	v, err := payload.Parse(text)
	require.NoError(t, err)
	return v
}

func TestParseAccepts(t *testing.T) {
	deep := strings.Repeat("[", payload.MaxDepth) + strings.Repeat("]", payload.MaxDepth)
	tests := []struct{ name, text, compact string }{
		{"scalar", ` 1 `, `1`},
		{"empty containers", "[ { } , [ ] ]", `[{},[]]`},
		{"whitespace of each kind", "{ \"a\" :\t[ 1 ,\r\n2 ] }\n", `{"a":[1,2]}`},
		{"whitespace before a comma", `{"a":1 ,"b":2}`, `{"a":1,"b":2}`},
		{"whitespace in strings stays", `{"a b" : " c "}`, `{"a b":" c "}`},
		{"escapes stay", `{"\u0061":"\/\"\\"}`, `{"\u0061":"\/\"\\"}`},
		{"numbers stay", `[1.50,-0,1E+2,228930314431312345678]`, `[1.50,-0,1E+2,228930314431312345678]`},
		{"byte order mark", "\ufeff{}", `{}`},
		{"deepest nesting", deep, deep},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := parse(t, test.text)
			require.Equal(t, test.compact, v.Text())
			require.False(t, v.Mended())
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, text, errContains string }{
		{"nothing", ``, "byte 0: expected a value, got the end"},
		{"a byte order mark only", "\ufeff", "got the end"},
		{"truncated", `{"a":`, "byte 5: expected a value, got the end"},
		{"trailing data", `{} {}`, "byte 3: expected nothing after the value, got '{'"},
		{"trailing text that is no ASCII", `{} é`, "byte 3: expected nothing after the value, got 'é'"},
		{"trailing comma", `{"a":1,}`, "byte 7: expected a key in quotes, got '}'"},
		{"no separator", `[1 2]`, "expected ',' or ']', got '2'"},
		{"leading zero", `[01]`, "expected ',' or ']', got '1'"},
		{"comment", `{}//`, "expected nothing after the value, got '/'"},
		{"single quotes", `{'a':1}`, "expected a key in quotes"},
		{"control character in a string", "[\"a\nb\"]", "escape for a control character"},
		{"unknown escape", `["\x"]`, "expected an escape that JSON has, got 'x'"},
		{"NaN", `[NaN]`, "expected a value, got 'N'"},
		{"half a literal", `[tru]`, "expected a value"},
		{"half a number", `[-]`, "expected a digit"},
		{"half an exponent", `[1e+]`, "expected a digit"},
		{"half an escape", `["\u12"]`, "expected a hex digit"},
		{"an open string", `["a`, "expected the end of a string"},
		{"invalid UTF-8", "[\"a\xff\"]", "expected UTF-8, byte 3 is not"},
		{"invalid UTF-8 at once", "\xff{}", "expected UTF-8, byte 0 is not"},
		{"overlong UTF-8", "[\"\xc0\xaf\"]", "expected UTF-8, byte 2 is not"},
		{"too deep", strings.Repeat("[", payload.MaxDepth+1) + strings.Repeat("]", payload.MaxDepth+1), "byte 100: expected at most 100 levels"},
		{"far too deep", strings.Repeat(`{"a":`, 100000), "expected at most 100 levels"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := payload.Parse(test.text)
			require.ErrorContains(t, err, test.errContains)
		})
	}
}

func TestValues(t *testing.T) {
	v := parse(t, `{"a":"one","b":{"c":["x",{"d":null}]},"\u0065":true,"A":0,"s":"\ud83d\ude00\n\/"}`)

	a, ok := v.Get("a").Scalar()
	require.True(t, ok)
	require.Equal(t, "one", a)
	require.Equal(t, "true", v.Get("e").Text(), "a key is matched by its decoded value")
	require.Equal(t, "0", v.Get("A").Text(), "a key is matched in its letter case")
	require.Equal(t, payload.Missing, v.Get("C").Kind())
	require.Equal(t, payload.Missing, v.Get("a").Get("b").Get("c").Kind())
	s, _ := v.Get("s").Scalar()
	require.Equal(t, "😀\n/", s)

	var names []string
	for name := range v.Members() {
		names = append(names, name)
	}
	require.Equal(t, []string{"a", "b", "e", "A", "s"}, names)
	var elements []string
	for e := range v.Get("b").Get("c").Elements() {
		elements = append(elements, e.Text())
	}
	require.Equal(t, []string{`"x"`, `{"d":null}`}, elements)
	require.True(t, v.Get("b").Has("c"))
	require.False(t, v.Get("b").Has("d"))
}

func TestAbsent(t *testing.T) {
	v := parse(t, `{"null":null,"string":"","array":[],"object":{},"false":false,"zero":0,"space":" ","nested":[null]}`)
	for name, member := range v.Members() {
		switch name {
		case "null", "string", "array", "object":
			require.True(t, member.Absent(), name)
		default:
			require.False(t, member.Absent(), name)
		}
	}
	require.True(t, v.Get("missing").Absent())
}

// The canonical form is frozen: ids are computed over it.
func TestCanonical(t *testing.T) {
	tests := []struct{ name, text, canonical string }{
		{"whitespace goes", "{ \"a\" : [ 1 , 2 ] }", `{"a":[1,2]}`},
		{"keys are sorted bytewise", `{"b":1,"é":2,"a":3,"B":4,"aa":5,"":6,"😀":7,"z":8}`, `{"":6,"B":4,"a":3,"aa":5,"b":1,"z":8,"é":2,"😀":7}`},
		{"keys are sorted at every depth", `[{"b":{"d":1,"c":2},"a":3}]`, `[{"a":3,"b":{"c":2,"d":1}}]`},
		{"keys are sorted after unescaping", `{"\u0062":1,"a":2}`, `{"a":2,"b":1}`},
		{"the last of several members counts", `{"b":2,"a":1,"b":1,"\u0062":0}`, `{"a":1,"b":0}`},
		{"numbers are as sent", `[1.50,1.5,1E2,-0]`, `[1.50,1.5,1E2,-0]`},
		{"short escapes", `["\"\\\/\b\t\n\f\r"]`, `["\"\\/\b\t\n\f\r"]`},
		{"control characters", `["\u0001\u001F\u007f\u0008"]`, "[\"\\u0001\\u001f\u007f\\b\"]"},
		{"everything else is literal", `["\u00e9\u2028<>&\ud83d\ude00"]`, "[\"é\u2028<>&😀\"]"},
		{"unreadable characters are U+FFFD", `["\uD800\u0041","\udfFF\ud83d\uDE00","\u0000\uffff"]`, `["�A","�😀","��"]`},
		{"literals", `[true,false,null,"",{},[]]`, `[true,false,null,"",{},[]]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := parse(t, test.text)
			require.Equal(t, test.canonical, string(v.AppendCanonical(nil)))
			again := parse(t, test.canonical)
			require.Equal(t, test.canonical, string(again.AppendCanonical(nil)), "a canonical form is its own")
		})
	}
	require.Equal(t, "null", string(payload.Value{}.AppendCanonical(nil)))
}

func TestBind(t *testing.T) {
	type common struct {
		ID payload.Value `json:"id"`
	}
	type native struct {
		common
		Name  payload.Value `json:"name"`
		Other payload.Value `json:"other"`
	}
	n := payload.Bind[native](parse(t, `{"id":1,"name":"first","Name":"no","":0,"n\u0061me":"last","unknown":{"id":2}}`)) // the last name is left
	require.Equal(t, "1", n.ID.Text())
	require.Equal(t, `"last"`, n.Name.Text())
	require.Equal(t, payload.Missing, n.Other.Kind())
	require.Equal(t, native{}, payload.Bind[native](parse(t, `[]`)))
	require.Equal(t, native{}, payload.Bind[native](payload.Value{}))

	require.Panics(t, func() {
		payload.Bind[struct {
			ID string `json:"id"`
		}](payload.Value{})
	})
	require.Panics(t, func() { payload.Bind[struct{ ID payload.Value }](payload.Value{}) })
}

func TestWithout(t *testing.T) {
	v := parse(t, `{"Credentials":{"token":"t"},"a":[{"CREDENTIALS":1,"b":2,"webhookurl":"u"}],"\u0063redentials":3,"c":"credentials"}`)
	left := v.Without("credentials", "webhookUrl")
	require.Equal(t, `{"a":[{"b":2}],"c":"credentials"}`, left.Text())
	requireSame(t, unmarshal(t, []byte(left.Text())), left)
	require.Equal(t, left.Text(), left.Without("credentials").Text())
	v = parse(t, `{"credential\u017f":1,"CREDENTIAL\u0053":2,"credentials2":3,"credential":4,"weboo\u212aurl":5}`)
	require.Equal(t, `{"credentials2":3,"credential":4}`, v.Without("credentials", "webookUrl").Text(), "in any case that letters have")
}

func TestForm(t *testing.T) {
	tests := []struct{ name, form, text string }{
		{"fields are strings", "a=1&b=true&c=", `{"a":"1","b":"true","c":""}`},
		{"percent and plus", "na%20me=J%C3%B6rg+%26+S%C3%B6hne%2B", `{"na me":"Jörg & Söhne+"}`},
		{"a repeated key is an array", "a=1&a=2&a=3", `{"a":["1","2","3"]}`},
		{"brackets nest", "a[b][c]=1&a[b][d]=2", `{"a":{"b":{"c":"1","d":"2"}}}`},
		{"encoded brackets nest", "a%5Bb%5D=1", `{"a":{"b":"1"}}`},
		{"empty brackets are an array", "a[]=1&b[c][]=2&b[c][]=3", `{"a":["1"],"b":{"c":["2","3"]}}`},
		{"dots and slashes are no paths", "a.b=1&c~1d=2&e/f=3", `{"a.b":"1","c~1d":"2","e/f":"3"}`},
		{"unbalanced brackets are a name", "a[b=1&c]=2&[d]=3&e[f]g=4", `{"a[b":"1","c]":"2","[d]":"3","e[f]g":"4"}`},
		{"values and nested names", "a=1&a[b]=2&c[d]=3&c=4", `{"a":["1",{"b":"2"}],"c":["4",{"d":"3"}]}`},
		{"array syntax and indices", "a[]=1&a[0]=2&a[*]=3&a[-]=4", `{"a":["1",{"0":"2","*":"3","-":"4"}]}`},
		{"an empty part within", "a[][b]=1", `{"a[][b]":"1"}`},
		{"byte order mark and line end", "\ufeffa=1&b=x\r\n", `{"a":"1","b":"x"}`},
		{"many fields", "a=0&b=1&c=2&d=3&e=4&f=5&g=6&h=7&i=8&j=9&k=10&l=11&m=12&n=13&o=14&p=15&q=16&r=17&a=18&r=19", `{"a":["0","18"],"b":"1","c":"2","d":"3","e":"4","f":"5","g":"6","h":"7","i":"8","j":"9","k":"10","l":"11","m":"12","n":"13","o":"14","p":"15","q":"16","r":["17","19"]}`},
		{"no equals sign", "a&b=1", `{"a":"","b":"1"}`},
		{"empty pairs", "&a=1&&", `{"a":"1"}`},
		{"a value with equals signs", "a=b=c", `{"a":"b=c"}`},
		{"markup is literal", "a=<b>", `{"a":"<b>"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v, err := payload.ParseBody(test.form, urlencoded)
			require.NoError(t, err)
			require.Equal(t, test.text, v.Text())
		})
	}
	for _, test := range []struct{ name, form, errContains string }{
		{"empty", "", "expected at least one field"},
		{"nothing in it", "=&=", "expected at least one field"},
		{"separators only", "&&", "expected at least one field"},
		{"percent", "a=%zz", "invalid URL escape"},
		{"invalid UTF-8", "a=%ff", "expected UTF-8"},
		{"too deep", "a" + strings.Repeat("[b]", payload.MaxDepth) + "=1", "levels of nesting"},
		{"too many values", strings.Repeat("a=1&", payload.MaxFormParts), "expected at most 20000 names and values"}, // and the name
		{"too many names", manyNames(payload.MaxFormParts/2 + 1), "expected at most 20000 names and values"},
		{"too many nested names", strings.Repeat("a[b]=1&", payload.MaxFormParts-1), "expected at most 20000 names and values"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := payload.ParseBody(test.form, urlencoded)
			require.ErrorContains(t, err, test.errContains)
		})
	}
	for _, form := range []string{strings.Repeat("a=1&", payload.MaxFormParts-1), manyNames(payload.MaxFormParts / 2), strings.Repeat("a[b]=1&", payload.MaxFormParts-2)} {
		_, err := payload.ParseBody(form, urlencoded)
		require.NoError(t, err, "as much as a form may have")
	}
}

// manyNames returns a form of n different names, each with a value.
func manyNames(n int) string {
	var form strings.Builder
	for i := range n {
		fmt.Fprintf(&form, "f%d=&", i)
	}
	return form.String()
}

// Strings are read and written eight bytes at a time, and short ones four or one: a byte that
// needs an escape is found wherever it stands, whatever stands around it, and no other byte is.
func TestEscapesWhereverTheyStand(t *testing.T) {
	escapes := map[string]string{`"`: `\"`, `\`: `\\`, "\x00": `\u0000`, "\x01": `\u0001`, "\x1f": `\u001f`, "\n": `\n`, "é": "é", "": ""}
	for _, around := range []string{"a", "\x7f", "é", "\u00ff", "!", "#", "[", "]", " "} {
		for special, escape := range escapes {
			for before := range 18 {
				for behind := range 10 {
					begin, end := strings.Repeat(around, before), strings.Repeat(around, behind)
					s, text := begin+special+end, payload.AppendString(nil, begin+special+end)
					require.Equal(t, `"`+begin+escape+end+`"`, string(text))
					if special == "\x00" {
						continue // which is mended where it is read
					}
					read, ok := parse(t, string(text)).Scalar()
					require.True(t, ok)
					require.Equal(t, s, read)
				}
			}
		}
	}
}

// FuzzParse holds the parser to others: it accepts what encoding/json accepts, and what
// jsontext does, its text is what encoding/json compacts unless it is mended, and its values
// are those of jsontext.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"\ud83d\ude00\ud800",true,null,{}]}`, ` [ ] `, `{"a":1,"a":2}`, "\"\xff\"", `1 2`, `{"a" :1 , "b": [ ]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := payload.Parse(string(text))
		plain := bytes.TrimPrefix(text, []byte("\ufeff"))
		if want := json.Valid(plain) && utf8.Valid(plain) && depth(plain) <= payload.MaxDepth; want != (err == nil) {
			t.Fatalf("Parse(%q): %v, encoding/json accepts: %v", text, err, want)
		}
		strict := jsontext.Value(plain)
		if want := utf8.Valid(plain) && depth(plain) <= payload.MaxDepth && strict.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); want != (err == nil) {
			t.Fatalf("Parse(%q): %v, jsontext accepts: %v", text, err, want)
		}
		if err != nil {
			return
		}
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, plain))
		if !v.Mended() {
			require.Equal(t, compact.String(), v.Text())
		}
		requireSame(t, readMended(t, plain), v)

		canonical := v.AppendCanonical(nil)
		again, err := payload.Parse(string(canonical))
		require.NoError(t, err)
		require.Equal(t, string(canonical), string(again.AppendCanonical(nil)))
		require.Empty(t, cmp.Diff(readMended(t, plain), unmarshal(t, canonical)))
	})
}

// requireSame walks both documents.
func requireSame(t *testing.T, want any, v payload.Value) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		require.Equal(t, payload.Object, v.Kind())
		seen := map[string]bool{}
		for name := range v.Members() {
			seen[name] = true
			requireSame(t, want[name], v.Get(name))
		}
		require.Len(t, seen, len(want))
	case []any:
		require.Equal(t, payload.Array, v.Kind())
		i := 0
		for element := range v.Elements() {
			requireSame(t, want[i], element)
			i++
		}
		require.Len(t, want, i)
	case nil:
		require.Equal(t, payload.Null, v.Kind())
	case string:
		require.Equal(t, payload.String, v.Kind())
		s, _ := v.Scalar()
		require.Equal(t, want, s)
	default:
		require.Equal(t, fmt.Sprint(want), v.Text())
	}
}

func depth(text []byte) int {
	d := json.NewDecoder(bytes.NewReader(text))
	depth, deepest := 0, 0
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

func unmarshal(t *testing.T, text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	return v
}

// BenchmarkParse compares ways to read a body of 3 KB: ours, the tokens alone of
// jsontext, and encoding/json.
func BenchmarkParse(b *testing.B) {
	body, err := os.ReadFile("../vendors/callrail/testdata/post_call/abandoned.json")
	require.NoError(b, err)
	b.Run("payload", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			v, err := payload.Parse(string(body))
			require.NoError(b, err)
			v.Release()
		}
	})
	b.Run("jsontext", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		d := jsontext.NewDecoder(bytes.NewBuffer(nil))
		for b.Loop() {
			d.Reset(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
			for {
				if _, err := d.ReadToken(); errors.Is(err, io.EOF) {
					break
				}
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			require.NoError(b, json.Unmarshal(body, &v))
		}
	})
}

func TestAppendLiteral(t *testing.T) {
	for text, want := range map[string]string{
		`{"b":1.50,"a":[true,null,"x"],"a":{}}`: `{"b":1.50,"a":[true,null,"x"],"a":{}}`,
		`["\u00e9\/\"\\\n\u0001\ud83d\ude00"]`:  `["é/\"\\\n\u0001😀"]`,
		`["\ud83d","\\"]`:                       `["\ud83d","\\"]`,
		`"\u2028"`:                              "\"\u2028\"",
		`12`:                                    `12`,
	} {
		require.Equal(t, want, string(payload.AppendLiteral(nil, text)), text)
	}
}
