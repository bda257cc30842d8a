package reference

import (
	"fmt"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// Vendor returns the page on a vendor, in Markdown: its native events, and what becomes of
// each key of its payloads.
func Vendor(v *vendors.Vendor) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nThe vendor's page: %s\n\nPoint the vendor at Hookswitch: %s It proves who it is by: %s. The variable is `%s`.\n\n", v.Title, v.Page, v.Setup, v.Proof(), v.SecretEnv)
	b.WriteString("## Native events\n\n| native event | type |\n|---|---|\n")
	for _, e := range v.Events {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Name, strings.Join(e.Types, ", "))
	}
	if !v.Closed {
		fmt.Fprintf(&b, "| another | %s.`<native event>` |\n", v.Name)
	}
	return b.String()
}
