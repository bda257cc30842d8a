package event_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/mail"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

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
	const valid = "2026-03-02T09:11:55Z"
	for i := range valid {
		for _, other := range []string{"/", ":", "-", "+", "x", "\xb2"} {
			if in := valid[:i] + other + valid[i+1:]; in != valid {
				_, ok := event.ParseTime(in)
				require.False(t, ok, in)
			}
		}
	}
}

func TestParseEpoch(t *testing.T) {
	for in, want := range map[string]string{
		"1521472262":        "2018-03-19T15:11:02Z",
		"1521472262.908181": "2018-03-19T15:11:02.908181Z",
		"1521472262.90":     "2018-03-19T15:11:02.90Z",
		"1521472262.0":      "2018-03-19T15:11:02.0Z",
		"1521472262." + strings.Repeat("1234567890", 7): "2018-03-19T15:11:02." + strings.Repeat("1234567890", 7) + "Z",
		"0":                                      "1970-01-01T00:00:00Z",
		"0.5":                                    "1970-01-01T00:00:00.5Z",
		"951782400":                              "2000-02-29T00:00:00Z",
		"0001521472262":                          "2018-03-19T15:11:02Z",
		"253402300799":                           "9999-12-31T23:59:59Z",
		"253402300799.9":                         "9999-12-31T23:59:59.9Z",
		"253402300800":                           "", // the year 10000
		"1521472262000":                          "", // milliseconds
		"1521472262.":                            "",
		".5":                                     "",
		"1521472262.1.2":                         "",
		"-1":                                     "",
		"-0":                                     "",
		"+1":                                     "",
		"1.5e9":                                  "",
		"1.521472262E9":                          "",
		"15214722620000000000000000000000000000": "",
		" 1521472262":                            "",
		"1521472262 ":                            "",
		"1_521_472_262":                          "",
		"0x5AB00000":                             "",
		"1521472262,5":                           "",
		"1521472262Z":                            "",
		"NaN":                                    "",
		"٣":                                      "",
		"2018-03-19T15:11:02":                    "",
		"":                                       "",
	} {
		got, ok := event.ParseEpochSeconds(in)
		require.Equal(t, event.Time(want), got, in)
		require.Equal(t, want != "", ok, in)
	}
	for in, want := range map[string]string{
		"1521472262123":     "2018-03-19T15:11:02.123Z",
		"1521472262000":     "2018-03-19T15:11:02.000Z",
		"1521472262123.45":  "2018-03-19T15:11:02.12345Z",
		"1521472262000.0":   "2018-03-19T15:11:02.0000Z",
		"0":                 "1970-01-01T00:00:00.000Z",
		"7":                 "1970-01-01T00:00:00.007Z",
		"42":                "1970-01-01T00:00:00.042Z",
		"999":               "1970-01-01T00:00:00.999Z",
		"1000":              "1970-01-01T00:00:01.000Z",
		"253402300799999":   "9999-12-31T23:59:59.999Z",
		"253402300800000":   "",
		"15214722620000000": "", // ten-thousandths of a millisecond: no vendor's unit
		"1521472262123.":    "",
		".5":                "",
		"-1521472262123":    "",
		"1.521472262123e12": "",
		"":                  "",
	} {
		got, ok := event.ParseEpochMillis(in)
		require.Equal(t, event.Time(want), got, in)
		require.Equal(t, want != "", ok, in)
	}
}

// Every second from 1970 to 9999, and every millisecond, is the one that the library of Go
// finds.
func TestParseEpochAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const last = 253402300799
	for range 100_000 {
		seconds, nanos := random.Int64N(last+1), random.Int64N(1e9)
		want := time.Unix(seconds, nanos).UTC()
		got, ok := event.ParseEpochSeconds(strconv.FormatInt(seconds, 10))
		require.True(t, ok)
		require.Equal(t, want.Format("2006-01-02T15:04:05Z"), string(got))
		got, ok = event.ParseEpochSeconds(fmt.Sprintf("%d.%09d", seconds, nanos))
		require.True(t, ok)
		require.Equal(t, want.Format("2006-01-02T15:04:05.000000000Z"), string(got))
		got, ok = event.ParseEpochMillis(strconv.FormatInt(want.UnixMilli(), 10))
		require.True(t, ok)
		require.Equal(t, time.UnixMilli(want.UnixMilli()).UTC().Format("2006-01-02T15:04:05.000Z"), string(got))
		again, ok := event.ParseTime(string(got))
		require.True(t, ok)
		require.Equal(t, got, again, "a time is as every time of an event is")
	}
}

func TestParseMailTime(t *testing.T) {
	for in, want := range map[string]string{
		"Wed, 25 Nov 2026 10:00:00 +0000":                               "2026-11-25T10:00:00Z",
		"25 Nov 2026 10:00:00 +0000":                                    "2026-11-25T10:00:00Z",
		"Mon, 5 Jan 2026 09:08:07 -0500":                                "2026-01-05T14:08:07Z",
		"Mon, 05 Jan 2026 09:08:07 -0500 (EST)":                         "2026-01-05T14:08:07Z",
		"Mon, 05 Jan 2026 09:08:07 -0500 (a (b) c) ":                    "2026-01-05T14:08:07Z",
		"Mon, 05 Jan 2026 09:08:07 -0500(EST)":                          "2026-01-05T14:08:07Z",
		"Thu, 31 Dec 2026 23:30:00 -0100":                               "2027-01-01T00:30:00Z",
		"Wed, 25 Nov 2026 10:00:00 -0000":                               "2026-11-25T10:00:00Z", // the zone of the sender is not known, the time is
		"Wed, 25 Nov 2026 10:00:00 GMT":                                 "2026-11-25T10:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 UT":                                  "2026-11-25T10:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 UTC":                                 "2026-11-25T10:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 EST":                                 "2026-11-25T15:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 edt":                                 "2026-11-25T14:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 CST (Chicago)":                       "2026-11-25T16:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 CDT":                                 "2026-11-25T15:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 MST":                                 "2026-11-25T17:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 MDT":                                 "2026-11-25T16:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 PST":                                 "2026-11-25T18:00:00Z",
		"Wed, 25 Nov 2026 10:00:00 PDT":                                 "2026-11-25T17:00:00Z",
		"wed, 25 NOV 2026 10:00:00 gmt":                                 "2026-11-25T10:00:00Z",
		" Wed,  25 Nov 2026\r\n\t10:00:00 +0000 ":                       "2026-11-25T10:00:00Z",
		"Fri, 25 Nov 2026 10:00:00 +0000":                               "2026-11-25T10:00:00Z", // the day of the week says nothing
		"Wed, 25 Nov 2026 10:00:00.120 +0000":                           "2026-11-25T10:00:00.120Z",
		"Sun, 29 Feb 2032 10:00:00 +0530":                               "2032-02-29T04:30:00Z",
		"Fri, 31 Dec 9999 23:59:59 +0000":                               "9999-12-31T23:59:59Z",
		"Fri, 31 Dec 9999 23:59:59 -0001":                               "",
		"Sat, 01 Jan 0000 00:00:00 +0001":                               "",
		"Wed, 25 Nov 2026 10:00:00":                                     "", // no zone
		"Wed, 25 Nov 2026 10:00:00 (EST)":                               "",
		"Wed, 25 Nov 2026 10:00:00 CET":                                 "", // a name that has no offset of its own
		"Wed, 25 Nov 2026 10:00:00 XYZ":                                 "",
		"Wed, 25 Nov 2026 10:00:00 Z":                                   "", // a military zone
		"Wed, 25 Nov 2026 10:00:00 z":                                   "",
		"Wed, 25 Nov 2026 10:00:00 A":                                   "",
		"Wed, 25 Nov 2026 10:00:00 GMT+2":                               "",
		"Wed, 25 Nov 2026 10:00:00 +2":                                  "",
		"Wed, 25 Nov 2026 10:00:00 +2400":                               "",
		"Wed, 25 Nov 2026 10:00:00 +0060":                               "",
		"Wed, 25 Nov 2026 10:00:00Z +0000":                              "",
		"Wed, 25 Nov 2026 10:00:00 +0000 +0000":                         "",
		"Wed, 25 Nov 2026 10:00:00 +0000 (EST":                          "",
		"Wed, 25 Nov 2026 10:00:00 +0000 EST":                           "",
		"Wed (a comment), 25 Nov 2026 10:00:00 +0000":                   "",
		"Wed, 25 Nov 26 10:00:00 +0000":                                 "", // RFC 822
		"Wednesday, 25-Nov-26 10:00:00 GMT":                             "", // RFC 850
		"Wed Nov 25 10:00:00 2026":                                      "", // asctime
		"Wed, 25 Nov 2026 10:00 +0000":                                  "", // no second was sent
		"Wed, 31 Dec 2026 23:59:60 +0000":                               "", // a leap second
		"Sun, 29 Feb 2026 10:00:00 +0000":                               "",
		"Wed, 0 Nov 2026 10:00:00 +0000":                                "",
		"Wed, 25 November 2026 10:00:00 +0000":                          "",
		"Wed, 25 ov 2026 10:00:00 +0000":                                "",
		"Wed, 25 an 2026 10:00:00 +0000":                                "",
		"ed,t 25 Nov 2026 10:00:00 +0000":                               "",
		"Wod, 25 Nov 2026 10:00:00 +0000":                               "",
		"Wed 25 Nov 2026 10:00:00 +0000":                                "",
		"Wed, 25 Nov 2026 24:00:00 +0000":                               "",
		"2026-11-25T10:00:00Z":                                          "",
		"":                                                              "",
		"25 Nov 2026 10:00:00 +0000 (" + strings.Repeat("x", 100) + ")": "",
	} {
		got, ok := event.ParseMailTime(in)
		require.Equal(t, event.Time(want), got, "%q", in)
		require.Equal(t, want != "", ok, "%q", in)
	}
}

// A time of mail is the one that net/mail reads where the zone is an offset, whatever zone
// the machine is in.
func TestParseMailTimeAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		zone := time.FixedZone("", 60*(random.IntN(24*60*2-1)-24*60+1))
		at := time.Unix(random.Int64N(253402300799-86400), 0).In(zone)
		text := at.Format(time.RFC1123Z)
		got, ok := event.ParseMailTime(text)
		require.True(t, ok, text)
		want, err := mail.ParseDate(text)
		require.NoError(t, err)
		require.Equal(t, want.UTC().Format("2006-01-02T15:04:05Z"), string(got), text)
		inHTTP, ok := event.ParseMailTime(at.UTC().Format(http.TimeFormat))
		require.True(t, ok)
		require.Equal(t, got, inHTTP)
	}
}

func TestNumberingWithoutPlus(t *testing.T) {
	for in, want := range map[string]string{
		"16505551234":      "+16505551234",
		"+16505551234":     "+16505551234",
		"1 (650) 555-1234": "+16505551234",
		"4930901820":       "+4930901820",
		"12345678":         "+12345678",
		"1234567":          "",
		"1234567890123456": "",
		"004930901820":     "", // a prefix that is dialled is no part of a number
		"++16505551234":    "",
		"266696687":        "", // ANONYMOUS
		"+266696687":       "",
		"64600":            "",
		"US.1234567890":    "",
		"+":                "",
		"":                 "",
	} {
		got, ok := event.ParsePhone(in, event.WithoutPlus)
		require.Equal(t, want, got, in)
		require.Equal(t, want != "", ok, in)
	}
	for in, international := range map[string]bool{"6145550117": false, "16145550117": false, "+16145550117": true} {
		_, ok := event.ParsePhone(in, event.International)
		require.Equal(t, international, ok, in)
	}
}

func TestParseSenderName(t *testing.T) {
	for in, want := range map[string]bool{
		"Hookswitch": true, "A": true, "4ME": true, "A & B-C_D.+": true, "Shop 24 7 9": true, "abcdefghijk": true,
		"abcdefghijkl": false, "12345": false, "+1-2.": false, "Café": false, "A\n": false, "A/B": false, "A\x00": false, "": false, " ": false,
	} {
		got, ok := event.ParseSenderName(in)
		require.Equal(t, want, ok, in)
		if want {
			require.Equal(t, in, got)
		}
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
