package signing

import "net/http"

// Header is a secret that stands in a header as it is.
type Header struct{ Name string }

// Proof implements [Scheme].
func (s Header) Proof() string { return "secret in the header " + s.Name }

// Reads implements [Scheme].
func (s Header) Reads() Reads {
	return Reads{Headers: []string{http.CanonicalHeaderKey(s.Name)}, Secret: true, Challenge: unnamed}
}

// Verifier implements [Scheme].
func (s Header) Verifier(secrets []string) (Verifier, error) {
	return &headerVerifier{http.CanonicalHeaderKey(s.Name), secrets}, nil
}

// Sign implements [Scheme].
func (s Header) Sign(secret string, r *Request) error {
	r.Header.Set(s.Name, secret)
	return nil
}

type headerVerifier struct {
	name    string // canonical
	secrets []string
}

func (v *headerVerifier) Verify(r *Request) int {
	value, ok := Single(r.Header, v.name)
	if !ok {
		return 0
	}
	return match(v.secrets, value)
}

// Basic is the Basic authentication of RFC 7617. The secret is the password.
type Basic struct{ Username string }

// Proof implements [Scheme].
func (s Basic) Proof() string {
	return "password of the user " + s.Username + " by basic authentication"
}

// Reads implements [Scheme].
func (s Basic) Reads() Reads {
	return Reads{Headers: []string{"Authorization"}, Secret: true, Challenge: `Basic realm="webhook"`}
}

// Verifier implements [Scheme].
func (s Basic) Verifier(secrets []string) (Verifier, error) {
	return &basicVerifier{s.Username, secrets}, nil
}

// Sign implements [Scheme].
func (s Basic) Sign(secret string, r *Request) error {
	(&http.Request{Header: r.Header}).SetBasicAuth(s.Username, secret)
	return nil
}

type basicVerifier struct {
	username string
	secrets  []string
}

func (v *basicVerifier) Verify(r *Request) int {
	if _, ok := Single(r.Header, "Authorization"); !ok {
		return 0
	}
	username, password, ok := (&http.Request{Header: r.Header}).BasicAuth()
	if !ok {
		return 0
	}
	position := match(v.secrets, password)
	if !Equal([]byte(username), []byte(v.username)) {
		return 0
	}
	return position
}

// PathToken is a secret that stands in the path of the URL that the sender was given.
type PathToken struct{}

// Proof implements [Scheme].
func (PathToken) Proof() string { return "secret in the URL" }

// Reads implements [Scheme].
func (PathToken) Reads() Reads { return Reads{Token: true, Secret: true, Challenge: unnamed} }

// Verifier implements [Scheme].
func (PathToken) Verifier(secrets []string) (Verifier, error) { return pathVerifier(secrets), nil }

// Sign implements [Scheme].
func (PathToken) Sign(secret string, r *Request) error {
	r.Token = secret
	return nil
}

type pathVerifier []string

func (v pathVerifier) Verify(r *Request) int { return match(v, r.Token) }
