// Command stock is the engine with its own buffers, which the distribution leaves
// out: the crash tests run it beside the distribution. Its buffer sqlite uses the
// distribution's library of SQLite rather than the one of Connect's own binary, which
// is no module of ours.
package main

import (
	"context"
	"database/sql"

	"github.com/ncruces/go-sqlite3/driver"
	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	_ "github.com/redpanda-data/connect/v4/public/components/sql/base" // the buffer sqlite
)

func main() {
	sql.Register("sqlite", &driver.SQLite{})
	service.RunCLI(context.Background())
}
