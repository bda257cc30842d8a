package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

type config struct {
	address   string
	tls       tlsFiles
	limits    limits
	accessLog bool
	routes    []*route
	wanted    []string // canonical names of the header fields that the door keeps of a request
}

// tlsFiles are PEM files; "" for none.
type tlsFiles struct{ cert, key, clientCA string }

type limits struct {
	body, inflated, inFlight, header int64
	connections                      int
	read, answer, idle               time.Duration
}

// newConfig reads a configuration and, from the environment, its secrets.
func newConfig(conf *service.ParsedConfig, env environment, log *service.Logger) (*config, error) {
	c, err := parseConfig(conf)
	if err != nil {
		return nil, err
	}
	if err := c.load(env, log); err != nil {
		return nil, err
	}
	return c, nil
}

// load completes a configuration with what its routes need of the environment.
func (c *config) load(env environment, log *service.Logger) error {
	if err := c.loadSecrets(env, log); err != nil {
		return err
	}
	c.wanted = []string{"Content-Type", "Content-Encoding"}
	var public []string
	for _, r := range c.routes {
		c.wanted = append(c.wanted, r.headers...)
		if r.public() {
			public = append(public, r.path)
			continue
		}
		c.wanted = append(c.wanted, r.proof.reads.Headers...)
	}
	slices.Sort(c.wanted)
	c.wanted = slices.Compact(c.wanted)
	if len(public) > 0 && !isLoopback(c.address) {
		log.With("routes", strings.Join(public, ", "), "address", c.address).Warn("Nobody is verified on these routes, and more than this machine reaches them")
	}
	return nil
}

// parseConfig checks all that the text of a configuration tells. The linter calls it
// too, so it does not read the environment: the routes have no secrets yet.
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
	public := p.text("public_url")
	named, unverified := "", p.bool("unverified")
	if conf.Contains("vendors") {
		named = strings.TrimSpace(p.text("vendors"))
	}
	if p.err != nil {
		return nil, fmt.Errorf("reading field %w", p.err)
	}
	publicURL, err := parsePublicURL(public)
	if err != nil {
		return nil, fmt.Errorf("reading field public_url: %w", err)
	}
	if _, port, err := net.SplitHostPort(c.address); err != nil || !isPort(port) {
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
		return nil, fmt.Errorf("reading field routes: %w", err)
	}
	for i, conf := range list {
		field := fmt.Sprintf("routes.%d", i)
		r, err := parseRoute(conf)
		if err != nil {
			return nil, fmt.Errorf("reading field %s.%w", field, err)
		}
		if !r.public() {
			r.proof.field = field + ".verify.secret_env"
		}
		if r.question != nil {
			r.question.token.field = field + ".vendor"
		}
		if r.publicURL == "" {
			r.publicURL = publicURL
		}
		if err := c.add(field+".path", r); err != nil {
			return nil, err
		}
	}
	all := named == "*" || named == "" && unverified && len(list) == 0
	if named == "" && unverified && !all {
		return nil, errors.New("reading field unverified: expected vendors with it; a route says verify: { none: true }")
	}
	chosen, err := parseVendors(named, all)
	if err != nil {
		return nil, fmt.Errorf("reading field vendors: %w", err)
	}
	if !conf.Contains("vendors") && len(list) == 0 && !all {
		return nil, errNobodyServed()
	}
	for _, v := range chosen {
		for _, r := range vendorRoutes(v, unverified) {
			r.publicURL = publicURL
			if !r.public() {
				r.proof.optional = all
			}
			if err := c.add("vendors", r); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// add appends a route, unless an earlier route takes all its requests.
func (c *config) add(field string, r *route) error {
	for _, earlier := range c.routes {
		if earlier.covers(r) {
			return fmt.Errorf("reading field %s: expected a path that is not taken, but %s takes all of %s", field, earlier.path, r.path)
		}
	}
	c.routes = append(c.routes, r)
	return nil
}

// parseVendors returns the vendors whose names a text holds, with commas between
// them, or all that are compiled in.
func parseVendors(names string, all bool) ([]*vendors.Vendor, error) {
	if all {
		return vendors.All(), nil
	}
	if names == "" {
		return nil, nil
	}
	var chosen []*vendors.Vendor
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		v, known := vendors.Get(name)
		if !known {
			return nil, fmt.Errorf("expected *, or names with commas of those that are compiled in: %s, got %q", strings.Join(vendors.Names(), ", "), name)
		}
		if slices.Contains(chosen, v) {
			return nil, fmt.Errorf("expected each name once, got %s twice", name)
		}
		chosen = append(chosen, v)
	}
	return chosen, nil
}

// loadSecrets gives each route its verifier. An optional route whose secret is not
// set is dropped.
func (c *config) loadSecrets(env environment, log *service.Logger) error {
	if len(c.routes) == 0 {
		return errNobodyServed()
	}
	var (
		served  []*route
		missing []string // the vendors of dropped routes, and their variables
	)
	for _, r := range c.routes {
		r.verified = make([]atomic.Int64, positions)
		if !r.public() {
			err := r.proof.load(env, log)
			if r.proof.optional && errors.Is(err, errNoSecret) {
				missing = append(missing, r.vendor+" ("+r.proof.variable+")")
				continue
			}
			if err != nil {
				return fmt.Errorf("reading field %s: %w, for the route %s", r.proof.field, err, r.path)
			}
		}
		if r.question != nil {
			if err := r.question.load(env, log); err != nil {
				return fmt.Errorf("reading field %s: %w, for the handshake of %s", r.question.token.field, err, r.path)
			}
		}
		if r.publicURL == "" && !r.public() && r.proof.reads.URL {
			return fmt.Errorf("reading field public_url: expected the URL at which %s reaches this input, such as https://hooks.example.com (in the shipped configs HOOKSWITCH_PUBLIC_URL), as the sender signs the URL, for the route %s", r.vendor, r.path)
		}
		served = append(served, r)
	}
	missing = slices.Compact(missing)
	if len(served) == 0 {
		return fmt.Errorf("reading field vendors: expected the secret of at least one vendor, none is set: %s", strings.Join(missing, ", "))
	}
	if len(missing) > 0 {
		log.With("vendors", strings.Join(missing, ", ")).Warn("Vendors whose secret is not set are not served")
	}
	c.routes = served
	return nil
}

// errNobodyServed names the variables of the shipped configs, as whoever starts a
// shipped config has to set them.
func errNobodyServed() error {
	example := vendors.All()[0]
	return fmt.Errorf("reading field vendors: expected names or *, such as HOOKSWITCH_VENDORS=%s with the secret in %s; "+
		"or unverified: true (HOOKSWITCH_UNVERIFIED=true), which believes whoever reaches the address", example.Name, example.SecretEnv)
}

// parsePublicURL returns the URL without a slash at its end, so that a path can follow.
func parsePublicURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", errors.New("expected a URL such as https://hooks.example.com, perhaps with a path, without user, query and fragment")
	}
	return strings.TrimRight(text, "/"), nil
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
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

// parser reads fields until one cannot be read. Its error begins with the field's
// name.
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
		text, err := p.conf.FieldString(path...)
		if err != nil {
			return 0, err
		}
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return 0, fmt.Errorf("expected a time such as 10s, got %q", text)
		}
		return d, nil
	}, path)
}
