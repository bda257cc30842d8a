package distribution

import (
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	_ "github.com/hookswitch/hookswitch/plugins"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/services"
)

// full tells whether the binary is built with the build tag full.
func full(t *testing.T) bool {
	t.Helper()
	return setting(build(t), "-tags") == "full"
}

// TestFullSet takes an output that only the build tag full compiles in, with each of
// the database drivers that the README names.
func TestFullSet(t *testing.T) {
	for driver, dsn := range map[string]string{
		"clickhouse": "clickhouse://127.0.0.1:1/events",
		"mysql":      "user:password@tcp(127.0.0.1:1)/events",
		"postgres":   "postgres://127.0.0.1:1/events",
	} {
		t.Run(driver, func(t *testing.T) {
			config := write(t, `
http: { enabled: false }
input: { generate: { count: 1, mapping: 'root.id = "1"' } }
output: { sql_insert: { driver: `+driver+`, dsn: '`+dsn+`', table: events, columns: [ id ], args_mapping: 'root = [ this.id ]' } }
`)
			if !full(t) {
				_, stderr, err := run(t, "lint", config)
				require.Error(t, err)
				require.Contains(t, stderr, "sql_insert")
				return
			}
			mustRun(t, "lint", config)
			s := start(t, nil, "run", config)
			s.eventually(t, "it dials the database", func() bool {
				return strings.Contains(s.output.String(), "127.0.0.1:1: connect: connection refused")
			})
			require.NotContains(t, s.output.String(), "unknown driver")
			s.kill()
		})
	}
}

var update = flag.Bool("update", false, "write the golden files")

// idle is a config whose stream does nothing.
const idle = `
input: { generate: { interval: 1h, mapping: 'root = {}' } }
output: { drop: {} }
`

// processors returns the names of our processors.
func processors() []string {
	names := []string{"webhook_decode"}
	for _, v := range vendors.All() {
		names = append(names, v.Name+"_decode")
	}
	return names
}

// build returns what the binary says of its build.
func build(t *testing.T) *debug.BuildInfo {
	t.Helper()
	info, err := buildinfo.ReadFile(services.Binary())
	require.NoError(t, err)
	return info
}

// setting returns a setting of the build, such as CGO_ENABLED, or "".
func setting(info *debug.BuildInfo, key string) string {
	i := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == key })
	if i < 0 {
		return ""
	}
	return info.Settings[i].Value
}

func TestVersion(t *testing.T) {
	info := build(t)
	text := mustRun(t, "--version")
	require.Contains(t, text, info.Main.Version)
	require.Contains(t, text, setting(info, "vcs.revision"))
	require.Contains(t, text, setting(info, "vcs.time"))
	require.NotContains(t, text, engineVersion(info), "the engine's version is not ours")
}

func engineVersion(info *debug.BuildInfo) string {
	for _, m := range info.Deps {
		if m.Path == "github.com/redpanda-data/benthos/v4" {
			return m.Version
		}
	}
	return "no engine"
}

func TestHelp(t *testing.T) {
	text := mustRun(t, "--help")
	require.Contains(t, text, "Hookswitch")
	require.NotContains(t, text, "benthos")
	for _, command := range []string{"run", "lint", "test", "list", "create", "echo", "blobl", "streams", "health", "docs", "send", "spool", "template"} {
		require.Regexp(t, `(?m)^   `+command+`\b`, text)
	}
	require.Equal(t, text, mustRun(t), "without arguments")
}

// TestNothingToRun expects a sentence where the engine would copy stdin to stdout.
func TestNothingToRun(t *testing.T) {
	if _, err := os.Stat("/etc/hookswitch.yaml"); err == nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "this machine has /etc/hookswitch.yaml, which is run instead")
		t.Skip("this machine has /etc/hookswitch.yaml, which is run instead")
	}
	for _, args := range [][]string{
		{"run"}, {"run", ""}, {"run", "--set", "logger.level=OFF"}, {"--log.level", "info"}, {"-c", "", "run"},
	} {
		stdout, stderr, err := run(t, args...)
		require.Error(t, err, args)
		require.Empty(t, stdout, args)
		require.Equal(t, "finding the config: expected a path, as in hookswitch run configs/quickstart.yaml, or a file at /etc/hookswitch.yaml\n", stderr, args)
	}
}

// TestComponents compares all components, functions and methods with those that
// have been read and decided on, so that a new version of the engine adds none
// unseen. A binary of the build tag full has a list of its own.
func TestComponents(t *testing.T) {
	golden := filepath.Join("testdata", "components.txt")
	if full(t) {
		golden = filepath.Join("testdata", "components_full.txt")
	}
	text := mustRun(t, "list")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(text), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), text), "after reading what is new: go test ./tests/distribution -run TestComponents -update")
}

// component holds what the list command says of a component.
type component struct {
	Name        string `json:"name"`
	Summary     string `json:"summary"`
	Description string `json:"description"`
	Examples    []struct {
		Title  string `json:"title"`
		Config string `json:"config"`
	} `json:"examples"`
	Config struct {
		Children []struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Default     any    `json:"default"`
		} `json:"children"`
	} `json:"config"`
}

func list(t *testing.T, kind string) []component {
	t.Helper()
	var kinds map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(mustRun(t, "list", "--format", "json-full")), &kinds))
	require.Contains(t, kinds, kind)
	var all []component
	require.NoError(t, json.Unmarshal(kinds[kind], &all))
	return all
}

func TestOurProcessors(t *testing.T) {
	docs := map[string]component{}
	for _, c := range list(t, "processors") {
		docs[c.Name] = c
	}
	short := mustRun(t, "list", "processors")
	for _, name := range processors() {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, short, "- "+name+"\n")
			require.Contains(t, docs, name)
			c := docs[name]
			require.NotEmpty(t, c.Summary)
			require.NotEmpty(t, c.Description)
			require.NotEmpty(t, c.Config.Children)
			for _, field := range c.Config.Children {
				require.NotEmpty(t, field.Description, field.Name)
				require.NotNil(t, field.Default, field.Name)
			}
			require.NotEmpty(t, c.Examples)
			for _, example := range c.Examples {
				mustRun(t, "lint", write(t, example.Config))
			}
			mustRun(t, "lint", write(t, mustRun(t, "create", "stdin/"+name+"/stdout")))
		})
	}
}

func TestOurInput(t *testing.T) {
	require.Contains(t, mustRun(t, "list", "inputs"), "- webhook\n")
	inputs := list(t, "inputs")
	i := slices.IndexFunc(inputs, func(c component) bool { return c.Name == "webhook" })
	require.GreaterOrEqual(t, i, 0)
	c := inputs[i]
	require.NotEmpty(t, c.Summary)
	require.NotEmpty(t, c.Description)
	require.NotEmpty(t, c.Config.Children)
	for _, field := range c.Config.Children {
		require.NotEmpty(t, field.Description, field.Name)
	}
	require.NotEmpty(t, c.Examples)
	for _, example := range c.Examples {
		mustRun(t, "lint", write(t, example.Config))
	}
}

func TestLintOfOurFields(t *testing.T) {
	_, stderr, err := run(t, "lint", write(t, `pipeline: { processors: [ { webhook_decode: { vendr: callrail } } ] }`))
	require.Error(t, err)
	require.Contains(t, stderr, "vendr")
}

// removed are components of the engine that no config may use.
var removed = []struct{ kind, name, config string }{
	{"inputs", "subprocess", `input: { subprocess: { name: id } }`},
	{"processors", "subprocess", `pipeline: { processors: [ { subprocess: { name: cat } } ] }`},
	{"outputs", "subprocess", `output: { subprocess: { name: cat } }`},
	{"processors", "command", `pipeline: { processors: [ { command: { name: id } } ] }`},
	{"processors", "awk", `pipeline: { processors: [ { awk: { codec: text, program: '{ system("id") }' } } ] }`},
	{"inputs", "dynamic", `input: { dynamic: {} }`},
	{"outputs", "dynamic", `output: { dynamic: {} }`},
	{"processors", "crash", `pipeline: { processors: [ { crash: stop } ] }`},
	{"buffers", "memory", `buffer: { memory: {} }`},
	{"buffers", "system_window", `buffer: { system_window: { timestamp_mapping: root = now(), size: 1s } }`},
	{"buffers", "sqlite", `buffer: { sqlite: { path: spool.db } }`},
}

func TestRemoved(t *testing.T) {
	for _, r := range removed {
		t.Run(r.kind+"/"+r.name, func(t *testing.T) {
			for _, c := range list(t, r.kind) {
				require.NotEqual(t, r.name, c.Name)
			}
			require.NotContains(t, mustRun(t, "list", r.kind), "- "+r.name+"\n")

			path := write(t, r.config+"\n")
			for _, command := range [][]string{{"lint"}, {"run"}, {"run", "--chilled"}} {
				_, stderr, err := run(t, append(command, path)...)
				require.Error(t, err, command)
				require.Contains(t, stderr, r.name, command)
			}
		})
	}
	mustRun(t, "lint", write(t, "cache_resources: [ { label: seen, memory: {} } ]\n")) // only the buffer is gone
}

// TestRemovedEverywhere uses removed components where a config is not linted.
func TestRemovedEverywhere(t *testing.T) {
	t.Run("unit tests", func(t *testing.T) {
		_, stderr, err := run(t, "test", write(t, `
pipeline: { processors: [ { command: { name: id } } ] }
tests:
  - name: runs a command
    input_batch: [ { content: x } ]
    output_batches: [ [ { bloblang: 'true' } ] ]
`))
		require.Error(t, err)
		require.Contains(t, stderr, "command")
	})
	t.Run("mocks", func(t *testing.T) {
		_, stderr, err := run(t, "test", write(t, `
pipeline: { processors: [ { label: ours, webhook_decode: {} } ] }
tests:
  - name: runs a command
    mocks: { ours: { command: { name: id } } }
    input_batch: [ { content: x } ]
    output_batches: [ [ { bloblang: 'true' } ] ]
`))
		require.Error(t, err)
		require.Contains(t, stderr, "command")
	})
	t.Run("templates", func(t *testing.T) {
		template := write(t, "name: shell\ntype: processor\nmapping: |\n  root.command.name = \"id\"\n")
		_, stderr, err := run(t, "run", "-t", template, write(t, idle+"pipeline: { processors: [ { shell: {} } ] }\n"))
		require.Error(t, err)
		require.Contains(t, stderr, "command")
	})
	t.Run("set", func(t *testing.T) {
		_, stderr, err := run(t, "run", "--set", "input.subprocess.name=id", write(t, "output: { drop: {} }\n"))
		require.Error(t, err)
		require.Contains(t, stderr, "subprocess")
	})
	t.Run("resources", func(t *testing.T) {
		resources := write(t, "processor_resources: [ { label: shell, command: { name: id } } ]\n")
		_, stderr, err := run(t, "run", "-r", resources, write(t, idle))
		require.Error(t, err)
		require.Contains(t, stderr, "command")
	})
}

// TestUnitTests runs a config's own tests, which know our processors.
func TestUnitTests(t *testing.T) {
	path := write(t, `
pipeline: { processors: [ { webhook_decode: { vendor: callrail, event: post_call } } ] }
tests:
  - name: an event
    input_batch: [ { content: '{"resource_id":"CAL1"}' } ]
    output_batches: [ [ { bloblang: '!errored() && json("specversion") == "1.0"' } ] ]
  - name: no event
    input_batch: [ { content: '[' } ]
    output_batches: [ [ { bloblang: 'errored() && @decode_reason == "malformed"' } ] ]
`)
	mustRun(t, "lint", path)
	mustRun(t, "test", path)
}

func TestConfigs(t *testing.T) {
	configs, err := filepath.Abs(filepath.Join(root, "configs"))
	require.NoError(t, err)
	mustRun(t, "lint", configs+"/...")
	mustRun(t, "test", configs+"/...")
}

// TestFlag runs a config that stands behind -c, as before there was run.
func TestFlag(t *testing.T) {
	text := mustRun(t, "-c", write(t, `
input: { generate: { count: 1, mapping: 'root = "done"' } }
output: { stdout: {} }
http: { enabled: false }
`))
	require.Contains(t, text, "done\n")
}

func TestEcho(t *testing.T) {
	require.Contains(t, mustRun(t, "echo", write(t, "pipeline: { processors: [ { webhook_decode: {} } ] }\n")), "webhook_decode")
}

func TestBlobl(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), services.Binary(), "blobl", "root = this.a")
	cmd.Stdin = strings.NewReader(`{"a":"b"}` + "\n")
	text, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "b\n", string(text))
}

// TestRemovedCommands expects that nothing but a sentence comes of the engine's
// commands that run what somebody else sends.
func TestRemovedCommands(t *testing.T) {
	for _, args := range [][]string{
		{"studio"},
		{"studio", "pull", "--help"},
		{"--log.level", "info", "studio", "sync-schema"},
		{"blobl", "server"},
		{"blobl", "--threads", "1", "server", "--no-open"},
	} {
		stdout, stderr, err := run(t, args...)
		require.Error(t, err, args)
		require.Empty(t, stdout, args)
		require.Contains(t, stderr, "which Hookswitch does not have", args)
	}
}

func TestAdminAddress(t *testing.T) {
	t.Run("default", func(t *testing.T) {
		t.Setenv("HOOKSWITCH_ADMIN_ADDRESS", "")
		// Whoever else runs on this machine may have the port: the log says what
		// was asked for.
		s := start(t, nil, "run", write(t, idle))
		s.eventually(t, "it names its address", func() bool {
			return strings.Contains(s.output.String(), "http://127.0.0.1:4195")
		})
	})
	t.Run("environment", func(t *testing.T) {
		address := services.FreeAddress(t)
		start(t, []string{"HOOKSWITCH_ADMIN_ADDRESS=" + address}, "run", write(t, idle)).listens(t, address)
		notReachable(t, address)
	})
	t.Run("config", func(t *testing.T) {
		fromEnv, address := services.FreeAddress(t), services.FreeAddress(t)
		start(t, []string{"HOOKSWITCH_ADMIN_ADDRESS=" + fromEnv}, "run", write(t, idle+"http: { address: '"+address+"' }\n")).listens(t, address)
		_, err := get("http://" + fromEnv + "/ping")
		require.Error(t, err)
	})
}

// notReachable requires that no address of the machine but the loopback answers.
func notReachable(t *testing.T, address string) {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.IsLoopback() || ip.IP.To4() == nil {
			continue
		}
		_, err := get("http://" + net.JoinHostPort(ip.IP.String(), port) + "/ping")
		require.Error(t, err, "%s answers", ip.IP)
	}
}

func TestStreamsAPI(t *testing.T) {
	for _, test := range []struct {
		name  string
		flags []string
		want  int
	}{
		{"not by default", nil, http.StatusNotFound},
		{"on request", []string{"--no-api=false"}, http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := services.FreeAddress(t)
			args := append([]string{"--log.level", "info", "streams"}, append(test.flags, write(t, idle))...)
			s := start(t, []string{"HOOKSWITCH_ADMIN_ADDRESS=" + address}, args...)
			s.listens(t, address)
			require.Contains(t, s.output.String(), "streams mode")
			code, err := get("http://" + address + "/streams")
			require.NoError(t, err)
			require.Equal(t, test.want, code)
		})
	}
	require.Contains(t, mustRun(t, "streams", "--help"), "--no-api")
}
