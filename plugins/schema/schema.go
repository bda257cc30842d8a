// Package schema makes the schemas of the event from the fields of the event: the common schema of
// the engine, from which encoders make their own, JSON Schema, Avro and Parquet.
//
// A later version of the vocabulary only adds optional fields and values of enums. So every
// schema takes what it does not know, as far as the format can.
package schema

import (
	"strings"

	"github.com/redpanda-data/benthos/v4/public/schema"

	"github.com/hookswitch/hookswitch/plugins/event"
)

// Event is the name of the schema of a whole event. The other schemas are those of data.
const Event = "event"

// Names returns the names of the schemas: Event, then those of data.
func Names() []string {
	names := []string{Event}
	for _, s := range event.Schemas() {
		names = append(names, s.Name)
	}
	return names
}

// common is the engine's schema of a whole event whose raw is text: one table for all vendors
// and types.
var common = schema.Common{Type: schema.Object, Name: Event, Children: children(nil, event.Fields())}

func children(path []string, fields []event.Field) []schema.Common {
	nodes := make([]schema.Common, len(fields))
	for i, f := range fields {
		nodes[i] = node(append(path[:len(path):len(path)], f.Name), f)
	}
	return nodes
}

func node(path []string, f event.Field) schema.Common {
	n := schema.Common{Name: f.Name}
	switch f.Kind {
	case event.Object:
		n.Type, n.Children = schema.Object, children(path, f.Fields)
	case event.DateTime:
		// The years of an event's times are 0000 to 9999: in nanoseconds they do not fit 64 bits.
		n.Type, n.Logical = schema.Timestamp, &schema.LogicalParams{
			Timestamp: &schema.TimestampParams{Unit: schema.TimeUnitMicros, AdjustToUTC: true},
		}
	case event.Numeric:
		n.Type = schema.Float64 // an integer type would refuse a fraction, and 50 digits
	case event.Boolean:
		n.Type = schema.Boolean
	case event.Text, event.Payload:
		n.Type = schema.String
	}
	if f.Repeated {
		// The records of an Avro schema need a name each, and an object that is no element has
		// the name of its field.
		if n.Name = ""; n.Type == schema.Object {
			n.Name = strings.Join(path, "_") + "_item"
		}
		n = schema.Common{Type: schema.Array, Name: f.Name, Children: []schema.Common{n}}
	}
	n.Optional = optional(f)
	return n
}

// optional reports whether the field may be absent. An object without fields is left out of
// an event, data too.
func optional(f event.Field) bool { return !f.Always || f.Kind == event.Object }
