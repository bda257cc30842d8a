package webhook

import (
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// route is where deliveries of one kind arrive.
type route struct {
	path     string // as configured: a label, without anything of a request
	segments []string

	vendor  string // "" where the path names the vendor, or nobody does
	account string
	event   string // the declared native event; "" where the path names it, or nobody does
	headers []string

	proof     *proof    // nil where nobody is verified
	question  *question // nil where nobody asks whether the URL is ours
	publicURL string    // what stands in front of the path in the URL that the vendor knows; "" if nobody says

	counts
}

// public reports whether nobody is verified.
func (r *route) public() bool { return r.proof == nil }

// The parameters that a path may have.
const (
	paramVendor = "{vendor}"
	paramEvent  = "{event}"
	paramToken  = "{token}"
)

var (
	literalSegment = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	params         = []string{paramVendor, paramEvent, paramToken}
)

// vendorRoutes returns the routes of a vendor: /<vendor>/<native event>, and /<vendor>
// for payloads that name the native event. If the URL has to hold the secret, the
// secret follows the vendor's name.
func vendorRoutes(v *vendors.Vendor, unverified bool) []*route {
	base := "/" + v.Name
	var own *proof
	if !unverified {
		own = newProof(v.Signing, v.SecretEnv, "vendors")
		if v.SecretInPath() {
			base += "/" + paramToken
		}
	}
	asked := newQuestion(v)
	var routes []*route
	for _, path := range []string{base, base + "/" + paramEvent} {
		r := &route{path: path, segments: strings.Split(path[1:], "/"), vendor: v.Name, proof: own, question: asked}
		routes = append(routes, r)
	}
	return routes
}

// parseRoute reads one of the routes. Its errors begin with the name of a field.
func parseRoute(conf *service.ParsedConfig) (*route, error) {
	p := parser{conf: conf}
	r := &route{
		path:    p.text("path"),
		vendor:  p.text("vendor"),
		account: p.text("account"),
		event:   p.text("event"),
	}
	public := p.text("public_url")
	if p.err != nil {
		return nil, p.err
	}
	var err error
	if r.segments, err = parsePath(r.path); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	if r.publicURL, err = parsePublicURL(public); err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	if r.path == healthPath || r.path == readyPath {
		return nil, fmt.Errorf("path: expected another one than %s, which tells of the process", r.path)
	}
	if err := r.parse(conf); err != nil {
		return nil, fmt.Errorf("%w, for the route %s", err, r.path)
	}
	return r, nil
}

// parse reads the fields that the path has to agree with.
func (r *route) parse(conf *service.ParsedConfig) error {
	if _, known := vendors.Get(r.vendor); !known && r.vendor != "" {
		return fmt.Errorf("vendor: expected one that is compiled in: %s, got %q", strings.Join(vendors.Names(), ", "), r.vendor)
	}
	if r.vendor != "" && r.has(paramVendor) {
		return errors.New("vendor: expected none, as the path names the vendor")
	}
	if r.event != "" && r.has(paramEvent) {
		return errors.New("event: expected none, as the path names the event")
	}
	if r.account != "" && !delivery.ValidAccount(r.account) {
		return errors.New("account: expected " + delivery.AccountLabel)
	}
	if err := r.parseVerify(conf.Namespace("verify")); err != nil {
		return fmt.Errorf("verify%w", err)
	}
	headers, err := conf.FieldStringList("headers")
	if err != nil {
		return fmt.Errorf("headers: %w", err)
	}
	for _, h := range headers {
		name := http.CanonicalHeaderKey(h)
		switch {
		case !readable(name):
			return fmt.Errorf("headers: expected fields that a sender can set, got %q", h)
		case slices.Contains(credentials, name):
			return fmt.Errorf("headers: expected none that holds credentials, got %s", name)
		case r.holdsSecret(name):
			return fmt.Errorf("headers: expected none that holds the secret, got %s", name)
		}
		r.headers = append(r.headers, name)
	}
	return nil
}

// holdsSecret reports whether a header holds the secret of the route, or the one that the
// vendor puts there whatever the route asks for.
func (r *route) holdsSecret(header string) bool {
	var all []signing.Reads
	if !r.public() {
		all = append(all, r.proof.reads)
	}
	if v, known := vendors.Get(r.vendor); known {
		all = append(all, v.Signing.Reads())
	}
	return slices.ContainsFunc(all, func(reads signing.Reads) bool { return reads.Secret && slices.Contains(reads.Headers, header) })
}

// credentials are header fields that must not travel on.
var credentials = []string{"Authorization", "Cookie", "Proxy-Authorization"}

// framing are header fields that tell how a request is sent. The server removes
// them, so the door cannot read what a sender has set.
var framing = []string{"Connection", "Content-Length", "Expect", "Host", "Trailer", "Transfer-Encoding"}

var fieldName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// readable reports whether a request may have a header field of that canonical
// name.
func readable(name string) bool {
	return fieldName.MatchString(name) && !slices.Contains(framing, name)
}

var variable = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

// parseVerify reads how the route's senders are verified. Its errors begin with a
// dot and the name of a field, or a colon.
func (r *route) parseVerify(conf *service.ParsedConfig) error {
	p := parser{conf: conf}
	var ways []signing.Scheme
	none := p.bool("none")
	if none {
		ways = append(ways, nil)
	}
	if p.bool("standard") {
		ways = append(ways, signing.Standard{})
	}
	if p.bool("path_token") {
		ways = append(ways, signing.PathToken{})
	}
	if name := p.text("header"); name != "" {
		if !readable(http.CanonicalHeaderKey(name)) {
			return fmt.Errorf(".header: expected a field that a sender can set, got %q", name)
		}
		ways = append(ways, signing.Header{Name: name})
	}
	if conf.Contains("basic") {
		ways = append(ways, signing.Basic{Username: p.text("basic", "username")})
	}
	if conf.Contains("hmac") {
		s := signing.HMAC{
			Header:   p.text("hmac", "header"),
			Hash:     hashes[p.text("hmac", "algorithm")],
			Encoding: signing.Encoding(p.text("hmac", "encoding")),
			Prefix:   p.text("hmac", "prefix"),
		}
		if p.err == nil && (s.Hash == 0 || s.Encoding != signing.Hex && s.Encoding != signing.Base64) {
			return errors.New(".hmac: expected an algorithm of sha1, sha256 and sha512, and an encoding of hex and base64")
		}
		if p.err == nil && !readable(http.CanonicalHeaderKey(s.Header)) {
			return fmt.Errorf(".hmac.header: expected a field that a sender can set, got %q", s.Header)
		}
		ways = append(ways, s)
	}
	secretEnv := p.text("secret_env")
	if p.err != nil {
		return fmt.Errorf(".%w", p.err)
	}
	vendor, known := vendors.Get(r.vendor)
	if known {
		r.question = newQuestion(vendor)
	}
	var scheme signing.Scheme
	switch {
	case len(ways) > 1:
		return errors.New(": expected one way, got several")
	case len(ways) == 1:
		scheme = ways[0]
	case known:
		scheme = vendor.Signing
	default:
		return errors.New(": expected a way, as no vendor tells its own, or none: true")
	}
	if inPath := !none && scheme.Reads().Token; inPath != r.has(paramToken) {
		return errors.New(": expected {token} in the path where the path holds the secret, and only there")
	}
	switch {
	case none && secretEnv != "":
		return errors.New(".secret_env: expected none where nobody is verified")
	case none:
		return nil
	case secretEnv == "" && known:
		secretEnv = vendor.SecretEnv
	case !variable.MatchString(secretEnv): // which may be the secret, so that it is not shown
		return errors.New(".secret_env: expected the name of an environment variable, of A to Z, 0 to 9 and _, such as CALLRAIL_SIGNING_KEY")
	}
	r.proof = newProof(scheme, secretEnv, "")
	return nil
}

var hashes = map[string]crypto.Hash{"sha1": crypto.SHA1, "sha256": crypto.SHA256, "sha512": crypto.SHA512}

// parsePath returns the segments of a route's path.
func parsePath(path string) ([]string, error) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, fmt.Errorf("expected a path that begins with /, got %q", path)
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		switch {
		case slices.Contains(params, s):
			if slices.Contains(segments[:i], s) {
				return nil, fmt.Errorf("expected %s once, got %q", s, path)
			}
		case s == "." || s == ".." || !literalSegment.MatchString(s):
			return nil, fmt.Errorf("expected segments of letters, digits and ._~-, or %s, got %q", strings.Join(params, ", "), path)
		}
	}
	return segments, nil
}

func (r *route) has(param string) bool { return slices.Contains(r.segments, param) }

// covers reports whether r takes every path that other does.
func (r *route) covers(other *route) bool {
	if len(r.segments) != len(other.segments) {
		return false
	}
	for i, s := range r.segments {
		in := other.segments[i]
		_, vendor := vendors.Get(in)
		switch {
		case s == in, s == paramEvent, s == paramToken, s == paramVendor && vendor:
		default:
			return false
		}
	}
	return true
}

// maxEvent is how many bytes of a native event in a path become metadata. Decoders
// keep no more of a name.
const maxEvent = 128

// arguments are what a request's path gives for the parameters of a route.
type arguments struct{ vendor, event, token string }

// match reports whether a path, escaped as it was sent, is the route's. An escaped
// slash separates nothing, and no parameter is empty. A path with one more slash at
// its end is the same path.
func (r *route) match(path string) (arguments, bool) {
	var args arguments
	for _, want := range r.segments {
		rest, ok := strings.CutPrefix(path, "/")
		if !ok {
			return args, false
		}
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		sent := rest[:end]
		path = rest[end:]
		if strings.Contains(sent, "%") {
			var err error
			if sent, err = url.PathUnescape(sent); err != nil {
				return args, false
			}
		}
		if sent == "" {
			return args, false
		}
		switch want {
		case paramVendor:
			if _, known := vendors.Get(sent); !known {
				return args, false
			}
			args.vendor = sent
		case paramEvent:
			// It becomes metadata, and from there a header or a field of what is written.
			if args.event = vendors.Clean(sent, maxEvent); args.event == "" {
				return args, false
			}
		case paramToken:
			args.token = sent
		default:
			if sent != want {
				return args, false
			}
		}
	}
	return args, path == "" || path == "/"
}
