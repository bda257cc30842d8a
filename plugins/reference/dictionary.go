// Package reference writes the pages that say what an event holds and what becomes of a
// vendor's payload. They are made from the code that decodes, so they cannot drift from it.
package reference

import (
	"fmt"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
)

// Dictionary returns the page on the event, in Markdown: its attributes, the fields of data
// and the types.
func Dictionary() string {
	var b strings.Builder
	b.WriteString(`# The dictionary

An event is a CloudEvents 1.0 event in structured JSON, in one form for all vendors. A field that the vendor did not send is
absent; ` + "`false` and `0`" + ` are facts and are written. Within version 1 only optional fields, types and values of lists are added.

PII says what a field tells about people: ` + "`personal`" + ` identifies or describes a person, ` + "`content`" + ` is what people said or wrote.
A time is RFC 3339 text in UTC; money and scores are decimal text. A number that has a unit names it, such as s for seconds.

## Attributes

| attribute | type | PII | says |
|---|---|---|---|
`)
	for _, f := range event.Fields() {
		if f.Kind != event.Object {
			writeField(&b, "", f)
		}
	}
	b.WriteString("\n## Fields of `data`\n\n| field | type | PII | says |\n|---|---|---|---|\n")
	for _, f := range event.DataFields() {
		writeField(&b, "", f)
	}
	b.WriteString("\n## Types\n\nEvery event can have `issues` and `raw`. What an event of a vendor-scoped type has beside them is not promised.\n\n| type | says | fields of `data` |\n|---|---|---|\n")
	for _, s := range event.Schemas() {
		name := "`" + s.Name + "`"
		if s.Name == event.VendorScoped {
			name = "`<vendor>.<native event>`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, s.Doc, strings.Join(s.Members, ", "))
	}
	return b.String()
}

// writeField writes the row of a field, and the rows of the fields within it.
func writeField(b *strings.Builder, within string, f event.Field) {
	path := within + f.Name
	if f.Repeated {
		path += "[]"
	}
	class := string(f.PII)
	if class == "" {
		class = " "
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", path, typeOf(f), class, f.Doc)
	for _, inner := range f.Fields {
		writeField(b, path+".", inner)
	}
}

// typeOf says what stands in a field.
func typeOf(f event.Field) string {
	switch {
	case f.Values != nil:
		return strings.Join(f.Values, ", ")
	case f.Unit != "":
		return string(f.Kind) + ", " + f.Unit
	case f.Kind == event.Payload:
		return "object, or string"
	case f.Kind == event.Text:
		return "string"
	}
	return string(f.Kind)
}
