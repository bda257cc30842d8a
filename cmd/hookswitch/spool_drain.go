package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

// drainCommand runs a config without its input until its spool is empty.
func drainCommand() *cli.Command {
	return &cli.Command{
		Name:      "drain",
		Usage:     "Empty the spool of a config through its pipeline and output, without a door",
		ArgsUsage: "CONFIG",
		Description: `The way to retire a machine: stop the process that uses the directory, then drain.
The config's pipeline and output run, behind no input. Drain ends when the output
has all deliveries but those that are parked, which are offered once more.
What the output refuses otherwise, as when it is away, is tried again until drain is
told to stop, with Ctrl-C or by timeout(1). At the end it says what is left, and
exits with 1 if anything is.

  hookswitch spool drain configs/kafka.yaml
  timeout 10m hookswitch spool drain configs/kafka.yaml`,
		Flags:        pipelineFlags(),
		OnUsageError: flagsMisused,
		Action: func(c *cli.Context) error {
			p, err := pipelineOf(c)
			if err != nil {
				return err
			}
			p.buffer = true
			return drain(c.Context, c.App.ErrWriter, p)
		},
	}
}

// drain runs the pipeline behind an input that ends at once: then the spool hands out
// all that it has, and the engine stops.
func drain(ctx context.Context, progress io.Writer, p pipeline) error {
	var dir string
	watch, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan struct{})
	close(watched)
	ran := p.run(ctx, ended{}, service.CLIOptOnConfigParse(func(conf *service.ParsedConfig) (err error) {
		if dir, err = spoolDir(conf); err != nil {
			return err
		}
		i, err := store.Inspect(dir) // a spool that is not there would be made, and be empty
		if err != nil {
			dir = ""
			return err
		}
		if err := i.Close(); err != nil {
			return err
		}
		watched = make(chan struct{})
		go func() {
			defer close(watched)
			tellWhatIsLeft(watch, progress, dir)
		}()
		return nil
	}))
	stop()
	<-watched
	if dir == "" {
		return ran
	}
	left, err := look(ctx, dir)
	if err != nil {
		return errors.Join(ran, err)
	}
	if left.records > 0 {
		return errors.Join(ran, fmt.Errorf("draining %s: %s", dir, left))
	}
	if ran != nil {
		return fmt.Errorf("draining %s: %w", dir, ran)
	}
	_, err = fmt.Fprintf(progress, "draining %s: nothing is left\n", dir)
	return err
}

// spoolDir returns the directory of the config's spool.
func spoolDir(conf *service.ParsedConfig) (string, error) {
	parsed, err := conf.FieldAny("buffer")
	if err != nil {
		return "", fmt.Errorf("reading field buffer: %w", err)
	}
	var buffer struct {
		Spool *struct {
			Dir string `yaml:"dir"`
		} `yaml:"spool"`
	}
	node, ok := parsed.(interface{ Decode(any) error })
	if !ok {
		return "", errors.New("reading field buffer: expected spool, there is none to drain")
	}
	if err := node.Decode(&buffer); err != nil {
		return "", fmt.Errorf("reading field buffer: %w", err)
	}
	if buffer.Spool == nil {
		return "", errors.New("reading field buffer: expected spool, there is none to drain")
	}
	return buffer.Spool.Dir, nil
}

// remains is what is left in a spool.
type remains struct {
	records, parked int64
	lastError       string // of the oldest record that was refused
}

func (r remains) String() string {
	text := count(r.records)
	if r.records == 1 {
		text += " is left"
	} else {
		text += " are left"
	}
	if r.parked > 0 {
		text += fmt.Sprintf(", %s parked", humanize.Comma(r.parked))
	}
	if r.lastError != "" {
		text += ", the output said: " + printable(r.lastError)
	}
	return text
}

// look counts what is in a spool.
func look(ctx context.Context, dir string) (r remains, err error) {
	i, err := store.Inspect(dir)
	if err != nil {
		return r, err
	}
	err = i.List(ctx, func(e store.Entry) error {
		r.records++
		if e.Parked {
			r.parked++
		}
		if r.lastError == "" {
			r.lastError = e.LastError
		}
		return nil
	})
	return r, errors.Join(err, i.Close())
}

// tellWhatIsLeft says every now and then what is left. To count a large spool takes
// its time, so the pauses are much longer than that.
func tellWhatIsLeft(ctx context.Context, progress io.Writer, dir string) {
	pause := 5 * time.Second
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		began := time.Now()
		left, err := look(ctx, dir)
		pause = max(5*time.Second, 20*time.Since(began))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			_, _ = fmt.Fprintln(progress, err)
		default:
			_, _ = fmt.Fprintf(progress, "draining %s: %s\n", dir, left)
		}
	}
}
