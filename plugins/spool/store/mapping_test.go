package store

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCheckpointAfterAnOperator closes a store right after an operator has written,
// so that its last checkpoint is the first to see that.
func TestCheckpointAfterAnOperator(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := Open(Options{Dir: dir, MaxSize: 1 << 30, AllowVolatile: true})
	require.NoError(t, err)
	r := &Record{Body: []byte("a body")}
	done := make(chan error, 1)
	s.Append([]*Record{r}, func(err error) { done <- err })
	require.NoError(t, <-done)
	operator, err := Inspect(dir)
	require.NoError(t, err)
	n, err := operator.Drop(r.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, operator.Close())
}
