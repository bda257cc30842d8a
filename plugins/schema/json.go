package schema

import (
	"bytes"
	"encoding/json"

	"github.com/hookswitch/hookswitch/plugins/event"
)

// jsonSchema is a node of a JSON Schema, with the keywords in the order in which they are written. The
// keywords x-unit and x-pii are annotations, as are all that a validator does not know.
type jsonSchema struct {
	Schema      string       `json:"$schema,omitempty"`
	ID          string       `json:"$id,omitempty"`
	Title       string       `json:"title,omitempty"`
	Description string       `json:"description,omitempty"`
	Type        any          `json:"type,omitempty"` // a name, or several of which each is allowed
	Format      string       `json:"format,omitempty"`
	MediaType   string       `json:"contentMediaType,omitempty"` // of a string
	AnyOf       []jsonSchema `json:"anyOf,omitempty"`
	Enum        []string     `json:"enum,omitempty"`
	Items       *jsonSchema  `json:"items,omitempty"`
	Unit        string       `json:"x-unit,omitempty"`
	PII         event.PII    `json:"x-pii,omitempty"`
	Properties  properties   `json:"properties,omitempty"`
	Required    []string     `json:"required,omitempty"`
}

// properties are written in their order.
type properties []property

type property struct {
	name   string
	schema jsonSchema
}

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, property := range p {
		name, err := json.Marshal(property.name)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(property.schema)
		if err != nil {
			return nil, err
		}
		b.WriteByte("{,"[min(i, 1)])
		b.Write(name)
		b.WriteByte(':')
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// JSONSchema returns the text of a JSON Schema of the dialect 2020-12, which lets properties
// pass that it does not name: the schema of a whole event if the name is Event, else the
// schema of data that dataschema names, with the members that the type can have. It returns
// false if there is no schema of the name.
func JSONSchema(name string) (text string, ok bool) {
	if name == Event {
		s := objectSchema(event.Fields())
		s.ID, s.Title, s.Description = "urn:hookswitch:event:1", Event, "An event of any type: CloudEvents 1.0, structured JSON."
		return s.document(), true
	}
	for _, of := range event.Schemas() {
		if of.Name != name {
			continue
		}
		var fields []event.Field
		for _, member := range of.Members {
			f, _ := event.Lookup(member)
			fields = append(fields, f)
		}
		s := objectSchema(fields)
		s.ID, s.Title, s.Description = of.URN, of.Name, of.Doc
		return s.document(), true
	}
	return "", false
}

func (s jsonSchema) document() string {
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	return indented(s)
}

// indented returns the JSON of a value that can be written as JSON, in lines.
func indented(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // the value is made of strings and lists
	}
	return b.String()
}

func objectSchema(fields []event.Field) jsonSchema {
	s := jsonSchema{Type: "object"}
	for _, f := range fields {
		s.Properties = append(s.Properties, property{f.Name, fieldSchema(f)})
		if !optional(f) {
			s.Required = append(s.Required, f.Name)
		}
	}
	return s
}

func fieldSchema(f event.Field) jsonSchema {
	var s jsonSchema
	switch f.Kind {
	case event.Object:
		s = objectSchema(f.Fields)
	case event.DateTime:
		s.Type, s.Format = "string", "date-time"
	case event.Numeric:
		s.Type = "number"
	case event.Boolean:
		s.Type = "boolean"
	case event.Text:
		s.Type = "string"
	case event.Payload:
		s.Type, s.MediaType = []string{"object", "string"}, "application/json"
	}
	if f.Values != nil {
		// The list is that of this version, and any string passes: a later version may have
		// more values.
		s = jsonSchema{AnyOf: []jsonSchema{{Enum: f.Values}, {Type: "string"}}}
	}
	if f.Repeated {
		element := s
		s = jsonSchema{Type: "array", Items: &element}
	}
	s.Description, s.Unit, s.PII = f.Doc, f.Unit, f.PII
	return s
}
