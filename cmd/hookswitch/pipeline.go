package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"
)

// pipeline is a config that is run behind another input than its own: its processors, its
// output, its resources but for inputs, and its logger and metrics. It listens nowhere,
// so that it runs beside a process of the same config. It goes through the engine's run
// command, so that variables, templates, resources and the linter work as they do there.
type pipeline struct {
	config    string
	buffer    bool     // the config's buffer is run as well
	resources []string // files of resources, as of run's flag
	templates []string // files of templates, as of run's flag
	envFiles  []string // files of variables, as of run's flag
}

// pipelineFlags are those of run that a command with a pipeline has as well.
func pipelineFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "resources", Aliases: []string{"r"}, Usage: "files of resources, as of run"},
		&cli.StringSliceFlag{Name: "templates", Aliases: []string{"t"}, Usage: "files of templates, as of run"},
		&cli.StringSliceFlag{Name: "env-file", Aliases: []string{"e"}, Usage: "files of variables, as of run"},
	}
}

// pipelineOf reads the config and the flags of a command.
func pipelineOf(c *cli.Context) (pipeline, error) {
	if c.NArg() != 1 {
		return pipeline{}, misused("reading arguments: expected one config, behind all flags, got %d arguments", c.NArg())
	}
	return pipeline{
		config:    c.Args().First(),
		resources: c.StringSlice("resources"), templates: c.StringSlice("templates"), envFiles: c.StringSlice("env-file"),
	}, nil
}

// run runs the pipeline until the input has ended and all that it gave is acknowledged, or
// until a signal.
func (p pipeline) run(ctx context.Context, in service.BatchInput, more ...service.CLIOptFunc) error {
	env, err := withInput(in)
	if err != nil {
		return err
	}
	args := []string{
		"hookswitch", "run",
		"--set", "input.label=" + inputLabel,
		"--set", "input.processors=[{noop: {}}]", // an empty list is a lint
		"--set", "http={enabled: false}",
		"--set", "shutdown_delay=0s", // nobody has to be told that the process leaves
	}
	if !p.buffer {
		args = append(args, "--set", "buffer={none: {}}")
	}
	for flag, files := range map[string][]string{"--resources": p.resources, "--templates": p.templates, "--env-file": p.envFiles} {
		for _, file := range files {
			args = append(args, flag, file)
		}
	}
	code, err := service.RunCLIToCode(ctx, slices.Concat(optionsWith(env), more, []service.CLIOptFunc{service.CLIOptSetArgs(append(args, p.config)...)})...)
	if err == nil && code != 0 {
		err = errors.New("expected it to run, the log has the reason")
	}
	if err != nil {
		return fmt.Errorf("running %s: %w", p.config, err)
	}
	return nil
}

// inputLabel tells the input of the stream from those of its resources.
const inputLabel = "another_input"

// withInput returns the components that are compiled in, with the input in the place of
// every input. So the config's own input, and those of its resources, are neither made nor
// checked: a running process may hold their port, or their place in a consumer group. To
// replace the field of the config instead would take away the anchors of YAML in it, which
// the output may refer to.
func withInput(in service.BatchInput) (*service.Environment, error) {
	var names []string
	environment().WalkInputs(func(name string, _ *service.ConfigView) { names = append(names, name) })
	env := environment().WithInputs()
	anything := service.NewConfigSpec().Field(service.NewAnyField("").Default(nil))
	for _, name := range names {
		if err := env.RegisterBatchInput(name, anything, func(_ *service.ParsedConfig, mgr *service.Resources) (service.BatchInput, error) {
			if mgr.Label() == inputLabel {
				return in, nil
			}
			return idle{}, nil
		}); err != nil {
			return nil, fmt.Errorf("registering input %s: %w", name, err)
		}
	}
	return env, nil
}

// ended is an input that gives nothing.
type ended struct{}

func (ended) Connect(context.Context) error { return nil }

func (ended) ReadBatch(context.Context) (service.MessageBatch, service.AckFunc, error) {
	return nil, nil, service.ErrEndOfInput
}

func (ended) Close(context.Context) error { return nil }

// idle is an input that gives nothing and does not end.
type idle struct{ ended }

func (idle) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	<-ctx.Done()
	return nil, nil, ctx.Err()
}
