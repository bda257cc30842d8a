package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// decodeCommand shows what a body becomes, by the processor that a stream runs.
func decodeCommand() *cli.Command {
	return &cli.Command{
		Name:      "decode",
		Usage:     "Print the events of a vendor's body, one a line",
		ArgsUsage: "[FILE]",
		Description: `Reads the body from the file, or from stdin where there is none or it is -. It needs
no config:

  hookswitch decode --vendor mobiniti --event inbound body.json
  hookswitch samples callrail/post_call | hookswitch decode --vendor callrail --event post_call

With --lines each line is a body, as in an export of JSON lines:

  hookswitch decode --vendor supersend --lines bodies.jsonl | jq .type

With --explain it prints what became of each key of the body: the field that it was read
for, or that it stands in raw only, and why.

It fails with 1 where a body cannot become events, and says why on stderr; with --lines it
says the number of the line, and goes on. Wrong arguments fail with 2.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "vendor", Usage: "who sent it: " + strings.Join(vendors.Names(), ", ")},
			&cli.StringFlag{Name: "event", Usage: "the native event, as the route would declare it; without it the payload tells"},
			&cli.StringFlag{Name: "account", Usage: "the account of the vendor, " + delivery.AccountLabel},
			&cli.StringFlag{Name: "content-type", Usage: "the Content-Type of the body; without it the first byte tells JSON from a form"},
			&cli.BoolFlag{Name: "lines", Usage: "each line is a body"},
			&cli.BoolFlag{Name: "explain", Usage: "print what became of each key instead of the events"},
		},
		OnUsageError: flagsMisused,
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return misused("reading arguments: expected one file, after all flags, got %d arguments", c.NArg())
			}
			v, err := vendorOf(c.String("vendor"))
			if err != nil {
				return err
			}
			if account := c.String("account"); account != "" && !delivery.ValidAccount(account) {
				return misused("reading flag account: expected %s, got %q", delivery.AccountLabel, account)
			}
			in := c.App.Reader
			if name := c.Args().First(); name != "" && name != "-" {
				file, err := os.Open(name)
				if err != nil {
					return misused("opening the body: %w", err)
				}
				defer func() { _ = file.Close() }()
				in = file
			}
			d := delivery.Delivery{Vendor: v.Name, Event: c.String("event"), Account: c.String("account"), ContentType: c.String("content-type")}
			out := bufio.NewWriter(c.App.Writer)
			one := func(d *delivery.Delivery) error { return explain(out, v, d) }
			if !c.Bool("explain") {
				decode, stop, err := decoder(c.Context)
				if err != nil {
					return err
				}
				defer stop()
				one = func(d *delivery.Delivery) error { return decode(out, d) }
			}
			return errors.Join(eachBody(in, c.App.ErrWriter, c.Bool("lines"), d, one), out.Flush())
		},
	}
}

// misused is the error of wrong arguments, whose exit code is 2.
func misused(format string, args ...any) error { return cli.Exit(fmt.Errorf(format, args...), 2) }

// vendorOf returns the vendor that the flag vendor names.
func vendorOf(name string) (*vendors.Vendor, error) {
	v, ok := vendors.Get(name)
	if !ok {
		return nil, misused("reading flag vendor: expected one of %s, got %q", strings.Join(vendors.Names(), ", "), name)
	}
	return v, nil
}

// flagsMisused is the error of wrong flags. The library would write the help to stdout, where
// a pipe takes it for the output.
func flagsMisused(_ *cli.Context, err error, _ bool) error { return misused("reading flags: %w", err) }

// eachBody calls one with the delivery, which has one body after the other. A body that fails
// does not hold up those behind it; there is an error then, and each reason is written to
// reasons.
func eachBody(in io.Reader, reasons io.Writer, lines bool, d delivery.Delivery, one func(*delivery.Delivery) error) error {
	if !lines {
		var err error
		if d.Body, err = io.ReadAll(in); err != nil {
			return fmt.Errorf("reading the body: %w", err)
		}
		return one(&d)
	}
	r := bufio.NewReader(in)
	bodies, failed := 0, 0
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading line %d: %w", number, err)
		}
		if d.Body = bytes.TrimSpace(line); len(d.Body) > 0 {
			bodies++
			if why := one(&d); why != nil {
				failed++
				if _, err := fmt.Fprintf(reasons, "line %d: %v\n", number, why); err != nil {
					return err
				}
			}
		}
		if err != nil {
			break
		}
	}
	if failed > 0 {
		return fmt.Errorf("decoding: expected events of each body, %d of %d gave none", failed, bodies)
	}
	return nil
}

// decoder returns a function that writes the events of a delivery, one a line. They come from
// the processor webhook_decode itself, so that they and the reasons are those of a stream.
func decoder(ctx context.Context) (decode func(io.Writer, *delivery.Delivery) error, stop func(), err error) {
	const label = "decode"
	builder := service.NewResourceBuilder()
	if err := builder.AddProcessorYAML("label: " + label + "\nwebhook_decode: {}"); err != nil {
		return nil, nil, fmt.Errorf("building the decoder: %w", err)
	}
	resources, end, err := builder.Build()
	if err != nil {
		return nil, nil, fmt.Errorf("building the decoder: %w", err)
	}
	decode = func(out io.Writer, d *delivery.Delivery) error {
		msg := service.NewMessage(d.Body)
		for key, value := range map[string]string{delivery.KeyVendor: d.Vendor, delivery.KeyEvent: d.Event, delivery.KeyAccount: d.Account, delivery.KeyContentType: d.ContentType} {
			msg.MetaSetMut(key, value)
		}
		var batch service.MessageBatch
		access := resources.AccessProcessor(ctx, label, func(p *service.ResourceProcessor) {
			batch, err = p.Process(ctx, msg)
		})
		if err := errors.Join(access, err); err != nil {
			return fmt.Errorf("decoding: %w", err)
		}
		for _, m := range batch {
			if err := m.GetError(); err != nil {
				reason, _ := m.MetaGet(delivery.KeyReason)
				return fmt.Errorf("%s: %w", reason, err)
			}
			text, err := m.AsBytes()
			if err != nil {
				return fmt.Errorf("reading event: %w", err)
			}
			if _, err := out.Write(append(text, '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	return decode, func() { _ = end(context.WithoutCancel(ctx)) }, nil
}

// explain writes what becomes of each key of a body: the key, and the fields or the reason.
func explain(out io.Writer, v *vendors.Vendor, d *delivery.Delivery) error {
	e, err := v.Explain(d)
	if u, ok := errors.AsType[*vendors.Undecodable](err); ok {
		return fmt.Errorf("%s: %w", u.Reason, err)
	}
	if err != nil {
		return err
	}
	var rows strings.Builder
	fmt.Fprintf(&rows, "(native event)\t%s, %s\n", cmp.Or(strings.Join(e.VendorEvents, ", "), "none"), strings.Join(e.Types, ", "))
	for _, k := range e.Keys {
		becomes := strings.Join(k.Fields, ", ")
		if becomes == "" {
			becomes = "raw only: " + cmp.Or(k.Reason, "the decoder does not know the key")
		}
		fmt.Fprintf(&rows, "%s\t%s\n", k.Name, becomes)
	}
	for _, i := range e.Issues {
		fmt.Fprintf(&rows, "(issue)\t%s: %s\n", i.Field, i.Reason)
	}
	return writeTable(out, rows.String())
}
