package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"runtime"

	"github.com/hookswitch/hookswitch/plugins/signing"
)

// scheme is how the senders of a route are verified. Routes that share the pointer share
// the secrets.
type scheme struct {
	signing.Scheme
	reads signing.Reads
}

func newScheme(s signing.Scheme) *scheme { return &scheme{s, s.Reads()} }

// verifier tells who sent a request.
type verifier interface {
	// verify returns the position of the secret that verified the request, or 0.
	verify(r *signing.Request) int
}

// accepting is a verifier with the secrets of some positions.
type accepting struct {
	signing.Verifier
	positions []int // of the verifier's secrets
}

func (v *accepting) verify(r *signing.Request) int {
	if at := v.Verify(r); at > 0 {
		return v.positions[at-1]
	}
	return 0
}

// nobody verifies nothing.
type nobody struct{}

func (nobody) Proof() string                                { return "" }
func (nobody) Reads() signing.Reads                         { return signing.Reads{} }
func (nobody) Verifier([]string) (signing.Verifier, error) { return nobody{}, nil }
func (nobody) Sign(string, *signing.Request) error          { return nil }
func (nobody) Verify(*signing.Request) int                  { return 0 }
func (nobody) verify(*signing.Request) int                  { return 0 }
