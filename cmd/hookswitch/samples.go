package main

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// samplesCommand gives out the bodies that are compiled in.
func samplesCommand() *cli.Command {
	return &cli.Command{
		Name:      "samples",
		Usage:     "List the samples that are built in, or print a sample",
		ArgsUsage: "[VENDOR[/EVENT[/CASE]]]",
		Description: `Lists the samples of all vendors or of a vendor, one a line. With a native event it prints
the sample that send posts, and with a case that sample, as the vendor would send it:

  hookswitch samples
  hookswitch samples callrail
  hookswitch samples callrail/post_call
  hookswitch samples mobiniti/inbound/keyword

A folder undeclared holds bodies for which no route declares the native event.`,
		OnUsageError: flagsMisused,
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return misused("reading arguments: expected at most one sample, got %d arguments", c.NArg())
			}
			vendor, rest, _ := strings.Cut(c.Args().First(), "/")
			if vendor == "" {
				for _, v := range vendors.All() {
					if err := listSamples(c.App.Writer, v); err != nil {
						return err
					}
				}
				return nil
			}
			v, ok := vendors.Get(vendor)
			if !ok {
				return misused("reading arguments: expected a vendor, one of %s, got %q", strings.Join(vendors.Names(), ", "), vendor)
			}
			native, name, one := strings.Cut(rest, "/")
			switch {
			case one:
				body, err := fs.ReadFile(v.Samples, "testdata/"+native+"/"+name+".json")
				if err != nil {
					body, err = fs.ReadFile(v.Samples, "testdata/"+native+"/"+name+".form")
				}
				if err != nil {
					return misused("looking for the sample %s: expected a line of hookswitch samples %s", c.Args().First(), v.Name)
				}
				_, err = c.App.Writer.Write(body)
				return err
			case native != "":
				body, err := v.Sample(native)
				if err != nil {
					return misused("%w", err)
				}
				_, err = c.App.Writer.Write(body)
				return err
			}
			return listSamples(c.App.Writer, v)
		},
	}
}

func listSamples(out io.Writer, v *vendors.Vendor) error {
	if v.Samples == nil {
		return nil
	}
	return fs.WalkDir(v.Samples, "testdata", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		_, err = fmt.Fprintf(out, "%s/%s\n", v.Name, strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), path.Ext(file)))
		return err
	})
}
