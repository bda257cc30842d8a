package webhook

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// verifier tells who sent a request.
type verifier interface {
	// verify returns the position of the secret that verified the request, or 0. It
	// looks at the header, at the path's token and, where needsBody says so, at the
	// body as sent.
	verify(r *http.Request, body []byte, token string) int
	// needsBody reports whether verify looks at the body. Where it does not, the door
	// asks before it reads the body.
	needsBody() bool
	// headers returns the canonical names of the header fields that verify reads.
	headers() []string
	// challenge returns the WWW-Authenticate of the answer to who is not verified.
	challenge() string
}

// scheme is how the senders of a route are verified, apart from the secrets.
type scheme struct {
	build     func([]secret) (verifier, error)
	header    string // the header that holds the secret itself, in canonical form; "" for none
	inPath    bool   // the path holds the secret
	guessable bool   // requests hold the secret itself, so a short secret may be guessed
}

func signatureScheme(s *vendors.Signature) *scheme {
	return &scheme{build: func(secrets []secret) (verifier, error) { return newSigned(s, secrets), nil }}
}

func headerScheme(name string) *scheme {
	name = http.CanonicalHeaderKey(name)
	return &scheme{header: name, guessable: true, build: func(secrets []secret) (verifier, error) { return &header{name, secrets}, nil }}
}

func basicScheme(username string) *scheme {
	return &scheme{guessable: true, build: func(secrets []secret) (verifier, error) { return &basic{username, secrets}, nil }}
}

func pathScheme() *scheme {
	return &scheme{inPath: true, guessable: true, build: func(secrets []secret) (verifier, error) { return &pathToken{secrets}, nil }}
}

func standardScheme() *scheme {
	return &scheme{build: func(secrets []secret) (verifier, error) { return newStandard(secrets) }}
}

// schemeOf returns the scheme that a vendor's folder describes.
func schemeOf(v *vendors.Vendor) *scheme {
	switch {
	case v.Signature != nil:
		return signatureScheme(v.Signature)
	case v.SecretHeader != "":
		return headerScheme(v.SecretHeader)
	}
	return pathScheme()
}

// challengeOfOurs names no scheme that a stranger could try.
const challengeOfOurs = `Webhook realm="webhook"`

// equal is the one comparison of what a stranger sent with what is secret. It
// takes the same time whatever is in b, its length included.
func equal(a, b []byte) bool {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// match returns the position of the first secret that presented is.
func match(secrets []secret, presented string) int {
	for _, s := range secrets {
		if equal([]byte(presented), []byte(s.text)) {
			return s.position
		}
	}
	return 0
}

// single returns the value of a header that stands there once. Of two values that
// differ, a proxy in front may have believed the one that we would not.
func single(r *http.Request, name string) (string, bool) {
	values := r.Header[name]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// nobody verifies nothing.
type nobody struct{}

func (nobody) verify(*http.Request, []byte, string) int { return 0 }
func (nobody) needsBody() bool                          { return false }
func (nobody) headers() []string                        { return nil }
func (nobody) challenge() string                        { return challengeOfOurs }

// signed is an HMAC over the body.
type signed struct {
	*vendors.Signature
	header string // in canonical form
	keys   []hmacKey
}

type hmacKey struct {
	*vendors.Key
	position int
}

func newSigned(s *vendors.Signature, secrets []secret) *signed {
	v := &signed{Signature: s, header: http.CanonicalHeaderKey(s.Header)}
	for _, secret := range secrets {
		v.keys = append(v.keys, hmacKey{s.Key(secret.text), secret.position})
	}
	return v
}

func (*signed) needsBody() bool     { return true }
func (v *signed) headers() []string { return []string{v.header} }
func (*signed) challenge() string   { return challengeOfOurs }

func (v *signed) verify(r *http.Request, body []byte, _ string) int {
	value, ok := single(r, v.header)
	if !ok {
		return 0
	}
	text, ok := strings.CutPrefix(value, v.Prefix)
	if !ok {
		return 0
	}
	presented := v.Decode(text)
	if presented == nil {
		return 0
	}
	if position := v.match(presented, body); position > 0 || !v.Reserialised {
		return position
	}
	defer copying()()
	for _, other := range v.Reserialise(body) {
		if position := v.match(presented, other); position > 0 {
			return position
		}
	}
	return 0
}

// copying is called before work that copies a body which nobody has verified. The
// copies are memory that nothing has reserved, so only a few goroutines copy at
// once. The caller calls done when its work has ended.
func copying() (done func()) {
	copies <- struct{}{}
	return func() { <-copies }
}

var copies = make(chan struct{}, runtime.GOMAXPROCS(0))

func (v *signed) match(presented, body []byte) int {
	for _, key := range v.keys {
		if equal(presented, key.MAC(body)) {
			return key.position
		}
	}
	return 0
}

// header is a secret that stands in a header.
type header struct {
	name    string // in canonical form
	secrets []secret
}

func (*header) needsBody() bool     { return false }
func (v *header) headers() []string { return []string{v.name} }
func (*header) challenge() string   { return challengeOfOurs }

func (v *header) verify(r *http.Request, _ []byte, _ string) int {
	value, ok := single(r, v.name)
	if !ok {
		return 0
	}
	return match(v.secrets, value)
}

// basic is RFC 7617: the secrets are passwords.
type basic struct {
	username string
	secrets  []secret
}

func (*basic) needsBody() bool   { return false }
func (*basic) headers() []string { return []string{"Authorization"} }
func (*basic) challenge() string { return `Basic realm="webhook"` }

func (v *basic) verify(r *http.Request, _ []byte, _ string) int {
	if _, ok := single(r, "Authorization"); !ok {
		return 0
	}
	username, password, ok := r.BasicAuth()
	if !ok {
		return 0
	}
	position := match(v.secrets, password)
	if !equal([]byte(username), []byte(v.username)) {
		return 0
	}
	return position
}

// pathToken is a secret that stands in the path.
type pathToken struct{ secrets []secret }

func (*pathToken) needsBody() bool   { return false }
func (*pathToken) headers() []string { return nil }
func (*pathToken) challenge() string { return challengeOfOurs }

func (v *pathToken) verify(_ *http.Request, _ []byte, token string) int {
	return match(v.secrets, token)
}

// standard is Standard Webhooks 1.0: the webhook-signature header holds signatures
// of id.timestamp.body, one of which has to be by one of the keys, and the
// timestamp has to be of the last or next five minutes.
//
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type standard struct{ keys []standardKey }

// standardKey is a symmetric key (v1, whsec_) or a public one (v1a, whpk_).
type standardKey struct {
	symmetric *standardwebhooks.Webhook
	public    ed25519.PublicKey
	position  int
}

const standardTolerance = 5 * time.Minute

func newStandard(secrets []secret) (*standard, error) {
	v := &standard{}
	for _, s := range secrets {
		key := standardKey{position: s.position}
		text, asymmetric := strings.CutPrefix(s.text, "whpk_")
		if !asymmetric {
			text = strings.TrimPrefix(s.text, "whsec_")
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("secret %d: expected whsec_ or whpk_ and base64", s.position) // without its text
		case asymmetric && len(raw) != ed25519.PublicKeySize:
			return nil, fmt.Errorf("secret %d: expected an ed25519 key of %d bytes, got %d", s.position, ed25519.PublicKeySize, len(raw))
		case asymmetric:
			key.public = raw
		case len(raw) == 0:
			return nil, fmt.Errorf("secret %d: expected a key, got none", s.position)
		default:
			if key.symmetric, err = standardwebhooks.NewWebhookRaw(raw); err != nil {
				return nil, errors.New("reading a Standard Webhooks key")
			}
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

func (*standard) needsBody() bool   { return true }
func (*standard) challenge() string { return challengeOfOurs }
func (*standard) headers() []string {
	return []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}
}

func (v *standard) verify(r *http.Request, body []byte, _ string) int {
	id, ok1 := single(r, "Webhook-Id")
	timestamp, ok2 := single(r, "Webhook-Timestamp")
	signatures, ok3 := single(r, "Webhook-Signature")
	if !ok1 || !ok2 || !ok3 {
		return 0
	}
	defer copying()()
	for _, key := range v.keys {
		if key.symmetric != nil && key.symmetric.Verify(body, r.Header) == nil ||
			key.public != nil && verifyPublic(key.public, id, timestamp, signatures, body) {
			return key.position
		}
	}
	return 0
}

func verifyPublic(key ed25519.PublicKey, id, timestamp, signatures string, body []byte) bool {
	// To verify one takes longer than any other step, and a header holds hundreds.
	looks := 8
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || time.Since(time.Unix(seconds, 0)).Abs() > standardTolerance {
		return false
	}
	content := append([]byte(id+"."+timestamp+"."), body...)
	for s := range strings.SplitSeq(signatures, " ") {
		text, ok := strings.CutPrefix(s, "v1a,")
		if !ok {
			continue
		}
		if looks--; looks < 0 {
			return false
		}
		if signature, err := base64.StdEncoding.DecodeString(text); err == nil && ed25519.Verify(key, content, signature) {
			return true
		}
	}
	return false
}
