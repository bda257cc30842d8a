// Package vendors is what a vendor is, and the registry of all that are compiled
// in. A vendor is one folder below this one: a decoder that registers itself, and
// testdata with samples and goldens.
package vendors

import (
	"fmt"
	"io/fs"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
)

// Vendor is a sender of webhooks.
type Vendor struct {
	Name  string // as in source and partitionkey: callrail
	Title string // as the vendor writes itself: CallRail
	Page  string // URL of the vendor's own page on its webhooks, or where it is found
	Setup string // how to point the vendor at a deployment, one sentence

	// Signing is how the vendor proves who it is. By default the URL that it is given
	// holds the secret.
	Signing signing.Scheme
	// SecretEnv names the environment variable that holds the secret, such as
	// CALLRAIL_SIGNING_KEY. It ends in _PUBLIC_KEY if and only if the secret is a public
	// key. By default it is <NAME>_PATH_TOKEN for a secret in the URL.
	SecretEnv string
	// Handshake is how the vendor asks, before it sends anything, whether somebody who
	// knows its customer has a URL. Nil for a vendor that does not ask.
	Handshake *Handshake
	// Receipt is the answer to a delivery that was taken. Nil for a vendor that looks at the
	// status alone.
	Receipt *Receipt

	// Samples hold testdata/<native event>/<case>.json, or .form for a form, "undeclared" for
	// the native event where the payload tells: what is sent to try a deployment. Nil for none.
	Samples fs.FS

	Events []NativeEvent // sorted by name
	Closed bool          // the vendor has no native events but these

	// RawOnly has the keys that no native event reads.
	RawOnly []RawOnly

	// Pieces yields the payloads of the single native events in a payload, each of which
	// decodes by itself to just its events, in the order of the payload. A piece is a part of
	// the payload, or a document of its own, which Decode releases before it asks for the next
	// piece. Together the pieces have all of the payload, and they are no larger than
	// SliceLimit. An object without pieces is decoded as a whole. Nil where a payload is always
	// of one native event.
	Pieces func(payload.Value) iter.Seq[payload.Value]
	// Named returns the native event that the payload itself names, "" if it
	// names none. Nil where no payload of the vendor does.
	Named func(*Reader, payload.Value) string
	// Shape guesses the native event from the payload's shape, "" if it is like
	// none. Nil where there is no telling.
	Shape func(payload.Value) string
	// Other converts a payload of a native event that is not in Events, or of
	// none. The draft has no type.
	Other func(*Input) Draft

	// RedactedKeys are the keys that are removed from every payload, in any letter
	// case and at any depth, before anything else looks at the payload.
	RedactedKeys []string
	// Numbering says how the vendor writes phone numbers.
	Numbering event.Numbering

	source string // of events without an account
}

// Handshake is a GET of the URL to which a vendor is told to send. Its query has a token, which
// the customer has told to the vendor, and a challenge, which is the answer.
type Handshake struct {
	Query     map[string]string // the parameters that have one value, such as hub.mode: subscribe
	Token     string            // the parameter that holds the token: hub.verify_token
	Challenge string            // the parameter that holds the challenge: hub.challenge
	// SecretEnv names the environment variable that holds the token. It is not the one of
	// the vendor's secret, which must not stand in a URL.
	SecretEnv string
}

// Receipt is what a vendor wants to read in the answer to a delivery that was taken.
type Receipt struct{ ContentType, Body string }

// NativeEvent is what a vendor says has happened.
type NativeEvent struct {
	Name  string   // the vendor's own name
	Types []string // what it gives: types of the catalogue, or vendor-scoped ones

	// RawOnly has the keys that this native event does not read, but another one does.
	RawOnly []RawOnly

	// Convert converts a payload that is one event. Split converts a payload that
	// may be several, at least one, and stops at an error of emit. A native event
	// has one of the two.
	Convert func(*Input) Draft
	Split   func(in *Input, emit func(Draft) error) error
}

// RawOnly has keys of a payload that become no field of the event, and the reason, as a
// phrase without a full stop. A key is written as Explain writes it, and stands for all keys
// within its value, too.
type RawOnly struct {
	Reason string
	Keys   []string
}

// SliceLimit returns how many bytes the payloads may have together that a payload is sliced
// into, as a slice repeats what it shares with other slices: eight times the payload, and 2 KiB
// for each slice. So the memory that a payload takes is linear in its size. A payload whose
// slices would be larger is not sliced: it becomes one event.
func SliceLimit(whole payload.Value, slices int) int { return 8*len(whole.Text()) + 2<<10*slices }

// SecretInPath reports whether the URL that the vendor is given holds its secret.
func (v *Vendor) SecretInPath() bool { return v.Signing.Reads().Token }

// SigningEnv names the environment variable of what the vendor signs with: the secret, or the
// private key of the pair whose public key is the secret.
func (v *Vendor) SigningEnv() string {
	if name, public := strings.CutSuffix(v.SecretEnv, publicKeySuffix); public {
		return name + "_PRIVATE_KEY"
	}
	return v.SecretEnv
}

// Native returns the native event of that name.
func (v *Vendor) Native(name string) (*NativeEvent, bool) {
	for i := range v.Events {
		if v.Events[i].Name == name {
			return &v.Events[i], true
		}
	}
	return nil, false
}

// EventNames returns the names of the native events, sorted.
func (v *Vendor) EventNames() []string {
	var names []string
	for _, e := range v.Events {
		names = append(names, e.Name)
	}
	return names
}

var registry []*Vendor

var (
	vendorName = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)
	secretEnv  = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
)

const publicKeySuffix = "_PUBLIC_KEY"

// Register adds a vendor. It panics if the vendor is not whole: a distribution
// with such a vendor must not start.
func Register(v Vendor) {
	mustHold(vendorName.MatchString(v.Name), "vendor %q: the name has to match %v", v.Name, vendorName)
	_, taken := Get(v.Name)
	mustHold(!taken, "vendor %s: registered twice", v.Name)
	mustHold(v.Title != "" && v.Setup != "", "vendor %s: it has to have a title and a setup", v.Name)
	if v.Signing == nil {
		v.Signing = signing.PathToken{}
	}
	if v.SecretEnv == "" && v.SecretInPath() {
		v.SecretEnv = strings.ToUpper(v.Name) + "_PATH_TOKEN"
	}
	mustHold(secretEnv.MatchString(v.SecretEnv), "vendor %s: the environment variable of its secret has to match %v", v.Name, secretEnv)
	mustHold(strings.HasSuffix(v.SecretEnv, publicKeySuffix) == v.Signing.Reads().PublicKey,
		"vendor %s: the environment variable of its secret has to end in %s where that is a public key, and only there", v.Name, publicKeySuffix)
	if h := v.Handshake; h != nil {
		mustHold(h.Token != "" && h.Challenge != "", "vendor %s: its handshake has to have a token and a challenge", v.Name)
		mustHold(secretEnv.MatchString(h.SecretEnv) && h.SecretEnv != v.SecretEnv,
			"vendor %s: the environment variable of its handshake has to match %v, and to be its own", v.Name, secretEnv)
	}
	mustHold(strings.HasPrefix(v.Page, "https://"), "vendor %s: the page has to be an https URL", v.Name)
	mustHold(v.Other != nil, "vendor %s: it has to convert native events that it does not know", v.Name)
	mustHold(len(v.Events) > 0, "vendor %s: it has to have native events", v.Name)
	for i, e := range v.Events {
		mustHold(e.Name != "" && len(e.Types) > 0, "vendor %s: native event %q has to have a name and types", v.Name, e.Name)
		mustHold((e.Convert == nil) != (e.Split == nil), "vendor %s: native event %s has to have one conversion", v.Name, e.Name)
		mustHold(i == 0 || v.Events[i-1].Name < e.Name, "vendor %s: native event %s has to stand in its order", v.Name, e.Name)
	}
	v.source = "/" + v.Name
	registry = append(registry, &v)
	slices.SortFunc(registry, func(a, b *Vendor) int { return strings.Compare(a.Name, b.Name) })
}

func mustHold(ok bool, format string, args ...any) {
	if !ok {
		panic("registering " + fmt.Sprintf(format, args...))
	}
}

// All returns the vendors, sorted by name.
func All() []*Vendor { return slices.Clone(registry) }

// Names returns the names of the vendors, sorted.
func Names() []string {
	var names []string
	for _, v := range registry {
		names = append(names, v.Name)
	}
	return names
}

// Get returns the vendor of that name.
func Get(name string) (*Vendor, bool) {
	i, ok := slices.BinarySearchFunc(registry, name, func(v *Vendor, name string) int { return strings.Compare(v.Name, name) })
	if !ok {
		return nil, false
	}
	return registry[i], true
}
