package event_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
)

// The writer is held to the json tags: it writes every field, under its name and
// in its order.
func TestAppendJSON(t *testing.T) {
	var e event.Event
	fill(reflect.ValueOf(&e).Elem())
	want, err := json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, string(want), string(e.AppendJSON(nil)))

	var read event.Event
	require.NoError(t, json.Unmarshal(want, &read))
	require.Empty(t, cmp.Diff(e, read))
}

// fill sets every field within v.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case event.Number:
		v.SetString("12.50")
		return
	case event.Raw:
		v.SetString(`{"a":[1.0]}`)
		return
	case event.Bool:
		v.SetUint(uint64(event.False))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.String:
		v.SetString("\"é\" \\ 😀")
	}
}

func TestAppendJSONLeavesOutWhatIsAbsent(t *testing.T) {
	e := event.Event{ID: "1", Data: event.Data{
		Contact:      event.Contact{Location: event.Location{}, Organizations: []event.Organization{{}}},
		Call:         &event.Call{Answered: event.False, PriorCalls: "0"},
		Message:      event.Message{Media: []event.Media{{}, {URL: "u"}, {}}},
		Subscription: &event.Subscription{Organization: event.Organization{}},
		Form:         &event.Form{Fields: []event.Pair{{}}},
		Raw:          "{}",
	}}
	require.Equal(t, `{"specversion":"","id":"1","idbasis":"","source":"","type":"","datacontenttype":"","dataschema":"","vendor":"","partitionkey":"","data":{"call":{"answered":false,"prior_calls":0},"message":{"media":[{"url":"u"}]},"form":{"fields":[{"name":"","value":""}]},"raw":{}}}`, string(e.AppendJSON(nil)))
	require.Equal(t, `[{"specversion":""`, string(e.AppendJSON([]byte("[")))[:len(`[{"specversion":""`)], "it appends")
}

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"2026-03-02T09:11:55.402-05:00":  "2026-03-02T14:11:55.402Z",
		"2026-03-02T09:11:55Z":           "2026-03-02T09:11:55Z",
		"2026-03-02t09:11:55z":           "2026-03-02T09:11:55Z",
		"2026-03-02 09:11:55+0530":       "2026-03-02T03:41:55Z",
		"2026-03-02T09:11:55.100000000Z": "2026-03-02T09:11:55.100000000Z",
		"2026-12-31T23:30:00.9-01:00":    "2027-01-01T00:30:00.9Z",
		"2024-02-29T00:00:00+00:00":      "2024-02-29T00:00:00Z",
		"2000-02-29T00:00:00Z":           "2000-02-29T00:00:00Z",
		"2026-04-30T00:00:00Z":           "2026-04-30T00:00:00Z",
		"0000-01-01T00:00:00-01:00":      "0000-01-01T01:00:00Z",
		"0000-01-01T23:30:00-01:00":      "0000-01-02T00:30:00Z",
		"2026-03-02T09:11:55":            "",
		"2026-03-02T09:11:55.402":        "",
		"2026-03-02T09:11:55.Z":          "",
		"2026-03-02T09:11:55.1.2Z":       "",
		"2026-03-02T09:11:55,1Z":         "",
		"2026-03-02":                     "",
		"2026-02-29T00:00:00Z":           "",
		"1900-02-29T00:00:00Z":           "",
		"2026-04-31T00:00:00Z":           "",
		"2026-03-02T24:00:00Z":           "",
		"2026-03-02T23:59:60Z":           "",
		"2026-03-02T9:11:55Z":            "",
		"2026-03-02T09:11:55+5:00":       "",
		"2026-03-02T09:11:55+24:00":      "",
		"2026-03-02T09:11:55 UTC":        "",
		"0000-01-01T00:00:00+01:00":      "",
		"9999-12-31T23:30:00-01:00":      "",
		"03/02/2026 11:00 AM":            "",
		"1679412086":                     "",
		"":                               "",
	} {
		got, ok := event.ParseTime(in)
		require.Equal(t, event.Time(want), got, in)
		require.Equal(t, want != "", ok, in)
	}
}

func TestParsePhone(t *testing.T) {
	for _, test := range []struct{ in, northAmerican, elsewhere string }{
		{"+16145550117", "+16145550117", "+16145550117"},
		{"+1 (614) 555-01.17", "+16145550117", "+16145550117"},
		{"+4930901820", "+4930901820", "+4930901820"},
		{"(614) 555-0117", "+16145550117", ""},
		{"16145550117", "+16145550117", ""},
		{"2125550117", "+12125550117", ""},
		{"6142550117", "+16142550117", ""},
		{"1145550117", "", ""},
		{"6141550117", "", ""},
		{"26145550117", "", ""},
		{"+06145550117", "", ""},
		{"+1234567", "", ""},
		{"+12345678", "+12345678", "+12345678"},
		{"+123456789012345", "+123456789012345", "+123456789012345"},
		{"+1234567890123456", "", ""},
		{"614555011７", "", ""},
		{"\t6145550117", "", ""},
		{"64600", "", ""},
		{"Anonymous", "", ""},
		{"+266696687", "", ""},
		{"+7378742833", "", ""},
		{"+737 874-2833", "", ""},
		{"+86282452253", "", ""},
		{"+2562533", "", ""},
		{"+8656696", "", ""},
		{"7378742833", "+17378742833", ""},
		{"+17378742833", "+17378742833", "+17378742833"},
		{"+", "", ""},
		{"", "", ""},
	} {
		got, _ := event.ParsePhone(test.in, event.NorthAmerican)
		require.Equal(t, test.northAmerican, got, test.in)
		got, _ = event.ParsePhone(test.in, event.International)
		require.Equal(t, test.elsewhere, got, test.in)
	}
	for in, want := range map[string]bool{"911": true, "64600": true, "123456": true, "12": false, "1234567": false, "12a45": false, "": false} {
		_, ok := event.ParseShortCode(in)
		require.Equal(t, want, ok, in)
	}
}

func TestParseNumber(t *testing.T) {
	for _, in := range []string{"0", "13", "-1", "12.50", "1e3", "0.0001", "123456789012345678901234567890"} {
		got, ok := event.ParseNumber(in)
		require.True(t, ok, in)
		require.Equal(t, event.Number(in), got)
	}
	for _, in := range []string{"", "013", "+1", " 1", "1 ", "1.", ".5", "1e999", "0x10", "NaN", "1,000", "-", "1 2", "true", "٣"} {
		_, ok := event.ParseNumber(in)
		require.False(t, ok, in)
	}
}

func TestScoped(t *testing.T) {
	for native, want := range map[string]string{
		"newMessage":              "v.new_message",
		"convert_assist_complete": "v.convert_assist_complete",
		"call.started":            "v.call.started",
		"a.b.c":                   "v.unrecognized",
		"Call Tagged":             "v.unrecognized",
		"unrecognized":            "v.unrecognized",
		"":                        "v.unrecognized",
		"ſent":                    "v.unrecognized",
		"../../etc":               "v.unrecognized",
		"URL":                     "v.url",
		"fromAtoZ":                "v.from_ato_z",
		"call2Zone9Agent":         "v.call2_zone9_agent",
		"x234567890123456789012345678901234567890123456789": "v.unrecognized",
	} {
		require.Equal(t, want, event.Scoped("v", native), native)
	}
	require.Equal(t, "call.completed", (&event.Event{DataSchema: event.DataSchema(event.CallCompleted)}).Schema())
	require.Equal(t, "vendor", (&event.Event{DataSchema: event.DataSchema("v.call.completed")}).Schema())
	require.Equal(t, "urn:hookswitch:vendor:1", event.DataSchema("v.x"))
	require.Equal(t, "urn:hookswitch:email.sent:1", event.DataSchema(event.EmailSent))
}

func TestLookup(t *testing.T) {
	for path, kind := range map[string]event.Kind{
		"call":                  event.Object,
		"call.tags":             event.Text,
		"contact.location.city": event.Text,
		"issues.field":          event.Text,
		"":                      "",
		"nothing":               "",
		"call.nothing":          "",
		"nothing.call":          "",
		"call.tags.call":        "",
		"call.":                 "",
	} {
		field, ok := event.Lookup(path)
		require.Equal(t, kind, field.Kind, path)
		require.Equal(t, kind != "", ok, path)
	}
}

func TestBool(t *testing.T) {
	for text, want := range map[string]event.Bool{"true": event.True, "false": event.False, "null": 0} {
		b := event.Bool(3) // none of the values
		require.NoError(t, json.Unmarshal([]byte(text), &b))
		require.Equal(t, want, b)
		written, err := json.Marshal(b)
		require.NoError(t, err)
		require.Equal(t, text, string(written))
	}
	require.ErrorContains(t, new(event.Bool).UnmarshalJSON([]byte(`"true"`)), "expected true or false")
}
