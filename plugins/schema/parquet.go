package schema

import (
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/redpanda-data/benthos/v4/public/schema"
)

// ParquetColumns returns the columns of a whole event whose raw is text, in Parquet's own
// notation. They are the columns that parquet_encode writes from the metadata
// event_common_schema with timestamps in microseconds; the engine does not let others call what
// makes them. Their order is that of their names.
func ParquetColumns() string {
	var b strings.Builder
	if err := parquet.PrintSchema(&b, Event, parquetNode(common)); err != nil {
		panic(err) // a strings.Builder takes everything
	}
	return b.String() + "\n"
}

func parquetNode(c schema.Common) parquet.Node {
	var n parquet.Node
	switch c.Type {
	case schema.Object:
		group := parquet.Group{}
		for _, child := range c.Children {
			group[child.Name] = parquetNode(child)
		}
		n = group
	case schema.Array:
		return parquet.Repeated(parquetNode(c.Children[0]))
	case schema.Timestamp:
		n = parquet.Timestamp(parquet.Microsecond)
	case schema.Float64:
		n = parquet.Leaf(parquet.DoubleType)
	case schema.Boolean:
		n = parquet.Leaf(parquet.BooleanType)
	case schema.String:
		n = parquet.String()
	default:
		panic(fmt.Sprintf("schema: no Parquet type for %v", c.Type))
	}
	if c.Optional {
		return parquet.Optional(n)
	}
	return n
}
