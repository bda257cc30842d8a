package tests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/reference"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// TestReference holds the pages in configs/reference to the code that decodes.
func TestReference(t *testing.T) {
	pages := map[string]string{"dictionary": reference.Dictionary()}
	for _, v := range vendors.All() {
		pages[v.Name] = reference.Vendor(v)
	}
	const folder = "../configs/reference"
	if *update {
		require.NoError(t, os.MkdirAll(folder, 0o755))
		for name, page := range pages {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name+".md"), []byte(page), 0o644))
		}
	}
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, files, len(pages), "a page each, and no other")
	for name, want := range pages {
		page, err := os.ReadFile(filepath.Join(folder, name+".md"))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(want, string(page)), "go test ./tests -run TestReference -update writes the pages; read what changed")
	}
}
