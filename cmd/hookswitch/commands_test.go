package main

import (
	"os"
	"path/filepath"
	"strings"
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

// TestMisuse has wrong arguments of every command of ours: they fail with 2, so that a
// script tells them from a delivery that failed, and nothing is written to stdout. The
// health check is no such command, because a container may only end with 0 or 1.
func TestMisuse(t *testing.T) {
	for _, test := range []struct {
		command *cli.Command
		args    string
		says    string
	}{
		{sendCommand(), "", "expected one URL"},
		{sendCommand(), "--unknown", "reading flags"},
		{sendCommand(), "http://127.0.0.1:1", "reading flag vendor: expected one of "},
		{sendCommand(), "--vendor nobody http://127.0.0.1:1", "reading flag vendor: expected one of "},
		{sendCommand(), "--vendor mobiniti http://127.0.0.1:1", "reading flag event: expected a native event of Mobiniti, such as bounce, "},
		{sendCommand(), "--vendor mobiniti --event nothing http://127.0.0.1:1", "expected one of the native events bounce, "},
		{sendCommand(), "--vendor mobiniti --event inbound --file /nowhere http://127.0.0.1:1", "open /nowhere"},
		{replayCommand(), "", "expected one config"},
		{replayCommand(), "--unknown", "reading flags"},
		{replayCommand(), "--reason nothing config.yaml", "reading flag reason"},
		{replayCommand(), "--vendor nobody config.yaml", "reading flag vendor"},
		{replayCommand(), "--since never config.yaml", "reading flag since"},
		{spoolCommand(), "ls", "expected DIR, "},
		{spoolCommand(), "ls --unknown", "reading flags"},
		{spoolCommand(), "show dir", "expected DIR ID, "},
		{spoolCommand(), "show --unknown", "reading flags"},
		{spoolCommand(), "unpark dir first", "reading argument ID"},
		{spoolCommand(), "unpark --unknown", "reading flags"},
		{spoolCommand(), "drop dir", "expected DIR ID ..., "},
		{spoolCommand(), "drop --unknown", "reading flags"},
		{spoolCommand(), "drain", "expected one config"},
		{spoolCommand(), "drain --unknown", "reading flags"},
		{docsCommand(), "", "expected one name"},
		{docsCommand(), "nothing", "looking for documentation"},
		{docsCommand(), "--unknown", "reading flags"},
	} {
		stdout, _, err := call(t, test.command, "", strings.Fields(test.args)...)
		requireMisuse(t, err, test.says)
		require.Empty(t, stdout, "%s %s", test.command.Name, test.args)
	}
}
