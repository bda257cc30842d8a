package main

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// Every component that list shows has a page.
func TestDocs(t *testing.T) {
	env := environment()
	named := 0
	for _, walk := range []func(func(string, *service.ConfigView)){env.WalkInputs, env.WalkProcessors, env.WalkOutputs, env.WalkMetrics} {
		walk(func(name string, _ *service.ConfigView) {
			named++
			page, err := docs(env, name)
			require.NoError(t, err, name)
			require.Contains(t, string(page), "# "+name+" (")
		})
	}
	require.Greater(t, named, 50)
	for name, expected := range map[string][]string{
		"webhook":         {"# webhook (input)", "### limits.body", `Default: "8MiB"`, "webhook_deliveries", "Example: path: /callrail/{event}", "## Example: Two vendors, verified", "| movement | `MOVEMENT_PATH_TOKEN` | in the path |"},
		"webhook_decode":  {"# webhook_decode (processor)", "### max_events", "Default: 20000", "decode_reason"},
		"callrail_decode": {"# callrail_decode (processor)", "`post_call`"},
		"memory":          {"# memory (cache)"},
	} {
		page, err := docs(env, name)
		require.NoError(t, err)
		for _, text := range expected {
			require.Contains(t, string(page), text, name)
		}
	}
	for _, name := range []string{"", "nothing", "subprocess"} {
		_, err := docs(env, name)
		require.ErrorContains(t, err, "expected a component that list shows, got")
	}
}
