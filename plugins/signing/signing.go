// Package signing is how senders prove who they are. A [Scheme] is a literal in a vendor's
// folder; with secrets it becomes a [Verifier]. The package knows no clock, environment or
// engine: a [Request] holds all that a scheme looks at.
package signing

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"time"
)

// Request is all of a request that a scheme looks at.
type Request struct {
	URL    string      // as the vendor knows it, path and query as sent; "" unless the scheme reads the URL
	Header http.Header // with canonical names
	Body   []byte      // as sent, or inflated: see Reads
	Token  string      // the secret that the path holds; "" unless the scheme reads it
	Now    time.Time
}

// Body says which bytes of a body a scheme looks at.
type Body int

// The bodies that a scheme may look at.
const (
	NoBody   Body = iota
	AsSent        // the bytes that were sent, which may be coded
	Inflated      // the bytes without their Content-Encoding
)

// Reads says what a scheme looks at, so that a door asks for the proof as early as it can,
// and keeps nothing else of a request.
type Reads struct {
	Headers   []string // canonical names
	Body      Body
	URL       bool
	Token     bool   // the secret that the path holds
	Secret    bool   // the request holds the secret itself: a short one can be guessed, and the headers must not travel on
	PublicKey bool   // the secrets are public keys, and Sign takes a private one
	Challenge string // the WWW-Authenticate of the answer to a request that is not verified
}

// Scheme is how a sender proves who it is, without the secrets.
type Scheme interface {
	// Proof says in a few words how: "HMAC-SHA1 in the header Signature".
	Proof() string
	Reads() Reads
	// Verifier returns a verifier that takes any of the secrets. Its error is a
	// [*SecretError] if a secret is no key of the scheme.
	Verifier(secrets []string) (Verifier, error)
	// Sign does what the sender does: it sets headers, body or token of the request.
	// The secret is the private key where Reads has PublicKey. Errors quote no secret.
	Sign(secret string, r *Request) error
}

// Verifier tells whether a request is by somebody who has one of the secrets. Several
// goroutines may use it at the same time.
type Verifier interface {
	// Verify returns the position of the secret that verified the request, from 1, or
	// 0 if none did.
	Verify(r *Request) int
}

// SecretError says which secret is no key of a scheme, and what is expected of one. It does
// not quote the secret.
type SecretError struct {
	Position int // from 1
	Expected string
}

// Error implements error.
func (e *SecretError) Error() string {
	return fmt.Sprintf("reading secret %d: expected %s", e.Position, e.Expected)
}

// unnamed is the challenge that names no scheme which a stranger could try.
const unnamed = `Webhook realm="webhook"`

// Equal is the one comparison of what a stranger sent with what is secret. It
// takes the same time whatever is in b, its length included.
func Equal(a, b []byte) bool {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// match returns the position of the first secret that presented is, or 0.
func match(secrets []string, presented string) int {
	for i, s := range secrets {
		if Equal([]byte(presented), []byte(s)) {
			return i + 1
		}
	}
	return 0
}

// Single returns the value of a header that stands there once. Of two values that
// differ, a proxy in front may have believed the one that we would not.
func Single(h http.Header, name string) (string, bool) {
	values := h[name]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}
