package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEdits(t *testing.T) {
	const body = `{ "z": 1.50, "contact": {"phone":"x", "n":1e3, "of.dots":true}, "list":[{"a":"1"},2], "z2":10000000000000000001, "none":null, "u":"\u00e9" }`
	for _, test := range []struct {
		name, body, contentType string
		set                     []string
		want                    string
	}{
		{"nothing", " {} x", "", nil, " {} x"},
		{"a string stays one", body, "", []string{"contact.phone=12025550143"}, `{"z":1.50,"contact":{"phone":"12025550143","n":1e3,"of.dots":true},"list":[{"a":"1"},2],"z2":10000000000000000001,"none":null,"u":"\u00e9"}`},
		{"text that is no JSON", `{"a":1}`, "", []string{"a=+12025550143", `b=a "quoted", x=y`}, `{"a":"+12025550143","b":"a \"quoted\", x=y"}`},
		{"JSON", `{"a":1}`, "", []string{"a=2.50", `b={"c":[]}`, "c=null", `d="7"`}, `{"a":2.50,"b":{"c":[]},"c":null,"d":"7"}`},
		{"empty text", `{"a":"x","b":1}`, "", []string{"a=", "b="}, `{"a":"","b":""}`},
		{"a way that is not there", `{}`, "", []string{"a.b.c=x"}, `{"a":{"b":{"c":"x"}}}`},
		{"arrays", `{"a":[{"b":1}]}`, "", []string{"a.0.b=2", "a.-1=3"}, `{"a":[{"b":2},3]}`},
		{"an array", `[{"b":1}]`, "", []string{"0.b=2"}, `[{"b":2}]`},
		{"dots", `{"a.b":1}`, "", []string{`a\.b=2`}, `{"a.b":2}`},
		{"one after the other", `{}`, "", []string{"a=x", "a=7"}, `{"a":"7"}`},
		{"a byte order mark", "\ufeff{}", "", []string{"a=x"}, `{"a":"x"}`},
		{"a form", "b=1&a[c]=x+y", "application/x-www-form-urlencoded; charset=utf-8", []string{"b=2"}, `{"b":"2","a":{"c":"x y"}}`},
		{"JSON that is said to be a form", `{"b":1}`, "application/x-www-form-urlencoded", []string{"b=2"}, `{"b":2}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var set edits
			for _, text := range test.set {
				require.NoError(t, set.Set(text))
			}
			got, err := set.apply([]byte(test.body), test.contentType)
			require.NoError(t, err)
			require.Equal(t, test.want, string(got))
		})
	}
}

func TestEditsFail(t *testing.T) {
	for _, test := range []struct{ name, body, contentType, set, want string }{
		{"no JSON", "Service Unavailable", "text/plain", "a=1", "setting values: reading JSON"},
		{"half of a body", `{"a":`, "", "a=1", "setting values: reading JSON"},
		{"no object", `"a"`, "", "a=1", "expected a body that is a JSON object, got a string"},
		{"no form", "", "application/x-www-form-urlencoded", "a=1", "setting values"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var set edits
			require.NoError(t, set.Set(test.set))
			_, err := set.apply([]byte(test.body), test.contentType)
			require.ErrorContains(t, err, test.want)
		})
	}
	for _, text := range []string{"", "a", "=1"} {
		require.ErrorContains(t, new(edits).Set(text), "expected a path and a value")
	}
	for _, text := range []string{"a*=1", "a.#=1", "a|b=1", "@this=1", "a[0]=1"} {
		require.ErrorContains(t, new(edits).Set(text), "expected a path of keys and places")
	}
}
