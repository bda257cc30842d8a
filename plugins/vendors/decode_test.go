package vendors

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
)

func parse(t *testing.T, text string) payload.Value {
	t.Helper()
	v, err := payload.Parse(text)
	require.NoError(t, err)
	return v
}

// What ids are computed over is frozen within a major version.
func TestIdentity(t *testing.T) {
	p := parse(t, `{"b":"x\u00e9\n","n":1.50,"yes":true,"o":{"k":2,"j":[1]},"null":null,"empty":""}`)
	canonical := `{\"b\":\"xé\\n\",\"empty\":\"\",\"n\":1.50,\"null\":null,\"o\":{\"j\":[1],\"k\":2},\"yes\":true}`
	tests := []struct {
		name   string
		id     Identity
		native string
		over   string
		basis  event.IDBasis
	}{
		{"a string's value", Natural(p.Get("b")), "e", `["1","/v/main","e","xé\n"]`, event.IDNatural},
		{"the text of a number or boolean", Natural(p.Get("n"), p.Get("yes")), "e", `["1","/v/main","e","1.50","true"]`, event.IDNatural},
		{"the canonical form of an object", Natural(p.Get("o")), "e", `["1","/v/main","e","{\"j\":[1],\"k\":2}"]`, event.IDNatural},
		{"no native event", Natural(p.Get("n")), "", `["1","/v/main",null,"1.50"]`, event.IDNatural},
		{"a natural part is null", Natural(p.Get("n"), p.Get("null")), "e", `["1","/v/main","e","` + canonical + `"]`, event.IDContent},
		{"a natural part is empty", Natural(p.Get("n"), p.Get("empty")), "e", `["1","/v/main","e","` + canonical + `"]`, event.IDContent},
		{"a natural part is missing", Natural(p.Get("gone")), "e", `["1","/v/main","e","` + canonical + `"]`, event.IDContent},
		{"a part of a content is absent", Content(p.Get("n"), p.Get("gone"), p.Get("empty")), "e", `["1","/v/main","e","1.50",null,null]`, event.IDContent},
		{"all parts of a content are absent", Content(p.Get("gone"), p.Get("null")), "e", `["1","/v/main","e","` + canonical + `"]`, event.IDContent},
		{"many parts", Content(p.Get("n"), p.Get("n"), p.Get("yes"), p.Get("gone"), p.Get("n")), "e", `["1","/v/main","e","1.50","1.50","true",null,"1.50"]`, event.IDContent},
		{"the payload", Content(), "e", `["1","/v/main","e","` + canonical + `"]`, event.IDContent},
		{"nothing said", Identity{}, "e", `["1","/v/main","e","` + canonical + `"]`, event.IDContent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := completion{in: Input{Payload: p, Event: test.native}}
			sum, basis := c.id(&test.id, "/v/main", "")
			require.Equal(t, sha256.Sum256([]byte(test.over)), sum, test.over)
			require.Equal(t, test.basis, basis)
		})
	}
}

func TestClean(t *testing.T) {
	require.Equal(t, "a b é", Clean("a\x00 \u0085b\n é\x7f", 100))
	require.Equal(t, "a\ufffdb", Clean("a\ufffe\ufdd0\U0001ffff\ufffdb", 100))
	require.Equal(t, "a\ufffdb", Clean("a\xffb", 100), "an attribute is UTF-8")
	require.Equal(t, "ab", Clean("abé", 3), "a character is not cut")
	require.Equal(t, "abé", Clean("abé", 4))
}

func TestLadder(t *testing.T) {
	require.Equal(t, "a", (&Ladder{"a", "b"}).best())
	require.Equal(t, "b", (&Ladder{"", "b"}).best())
	require.Equal(t, "c", (&Ladder{"\x00\n", "", "c\x7f"}).best(), "a name without a character that an attribute can hold is none")
	require.Empty(t, (&Ladder{}).best())
	require.Equal(t, "lou@example.com", (&Ladder{"Lou@Example.COM"}).best(), "an e-mail address is of one person in any letter case")
	require.Equal(t, "CAL01", (&Ladder{"CAL01"}).best(), "an id is not")
	require.Len(t, (&Ladder{strings.Repeat("Ⱥ", 127) + "@"}).best(), 256-256%3, "lower case is longer here")
}

func TestReader(t *testing.T) {
	r := &Reader{numbering: event.NorthAmerican}
	v := parse(t, `{"n":13,"s":"13","t":"true","f":false,"o":{"a":1},"list":["a",2,null,[1]],"bad":"x","phone":"6145550117","code":"64600"}`)
	require.Equal(t, "13", r.Text("text", v.Get("n")))
	require.Equal(t, event.Number("13"), r.Number("number", v.Get("s")))
	require.Equal(t, event.True, r.Bool("true", v.Get("t")))
	require.Equal(t, event.False, r.Bool("false", v.Get("f")))
	require.Equal(t, event.Bool(0), r.Bool("absent", v.Get("gone")))
	require.Equal(t, "+16145550117", r.PhoneOrShortCode("phone", v.Get("phone")))
	require.Equal(t, "64600", r.PhoneOrShortCode("code", v.Get("code")))
	require.Equal(t, "13", r.Text("first", v.Get("gone"), v.Get("o"), v.Get("n")), "the first that can be read")
	require.Empty(t, r.issues)

	require.Empty(t, r.Text("text", v.Get("o")))
	require.Empty(t, r.Number("number", v.Get("bad")))
	require.Empty(t, r.Number("number", v.Get("bad")), "an issue is listed once")
	require.Empty(t, r.Number("object", v.Get("o")))
	require.Empty(t, r.Time("time", v.Get("n")))
	require.Empty(t, r.Phone("phone", v.Get("code")))
	require.Zero(t, r.Bool("boolean", v.Get("n")))
	require.Equal(t, []string{"a", "2"}, r.Texts("list", v.Get("list")))
	require.Equal(t, []event.Issue{
		{Field: "text", Reason: event.WrongType},
		{Field: "number", Reason: event.NotANumber},
		{Field: "object", Reason: event.WrongType},
		{Field: "time", Reason: event.NotATime},
		{Field: "phone", Reason: event.NotAPhone},
		{Field: "boolean", Reason: event.NotABoolean},
		{Field: "list", Reason: event.WrongType},
	}, r.issues)
}

func TestReaderOfTimes(t *testing.T) {
	r := &Reader{}
	v := parse(t, `{"n":1521472262.90,"s":"1521472262","ms":1521472262123,"e":1.5e9,"mail":"Wed, 25 Nov 2026 10:00:00 EST","zone":"Wed, 25 Nov 2026 10:00:00 XYZ"}`)
	require.Equal(t, event.Time("2018-03-19T15:11:02.90Z"), r.EpochSeconds("n", v.Get("n")))
	require.Equal(t, event.Time("2018-03-19T15:11:02Z"), r.EpochSeconds("s", v.Get("gone"), v.Get("e"), v.Get("s")))
	require.Equal(t, event.Time("2018-03-19T15:11:02.123Z"), r.EpochMillis("ms", v.Get("ms")))
	require.Equal(t, event.Time("2026-11-25T15:00:00Z"), r.MailTime("mail", v.Get("mail")))
	require.Empty(t, r.issues)
	require.Empty(t, r.EpochSeconds("seconds", v.Get("ms")))
	require.Empty(t, r.EpochMillis("millis", v.Get("e")))
	require.Empty(t, r.MailTime("zone", v.Get("zone")))
	require.Equal(t, []event.Issue{
		{Field: "seconds", Reason: event.NotATime},
		{Field: "millis", Reason: event.NotATime},
		{Field: "zone", Reason: event.NotATime},
	}, r.issues)
}

func TestSender(t *testing.T) {
	for numbering, sent := range map[event.Numbering]string{event.International: `"+1 614 555 0117"`, event.NorthAmerican: `6145550117`, event.WithoutPlus: `"16145550117"`} {
		r := &Reader{numbering: numbering}
		require.Equal(t, "+16145550117", r.Sender("from", parse(t, sent)))
		require.Equal(t, "64600", r.Sender("from", parse(t, `64600`)))
		require.Equal(t, "Alder Roofs", r.Sender("from", parse(t, `"Alder Roofs"`)))
		require.Empty(t, r.issues)
		require.Empty(t, r.Sender("from", parse(t, `"6145550117123456"`)))
		require.Equal(t, []event.Issue{{Field: "from", Reason: event.NotAPhone}}, r.issues)
	}
}

func TestContactPhone(t *testing.T) {
	for sent, want := range map[string][2]string{
		`"(614) 555-0117"`: {"+16145550117", ""},
		`"+16145550117"`:   {"+16145550117", ""},
		`"Anonymous"`:      {"", "Anonymous"},
		`"***3312"`:        {"", "***3312"},
		`"+266696687"`:     {"", "+266696687"},
		`"64600"`:          {"", "64600"},
		`64600`:            {"", "64600"},
		`""`:               {"", ""},
		`null`:             {"", ""},
	} {
		r := &Reader{numbering: event.NorthAmerican}
		phone, asSent := r.ContactPhone(parse(t, sent))
		require.Equal(t, want, [2]string{phone, asSent}, sent)
		require.Empty(t, r.issues, "nothing is left out: %s", sent)
	}
	r := &Reader{}
	phone, asSent := r.ContactPhone(parse(t, `"614-555-0117"`))
	require.Equal(t, "614-555-0117", phone+asSent)
	require.Equal(t, asSent, phone+asSent)
	_, asSent = r.ContactPhone(parse(t, `["+16145550117"]`))
	require.Empty(t, asSent)
	require.Equal(t, []event.Issue{{Field: "contact.phone", Reason: event.WrongType}}, r.issues)
}

func TestWithinAList(t *testing.T) {
	r := &Reader{}
	require.Equal(t, event.ChannelWhatsApp, r.Channel("channel", parse(t, `"WhatsApp"`)))
	require.Empty(t, r.Channel("channel", parse(t, `null`)))
	require.Equal(t, event.Outbound, r.Direction("direction", parse(t, `"outbound"`)))
	require.Empty(t, r.issues)
	require.Equal(t, event.ChannelOther, r.Channel("channel", parse(t, `"pager"`)))
	require.Empty(t, r.Direction("direction", parse(t, `"Outbound"`)))
	require.Equal(t, []event.Issue{{Field: "channel", Reason: event.NotInList}, {Field: "direction", Reason: event.NotInList}}, r.issues)
}

func TestNames(t *testing.T) {
	for sent, want := range map[string]event.Contact{
		`{"first":"Ines","last":"Marek"}`: {FirstName: "Ines", LastName: "Marek", Name: "Ines Marek"},
		`{"first":"Ines","last":null}`:    {FirstName: "Ines", Name: "Ines"},
		`{"first":"","last":"Marek"}`:     {LastName: "Marek", Name: "Marek"},
		`{}`:                              {},
	} {
		var got event.Contact
		v := parse(t, sent)
		(&Reader{}).Names(&got, v.Get("first"), v.Get("last"))
		require.Equal(t, want, got)
	}
	require.Equal(t, "Lou@Marek.example", (&Reader{}).Email("email", parse(t, `" Lou@Marek.example\n"`)))
}

func TestUnknownEvent(t *testing.T) {
	v := &Vendor{Name: "example", source: "/example", Other: func(in *Input) Draft { return Draft{ID: Content(), Read: in.Read()} }}
	for declared, want := range map[string][]event.Issue{
		"another": {{Field: "vendorevent", Reason: event.UnknownEvent}},
		"":        nil, // nothing names the native event
	} {
		var issues []event.Issue
		document := parse(t, `{"a":1}`)
		require.NoError(t, v.Decode(&delivery.Delivery{Event: declared}, document, 1, func(e event.Event) error {
			issues = e.Data.Issues
			return nil
		}))
		require.Equal(t, want, issues)
	}
}

func TestPairs(t *testing.T) {
	r := &Reader{}
	pairs := r.Pairs("custom", parse(t, `{"a":false,"b":1.50,"c":null,"d":[1, 2],"":""}`))
	require.Equal(t, []event.Pair{{Name: "a", Value: "false"}, {Name: "b", Value: "1.50"}, {Name: "c"}, {Name: "d", Value: "[1,2]"}, {}}, pairs)

	var many strings.Builder
	want := make([]event.Pair, 40)
	for i := range want {
		name := strconv.Itoa(i)
		fmt.Fprintf(&many, `,"%s":%d`, name, 2*i)
		want[i] = event.Pair{Name: name, Value: strconv.Itoa(2 * i)}
	}
	require.Equal(t, want, r.Pairs("custom", parse(t, "{"+many.String()[1:]+"}")))

	require.Empty(t, r.Pairs("custom", parse(t, `[]`)))
	require.Empty(t, r.issues)
	require.Empty(t, r.Pairs("custom", parse(t, `[1]`)))
	require.Equal(t, []event.Issue{{Field: "custom", Reason: event.WrongType}}, r.issues)
}

func TestRegisterRefuses(t *testing.T) {
	convert := func(*Input) Draft { return Draft{} }
	whole := func() Vendor {
		return Vendor{
			Name: "example", Title: "Example", Page: "https://example.com/webhooks", Setup: "Somewhere.",
			Other:  func(*Input) Draft { return Draft{} },
			Events: []NativeEvent{{Name: "a", Types: []string{"example.a"}, Convert: convert}, {Name: "b", Types: []string{"example.b"}, Convert: convert}},
		}
	}
	for name, spoil := range map[string]func(*Vendor){
		"name":       func(v *Vendor) { v.Name = "Example!" },
		"title":      func(v *Vendor) { v.Title = "" },
		"https URL":  func(v *Vendor) { v.Page = "http://example.com" },
		"convert":    func(v *Vendor) { v.Other = nil },
		"events":     func(v *Vendor) { v.Events = nil },
		"conversion": func(v *Vendor) { v.Events[0].Convert = nil },
		"types":      func(v *Vendor) { v.Events[0].Types = nil },
		"one":        func(v *Vendor) { v.Events[0].Split = func(*Input, func(Draft) error) error { return nil } },
		"order":      func(v *Vendor) { v.Events[1].Name = "a" },
		"variable":   func(v *Vendor) { v.Signing = signing.HMAC{} },
		"match":      func(v *Vendor) { v.SecretEnv = "lower" },
		"public key": func(v *Vendor) { v.Signing, v.SecretEnv = signing.Ed25519{}, "A_KEY" },
		"only there": func(v *Vendor) { v.SecretEnv = "A_PUBLIC_KEY" },
		"token":      func(v *Vendor) { v.Handshake = &Handshake{Challenge: "c", SecretEnv: "A"} },
		"challenge":  func(v *Vendor) { v.Handshake = &Handshake{Token: "t", SecretEnv: "A"} },
		"handshake":  func(v *Vendor) { v.Handshake = &Handshake{Token: "t", Challenge: "c"} },
		"its own":    func(v *Vendor) { v.Handshake = &Handshake{Token: "t", Challenge: "c", SecretEnv: "EXAMPLE_PATH_TOKEN"} },
	} {
		v := whole()
		spoil(&v)
		requirePanic(t, name, func() { Register(v) })
	}
	require.Empty(t, All())
	Register(whole())
	defer func() { registry = nil }()
	requirePanic(t, "twice", func() { Register(whole()) })
	v, ok := Get("example")
	require.True(t, ok)
	require.Equal(t, "EXAMPLE_PATH_TOKEN", v.SecretEnv, "of a vendor that neither signs nor sends a header")
	require.True(t, v.SecretInPath())
	_, ok = v.Native("b")
	require.True(t, ok)
	_, ok = v.Native("c")
	require.False(t, ok)
}

func requirePanic(t *testing.T, contains string, do func()) {
	t.Helper()
	defer func() {
		t.Helper()
		said, _ := recover().(string)
		require.True(t, strings.Contains(said, contains), "expected %q, got %q", contains, said)
	}()
	do()
}

// It looks at eight bytes at a time: every byte counts at every place.
func TestPrintable(t *testing.T) {
	for c := range 256 {
		for at := range 11 {
			text := []byte("hookswitch!")
			text[at] = byte(c)
			require.Equal(t, ' ' <= c && c <= '~', printable(string(text)), "%q", text)
		}
	}
}
