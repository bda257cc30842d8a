package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

const (
	readme     = "../README.md"
	tableTitle = "\n## Vendors\n"
)

// TestReadmeTable holds the README's table to the registry.
func TestReadmeTable(t *testing.T) {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	before, table, ok := strings.Cut(string(text), tableTitle)
	require.True(t, ok)
	want := vendorTable()
	if *update {
		require.NoError(t, os.WriteFile(readme, []byte(before+tableTitle+want), 0o644))
		return
	}
	require.Empty(t, cmp.Diff(want, table), "go test ./tests -run TestReadme -update writes the table")
}

func vendorTable() string {
	var b strings.Builder
	b.WriteString("\nThis table is generated. The reference of a vendor says what becomes of each key. Native events without a type are kept as\n`<vendor>.<native event>`; a vendor that is missing here is [a folder away](plugins/vendors/README.md).\n\n")
	b.WriteString("| vendor | gives | proves who it is by | point the vendor at us |\n|---|---|---|---|\n")
	for _, v := range vendors.All() {
		var types []string
		for _, e := range v.Events {
			types = append(types, e.Types...)
		}
		slices.Sort(types)
		types = slices.DeleteFunc(slices.Compact(types), func(name string) bool { return strings.HasPrefix(name, v.Name+".") })
		fmt.Fprintf(&b, "| [%s](%s), [reference](configs/reference/%s.md) | %s | %s | %s |\n", v.Title, v.Page, v.Name, strings.Join(types, ", "), v.Signing.Proof(), v.Setup)
	}
	return b.String()
}

// firstScreen is how many lines of the README are seen at once.
const firstScreen = 25

// TestReadmeNamesVendors holds the names of the vendors on the first screen to the registry.
func TestReadmeNamesVendors(t *testing.T) {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	var titles []string
	for _, v := range vendors.All() {
		titles = append(titles, v.Title)
	}
	last := len(titles) - 1
	want := "It decodes [" + strings.Join(titles[:last], ", ") + " and " + titles[last] + "](#vendors).\n"
	names := regexp.MustCompile(`(?m)^It decodes \[.*\]\(#vendors\)\.\n`)
	if *update {
		require.NoError(t, os.WriteFile(readme, names.ReplaceAll(text, []byte(want)), 0o644))
		return
	}
	screen := strings.Join(strings.SplitAfterN(string(text), "\n", firstScreen+1)[:firstScreen], "")
	require.Contains(t, screen, want, "go test ./tests -run TestReadme -update writes the names")
}

// stamps are what the door adds to an event: when, and as what, it was received.
const stamps = `  "recordedtime": "2026-07-01T15:13:12.041920318Z",
  "deliveryid": "019f1e3b-94b9-7e2e-97a9-24a0e9d05b0a",
`

// TestReadmeEvent holds the event that the README shows to the sample's golden.
func TestReadmeEvent(t *testing.T) {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	sent := regexp.MustCompile(`--data-binary @(\S+)`).FindSubmatch(text)
	require.NotNil(t, sent)
	want, err := os.ReadFile(filepath.Join("..", string(sent[1])+golden))
	require.NoError(t, err)
	_, want, _ = bytes.Cut(want, []byte("\n}\n")) // the metadata stands before the event
	// A golden knows no door; the README's event has come through one.
	want = bytes.Replace(want, []byte("  \"partitionkey\""), []byte(stamps+"  \"partitionkey\""), 1)
	shown := regexp.MustCompile("(?s)(over several lines\\):\n\n```json\n).*?```\n")
	if *update {
		text = shown.ReplaceAll(text, append([]byte("${1}"), append(short(t, want), "```\n"...)...))
		require.NoError(t, os.WriteFile(readme, text, 0o644))
		return
	}
	require.Contains(t, string(shown.Find(text)), "```json\n"+string(short(t, want))+"```\n", "go test ./tests -run TestReadme -update writes the event")
}

// short returns an event with a line for each attribute and for each field of data.
func short(t *testing.T, event []byte) []byte {
	t.Helper()
	opening := regexp.MustCompile(`([{\[])\n {6,}`).ReplaceAll(event, []byte("$1"))
	closing := regexp.MustCompile(`\n {4,}([}\]])`).ReplaceAll(opening, []byte("$1"))
	return regexp.MustCompile(`\n {6,}`).ReplaceAll(closing, []byte(" "))
}
