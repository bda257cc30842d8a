package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
var fieldsWithoutSample = map[string]string{
	"contact.location.postal_code": "no vendor sends it",
}

// TestEveryFieldHasSample finds fields of events that no sample fills.
func TestEveryFieldHasSample(t *testing.T) {
	filled := map[string]bool{}
	for _, s := range allSamples(t) {
		events, err := decode(s.vendor, &s.delivery)
		if err != nil || s.packed() {
			continue
		}
		for _, e := range events {
			for _, value := range fieldsOf(t, e) {
				filled[value.path] = true
			}
		}
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
	given := map[string]bool{}
	for _, s := range allSamples(t) {
		events, err := decode(s.vendor, &s.delivery)
		if err != nil || s.packed() {
			continue
		}
		for _, e := range events {
			for _, value := range fieldsOf(t, e) {
				given[value.path+" "+value.text] = true
			}
		}
	}
	for _, path := range []string{"channel", "direction", "call.outcome", "issues.reason"} {
		for _, value := range dictionary[path].Values {
			require.True(t, given[path+" "+value], "expected a sample that gives %s %s", path, value)
		}
	}
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

// requireVocabulary expects an event to have only the members of data that the catalogue
// gives its type, and only values that the closed lists have.
func requireVocabulary(t testing.TB, e *event.Event) {
	t.Helper()
	schema := event.Schemas()[slices.IndexFunc(event.Schemas(), func(s event.Schema) bool { return s.URN == e.DataSchema })]
	for _, value := range fieldsOf(t, e) {
		member, _, _ := strings.Cut(value.path, ".")
		if !slices.Contains(schema.Members, member) {
			require.Fail(t, "the catalogue does not give the type this member", "%s: %s", e.Type, member)
		}
		if field := dictionary[value.path]; field.Values != nil && !slices.Contains(field.Values, value.text) {
			require.Fail(t, "the list does not have this value", "%s: %s", value.path, value.text)
		}
	}
	for _, field := range event.Fields() {
		if attribute := attributeOf(e, field.Name); field.Values != nil && attribute != "" {
			require.Contains(t, field.Values, attribute, field.Name)
		}
	}
	requireIssues(t, e)
}

// attributeOf returns the value of an attribute whose list of values is closed, else "".
func attributeOf(e *event.Event, name string) string {
	return map[string]string{"idbasis": string(e.IDBasis), "eventbasis": string(e.EventBasis)}[name]
}

// requireIssues expects every issue to name an attribute of the event, or a field of the
// dictionary that is read from a payload.
func requireIssues(t testing.TB, e *event.Event) {
	t.Helper()
	for _, issue := range e.Data.Issues {
		if _, ok := dictionary[issue.Field]; ok && !strings.HasPrefix(issue.Field, "issues") {
			continue
		}
		if !slices.ContainsFunc(event.Fields(), func(f event.Field) bool { return f.Name == issue.Field && f.Name != "data" }) {
			require.Fail(t, "no field of the event", "%s: %s", e.Vendor, issue.Field)
		}
	}
}
