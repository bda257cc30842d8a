package webhook

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// route is where deliveries of one kind arrive.
type route struct {
	path     string // as configured: a label, without anything of a request
	segments []string

	vendor  string // "" for none, or for the path's
	account string
	event   string // declared, unless the path does
	headers []string
	verify  verifier
	public  bool // nobody is verified
	short   int  // the position of a secret that stands for itself and may be guessed; 0 for none

	counts
}

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

// maxEvent is how many bytes of a path's native event are taken: decoders take no
// more of a name.
const maxEvent = 128

// arguments are what a request's path gives for the parameters of a route.
type arguments struct{ vendor, event, token string }

// match reports whether a path, escaped as it was sent, is the route's, with
// a slash at its end or without. A slash that is escaped separates nothing, and no
// parameter is empty.
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
