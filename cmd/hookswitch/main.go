// Command hookswitch is the distribution: the engine's command line with our
// components, without those that run commands or lose data, and with admin
// endpoints that only this machine reaches.
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
)

func main() {
	// The engine and its clients hold some 20 MB for good, which every collection looks
	// through. The ballast counts as held, too, and takes no memory, as nobody touches
	// it: a collection comes after 84 MB of garbage instead of 20, which saves a tenth
	// of the CPU time of a delivery. A higher GOGC would do so, too, and multiply what
	// the door holds at its limits; this adds to it.
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)
	service.RunCLI(context.Background(), append(options(),
		service.CLIOptAddCommand(streamsCommand()),
		service.CLIOptAddCommand(docsCommand()),
		service.CLIOptAddCommand(healthCommand()),
		service.CLIOptAddCommand(sendCommand()),
	)...)
}

// options makes the engine's command line ours.
func options() []service.CLIOptFunc {
	env := environment()
	l := &leaving{}
	info, _ := debug.ReadBuildInfo()
	version, date := stamp(info)
	return []service.CLIOptFunc{
		service.CLIOptSetBinaryName("hookswitch"),
		service.CLIOptOnConfigParse(l.parse),
		service.CLIOptOnStreamStart(l.listen),
		service.CLIOptSetProductName("Hookswitch"),
		service.CLIOptSetDocumentationURL("https://docs.redpanda.com/redpanda-connect"),
		service.CLIOptSetDefaultConfigPaths("/etc/hookswitch.yaml"),
		service.CLIOptSetVersion(version, date),
		service.CLIOptSetEnvironment(env),
		service.CLIOptSetMainSchemaFrom(func() *service.ConfigSchema {
			schema := env.FullConfigSchema(version, date)
			schema.SetFieldDefault(adminAddress(), "http", "address")
			// Summaries cannot be added up over processes. The buckets go on to where
			// senders are answered at the latest.
			schema.SetFieldDefault(map[string]any{"prometheus": map[string]any{
				"use_histogram_timing": true,
				"histogram_buckets":    []any{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60},
			}}, "metrics")
			schema.SetFieldDefault(map[string]any{"@service": "hookswitch"}, "logger", "static_fields")
			return schema
		}),
	}
}

// environment returns what is compiled in, but for what nobody's config gets:
//   - subprocess, command and awk run commands of the machine, and dynamic takes
//     any component from whoever reaches the admin endpoints;
//   - the buffers memory and system_window acknowledge what they hold in memory
//     only, so a sender is told that its delivery is safe before it is.
func environment() *service.Environment {
	env := service.NewEnvironment().Without("subprocess", "command", "awk", "dynamic")
	var buffers []string // not by Without: there is a cache called memory, too
	env.WalkBuffers(func(name string, _ *service.ConfigView) {
		if !slices.Contains([]string{"memory", "system_window"}, name) {
			buffers = append(buffers, name)
		}
	})
	return env.WithBuffers(buffers...)
}

// adminAddress is where /ping, /ready and /metrics are served, unless the config
// says otherwise.
func adminAddress() string {
	return cmp.Or(os.Getenv("HOOKSWITCH_ADMIN_ADDRESS"), "127.0.0.1:4195")
}

// stamp returns the version with its commit, and the commit's date, as far as the
// build knows them.
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
