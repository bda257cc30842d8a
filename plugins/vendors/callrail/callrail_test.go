package callrail

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// However many changes there are, all are kept, each once.
func TestManyChanges(t *testing.T) {
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprintf("field_%d", i))
	}
	sent := `"` + strings.Join(want, `","`) + `"`
	v, err := payload.Parse("[" + sent + "," + sent + "]")
	require.NoError(t, err)
	require.Equal(t, want, changes(&vendors.Reader{}, v))
}
