package webhook

import (
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

type config struct {
	address   string
	tls       tlsFiles
	limits    limits
	accessLog bool
	routes    []*route
	wanted    []string // fields of a header that matter, by their canonical names
}

// tlsFiles are PEM files; "" for none.
type tlsFiles struct{ cert, key, clientCA string }

type limits struct {
	body, inflated, inFlight, header int64
	connections                      int
	read, answer, idle               time.Duration
}

func spec() *service.ConfigSpec {
	var own []string
	for _, v := range vendors.All() {
		if v.Signature != nil {
			own = append(own, v.Name)
		}
	}
	return service.NewConfigSpec().Stable().Categories("Network").
		Summary("Receives webhooks over HTTP: verifies who sent them, bounds what they take, and answers when the pipeline is done with them.").
		Description(description).
		LintRule(`root = if (this.routes | []).length() == 0 { [ "expected at least one of routes" ] }`).
		Fields(
			service.NewStringField("address").
				Description("Where to listen, host:port.").
				LintRule(`root = if !this.re_match(":[0-9]+$") { [ "expected host:port, got " + this ] }`).
				Default("127.0.0.1:8080"),
			service.NewObjectField("tls",
				service.NewStringField("cert_file").Description("PEM file of the certificate and those that lead to its root.").Default(""),
				service.NewStringField("key_file").Description("PEM file of the certificate's key.").Default(""),
				service.NewStringField("client_ca_file").Description("PEM file of the authorities that a client's certificate has to be of. Without it no client needs one.").Default(""),
			).Description("Serves HTTPS, with HTTP/2, if a certificate is given. Changed files are read again within a second; where they cannot be, the last ones stay.").
				LintRule(`root = if ((this.cert_file | "") == "") != ((this.key_file | "") == "") { [ "expected both cert_file and key_file, or none" ] }`),
			service.NewObjectField("limits",
				bytesField("body", "1MiB", "How large a body may be as sent. A larger one is answered 413."),
				bytesField("inflated", "8MiB", fmt.Sprintf("How large a compressed body may become. Over %d KiB it may also not become more than %d times as large. A larger one is answered 413.", smallInflated>>10, maxRatio)),
				bytesField("in_flight", "64MiB", "How many bytes of bodies may be in memory until the pipeline is done with them. Over it senders are answered 503 and Retry-After."),
				service.NewIntField("connections").Description(fmt.Sprintf("How many connections may be open. Over it the one that has idled longest is closed for a new one; if none idles, the new one waits. One of %d may be of HTTP/2, with %d requests under way each; the others are of HTTP/1.1.", streams, streams)).Default(4096).LintRule(`root = if this < 1 { [ "expected at least 1" ] }`),
				bytesField("header", "32KiB", fmt.Sprintf("How large the header of a request may be. A larger one, or one of more than %d fields, is answered 431. It is held beside the bytes in flight.", maxFields)),
				durationField("read", "10s", "How long a request may take to arrive. One that is not complete then is answered 503, and the connection closed."),
				durationField("answer", "10s", "How long the pipeline may take from then on. At the end of it the sender is answered 503 and Retry-After; the delivery is withdrawn if the pipeline has not begun with it, and is otherwise still written. Less than shutdown_timeout, which is 20s by default and has to be at least 2s for senders to be told."),
				durationField("idle", "60s", "How long a connection may idle between requests."),
			).Description("What strangers can take.").Advanced(),
			service.NewBoolField("access_log").
				Description("Whether to log a line for each request: route, status, outcome, size, seconds and the IP address of the peer. Never a body, path, query or header.").
				Default(false).Advanced(),
			service.NewObjectListField("routes",
				service.NewStringField("path").
					Description("The path that the sender posts to. A segment may be `{event}`, the native event that this URL is for; `{token}`, a secret; or `{vendor}`, one that is compiled in. The first route that a path fits counts.").
					LintRule(`root = if !this.re_match("^(/([A-Za-z0-9._~-]+|\\{(event|token|vendor)\\}))+$") { [ "expected a / and segments of letters, digits and ._~-, or {event}, {token} or {vendor}, got " + this ] }`).
					Examples("/callrail/{event}", "/movement/{token}", "/supersend"),
				service.NewStringField("vendor").
					Description("Who sends, as the decoder is called. Empty for bodies that nothing here decodes, and where the path tells.").
					LintRule(fmt.Sprintf(`root = if this != "" && !%s.contains(this) { [ "expected a vendor that is compiled in: %s, got " + this ] }`, list(vendors.Names()), strings.Join(vendors.Names(), ", "))).
					Default(""),
				service.NewStringField("account").
					Description("Which account of the vendor sends: a label of your own, "+delivery.AccountLabel+".").
					LintRule(fmt.Sprintf(`root = if !this.re_match(%q) { [ "expected %s" ] }`, delivery.AccountPattern, delivery.AccountLabel)).
					Default(""),
				service.NewStringField("event").
					Description("The native event that this route is for, as the vendor names it, where neither the path nor the payload tells.").
					Default(""),
				service.NewObjectField("verify",
					service.NewStringListField("secrets").
						Description("The secrets that are live: two while one is replaced. Empty ones are dropped, so that they can come from the environment; without any the input does not start.").
						Example([]string{"${CALLRAIL_SIGNING_KEY:}", "${CALLRAIL_SIGNING_KEY_OLD:}"}).
						Secret().Default([]any{}),
					service.NewObjectField("hmac",
						service.NewStringField("header").Description("The header that holds it.").Example("X-Signature"),
						service.NewStringEnumField("algorithm", "sha1", "sha256", "sha512").Description("The hash.").Default("sha256"),
						service.NewStringEnumField("encoding", string(vendors.Hex), string(vendors.Base64)).Description("How it is written.").Default(string(vendors.Hex)),
						service.NewStringField("prefix").Description("What stands in front of it.").Example("sha256=").Default(""),
					).Description("An HMAC of the body, keyed with the text of a secret.").Optional(),
					service.NewBoolField("standard").
						Description("[Standard Webhooks](https://www.standardwebhooks.com): secrets are `whsec_` or, for ed25519, `whpk_` and base64.").
						Default(false),
					service.NewStringField("header").
						Description("A header whose value is the secret.").
						Example("X-Webhook-Secret").Default(""),
					service.NewObjectField("basic",
						service.NewStringField("username").Description("The user name; the secrets are the passwords."),
					).Description("HTTP basic authentication.").Optional(),
					service.NewBoolField("path_token").
						Description("The secret is the `{token}` of the path.").
						Default(false),
					service.NewBoolField("none").
						Description("Nobody is verified: whoever reaches the address is believed.").
						Default(false),
				).Description("How to know that the vendor sends. Left to the secrets alone it is the vendor's own signature, which "+strings.Join(own, " and ")+" have.").
					LintRule(fmt.Sprintf("let schemes = [ %s ].filter(s -> s).length()\n"+`root = if $schemes > 1 { [ "expected one way to verify, got several" ] }`, schemesGiven)),
				service.NewStringListField("headers").
					Description("Headers that become metadata, as `webhook_header_` and the name in lower case with _ for -: for bodies that are not decoded, and dead letters, as events have metadata of their own. No other part of a request does.").
					LintRule(fmt.Sprintf(`root = if %s.contains(this.string().lowercase()) { [ "expected none that holds credentials" ] }`, strings.ToLower(list(credentials)))).
					Example([]string{"X-Request-Id"}).Default([]any{}).Advanced(),
			).Description("Where deliveries arrive, and who may send them.").
				LintRule(fmt.Sprintf("root = match {\n"+
					"  this.type() != \"object\" => []\n"+ // the list, which is linted with the same rule
					"  (this.path | \"\").contains(\"{token}\") != (this.verify.path_token | false) => [ \"expected path_token: true with {token} in the path, and only then\" ]\n"+
					"  (this.verify.none | false) && (this.verify.secrets | []).length() > 0 => [ \"expected no secrets where nobody is verified\" ]\n"+
					"  [%s].any(s -> s) => []\n"+
					"  !%s.contains(this.vendor | \"\") => [ \"expected verify to say how, or none: true, as the vendor has no signature of its own\" ]\n"+
					"  (this.verify.secrets | []).length() == 0 => [ \"expected verify with the secrets of the vendor's signature, or another way, or none: true\" ]\n"+
					"}", strings.ReplaceAll(schemesGiven, "this.", "this.verify."), list(own))),
		).
		Example("Two vendors, verified",
			"CallRail signs; SuperSend sends a secret in a header. The processor knows from the delivery whose it is.", `
input:
  webhook:
    address: 127.0.0.1:8080
    routes:
      - path: /callrail/{event}
        vendor: callrail
        verify: { secrets: [ '${CALLRAIL_SIGNING_KEY:}' ] }
      - path: /supersend
        vendor: supersend
        verify: { header: X-Webhook-Secret, secrets: [ '${SUPERSEND_SECRET:}' ] }

pipeline:
  processors:
    - webhook_decode: {}

output:
  switch:
    cases:
      - check: errored()
        output: { file: { path: dead_letters.jsonl } }
      - output: { stdout: {} }
`)
}

// schemesGiven are conditions, one of which holds for each scheme that is given.
const schemesGiven = `(this.hmac | null) != null, this.standard | false, (this.header | "") != "", (this.basic | null) != null, this.path_token | false, this.none | false`

const description = `
A sender waits until the pipeline is done with its delivery: 200 says that every output has it, 503 with Retry-After that it has to be sent again. What can not be decoded and has reached an output for dead letters is answered 200, too.

| answer | when |
|---|---|
| 200 | the pipeline acknowledged |
| 400 | the body ended before its length, or the request can be read in two ways |
| 401 | not verified |
| 404, 405 | no route has this path; it is not POST |
| 413 | the body, as sent or inflated, is too large |
| 415 | its Content-Encoding is neither gzip nor deflate |
| 417, 431, 501, 505 | what HTTP/1.1 has for an unknown expectation, a header that is too large, an unknown transfer coding, another version |
| 503, Retry-After | an output refused, or took too long; too many bytes are in flight; the process stops |

A body that does not inflate although its sender is verified is kept: it goes on as sent, and no decoder takes it.

The message's bytes are the body. Its metadata are all else that is known of the delivery: ` + "`webhook_vendor`, `webhook_event`, `webhook_account`, `webhook_content_type`, `webhook_content_encoding`, `webhook_route`, `webhook_received_at` and `webhook_delivery_id`" + `, where there is a value, and the headers that the route lists. Nothing else of a request becomes metadata.

` + "`/healthz`" + ` answers 200 while the process is up, ` + "`/readyz`" + ` 503 while it stops or has no memory for another body.

Counts: ` + "`webhook_deliveries` by route and outcome (`handshake` where TLS fails, which is no delivery), `webhook_late` (what the pipeline said after the answer) by route and verdict, `webhook_verified` by route and position of the secret, `webhook_received_bytes` by route; gauges `webhook_in_flight`, `webhook_reserved_bytes`; timer `webhook_answer` by route" + `.`

func bytesField(name, size, text string) *service.ConfigField {
	return service.NewStringField(name).Description(text).Default(size).
		LintRule(`root = if !this.string().re_match("(?i)^[0-9]+ ?([kmg]i?)?b?$") { [ "expected a size such as 1MiB" ] }`)
}

func durationField(name, d, text string) *service.ConfigField {
	return service.NewDurationField(name).Description(text).Default(d).
		LintRule(`root = if !this.string().re_match("^([0-9.]+(ns|us|ms|s|m|h))+$") || !this.string().re_match("[1-9]") { [ "expected a time such as 10s, got " + this.string() ] }`)
}

// list is a Bloblang array of strings.
func list(texts []string) string {
	b := []string{}
	for _, t := range texts {
		b = append(b, fmt.Sprintf("%q", t))
	}
	return "[" + strings.Join(b, ", ") + "]"
}

func parseConfig(conf *service.ParsedConfig) (*config, error) {
	p := parser{conf: conf}
	c := &config{
		address: p.text("address"),
		tls:     tlsFiles{p.text("tls", "cert_file"), p.text("tls", "key_file"), p.text("tls", "client_ca_file")},
		limits: limits{
			body:        p.bytes("limits", "body"),
			inflated:    p.bytes("limits", "inflated"),
			inFlight:    p.bytes("limits", "in_flight"),
			header:      p.bytes("limits", "header"),
			connections: p.count("limits", "connections"),
			read:        p.duration("limits", "read"),
			answer:      p.duration("limits", "answer"),
			idle:        p.duration("limits", "idle"),
		},
		accessLog: p.bool("access_log"),
	}
	if p.err != nil {
		return nil, p.err
	}
	if _, port, err := net.SplitHostPort(c.address); err != nil || port == "" {
		return nil, fmt.Errorf("reading field address: expected host:port, got %q", c.address)
	}
	if (c.tls.cert == "") != (c.tls.key == "") {
		return nil, errors.New("reading field tls: expected both cert_file and key_file, or none")
	}
	if c.tls.clientCA != "" && c.tls.cert == "" {
		return nil, errors.New("reading field tls.client_ca_file: expected cert_file and key_file with it")
	}
	if c.limits.inFlight < c.limits.body {
		return nil, errors.New("reading field limits.in_flight: expected at least limits.body, so that the largest body finds room")
	}
	list, err := conf.FieldObjectList("routes")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("reading field routes: expected at least one")
	}
	for i, conf := range list {
		r, err := parseRoute(conf)
		if err != nil {
			return nil, fmt.Errorf("reading field routes.%d.%w", i, err)
		}
		for _, earlier := range c.routes {
			if earlier.covers(r) {
				return nil, fmt.Errorf("reading field routes.%d.path: expected a path that is not taken, but %s takes all of %s", i, earlier.path, r.path)
			}
		}
		c.routes = append(c.routes, r)
		c.wanted = append(append(c.wanted, r.headers...), r.verify.headers()...)
	}
	c.wanted = append(c.wanted, "Content-Type", "Content-Encoding")
	slices.Sort(c.wanted)
	c.wanted = slices.Compact(c.wanted)
	return c, nil
}

// parseRoute's errors begin with the name of a field.
func parseRoute(conf *service.ParsedConfig) (*route, error) {
	p := parser{conf: conf}
	r := &route{
		path:    p.text("path"),
		vendor:  p.text("vendor"),
		account: p.text("account"),
		event:   p.text("event"),
	}
	if p.err != nil {
		return nil, p.err
	}
	headers, err := conf.FieldStringList("headers")
	if err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	for _, h := range headers {
		name := http.CanonicalHeaderKey(h)
		if slices.Contains(credentials, name) {
			return nil, fmt.Errorf("headers: expected none that holds credentials, got %s, for the route %s", name, r.path)
		}
		r.headers = append(r.headers, name)
	}
	if r.segments, err = parsePath(r.path); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	if r.path == healthPath || r.path == readyPath {
		return nil, fmt.Errorf("path: expected another one than %s, which tells of the process", r.path)
	}
	if _, known := vendors.Get(r.vendor); !known && r.vendor != "" {
		return nil, fmt.Errorf("vendor: expected one that is compiled in: %s, got %q, for the route %s", strings.Join(vendors.Names(), ", "), r.vendor, r.path)
	}
	if r.vendor != "" && r.has(paramVendor) {
		return nil, fmt.Errorf("vendor: expected none, as the path tells, for the route %s", r.path)
	}
	if r.event != "" && r.has(paramEvent) {
		return nil, fmt.Errorf("event: expected none, as the path tells, for the route %s", r.path)
	}
	if r.account != "" && !delivery.ValidAccount(r.account) {
		return nil, fmt.Errorf("account: expected "+delivery.AccountLabel+", for the route %s", r.path)
	}
	if r.verify, err = parseVerify(conf.Namespace("verify"), r); err != nil {
		return nil, fmt.Errorf("verify%w, for the route %s", err, r.path)
	}
	if v, ok := r.verify.(*header); ok && slices.Contains(r.headers, v.name) {
		return nil, fmt.Errorf("headers: expected none that holds the secret, got %s, for the route %s", v.name, r.path)
	}
	_, r.public = r.verify.(nobody)
	return r, nil
}

// credentials are headers that must not travel on, and framing those that are no
// sender's to choose.
var (
	credentials = []string{"Authorization", "Cookie", "Proxy-Authorization"}
	framing     = []string{"Connection", "Content-Length", "Expect", "Host", "Trailer", "Transfer-Encoding"}
)

// parseVerify's errors begin with a dot and the name of a field, or a colon.
func parseVerify(conf *service.ParsedConfig, r *route) (verifier, error) {
	p := parser{conf: conf}
	var (
		headerName = p.text("header")
		isStandard = p.bool("standard")
		isToken    = p.bool("path_token")
		isNone     = p.bool("none")
		isHMAC     = conf.Contains("hmac")
		isBasic    = conf.Contains("basic")
	)
	texts, err := conf.FieldStringList("secrets")
	if err = errors.Join(p.err, err); err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	r.verified = make([]atomic.Int64, len(texts)+1)
	var secrets []secret
	for i, text := range texts {
		trimmed := strings.TrimSpace(text)
		if trimmed == "" {
			continue
		}
		if trimmed != text { // as it comes out of a file with a last line
			return nil, fmt.Errorf(".secrets: expected no white space around a secret, secret %d has some", i+1)
		}
		secrets = append(secrets, secret{text, i + 1})
	}
	given := 0
	for _, is := range []bool{headerName != "", isStandard, isToken, isNone, isHMAC, isBasic} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, errors.New(": expected one way, got several")
	}
	if isToken != r.has(paramToken) {
		return nil, errors.New(".path_token: expected it with {token} in the path, and only then")
	}
	if isNone {
		if len(texts) > 0 {
			return nil, errors.New(".secrets: expected none where nobody is verified")
		}
		return nobody{}, nil
	}
	var signature *vendors.Signature
	if given == 0 {
		v, _ := vendors.Get(r.vendor)
		if v == nil || v.Signature == nil {
			return nil, errors.New(": expected a way, as the vendor has no signature of its own, or none: true")
		}
		signature = v.Signature
	}
	if len(secrets) == 0 {
		return nil, errors.New(".secrets: expected at least one that is not empty")
	}
	if headerName != "" || isToken || isBasic {
		for _, s := range secrets {
			if len(s.text) < shortSecret {
				r.short = s.position
			}
		}
	}
	switch {
	case headerName != "":
		name := http.CanonicalHeaderKey(headerName)
		if slices.Contains(framing, name) {
			return nil, fmt.Errorf(".header: expected one that holds a secret, got %s", name)
		}
		return &header{name, secrets}, nil
	case isToken:
		return &pathToken{secrets}, nil
	case isStandard:
		v, err := newStandard(secrets)
		if err != nil {
			return nil, fmt.Errorf(".secrets: %w", err)
		}
		return v, nil
	case isBasic:
		username := p.text("basic", "username")
		return &basic{username, secrets}, p.err
	case isHMAC:
		signature = &vendors.Signature{
			Header:   p.text("hmac", "header"),
			Hash:     map[string]crypto.Hash{"sha1": crypto.SHA1, "sha256": crypto.SHA256, "sha512": crypto.SHA512}[p.text("hmac", "algorithm")],
			Encoding: vendors.Encoding(p.text("hmac", "encoding")),
			Prefix:   p.text("hmac", "prefix"),
		}
		if p.err != nil {
			return nil, fmt.Errorf(".%w", p.err)
		}
		if signature.Hash == 0 || !slices.Contains([]vendors.Encoding{vendors.Hex, vendors.Base64}, signature.Encoding) || signature.Header == "" {
			return nil, errors.New(".hmac: expected a header, an algorithm of sha1, sha256 and sha512, and an encoding of hex and base64")
		}
	}
	return newSigned(signature, secrets), nil
}

// isLoopback reports whether only this machine reaches the address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parser reads fields until one cannot be read.
type parser struct {
	conf *service.ParsedConfig
	err  error
}

func read[T any](p *parser, field func(...string) (T, error), path []string) T {
	value, err := field(path...)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%s: %w", strings.Join(path, "."), err)
	}
	return value
}

func (p *parser) text(path ...string) string { return read(p, p.conf.FieldString, path) }
func (p *parser) bool(path ...string) bool   { return read(p, p.conf.FieldBool, path) }

func (p *parser) bytes(path ...string) int64 {
	return read(p, func(path ...string) (int64, error) {
		text, err := p.conf.FieldString(path...)
		if err != nil {
			return 0, err
		}
		n, err := humanize.ParseBytes(text)
		if err != nil || n == 0 || n > 1<<40 {
			return 0, fmt.Errorf("expected a size such as 1MiB, got %q", text)
		}
		return int64(n), nil
	}, path)
}

func (p *parser) count(path ...string) int {
	return read(p, func(path ...string) (int, error) {
		n, err := p.conf.FieldInt(path...)
		if err == nil && n < 1 {
			err = fmt.Errorf("expected at least 1, got %d", n)
		}
		return n, err
	}, path)
}

func (p *parser) duration(path ...string) time.Duration {
	return read(p, func(path ...string) (time.Duration, error) {
		d, err := p.conf.FieldDuration(path...)
		if err == nil && d <= 0 {
			err = fmt.Errorf("expected more than 0, got %s", d)
		}
		return d, err
	}, path)
}
