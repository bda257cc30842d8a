package sql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
)

// TestJSONLines holds the columns of the view over JSON lines to the event's fields.
func TestJSONLines(t *testing.T) {
	var b strings.Builder
	b.WriteString(`-- The events that configs/s3.yaml writes. For a bucket, put s3://hookswitch/ before the path.
--
-- The columns are written out, so that a query finds the fields that no event here has yet.
-- They are made from the event's fields: go test ./tests/sql -update writes them anew.
create or replace view events as
select * from read_json(
  'events/date=*/*.jsonl.gz',
  format = 'newline_delimited',
  hive_partitioning = false,
  maximum_object_size = 33554432,
  columns = {
`)
	fields := event.Fields()
	for i, f := range fields {
		end := ",\n"
		if i == len(fields)-1 {
			end = "\n"
		}
		b.WriteString("    " + f.Name + ": '" + column(f) + "'" + end)
	}
	b.WriteString("  }\n);\n")
	path := filepath.Join(queries, "json_lines.sql")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(b.String(), string(got)), "go test ./tests/sql -update writes the view")
}

// column returns the type of a column in DuckDB.
func column(f event.Field) string {
	t := "VARCHAR"
	switch f.Kind {
	case event.Object:
		var members []string
		for _, inner := range f.Fields {
			members = append(members, `"`+inner.Name+`" `+column(inner))
		}
		t = "STRUCT(" + strings.Join(members, ", ") + ")"
	case event.DateTime:
		t = "TIMESTAMPTZ"
	case event.Numeric:
		t = "DOUBLE"
	case event.Boolean:
		t = "BOOLEAN"
	case event.Text, event.Payload:
	}
	if f.Repeated {
		t += "[]"
	}
	return t
}
