package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/schema"
)

// schemas returns the compiled JSON Schemas by their URNs. Edit changes each of them first.
func schemas(t testing.TB, edit func(any)) map[string]*jsonschema.Schema {
	t.Helper()
	compiled := map[string]*jsonschema.Schema{}
	for _, name := range schema.Names() {
		text, ok := schema.JSONSchema(name)
		require.True(t, ok, name)
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err)
		edit(document)
		id := document.(map[string]any)["$id"].(string)
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		require.NoError(t, c.AddResource(id, document))
		compiled[id], err = c.Compile(id)
		require.NoError(t, err)
	}
	require.Len(t, compiled, len(schema.Names()), "two schemas have the same id")
	return compiled
}

func asIs(any) {}

// closed refuses what a schema does not name, so that only what this version may write passes.
func closed(node any) {
	object, ok := node.(map[string]any)
	if !ok {
		return
	}
	if properties, ok := object["properties"].(map[string]any); ok {
		object["additionalProperties"] = false
		for _, property := range properties {
			closed(property)
		}
	}
	if alternatives, ok := object["anyOf"].([]any); ok {
		object["anyOf"] = alternatives[:1] // the list of values
	}
	closed(object["items"])
}

func parsed(t testing.TB, text string) map[string]any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	return v.(map[string]any)
}

const eventURN = "urn:hookswitch:event:1"

// TestEventsFollowSchemas holds every event of every sample to the schema of an event and to
// the schema that the event names as that of its data; whether its raw is an object, text or left out.
func TestEventsFollowSchemas(t *testing.T) {
	open, strict := schemas(t, asIs), schemas(t, closed)
	for _, s := range allSamples(t) {
		t.Run(s.name(), func(t *testing.T) {
			events, err := decode(s.vendor, &s.delivery)
			if err != nil {
				return // the golden has the error
			}
			for _, e := range events {
				for _, raw := range []event.Raw{e.Data.Raw, event.Raw(payload.AppendString(nil, string(e.Data.Raw))), ""} {
					e.Data.Raw = raw
					object := parsed(t, string(e.AppendJSON(nil)))
					data, ok := object["data"]
					if !ok {
						data = map[string]any{}
					}
					for _, by := range []map[string]*jsonschema.Schema{open, strict} {
						require.NoError(t, by[eventURN].Validate(object))
						require.Contains(t, by, e.DataSchema)
						require.NoError(t, by[e.DataSchema].Validate(data), e.Type)
					}
				}
			}
		})
	}
}

// TestSchemasRefuse gives every field of every schema a value of another type, and leaves out
// what is never absent. What a later version may add passes.
func TestSchemasRefuse(t *testing.T) {
	compiled := schemas(t, asIs)
	fields := map[string][]event.Field{eventURN: event.Fields()}
	for _, s := range event.Schemas() {
		for _, member := range s.Members {
			f, ok := event.Lookup(member)
			require.True(t, ok)
			fields[s.URN] = append(fields[s.URN], f)
		}
	}
	refused := 0
	for id, of := range fields {
		validate := compiled[id].Validate
		right := example(of)
		require.NoError(t, validate(right), id)
		walk(right, of, func(object map[string]any, f event.Field) {
			value := object[f.Name]
			wrong := []any{nil, 1, true, "a text that is no time", []any{1}, []any{[]any{}}, map[string]any{}}
			var then []any
			switch {
			case f.Repeated && f.Kind == event.Object:
				wrong = slices.Delete(wrong, 6, 7)
			case f.Repeated:
				wrong = append(wrong, []any{nil}, []any{map[string]any{}})
			case f.Kind == event.Object:
				if !slices.ContainsFunc(f.Fields, func(f event.Field) bool { return f.Always }) {
					wrong = slices.Delete(wrong, 6, 7)
				}
			case f.Kind == event.Numeric:
				wrong, then = slices.Delete(wrong, 1, 2), []any{1.5, json.Number("-1e300")}
			case f.Kind == event.Boolean:
				wrong, then = slices.Delete(wrong, 2, 3), []any{false}
			case f.Kind == event.Text:
				wrong, then = slices.Delete(wrong, 3, 4), []any{"", "a value of a later version"}
			case f.Kind == event.Payload:
				wrong, then = slices.Delete(slices.Delete(wrong, 6, 7), 3, 4), []any{map[string]any{"a": []any{nil}}, "{}"}
			}
			for _, value := range wrong {
				object[f.Name] = value
				require.Error(t, validate(right), "%s: %s: %v", id, f.Name, value)
				refused++
			}
			for _, value := range then {
				object[f.Name] = value
				require.NoError(t, validate(right), "%s: %s: %v", id, f.Name, value)
			}
			delete(object, f.Name)
			if f.Always && f.Kind != event.Object {
				require.Error(t, validate(right), "%s: without %s", id, f.Name)
			} else {
				require.NoError(t, validate(right), "%s: without %s", id, f.Name)
			}
			object[f.Name] = value
			object["a_field_of_a_later_version"] = 1
			require.NoError(t, validate(right))
			delete(object, "a_field_of_a_later_version")
		})
	}
	require.Greater(t, refused, 1000)
}

// example returns an object that has all of the fields, with one element in each array.
func example(fields []event.Field) map[string]any {
	object := map[string]any{}
	for _, f := range fields {
		var value any
		switch f.Kind {
		case event.Object:
			value = example(f.Fields)
		case event.Text:
			value = "text"
		case event.Numeric:
			value = json.Number("1")
		case event.Boolean:
			value = true
		case event.DateTime:
			value = "2026-03-02T14:11:55.402Z"
		case event.Payload:
			value = map[string]any{}
		}
		if f.Repeated {
			value = []any{value}
		}
		object[f.Name] = value
	}
	return object
}

// walk calls do for every field of the object and of those within.
func walk(object map[string]any, fields []event.Field, do func(object map[string]any, f event.Field)) {
	for _, f := range fields {
		if f.Kind == event.Object {
			inner := object[f.Name]
			if f.Repeated {
				inner = inner.([]any)[0]
			}
			walk(inner.(map[string]any), f.Fields, do)
		}
		do(object, f)
	}
}

// kept are the schemas that the repository keeps, by the names of their files, each with
// what reads its fields.
func kept(t testing.TB) map[string]keptSchema {
	t.Helper()
	all := map[string]keptSchema{
		"event.avsc":        {schema.Avro(), avroFields},
		"event.parquet.txt": {schema.ParquetColumns(), parquetFields},
	}
	for _, name := range schema.Names() {
		text, ok := schema.JSONSchema(name)
		require.True(t, ok)
		all[name+".json"] = keptSchema{text, jsonFields}
	}
	return all
}

type keptSchema struct {
	text   string
	fields func(t testing.TB, text string) map[string]string
}

// TestKeptSchemas compares the schemas with those that the repository keeps, and lets only
// additions pass that break no reader. With -update it writes the additions.
func TestKeptSchemas(t *testing.T) {
	folder := filepath.Join("..", "configs", "schemas")
	all := kept(t)
	files, err := os.ReadDir(folder)
	if !*update {
		require.NoError(t, err)
	}
	for _, file := range files {
		require.Contains(t, all, file.Name(), "a schema is gone, whose readers remain")
	}
	for name, now := range all {
		path := filepath.Join(folder, name)
		before, err := os.ReadFile(path)
		if err == nil {
			require.Empty(t, breaking(now.fields(t, string(before)), now.fields(t, now.text)), "%s: within a major version only optional fields and values of lists are added", name)
		}
		if *update {
			require.NoError(t, os.MkdirAll(folder, 0o755))
			require.NoError(t, os.WriteFile(path, []byte(now.text), 0o644))
			continue
		}
		require.NoError(t, err, "go test ./tests -run TestKeptSchemas -update writes the schemas")
		require.Equal(t, string(before), now.text, "%s: go test ./tests -run TestKeptSchemas -update writes the schemas; read what changed", name)
	}
}

// breaking returns how a schema breaks the readers of the schema before: what is gone or is
// something else, and what is never absent now and was not there. A field is a path, and how it is
// described: "required", "optional" or "repeated", and its type.
func breaking(before, now map[string]string) []string {
	var all []string
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if was, is := before[path], now[path]; was != is {
			all = append(all, fmt.Sprintf("%s: was %q, is %q", path, was, is))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(now)) {
		_, known := before[path]
		_, within := before[path[:max(0, strings.LastIndexByte(path, '.'))]]
		if !known && within && strings.HasPrefix(now[path], "required ") {
			all = append(all, fmt.Sprintf("%s: is new, and %q", path, now[path]))
		}
	}
	return all
}

// occurs says whether a field may be absent.
func occurs(optional bool) string {
	if optional {
		return "optional "
	}
	return "required "
}

func jsonFields(t testing.TB, text string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	var add func(path string, optional bool, node map[string]any)
	add = func(path string, optional bool, node map[string]any) {
		required, _ := node["required"].([]any)
		properties, _ := node["properties"].(map[string]any)
		for name, property := range properties {
			add(path+"."+name, !slices.Contains(required, any(name)), property.(map[string]any))
		}
		if items, ok := node["items"].(map[string]any); ok {
			add(path+".[]", true, items)
		}
		node = maps.Clone(node)
		if alternatives, ok := node["anyOf"].([]any); ok {
			for _, value := range alternatives[0].(map[string]any)["enum"].([]any) {
				fields[path+"."+value.(string)] = "optional value"
			}
			node["anyOf"] = alternatives[1:]
		}
		// Neither what a text says, nor what its class is, changes what a reader is given.
		for _, annotation := range []string{"title", "description", "x-pii", "properties", "required", "items"} {
			delete(node, annotation)
		}
		kind, err := json.Marshal(node)
		require.NoError(t, err)
		fields[path] = occurs(optional) + string(kind)
	}
	add("", false, parsed(t, text))
	return fields
}

func avroFields(t testing.TB, text string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	var add func(path string, kind any, byDefault string)
	add = func(path string, kind any, byDefault string) {
		union, optional := kind.([]any)
		if optional {
			require.Len(t, union, 2)
			require.Equal(t, "null", union[0])
			require.Equal(t, " = null", byDefault, path)
			kind = union[1]
		}
		object, _ := kind.(map[string]any)
		switch object["type"] {
		case "record":
			for _, field := range object["fields"].([]any) {
				f := field.(map[string]any)
				byDefault := ""
				if value, ok := f["default"]; ok {
					byDefault = fmt.Sprint(" = ", map[any]string{nil: "null"}[value])
				}
				add(path+"."+f["name"].(string), f["type"], byDefault)
			}
			kind = fmt.Sprint("record ", object["name"])
		case "array":
			add(path+".[]", object["items"], "")
			kind = "array"
		}
		fields[path] = occurs(optional) + fmt.Sprint(kind)
	}
	add("", parsed(t, text), "")
	return fields
}

func parquetFields(t testing.TB, text string) map[string]string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	require.Equal(t, "message event {", lines[0])
	fields := map[string]string{"": lines[0]}
	path := ""
	for _, line := range lines[1:] {
		words := strings.SplitN(strings.Trim(line, "\t;{ "), " ", 4)
		if words[0] == "}" {
			path = path[:max(0, strings.LastIndexByte(path, '.'))]
			continue
		}
		require.GreaterOrEqual(t, len(words), 3, line)
		name := words[2]
		fields[path+"."+name] = strings.Join(slices.Delete(words, 2, 3), " ")
		if words[1] == "group" {
			path += "." + name
		}
	}
	require.Empty(t, path)
	return fields
}

// TestBreaking expects a change that breaks a reader to be found, and no other.
func TestBreaking(t *testing.T) {
	all := kept(t)
	for _, test := range []struct {
		name, file, old, new string // the texts where the change is
		breaking             bool
	}{
		{"an addition", "call.started.json", `"channel": {`, `"later": {"type": "string"}, "channel": {`, false},
		{"an addition within", "event.json", `"city": {`, `"later": {"type": "string"}, "city": {`, false},
		{"an object that has a field always", "event.json", `"channel": {`, `"later": {"type": "object", "properties": {"id": {}}, "required": ["id"]}, "channel": {`, false},
		{"another description", "event.json", `"description": "The phone call."`, `"description": "A call."`, false},
		{"another class", "event.json", `"x-pii": "none"`, `"x-pii": "personal"`, false},
		{"a new value", "event.json", `"sms",`, `"sms", "fax",`, false},
		{"a value is gone", "event.json", `"sms",`, ``, true},
		{"the list is closed", "event.json", `, { "type": "string" } ]`, `]`, true},
		{"a field is gone", "event.json", `"city": {`, `"town": {`, true},
		{"another type", "event.json", `"type": "number"`, `"type": "integer"`, true},
		{"another type of an element", "event.json", `"items": { "type": "string" }`, `"items": { "type": "number" }`, true},
		{"another format", "event.json", `"format": "date-time"`, `"format": "date"`, true},
		{"another unit", "event.json", `"x-unit": "s"`, `"x-unit": "ms"`, true},
		{"another id", "call.started.json", `urn:hookswitch:call.started:1`, `urn:hookswitch:call.started:2`, true},
		{"a field that is never absent", "event.json", ` }, "required": [ "field"`, `, "later": {"type": "string"} }, "required": [ "later", "field"`, true},
		{"an optional field is never absent now", "call.started.json", `"type": "object", "properties": {`, `"type": "object", "required": [ "raw" ], "properties": {`, true},
		{"may be absent now", "event.json", `"required": [ "field", "reason" ]`, `"required": [ "field" ]`, true},
		{"no more fields", "event.json", `"properties": { "field"`, `"additionalProperties": false, "properties": { "field"`, true},

		{"an addition", "event.avsc", `{ "name": "city"`, `{ "name": "later", "type": [ "null", "string" ], "default": null }, { "name": "city"`, false},
		{"a field that is never absent", "event.avsc", `{ "name": "city"`, `{ "name": "later", "type": "string" }, { "name": "city"`, true},
		{"a field is gone", "event.avsc", `{ "name": "city"`, `{ "name": "town"`, true},
		{"another type", "event.avsc", `"double"`, `"float"`, true},
		{"another unit", "event.avsc", `"timestamp-micros"`, `"timestamp-millis"`, true},
		{"another record", "event.avsc", `"name": "data_survey_item"`, `"name": "answer"`, true},

		{"an addition", "event.parquet.txt", "required binary id ", "optional binary later (STRING); required binary id ", false},
		{"a column that is never null", "event.parquet.txt", "required binary id ", "required binary later (STRING); required binary id ", true},
		{"a column is gone", "event.parquet.txt", "optional binary city ", "optional binary town ", true},
		{"another type", "event.parquet.txt", "double duration_seconds;", "int64 duration_seconds;", true},
		{"another unit", "event.parquet.txt", "unit=MICROS", "unit=MILLIS", true},
	} {
		t.Run(test.file+": "+test.name, func(t *testing.T) {
			schema := all[test.file]
			text := strings.Join(strings.Fields(schema.text), " ")
			if strings.HasSuffix(test.file, ".txt") {
				text = schema.text
			}
			require.Contains(t, text, test.old)
			changed := strings.Replace(text, test.old, strings.ReplaceAll(test.new, "; ", ";\n\t"), 1)
			found := breaking(schema.fields(t, text), schema.fields(t, changed))
			require.Equal(t, test.breaking, len(found) > 0, "%v", found)
		})
	}
}
