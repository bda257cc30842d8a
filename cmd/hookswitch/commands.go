package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"
)

// streamsCommand is the engine's streams command without its REST API, which lets
// whoever reaches it run any config; --no-api=false asks for it.
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

// healthCommand makes a health check of an image that holds nothing but the binary.
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
	// Not the default transport: no proxy stands before ourselves.
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
