package tests

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
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
			note(filled, "", reflect.ValueOf(e.Data))
		}
	}
	known := map[string]bool{}
	for _, name := range names("", reflect.TypeFor[event.Data]()) {
		known[name] = true
		_, waived := fieldsWithoutSample[name]
		require.Equal(t, !waived, filled[name], name)
	}
	for name := range fieldsWithoutSample {
		require.True(t, known[name], "%s is no field", name)
	}
}

// dictionary has every path that an issue may name: the attributes of the envelope, and
// what data holds, as in call, call.tags and call.duration_seconds.
var dictionary = func() map[string]bool {
	paths := map[string]bool{}
	for i := range reflect.TypeFor[event.Event]().NumField() {
		paths[jsonName("", reflect.TypeFor[event.Event]().Field(i))] = true
	}
	for _, path := range names("", reflect.TypeFor[event.Data]()) {
		for path != "" {
			paths[path] = true
			path = path[:max(strings.LastIndexByte(path, '.'), 0)]
		}
	}
	for _, path := range []string{"data", "issues", "issues.field", "issues.reason", "raw"} {
		delete(paths, path) // nothing is read into these
	}
	return paths
}()

var reasons = []event.Reason{event.NotATime, event.NotAPhone, event.NotANumber, event.NotABoolean, event.WrongType, event.Contradiction}

// requireIssues expects every issue to name a field of the event, and a reason that the
// vocabulary has.
func requireIssues(t testing.TB, e *event.Event) {
	t.Helper()
	for _, issue := range e.Data.Issues {
		if issue == (event.Issue{Field: "raw", Reason: event.NotInteroperable}) {
			continue
		}
		if !dictionary[issue.Field] {
			require.Fail(t, "no path of the dictionary", "%s: %s", e.Vendor, issue.Field)
		}
		require.Contains(t, reasons, issue.Reason)
	}
}

func jsonName(prefix string, field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return strings.TrimPrefix(prefix+"."+name, ".")
}

func names(prefix string, t reflect.Type) (all []string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return names(prefix, t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			all = append(all, names(jsonName(prefix, t.Field(i)), t.Field(i).Type)...)
		}
		return all
	}
	return []string{prefix}
}

func note(filled map[string]bool, prefix string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			note(filled, prefix, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			note(filled, prefix, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			note(filled, jsonName(prefix, v.Type().Field(i)), v.Field(i))
		}
	default:
		filled[prefix] = filled[prefix] || !v.IsZero()
	}
}
