package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// TestEveryNativeFieldHasSample finds fields of native structures that no sample has. A name
// with a spelling mistake would never be read, and no other test would notice.
func TestEveryNativeFieldHasSample(t *testing.T) {
	tag := regexp.MustCompile("`json:\"([^\"]+)\"`")
	for _, v := range vendors.All() {
		var bodies [][]byte
		for _, s := range samplesOf(t, v) {
			if document, err := v.Payload(&s.delivery); err == nil {
				bodies = append(bodies, []byte(document.Text()))
			}
		}
		all := bytes.Join(bodies, nil)
		files, err := filepath.Glob(filepath.Join("..", "plugins", "vendors", v.Name, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, match := range tag.FindAllSubmatch(source, -1) {
				require.Contains(t, string(all), `"`+string(match[1])+`":`, "%s: expected a sample with the key %s", v.Name, match[1])
			}
		}
	}
}

// fieldsWithoutSample has the fields that are there for vendors to come.
var fieldsWithoutSample = map[string]string{}

// TestEveryFieldHasSample finds fields of events that no sample fills.
func TestEveryFieldHasSample(t *testing.T) {
	filled := map[string]bool{}
	for v := range given(t) {
		filled[v.path] = true
	}
	for path := range fieldsWithoutSample {
		require.Contains(t, dictionary, path)
	}
	for path, field := range dictionary {
		_, waived := fieldsWithoutSample[path]
		require.Equal(t, !waived, filled[path] || field.Kind == event.Object, path)
	}
}

// TestEveryValueHasSample finds values of closed lists that no sample gives.
func TestEveryValueHasSample(t *testing.T) {
	all := given(t)
	for _, path := range []string{"channel", "direction", "call.outcome", "issues.reason"} {
		for _, text := range dictionary[path].Values {
			require.True(t, all[value{path, text}], "expected a sample that gives %s %s", path, text)
		}
	}
}

// given returns what the samples give.
func given(t *testing.T) map[value]bool {
	t.Helper()
	all := map[value]bool{}
	for _, s := range allSamples(t) {
		events, err := decode(s.vendor, &s.delivery)
		if err != nil || s.packed() {
			continue
		}
		for _, e := range events {
			for _, v := range fieldsOf(t, e) {
				all[v] = true
			}
		}
	}
	return all
}

// dictionary has the fields of data by their paths, as in call, call.tags and
// call.duration_seconds.
var dictionary = func() map[string]event.Field {
	fields := map[string]event.Field{}
	var add func(prefix string, all []event.Field)
	add = func(prefix string, all []event.Field) {
		for _, f := range all {
			fields[prefix+f.Name] = f
			add(prefix+f.Name+".", f.Fields)
		}
	}
	add("", event.DataFields())
	return fields
}()

// value is a scalar in the data of an event, with the path of its field.
type value struct{ path, text string }

// fieldsOf returns the scalars in the data of an event, and expects each to be of a field
// that the dictionary has. The raw counts as a scalar.
func fieldsOf(t testing.TB, e *event.Event) (values []value) {
	t.Helper()
	var add func(path string, v any)
	add = func(path string, v any) {
		field, ok := dictionary[path]
		switch v := v.(type) {
		case map[string]any:
			if field.Kind == event.Payload {
				break
			}
			for name, member := range v {
				add(strings.TrimPrefix(path+"."+name, "."), member)
			}
			return
		case []any:
			for _, element := range v {
				add(path, element)
			}
			return
		}
		if !ok {
			require.Fail(t, "no field of the dictionary", path)
		}
		values = append(values, value{path, fmt.Sprint(v)})
	}
	add("", unmarshal(t, e.AppendJSON(nil)).(map[string]any)["data"])
	return values
}
