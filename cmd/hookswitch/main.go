// Command hookswitch is the distribution: the engine's command line with our
// components, without the components that run commands or lose data, and with
// admin endpoints that only this machine reaches.
package main

import (
	"cmp"
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	_ "time/tzdata" // the image has no time zones of its own

	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/hookswitch/hookswitch/plugins"
	"github.com/hookswitch/hookswitch/plugins/lines"
)

func main() {
	// The engine and its clients hold some 20 MB for good, which every collection looks
	// through. The ballast counts as held, too, and takes no memory, as nobody touches
	// it: a collection comes after 84 MB of garbage instead of 20, which saves a tenth
	// of the CPU time of a delivery. A higher GOGC would do so, too, and multiply what
	// the door holds at its limits; this adds to it.
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)
	args := os.Args
	if len(args) == 1 {
		args = append(args, "--help")
	}
	service.RunCLI(context.Background(), append(options(),
		service.CLIOptSetArgs(args...),
		service.CLIOptAddCommand(vendorsCommand()),
		service.CLIOptAddCommand(samplesCommand()),
		service.CLIOptAddCommand(decodeCommand()),
		service.CLIOptAddCommand(schemaCommand()),
		service.CLIOptAddCommand(sendCommand()),
		service.CLIOptAddCommand(replayCommand()),
		service.CLIOptAddCommand(spoolCommand()),
		service.CLIOptAddCommand(docsCommand()),
		service.CLIOptAddCommand(healthCommand()),
		service.CLIOptAddCommand(streamsCommand()),
		service.CLIOptAddCommand(bloblCommand()),
		service.CLIOptAddCommand(studioCommand()),
	)...)
}

// options makes the engine's command line ours.
func options() []service.CLIOptFunc { return optionsWith(environment()) }

// optionsWith makes the engine's command line ours, with the components of env.
func optionsWith(env *service.Environment) []service.CLIOptFunc {
	l := &leaving{}
	info, _ := debug.ReadBuildInfo()
	version, date := stamp(info)
	return []service.CLIOptFunc{
		service.CLIOptSetBinaryName("hookswitch"),
		service.CLIOptOnConfigParse(l.parse),
		service.CLIOptOnStreamStart(l.listen),
		service.CLIOptSetProductName("Hookswitch"),
		service.CLIOptSetDocumentationURL("https://docs.redpanda.com/redpanda-connect"),
		service.CLIOptSetDefaultConfigPaths(defaultConfig),
		service.CLIOptCustomRunFlags(nil, requireConfig(defaultConfig)),
		service.CLIOptSetVersion(version, date),
		service.CLIOptSetEnvironment(env),
		service.CLIOptSetMainSchemaFrom(func() *service.ConfigSchema {
			schema := env.FullConfigSchema(version, date)
			schema.SetFieldDefault(adminAddress(), "http", "address")
			// Summaries cannot be added up over processes. The buckets go from what a
			// sync of a fast disk takes to where senders are answered at the latest.
			schema.SetFieldDefault(map[string]any{"prometheus": map[string]any{
				"use_histogram_timing": true,
				"histogram_buckets":    []any{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60},
			}}, "metrics")
			schema.SetFieldDefault(map[string]any{"@service": "hookswitch"}, "logger", "static_fields")
			return schema
		}),
	}
}

// environment returns the components that are compiled in, with outputs file and
// stdout that keep each line whole, and without those that no config of ours may
// use:
//   - subprocess, command and awk run commands of the machine;
//   - dynamic runs any component that somebody sends to the admin endpoints;
//   - crash ends the process, so one sender's delivery would stop all the others;
//   - the buffers memory and system_window acknowledge what they hold in memory
//     only, and sqlite acknowledges what it has not synced to disk: a sender would
//     be told that a delivery is safe before it is.
//
// Some components stay although they can lose what was acknowledged, because their
// names or their pages say so, and nobody uses them by accident: drop and drop_on
// discard messages; dedupe forgets a message that the output has refused, when the
// sender sends it again; the outputs socket, websocket, http_server, nats and
// redis_pubsub call a message delivered when they have written it, whether or not
// somebody has read it. The Bloblang functions env and file, the processors that
// read files and the lookups of aws_lambda and http do only what the config says.
func environment() *service.Environment {
	env := service.NewEnvironment().Without("subprocess", "command", "awk", "dynamic", "crash")
	var buffers []string // Without takes names of every kind, and would remove the cache memory as well.
	env.WalkBuffers(func(name string, _ *service.ConfigView) {
		if !slices.Contains([]string{"memory", "system_window", "sqlite"}, name) {
			buffers = append(buffers, name)
		}
	})
	env = env.WithBuffers(buffers...)
	if err := lines.Register(env); err != nil {
		panic(err) // its outputs have no valid name
	}
	return env
}

// adminAddress is the address of /ping, /ready and /metrics, unless the config says
// otherwise. It belongs on loopback or on a private network: the engine's server
// has no timeouts and no limit of connections, nor a field for them, so whoever
// reaches it can hold the process's files for good.
func adminAddress() string {
	return cmp.Or(os.Getenv("HOOKSWITCH_ADMIN_ADDRESS"), "127.0.0.1:4195")
}

// stamp returns the version with its commit, and the date of the commit, as far as
// the build knows them.
func stamp(info *debug.BuildInfo) (version, date string) {
	if info == nil {
		return "unknown", "unknown"
	}
	setting := func(key string) string {
		for _, s := range info.Settings {
			if s.Key == key {
				return s.Value
			}
		}
		return ""
	}
	version = cmp.Or(info.Main.Version, "(devel)")
	if commit := setting("vcs.revision"); commit != "" {
		version += " commit " + commit
	}
	return version, cmp.Or(setting("vcs.time"), "unknown")
}
