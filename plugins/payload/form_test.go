package payload_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

const (
	urlencoded = "application/x-www-form-urlencoded"
	inParts    = "multipart/form-data; boundary=xyz"
)

// lines puts the line ends of mail behind the lines.
func lines(all ...string) string { return strings.Join(all, "\r\n") + "\r\n" }

// field returns the part of a field.
func field(name, text string) string {
	return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + text + "\r\n"
}

func TestWhatIsAForm(t *testing.T) {
	tests := []struct {
		contentType, body string
		form              bool
	}{
		{urlencoded, "a=1", true},
		{"Application/X-WWW-Form-Urlencoded; charset=utf-8", "a=1", true},
		{urlencoded, " {\"a\":1}", false},
		{urlencoded, "[a]=1", true},
		{urlencoded, "[a]=\"b\"", true},
		{urlencoded, "[]", false},
		{urlencoded, "[1,2]", false},
		{urlencoded, "[{\"a\":\"b\"}]", false},
		{urlencoded, "\ufeff\n[[\"a=b\"]]", false},
		{urlencoded, "[{\"a\":", false},
		{urlencoded, "\"a=b\"", false},
		{"", "[a]=1", false},
		{urlencoded, "", true},
		{urlencoded + "; charset", "a=1", true},
		{"application/json", "a=1", false},
		{"application/vnd.api+json; charset=utf-8", "a=1", false},
		{"text/plain", "a=1", true},
		{"text/plain", "some text", false},
		{"", "a=1&b=2", true},
		{"", "a%5Bb%5D=1", true},
		{"", "{\"a=b\":1}", false},
		{"", "\ufeff{\"a\":\"b=c\"}", false},
		{"", "true", false},
		{"", "12", false},
		{"", "<a href=\"x\">", false},
		{"", "", false},
		{"; broken", "a=1", true},
		{inParts, field("a", "1") + "--xyz--", true},
		{inParts, "", true},
		{inParts, "{\"a\":1}", false},
		{inParts, "\r\n{\"a\":1}", false},
		{"text/plain", field("a", "1") + "--xyz--", false},
		{"", field("a", "1") + "--xyz--", false},
	}
	for _, test := range tests {
		v, err := payload.ParseBody(test.body, test.contentType)
		form := strings.HasPrefix(v.Text(), `{`) && !strings.Contains(test.body, "{")
		if err != nil {
			require.Regexp(t, "^reading (form|JSON): ", err.Error())
			form = strings.HasPrefix(err.Error(), "reading form")
		}
		require.Equal(t, test.form, form, "%q %q: %v", test.contentType, test.body, err)
	}
}

func TestCharset(t *testing.T) {
	for _, test := range []struct{ charset, form, text string }{
		{"utf-8", "a=%C3%A9", `{"a":"é"}`},
		{"UTF8", "a=%C3%A9", `{"a":"é"}`},
		{`"utf-8"`, "a=%C3%A9", `{"a":"é"}`},
		{"", "a=%C3%A9", `{"a":"é"}`},
		{"ISO-8859-1", "n%E9=%E9+%80", `{"né":"é €"}`}, // browsers read this label as windows-1252
		{"iso-8859-1", "n\xe9=\xe9", `{"né":"é"}`},
		{"windows-1251", "a[%E6]=%E6&a[%E6]=%E7", `{"a":{"ж":["ж","з"]}}`},
		{"Shift_JIS", "a=%83%65%5B%83%58%5D", `{"a":"テ[ス]"}`},
		{"gb18030", "a=%D6%D0%81%30%81%30", "{\"a\":\"中\u0080\"}"},
		{"iso-2022-jp", "a=%1B$B%46%7C%1B(B%41&b=%41", `{"a":"日A","b":"A"}`},
		{"us-ascii", "a=b", `{"a":"b"}`},
	} {
		v, err := payload.ParseBody(test.form, urlencoded+"; charset="+test.charset)
		require.NoError(t, err, test.charset)
		require.Equal(t, test.text, v.Text(), test.charset)
	}
	for _, test := range []struct{ charset, form, errContains string }{
		{"ebcdic", "a=1", `reading form: expected a charset of the Encoding Standard, got "ebcdic"`},
		{"utf-7", "a=1", `expected a charset of the Encoding Standard, got "utf-7"`},
		{"iso-2022-kr", "a=1", "expected replacement, field \"a\" is not"}, // browsers do not read it
		{"utf-16", "a=1", "expected utf-16le, field \"a\" is not"},
		{"utf-8", "%FF=1", "expected UTF-8, field \"%FF\" is not"},
		{"shift_jis", "a=%83", "expected shift_jis, field \"a\" is not"},
		{"koi8-r", "a=%zz", "invalid URL escape"},
	} {
		_, err := payload.ParseBody(test.form, urlencoded+"; charset="+test.charset)
		require.ErrorContains(t, err, test.errContains)
	}
}

func TestMultipart(t *testing.T) {
	for _, test := range []struct{ name, contentType, body, text string }{
		{"fields", inParts, field("b", "1") + field("a", "") + "--xyz--\r\n", `{"b":"1","a":""}`},
		{"nothing is encoded", inParts, field("a+%20", "1+1=%32&c=3") + "--xyz--", `{"a+%20":"1+1=%32&c=3"}`},
		{"names nest and repeat", inParts, field("a", "1") + field("a", "2") + field("b[c]", "3") + field("b[]", "4") + "--xyz--", `{"a":["1","2"],"b":["4",{"c":"3"}]}`},
		{"text in front and behind", inParts, "to whom it may concern\r\n" + field("a", "1") + "--xyz--\r\nbehind", `{"a":"1"}`},
		{"spaces behind a boundary", inParts, "--xyz \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--xyz--", `{"a":"1"}`},
		{"lines of Unix", inParts, strings.ReplaceAll(field("a", "1\n2")+"--xyz--\n", "\r\n", "\n"), `{"a":"1\n2"}`},
		{"lines of Unix without the last", inParts, strings.ReplaceAll(field("a", "1\r\n2")+"--xyz-- ", "\r\n", "\n"), `{"a":"1\n2"}`},
		{"lines and what is almost a boundary", inParts, field("a", "1\r\n--xy\r\n--xyzz\r\n") + "--xyz--", `{"a":"1\r\n--xy\r\n--xyzz\r\n"}`},
		{"a quoted boundary", `multipart/form-data; boundary="=_a (b)"`, "--=_a (b)\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--=_a (b)--", `{"a":"1"}`},
		{"a name with quotes and UTF-8", inParts, field(`\"é\"`, "é") + "--xyz--", `{"\"é\"":"é"}`},
		{"a name in percent encoding", inParts, lines("--xyz", "content-disposition: Form-Data; name*=utf-8''%C3%A9", "", "1", "--xyz--"), `{"é":"1"}`},
		{"an empty name", inParts, field("", "1") + "--xyz--", `{"":"1"}`},
		{"quoted-printable", inParts, lines("--xyz", `Content-Disposition: form-data; name="a"`, "Content-Transfer-Encoding: Quoted-Printable", "", "=C3=A9=3D=", "1", "--xyz--"), `{"a":"é=1"}`},
		{"base64", inParts, lines("--xyz", `Content-Disposition: form-data; name="a"`, "Content-Transfer-Encoding: BASE64", "", "w6", "k=", "--xyz--"), `{"a":"é"}`},
		{"8bit", inParts, lines("--xyz", `Content-Disposition: form-data; name="a"`, "Content-Transfer-Encoding: 8bit", "", "é", "--xyz--"), `{"a":"é"}`},
		{"a part's charset", inParts, lines("--xyz", `Content-Disposition: form-data; name="é"`, "Content-Type: text/plain; charset=iso-8859-1", "", "\xe9", "--xyz--"), `{"é":"é"}`},
		{"a form's charset", inParts + "; charset=windows-1251", field("\xe6", "\xe7") + "--xyz--", `{"ж":"з"}`},
		{"both charsets", inParts + "; charset=windows-1251", lines("--xyz", "Content-Disposition: form-data; name=\"\xe6\"", "Content-Type: text/plain; charset=utf-8", "", "é", "--xyz--"), `{"ж":"é"}`},
		{"JSON in a field is text", inParts, lines("--xyz", `Content-Disposition: form-data; name="a"`, "Content-Type: application/json", "", `{"b":1}`, "--xyz--"), `{"a":"{\"b\":1}"}`},
		{"a file", inParts, lines("--xyz", `Content-Disposition: form-data; name="a"; filename="C:\é\\x.txt"`, "Content-Type: text/plain; charset=utf-16", "", "\x00\xff", "--xyz--"), `{"a":{"filename":"C:\\é\\x.txt","content_type":"text/plain; charset=utf-16","base64":"AP8="}}`},
		{"a file that is encoded", inParts, lines("--xyz", `Content-Disposition: form-data; name="a"; filename=x`, "Content-Transfer-Encoding: base64", "", "AP", "8=", "--xyz--"), `{"a":{"filename":"x","content_type":"","base64":"AP8="}}`},
		{"no file was chosen", inParts, lines("--xyz", `Content-Disposition: form-data; name="a"; filename=""`, "Content-Type: application/octet-stream", "", "", "--xyz--"), `{"a":{"filename":"","content_type":"application/octet-stream","base64":""}}`},
		{"files and texts of one name", inParts, field("a[]", "1") + lines("--xyz", `Content-Disposition: form-data; name="a[]"; filename="x"`, "", "y", "--xyz--"), `{"a":["1",{"filename":"x","content_type":"","base64":"eQ=="}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := payload.ParseBody(test.body, test.contentType)
			require.NoError(t, err)
			require.Equal(t, test.text, v.Text())
		})
	}
	for _, test := range []struct{ name, contentType, body, errContains string }{
		{"empty", inParts, "", "reading form: expected part 1 to be whole"},
		{"no fields", inParts, "--xyz--\r\n", "reading form: expected at least one field"},
		{"no boundary", "multipart/form-data", field("a", "1") + "--xyz--", "expected a content type with a boundary of 1 to 70 bytes"},
		{"a boundary that is empty", `multipart/form-data; boundary=""`, field("a", "1") + "--xyz--", "expected a content type with a boundary"},
		{"a boundary that cannot be read", "multipart/form-data; boundary=a b", field("a", "1") + "--xyz--", "expected a content type with a boundary"},
		{"a long boundary", "multipart/form-data; boundary=" + strings.Repeat("x", 71), "", "expected a content type with a boundary"},
		{"another boundary", inParts, strings.ReplaceAll(field("a", "1")+"--xyz--", "xyz", "zyx"), "expected part 1 to be whole"},
		{"no last boundary", inParts, field("a", "1"), "part 1: expected its content to be whole"},
		{"half of a boundary", inParts, field("a", "1") + "--xy", "part 1: expected its content to be whole"},
		{"half of the last boundary", inParts, field("a", "1") + "--xyz", "expected part 2 to be whole"},
		{"half of a text", inParts, "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nhalf", "part 1: expected its content to be whole"},
		{"half of a header", inParts, "--xyz\r\nContent-Dispo", "expected part 1 to be whole"},
		{"a header without a colon", inParts, "--xyz\r\nsecret\r\n\r\n1\r\n--xyz--", "expected part 1 to be whole"},
		{"no header", inParts, lines("--xyz", "", "1", "--xyz--"), "part 1: expected a Content-Disposition of form-data with a name"},
		{"no name", inParts, field("a", "1") + lines("--xyz", "Content-Disposition: form-data", "", "1", "--xyz--"), "part 2: expected a Content-Disposition"},
		{"an attachment", inParts, lines("--xyz", "Content-Disposition: attachment; name=a", "", "1", "--xyz--"), "expected a Content-Disposition of form-data"},
		{"two names", inParts, lines("--xyz", "Content-Disposition: form-data; name=a; name=b", "", "1", "--xyz--"), "expected a Content-Disposition of form-data"},
		{"an unknown encoding", inParts, lines("--xyz", "Content-Disposition: form-data; name=a", "Content-Transfer-Encoding: uuencode", "", "1", "--xyz--"), `expected a Content-Transfer-Encoding that RFC 2045 has, got "uuencode"`},
		{"broken base64", inParts, lines("--xyz", "Content-Disposition: form-data; name=a", "Content-Transfer-Encoding: base64", "", "!", "--xyz--"), "encoded as its Content-Transfer-Encoding says"},
		{"broken quoted-printable", inParts, lines("--xyz", "Content-Disposition: form-data; name=a", "Content-Transfer-Encoding: quoted-printable", "", "\x01", "--xyz--"), "encoded as its Content-Transfer-Encoding says"},
		{"an unknown charset of a part", inParts, lines("--xyz", "Content-Disposition: form-data; name=a", "Content-Type: text/plain; charset=ebcdic", "", "1", "--xyz--"), `expected a charset of the Encoding Standard, got "ebcdic"`},
		{"a name that is no UTF-8", inParts, field("\xe9", "1") + "--xyz--", `expected UTF-8, field "\xe9" is not`},
		{"a text that is no UTF-8", inParts, field("a", "\xe9") + "--xyz--", `expected UTF-8, field "a" is not`},
		{"a file name that is no UTF-8", inParts, lines("--xyz", "Content-Disposition: form-data; name=a; filename=\"\xe9\"", "", "1", "--xyz--"), `expected UTF-8, field "a" is not`},
		{"too deep", inParts, field("a"+strings.Repeat("[b]", payload.MaxDepth), "1") + "--xyz--", "levels of nesting"},
		{"too many values", inParts, strings.Repeat(field("a", "1"), payload.MaxFormParts) + "--xyz--", "expected at most 20000 names and values"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := payload.ParseBody(test.body, test.contentType)
			require.ErrorContains(t, err, test.errContains)
			require.NotContains(t, err.Error(), "secret", "an error quotes no line of the body")
		})
	}
	whole := "before\r\n" + field("a", "1") + lines("--xyz", `Content-Disposition: form-data; name="b"; filename=x`, "Content-Type: text/plain", "X:", "", "y", "--xyz--")
	for _, end := range []string{"\r\n", "\n"} {
		body := strings.ReplaceAll(whole, "\r\n", end)
		for size := range len(body) - len(end) {
			_, err := payload.ParseBody(body[:size], inParts)
			require.Error(t, err, "a body that ends early: %q", body[:size])
		}
		v, err := payload.ParseBody(strings.TrimSuffix(body, end), inParts)
		require.NoError(t, err)
		require.Equal(t, 2, v.Len())
	}
	_, err := payload.ParseBody(strings.Repeat(field("a", "1"), payload.MaxFormParts-1)+"--xyz--", inParts)
	require.NoError(t, err, "as much as a form may have")
}

// TestFormMemory holds ParseBody to what its comment says of memory.
func TestFormMemory(t *testing.T) {
	const size = 1 << 20
	full := func(s string) string { return strings.Repeat(s, size/len(s)) }
	latin := urlencoded + "; charset=iso-8859-1"
	disposition := "--xyz\r\nContent-Disposition: form-data; name=a"
	for _, test := range []struct {
		name, contentType, body string
	}{
		{"a text", urlencoded, "a=" + full("x")},
		{"a text of windows-1252", latin, "a=" + full("\x80")},
		{"control characters", urlencoded, "a=" + full("\x01")},
		{"a text in a part", inParts, field("a", full("x")) + "--xyz--"},
		{"control characters in a part", inParts, field("a", full("\x01")) + "--xyz--"},
		{"windows-1252 in a part", inParts + "; charset=iso-8859-1", field("a", full("\x80")) + "--xyz--"},
		{"a file", inParts, disposition + "; filename=b\r\n\r\n" + full("x") + "\r\n--xyz--"},
		{"a long name", inParts, field(full("x"), "1") + "--xyz--"},
		{"a long header", inParts, disposition + "\r\nA: " + full("x") + "\r\n\r\n\r\n--xyz--"},
		{"many lines of a header", inParts, disposition + "\r\nA: " + full("x\r\n ") + "\r\n\r\n\r\n--xyz--"},
		{"almost boundaries", inParts, field("a", full("\r\n--xy")) + "--xyz--"},
		{"many names", urlencoded, manyNames(payload.MaxFormParts / 2)},
		{"many values", urlencoded, strings.Repeat("a=1&", payload.MaxFormParts-1)},
		{"many parts", inParts, strings.Repeat(field("a", ""), payload.MaxFormParts-1) + "--xyz--"},
		{"many charsets", inParts, strings.Repeat("--xyz\r\nContent-Disposition: form-data; name=a\r\nContent-Type: a/a; charset=l1\r\n\r\n\r\n", payload.MaxFormParts-1) + "--xyz--"},
		{"many headers", inParts, disposition + manyHeaders(9_000) + "\r\n\r\n\r\n--xyz--"},
		{"text in front", inParts, full("--xyz--x\r\n") + field("a", "1") + "--xyz--"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := payload.ParseBody(test.body, test.contentType)
			runtime.ReadMemStats(&after)
			took := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(test.body))
			require.NoError(t, err)
			t.Logf("%.1f bytes for each byte", took)
			require.Less(t, took, 80.)
		})
	}
}

// FuzzBody reads bytes with each content type of a form: the result is always an object that
// every reader of JSON takes.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		"a=1&b[c]=%C3%A9&b[]=2", "a=%E9", "\ufeff[a]=1", `{"a":1}`,
		field("a", "1") + field("b[c]", "\xe9") + "--xyz--",
		lines("--xyz", `Content-Disposition: form-data; name="a"; filename="x"`, "Content-Type: text/plain; charset=koi8-r", "Content-Transfer-Encoding: base64", "", "AP8=", "--xyz--"),
		lines("--xyz", `Content-Disposition: form-data; name="a"`, "Content-Type: text/plain; charset=koi8-r", "Content-Transfer-Encoding: quoted-printable", "", "=D6=", "--xyz--"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, contentType := range []string{urlencoded, urlencoded + "; charset=shift_jis", inParts, inParts + "; charset=iso-8859-1"} {
			v, err := payload.ParseBody(body, contentType)
			if err != nil {
				require.LessOrEqual(t, len(err.Error()), 1000, "an error is a sentence")
				continue
			}
			if strings.ContainsAny(body, `{["`) {
				if _, err := payload.Parse(body); err == nil {
					continue // it is JSON
				}
			}
			require.Equal(t, payload.Object, v.Kind())
			require.True(t, json.Valid([]byte(v.Text())))
			again, err := payload.Parse(v.Text())
			require.NoError(t, err)
			require.Equal(t, v.Text(), again.Text())
			require.False(t, again.Mended())
		}
	})
}

// FuzzForms writes the same fields as a form of each kind and in two charsets, with other
// writers than ours: all give the same object.
func FuzzForms(f *testing.F) {
	f.Add("a", "1", "b[c]", "é", "a", "x\r\ny")
	f.Add("a[]", "", "a[b]", "&=+%", "", "\"\\")
	f.Fuzz(func(t *testing.T, name1, text1, name2, text2, name3, text3 string) {
		fields := [][2]string{{name1, text1}, {name2, text2}, {name3, text3}}
		latin, isLatin := charmap.Windows1252.NewEncoder(), true
		var pairs, latinPairs []string
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for _, field := range fields {
			if strings.ContainsFunc(field[0], unicode.IsControl) || field == [2]string{} {
				return // a header has no control characters; a pair of nothing is none
			}
			pairs = append(pairs, url.QueryEscape(field[0])+"="+url.QueryEscape(field[1]))
			name, err := latin.String(field[0])
			isLatin = isLatin && err == nil
			text, err := latin.String(field[1])
			isLatin = isLatin && err == nil
			latinPairs = append(latinPairs, url.QueryEscape(name)+"="+url.QueryEscape(text))
			require.NoError(t, w.WriteField(field[0], field[1]))
		}
		require.NoError(t, w.Close())
		encoded, err := payload.ParseBody(strings.Join(pairs, "&"), urlencoded)
		parts, errParts := payload.ParseBody(b.String(), w.FormDataContentType())
		require.Equal(t, err == nil, errParts == nil, "%v, %v", err, errParts)
		require.Equal(t, encoded.Text(), parts.Text())
		if err == nil && isLatin {
			inLatin, err := payload.ParseBody(strings.Join(latinPairs, "&"), urlencoded+"; charset=iso-8859-1")
			require.NoError(t, err)
			require.Equal(t, encoded.Text(), inLatin.Text())
		}
	})
}

// A file comes back as it was sent, whatever its bytes are.
func FuzzFile(f *testing.F) {
	f.Add("x.txt", []byte("\r\n--xyz\x00\xff"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if strings.ContainsFunc(name, unicode.IsControl) {
			return // a header has none
		}
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		part, err := w.CreateFormFile("a", name)
		require.NoError(t, err)
		_, err = part.Write(content)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		v, err := payload.ParseBody(b.String(), w.FormDataContentType())
		if err != nil {
			require.ErrorContains(t, err, "expected UTF-8")
			return
		}
		text, _ := v.Get("a").Get("base64").Scalar()
		back, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		require.Equal(t, string(content), string(back))
		if !v.Mended() {
			sent, _ := v.Get("a").Get("filename").Scalar()
			require.Equal(t, name, sent)
		}
	})
}

func BenchmarkForm(b *testing.B) {
	var pairs, parts strings.Builder
	for i := range 25 {
		fmt.Fprintf(&pairs, "Name%d=a+value+%%26+another&", i)
		parts.WriteString(field(fmt.Sprintf("Name%d", i), "a value & another"))
	}
	parts.WriteString("--xyz--\r\n")
	for _, test := range []struct{ name, contentType, body string }{
		{"urlencoded", urlencoded, pairs.String()},
		{"charset", urlencoded + "; charset=iso-8859-1", pairs.String()},
		{"multipart", inParts, parts.String()},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.SetBytes(int64(len(test.body)))
			b.ReportAllocs()
			for b.Loop() {
				v, err := payload.ParseBody(test.body, test.contentType)
				require.NoError(b, err)
				v.Release()
			}
		})
	}
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\r\n%x:", i)
	}
	return b.String()
}
