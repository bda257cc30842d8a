package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"
)

// defaultConfig is the config that hookswitch run takes when none is given, if the
// file exists.
const defaultConfig = "/etc/hookswitch.yaml"

// requireConfig returns a check that refuses to run without a config, when there is
// none at the default path either: the engine would copy stdin to stdout, and look
// as if it worked.
func requireConfig(path string) func(*cli.Context) error {
	return func(c *cli.Context) error {
		if c.Command.Name == "streams" || c.Args().First() != "" || c.String("config") != "" {
			return nil
		}
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		return fmt.Errorf("finding the config: expected a path, as in hookswitch run configs/quickstart.yaml, or a file at %s", path)
	}
}

// streamsCommand is the engine's streams command without its REST API, which runs
// any config that somebody sends; --no-api=false asks for it.
func streamsCommand() *cli.Command {
	return &cli.Command{
		Name:  "streams",
		Usage: "Run several configs, of input, pipeline and output alone, in one process; their REST API only with --no-api=false",
		// The engine's own command parses the flags, and explains them.
		SkipFlagParsing: true,
		HideHelp:        true,
		Action: func(c *cli.Context) error {
			given := c.Args().Slice()
			args := slices.Concat(os.Args[:len(os.Args)-len(given)], []string{"--no-api"}, given)
			service.RunCLI(c.Context, append(options(), service.CLIOptSetArgs(args...))...)
			return nil
		},
	}
}

// bloblCommand is the engine's blobl command without its server, which runs any
// mapping that somebody sends, a web page included, and so gives away the files and
// the environment of the machine.
func bloblCommand() *cli.Command {
	return &cli.Command{
		Name:            "blobl",
		Usage:           "Run a Bloblang mapping on documents of stdin or of a file",
		SkipFlagParsing: true,
		HideHelp:        true,
		Action: func(c *cli.Context) error {
			if slices.Contains(c.Args().Slice(), "server") {
				return errors.New("reading arguments: expected a mapping or flags, got server, which Hookswitch does not have: it would run any mapping that reaches it")
			}
			service.RunCLI(c.Context, options()...)
			return nil
		},
	}
}

// studioCommand replaces the engine's studio command, which runs the configs that
// another machine sends. The engine has no way to remove a command.
func studioCommand() *cli.Command {
	return &cli.Command{
		Name:            "studio",
		Hidden:          true,
		SkipFlagParsing: true,
		HideHelp:        true,
		Action: func(*cli.Context) error {
			return errors.New("reading arguments: expected a command that hookswitch --help shows, got studio, which Hookswitch does not have: it would run configs that another machine sends")
		},
	}
}

// healthCommand serves the health check of an image that holds nothing but the
// binary.
func healthCommand() *cli.Command {
	return &cli.Command{
		Name:      "health",
		Usage:     "Ask a running Hookswitch whether it is alive, and fail if it is not",
		ArgsUsage: "[URL]",
		Description: `Expects the answer 200 of the URL: by default /ping at the address of
HOOKSWITCH_ADMIN_ADDRESS, which says that the process is up. Where a config sets
http.address, or to ask whether inputs and outputs are connected, give the URL:

  hookswitch health http://127.0.0.1:4195/ready`,
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return fmt.Errorf("reading arguments: expected at most one URL, got %d", c.NArg())
			}
			url := c.Args().First()
			if url == "" {
				url = "http://" + adminAddress() + "/ping"
			}
			return checkHealth(c.Context, url)
		},
	}
}

func checkHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("reading URL: %w", err)
	}
	// The default transport would use the environment's proxy, which may not reach
	// an address of this machine.
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w", url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking %s: expected 200, got %s", url, resp.Status)
	}
	return nil
}
