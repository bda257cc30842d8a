package consumers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// TestPostgres keeps events in a column of the type jsonb, which refuses U+0000 and lone
// surrogates, and keeps one member of each name.
func TestPostgres(t *testing.T) {
	db := services.Postgres(t)
	samples := services.Samples(t)
	h := services.Start(t, "quickstart.yaml")
	h.Deliver(t, samples...)

	_, err := db.ExecContext(t.Context(), "create table events (event jsonb not null)")
	require.NoError(t, err)
	for _, line := range h.Lines(t, "stdout") {
		_, err := db.ExecContext(t.Context(), "insert into events values ($1)", line)
		require.NoError(t, err, line)
	}
	rows, err := db.QueryContext(t.Context(), "select event::text from events")
	require.NoError(t, err)
	defer rows.Close()
	var read []string
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		read = append(read, text)
	}
	require.NoError(t, rows.Err())
	requireRead(t, samples, read)
}
