package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/plugins/webhook"
)

// sendCommand posts a delivery as a vendor does: the way to try a deployment.
func sendCommand() *cli.Command {
	var set edits
	return &cli.Command{
		Name:      "send",
		Usage:     "Post a sample as a vendor does, signed, and print the answer",
		ArgsUsage: "URL",
		Description: `Without a path in the URL the sample goes where the vendor is told to send, with
the secret where the vendor puts it. A path may hold {event} and {token}, in place
of which go the native event and the secret:

  export CALLRAIL_SIGNING_KEY=...
  hookswitch send --vendor callrail --event post_call http://127.0.0.1:8080
  hookswitch send --vendor callrail --event post_call http://127.0.0.1:8080/callrail/second/{event}

The secret comes from the variable that the webhook input reads, or from the file
that its twin <variable>_FILE names. A vendor whose variable ends in _PRIVATE_KEY
signs with a key that only it has; "hookswitch vendors <vendor>" tells how to make a
pair with openssl to try a deployment.
` + secretVariables() + `
Without it the delivery is posted unsigned. A body that does not begin as JSON is
sent as a form. Vendors that sign the URL sign --public-url and the path, as the
public_url of the input has it. It fails with 1 unless the answer is 2xx. Wrong
arguments fail with 2.

With --set the body is edited before it is signed:

  hookswitch send --vendor mobiniti --event inbound --set phone_number=+12025550143 http://127.0.0.1:8080

` + editing,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "vendor", Usage: "who sends: " + strings.Join(vendors.Names(), ", ")},
			&cli.StringFlag{Name: "event", Usage: "the native event, as the vendor names it"},
			&cli.StringFlag{Name: "file", Usage: "the body; without it a sample of the event"},
			&cli.GenericFlag{Name: "set", Value: &set, Usage: editUsage},
			&cli.StringFlag{Name: "header", Usage: "the header that holds the secret, if it is not the vendor's own way"},
			&cli.StringFlag{Name: "public-url", EnvVars: []string{"HOOKSWITCH_PUBLIC_URL"}, Usage: "public_url of the input, for vendors that sign the URL; without it they sign the URL that is posted to"},
		},
		OnUsageError: flagsMisused,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return misused("reading arguments: expected one URL, after all flags, got %d arguments", c.NArg())
			}
			return send(c.Context, c.App.Writer, c.Args().First(), c.String("vendor"), c.String("event"), c.String("file"), c.String("header"), c.String("public-url"), set...)
		},
	}
}

func secretVariables() string {
	var b strings.Builder
	for _, v := range vendors.All() {
		fmt.Fprintf(&b, "\n  %-10s %s", v.Name, v.SigningEnv())
	}
	return b.String() + "\n"
}

func send(ctx context.Context, out io.Writer, to, vendor, native, file, header, public string, set ...edit) error {
	v, err := vendorOf(vendor)
	if err != nil {
		return err
	}
	if native == "" {
		return misused("reading flag event: expected a native event of %s, such as %s, got none", v.Title, strings.Join(v.EventNames(), ", "))
	}
	body, err := v.Sample(native)
	if file != "" {
		body, err = os.ReadFile(file)
	}
	if err != nil {
		return misused("%w", err)
	}
	if body, err = edits(set).apply(body, contentType(body)); err != nil {
		return err
	}
	scheme := v.Signing
	switch {
	case header != "":
		scheme = signing.Header{Name: header}
	case strings.Contains(to, "{token}"):
		scheme = signing.PathToken{}
	}
	variable := v.SecretEnv
	if scheme.Reads().PublicKey {
		variable = v.SigningEnv()
	}
	secret, err := webhook.ReadSecret(variable)
	if err != nil {
		return err
	}
	if u, err := url.Parse(to); err == nil && strings.Trim(u.Path, "/") == "" {
		to = strings.TrimRight(to, "/") + pathOf(v, secret != "")
	}
	if strings.Contains(to, "{token}") && secret == "" {
		return fmt.Errorf("reading URL: expected the secret for {token} in %s, it is not set", variable)
	}
	signed := &signing.Request{Header: http.Header{"Content-Type": {contentType(body)}}, Body: body, Now: time.Now()}
	to = strings.NewReplacer("{event}", url.PathEscape(native), "{token}", url.PathEscape(secret)).Replace(to)
	if secret == "" {
		if _, err := fmt.Fprintf(out, "%s is not set: sending without a secret\n", variable); err != nil {
			return err
		}
	} else {
		if signed.URL, err = urlOfVendor(to, public); err != nil {
			return err
		}
		known := signed.URL
		if err := scheme.Sign(secret, signed); err != nil {
			return fmt.Errorf("signing with %s: %w", variable, err)
		}
		to += strings.TrimPrefix(signed.URL, known)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(signed.Body))
	if err != nil {
		return errors.New("reading URL: expected one such as http://127.0.0.1:8080/callrail/post_call") // which may hold the secret
	}
	req.Header = signed.Header
	req.Header.Set("User-Agent", "hookswitch-send")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("sending to %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("reading answer: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s\n%s", resp.Status, text); err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("sending to %s: expected an answer of 2xx, got %s", req.URL.Host, resp.Status)
	}
	return nil
}

// urlOfVendor is the URL that a vendor knows, which a proxy in front of the input may hide:
// public, and the path and query of the URL that is posted to.
func urlOfVendor(to, public string) (string, error) {
	if public == "" {
		return to, nil
	}
	u, err := url.Parse(to)
	if err != nil {
		return "", errors.New("reading URL: expected one such as http://127.0.0.1:8080/callrail/post_call") // which may hold the secret
	}
	return strings.TrimRight(public, "/") + u.RequestURI(), nil
}

// pathOf is where the webhook input takes the deliveries of a vendor.
func pathOf(v *vendors.Vendor, verified bool) string {
	path := "/" + v.Name
	if verified && v.SecretInPath() {
		path += "/{token}"
	}
	if v.Named == nil {
		path += "/{event}"
	}
	return path
}

const formType = "application/x-www-form-urlencoded"

func contentType(body []byte) string {
	if beginsAsJSON(body) || len(bytes.TrimSpace(body)) == 0 {
		return "application/json"
	}
	return formType
}

func beginsAsJSON(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}
