package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/schema"
)

// schemaCommand prints the schemas, which are made of the event's fields.
func schemaCommand() *cli.Command {
	return &cli.Command{
		Name:      "schema",
		Usage:     "Print the schema of an event, or of the data of a type",
		ArgsUsage: "[TYPE]",
		Description: `Without a type the schema is that of a whole event, of any vendor and type. With a type it
is the JSON Schema of data that dataschema names, for all vendor-scoped types vendor:

  hookswitch schema
  hookswitch schema call.completed
  hookswitch schema --format avro
  hookswitch schema --format parquet

Avro and Parquet have one schema for all types, as one table holds all events; it is what
schema_registry_encode registers and parquet_encode writes behind event_common_schema.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "jsonschema", Usage: "jsonschema, avro or parquet"},
		},
		OnUsageError: flagsMisused,
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return misused("reading arguments: expected at most one type, after all flags, got %d arguments", c.NArg())
			}
			name, format := c.Args().First(), c.String("format")
			text, known := "", true
			switch {
			case format == "jsonschema":
				text, known = schema.JSONSchema(cmp.Or(name, schema.Event))
			case format != "avro" && format != "parquet":
				return misused("reading flag format: expected jsonschema, avro or parquet, got %q", format)
			case name != "" && name != schema.Event:
				return misused("reading arguments: expected no type, since %s has one schema for all events, got %q", format, name)
			case format == "avro":
				text = schema.Avro()
			default:
				text = schema.ParquetColumns()
			}
			if !known {
				return misused("reading arguments: expected a type, one of %s, got %q", strings.Join(schema.Names(), ", "), name)
			}
			_, err := io.WriteString(c.App.Writer, strings.TrimSuffix(text, "\n")+"\n")
			if err != nil {
				return fmt.Errorf("writing the schema: %w", err)
			}
			return nil
		},
	}
}
