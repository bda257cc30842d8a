package promises

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
)

func TestReaderTakes(t *testing.T) {
	for _, text := range []string{
		`{"a":[1,1e999,"x",null,true],"A":{}}`,
		`{"a":"\u0001 \ud83d\ude00 \ufffd ` + "é \U0001f600" + `"}`,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth),
	} {
		r := newReader([]byte(text))
		require.NoError(t, r.value(), text)
		require.NoError(t, r.end(), text)
	}
}

func TestReaderRefuses(t *testing.T) {
	for text, errContains := range map[string]string{
		`{"a":1,"a":2}`:      "duplicate",
		`{"a":1,"\u0061":2}`: "duplicate",
		`["\ud83d"]`:         "surrogate",
		"[\"\xff\"]":         "UTF-8",
		`["\u0000"]`:         "U+0000",
		`{"\u0000":1}`:       "U+0000",
		`["\ufffe"]`:         "U+FFFE",
		`["\ud83f\udfff"]`:   "U+1FFFF",
		"[\"\ufdd0\"]":       "U+FDD0",
		"[\"\ufdef\"]":       "U+FDEF",
		`[1`:                 "EOF",
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1): "levels",
	} {
		require.ErrorContains(t, newReader([]byte(text)).value(), errContains, text)
	}
	r := newReader([]byte(`{} 1`))
	require.NoError(t, r.value())
	require.ErrorContains(t, r.end(), "expected nothing")
}

func TestReaderTakesFieldsOnly(t *testing.T) {
	fields := []event.Field{
		{Name: "id", Kind: event.Text, Always: true},
		{Name: "at", Kind: event.DateTime},
		{Name: "n", Kind: event.Numeric},
		{Name: "is", Kind: event.Boolean},
		{Name: "word", Kind: event.Text, Values: []string{"one"}},
		{Name: "list", Kind: event.Text, Repeated: true},
		{Name: "raw", Kind: event.Payload},
		{Name: "within", Kind: event.Object, Fields: []event.Field{{Name: "x", Kind: event.Text}}},
	}
	require.NoError(t, newReader([]byte(`{"id":"","at":"2026-03-02T09:11:55.1Z","n":1.50,"is":false,"word":"one","list":["",""],"raw":{},"within":{"x":"y"}}`)).object(fields))
	for text, errContains := range map[string]string{
		`[]`:                "bracket",
		`{}`:                "the field id",
		`{"n":1}`:           "the field id",
		`{"id":"","new":1}`: `"new"`,
		`{"id":1}`:          "expected text",
		`{"id":"","at":"2026-03-02T09:11:55+01:00"}`: "expected time",
		`{"id":"","at":"2026-02-30T09:11:55Z"}`:      "expected time",
		`{"id":"","n":"1"}`:                          "expected number",
		`{"id":"","is":null}`:                        "expected boolean",
		`{"id":"","word":"two"}`:                     "expected text",
		`{"id":"","word":""}`:                        "expected text",
		`{"id":"","list":[]}`:                        "expected an element",
		`{"id":"","list":"x"}`:                       "bracket",
		`{"id":"","raw":[]}`:                         "expected an object",
		`{"id":"","raw":{"a":1,"a":1}}`:              "duplicate",
		`{"id":"","within":{}}`:                      "expected a field",
		`{"id":"","within":{"y":1}}`:                 `"y"`,
	} {
		require.ErrorContains(t, newReader([]byte(text)).object(fields), errContains, text)
	}
}
