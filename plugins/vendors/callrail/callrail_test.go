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

// A payload is of a family only with all keys that tell the family.
func TestFamily(t *testing.T) {
	for text, want := range map[string]family{
		`{"call_type":null,"start_time":""}`: calls,
		`{"call_type":null}`:                 "",
		`{"start_time":""}`:                  "",
		`{"content":"","source_number":"","destination_number":"","x":1}`: texts,
		`{"content":"","source_number":""}`:                               "",
		`{"content":"","destination_number":""}`:                          "",
		`{"source_number":"","destination_number":""}`:                    "",
		`{"form_data":{"a":1},"call_type":"","start_time":""}`:            forms,
		`{"form_data":"","call_type":"","start_time":""}`:                 calls,
	} {
		v, err := payload.Parse(text)
		require.NoError(t, err)
		o := payload.Bind[record](v)
		require.Equal(t, want, o.family(), text)
	}
}
