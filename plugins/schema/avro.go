package schema

import (
	"encoding/json"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/schema"
)

type avroRecord struct {
	Type   string      `json:"type"`
	Name   string      `json:"name"`
	Fields []avroField `json:"fields"`
}

type avroField struct {
	Name    string          `json:"name"`
	Type    any             `json:"type"`
	Default json.RawMessage `json:"default,omitempty"`
}

type avroArray struct {
	Type  string `json:"type"`
	Items any    `json:"items"`
}

type avroLogical struct {
	Type        string `json:"type"`
	LogicalType string `json:"logicalType"`
}

// Avro returns the text of the Avro schema of a whole event whose raw is text. It is the
// schema that schema_registry_encode makes from the metadata event_common_schema; the engine
// does not let others call what makes it.
func Avro() string { return indented(avro(common)) }

func avro(c schema.Common) any {
	var t any
	switch c.Type {
	case schema.Object:
		record := avroRecord{Type: "record", Name: c.Name}
		for _, child := range c.Children {
			f := avroField{Name: child.Name, Type: avro(child)}
			if child.Optional {
				f.Default = json.RawMessage("null")
			}
			record.Fields = append(record.Fields, f)
		}
		t = record
	case schema.Array:
		t = avroArray{"array", avro(c.Children[0])}
	case schema.Timestamp:
		t = avroLogical{"long", "timestamp-micros"}
	case schema.Float64:
		t = "double"
	case schema.Boolean:
		t = "boolean"
	case schema.String:
		t = "string"
	default:
		panic(fmt.Sprintf("schema: no Avro type for %v", c.Type))
	}
	if c.Optional {
		return []any{"null", t}
	}
	return t
}
