package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

func TestRequireConfig(t *testing.T) {
	there, missing := filepath.Join(t.TempDir(), "there.yaml"), filepath.Join(t.TempDir(), "missing.yaml")
	require.NoError(t, os.WriteFile(there, nil, 0o600))
	for _, test := range []struct {
		name, path string
		args       []string
		want       string
	}{
		{"none", missing, []string{"run"}, "expected a path, as in hookswitch run configs/quickstart.yaml, or a file at " + missing},
		{"an empty path", missing, []string{"run", ""}, "finding the config"},
		{"the default", there, []string{"run"}, ""},
		{"a path", missing, []string{"run", "x.yaml"}, ""},
		{"the flag", missing, []string{"-c", "x.yaml", "run"}, ""},
		{"streams, which take theirs otherwise", missing, []string{"streams"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			check := requireConfig(test.path)
			app := &cli.App{
				Flags:    []cli.Flag{&cli.StringFlag{Name: "config", Aliases: []string{"c"}}},
				Commands: []*cli.Command{{Name: "run", Action: check}, {Name: "streams", Action: check}},
			}
			err := app.RunContext(t.Context(), append([]string{"hookswitch"}, test.args...))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

// Every component that list shows has a page.
func TestDocs(t *testing.T) {
	env := environment()
	named := 0
	for _, walk := range []func(func(string, *service.ConfigView)){
		env.WalkInputs, env.WalkBuffers, env.WalkProcessors, env.WalkOutputs,
		env.WalkCaches, env.WalkRateLimits, env.WalkMetrics, env.WalkTracers, env.WalkScanners,
	} {
		walk(func(name string, _ *service.ConfigView) {
			named++
			page, err := docs(env, name)
			require.NoError(t, err, name)
			require.Contains(t, string(page), "# "+name+" (")
		})
	}
	require.Greater(t, named, 100)
	for name, expected := range map[string][]string{
		"webhook":         {"# webhook (input)", "### limits.body", `- Default: "8MiB"`, "webhook_deliveries", "```yaml\npath: /callrail/{event}", "## Example: Two vendors, verified", "| movement | `MOVEMENT_PATH_TOKEN` | secret in the URL |"},
		"webhook_decode":  {"# webhook_decode (processor)", "### max_events", "- Default: 20000", "decode_reason"},
		"callrail_decode": {"# callrail_decode (processor)", "`post_call`"},
		"dead_letter":     {"# dead_letter (processor)", "`malformed`, `too_many_events`, `event_too_large`, `misconfigured`, `failed`", "webhook_dead_letters"},
		"memory":          {"# memory (cache)"},
		"file":            {"# file (output)", "# file (cache)", "every acknowledged message can be read"},
		"stdout":          {"every acknowledged message can be read"},
		"mobiniti":        {"# Mobiniti", "| `inbound` | message.received |"},
		"dictionary":      {"# The dictionary", "| `call.outcome` |", "| `call.completed` |"},
	} {
		page, err := docs(env, name)
		require.NoError(t, err)
		for _, text := range expected {
			require.Contains(t, string(page), text, name)
		}
	}
	for _, name := range []string{"", "nothing", "subprocess", "crash"} {
		_, err := docs(env, name)
		require.ErrorContains(t, err, "expected a component that list shows, a vendor or dictionary, got")
	}
}
