package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// vendorsCommand says what a vendor sends and how it is pointed at a deployment.
func vendorsCommand() *cli.Command {
	return &cli.Command{
		Name:      "vendors",
		Usage:     "List the vendors, or say what a vendor sends, how it signs and which URLs to enter",
		ArgsUsage: "[VENDOR]",
		Description: `Without a vendor it prints a line for each: name, variable of the secret, how the vendor
proves who it is, and how many native events it has.

  hookswitch vendors
  hookswitch vendors callrail`,
		OnUsageError: flagsMisused,
		Action: func(c *cli.Context) error {
			switch c.NArg() {
			case 0:
				return listVendors(c.App.Writer)
			case 1:
				v, ok := vendors.Get(c.Args().First())
				if !ok {
					return misused("reading arguments: expected a vendor, one of %s, got %q", strings.Join(vendors.Names(), ", "), c.Args().First())
				}
				return describeVendor(c.App.Writer, v)
			}
			return misused("reading arguments: expected at most one vendor, got %d arguments", c.NArg())
		},
	}
}

func listVendors(out io.Writer) error {
	var rows strings.Builder
	for _, v := range vendors.All() {
		fmt.Fprintf(&rows, "%s\t%s\t%s\t%d\n", v.Name, v.SecretEnv, v.Signing.Proof(), len(v.Events))
	}
	return writeTable(out, rows.String())
}

// writeTable writes lines whose columns have tabs between them, one below the other.
func writeTable(out io.Writer, rows string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, err := io.WriteString(w, rows)
	return errors.Join(err, w.Flush())
}

func describeVendor(out io.Writer, v *vendors.Vendor) error {
	path := strings.ReplaceAll(pathOf(v, true), "{token}", "<secret>")
	var rows strings.Builder
	fmt.Fprintf(&rows, "name\t%s\n", v.Name)
	fmt.Fprintf(&rows, "title\t%s\n", v.Title)
	fmt.Fprintf(&rows, "page\t%s\n", v.Page)
	fmt.Fprintf(&rows, "set up\t%s\n", strings.ReplaceAll(v.Setup, "`", ""))
	fmt.Fprintf(&rows, "proof\t%s\n", v.Signing.Proof())
	fmt.Fprintf(&rows, "variables\t%[1]s, or a file named by %[1]s_FILE; %[1]s_OLD while it is replaced\n", v.SecretEnv)
	if v.Signing.Reads().URL {
		rows.WriteString("public URL\tneeded, as the vendor signs it: public_url of the input, HOOKSWITCH_PUBLIC_URL of the shipped configs\n")
	}
	if h := v.Handshake; h != nil {
		fmt.Fprintf(&rows, "handshake\tanswered if %[1]s, or a file named by %[1]s_FILE, holds the token that the vendor was told\n", h.SecretEnv)
	}
	if v.Named != nil {
		fmt.Fprintf(&rows, "URL\thttps://<host>%s\n", path)
	}
	if err := writeTable(out, rows.String()); err != nil {
		return err
	}
	rows.Reset()
	rows.WriteString("\nnative event\ttypes")
	if v.Named == nil {
		rows.WriteString("\tURL")
	}
	rows.WriteByte('\n')
	for _, e := range v.Events {
		fmt.Fprintf(&rows, "%s\t%s", e.Name, strings.Join(e.Types, " "))
		if v.Named == nil {
			fmt.Fprintf(&rows, "\thttps://<host>%s", strings.ReplaceAll(path, "{event}", e.Name))
		}
		rows.WriteByte('\n')
	}
	if !v.Closed {
		fmt.Fprintf(&rows, "another\t%s.<native event>\n", v.Name)
	}
	if err := writeTable(out, rows.String()); err != nil {
		return err
	}
	_, err := io.WriteString(out, keyPair(v))
	return err
}

// keyPair says how to try a deployment with a pair of keys of one's own. It returns nothing
// for a vendor that does not sign with a private key.
func keyPair(v *vendors.Vendor) string {
	var algorithm string
	switch v.Signing.(type) {
	case signing.ECDSA:
		algorithm = "EC -pkeyopt ec_paramgen_curve:P-256"
	case signing.Ed25519:
		algorithm = "ed25519"
	default:
		return ""
	}
	return fmt.Sprintf(`
%s signs with a private key that only it has. To try a deployment, make a pair of your own:

  openssl genpkey -algorithm %s -out private.pem
  openssl pkey -in private.pem -pubout -out public.pem

Run the deployment with %s_FILE=public.pem, and send with %s_FILE=private.pem.
`, v.Title, algorithm, v.SecretEnv, v.SigningEnv())
}
