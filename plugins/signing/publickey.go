package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
)

// ECDSA is a signature by an ECDSA key in a header: the ASN.1 signature of the SHA-256
// digest, in base64. The secret is the public key, in PKIX form: its base64, or PEM. Sign
// takes the private key in PKCS #8 form: its base64, or PEM.
type ECDSA struct {
	Header string
	Signed Signed
}

// Proof implements [Scheme].
func (s ECDSA) Proof() string { return "ECDSA signature in the header " + s.Header }

// Reads implements [Scheme].
func (s ECDSA) Reads() Reads {
	return Reads{Headers: s.Signed.headers(s.Header), Body: AsSent, PublicKey: true, Challenge: unnamed}
}

// Verifier implements [Scheme].
func (s ECDSA) Verifier(secrets []string) (Verifier, error) {
	v := &ecdsaVerifier{ECDSA: s, header: http.CanonicalHeaderKey(s.Header)}
	for i, secret := range secrets {
		parsed, err := x509.ParsePKIXPublicKey(derOf(secret))
		key, ok := parsed.(*ecdsa.PublicKey)
		if err != nil || !ok {
			return nil, &SecretError{i + 1, "an ECDSA public key, in base64 or PEM"}
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// Sign implements [Scheme].
func (s ECDSA) Sign(secret string, r *Request) error {
	key, ok := privateKey(secret).(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("reading private key: expected one of ECDSA in PKCS #8 form, in base64 or PEM")
	}
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest(s.Signed.stamp(r), r.Body))
	if err != nil {
		return err
	}
	r.Header.Set(s.Header, base64.StdEncoding.EncodeToString(signature))
	return nil
}

type ecdsaVerifier struct {
	ECDSA
	header string // canonical
	keys   []*ecdsa.PublicKey
}

func (v *ecdsaVerifier) Verify(r *Request) int {
	signature, prefix, ok := v.Signed.presented(r, v.header)
	if !ok {
		return 0
	}
	sum := digest(prefix, r.Body)
	for i, key := range v.keys {
		if ecdsa.VerifyASN1(key, sum, signature) {
			return i + 1
		}
	}
	return 0
}

func digest(text string, body []byte) []byte {
	h := sha256.New()
	h.Write([]byte(text))
	h.Write(body)
	return h.Sum(nil)
}

// Ed25519 is a signature by an Ed25519 key in a header, in base64. The secret is the public
// key: the base64 of its 32 bytes or of its PKIX form, or PEM. Sign takes the private key in
// PKCS #8 form: its base64, or PEM.
type Ed25519 struct {
	Header string
	Signed Signed
}

// Proof implements [Scheme].
func (s Ed25519) Proof() string { return "Ed25519 signature in the header " + s.Header }

// Reads implements [Scheme].
func (s Ed25519) Reads() Reads {
	return Reads{Headers: s.Signed.headers(s.Header), Body: AsSent, PublicKey: true, Challenge: unnamed}
}

// Verifier implements [Scheme].
func (s Ed25519) Verifier(secrets []string) (Verifier, error) {
	v := &ed25519Verifier{Ed25519: s, header: http.CanonicalHeaderKey(s.Header)}
	for i, secret := range secrets {
		key := ed25519.PublicKey(derOf(secret))
		if len(key) != ed25519.PublicKeySize {
			parsed, err := x509.ParsePKIXPublicKey(key)
			var ok bool
			if key, ok = parsed.(ed25519.PublicKey); err != nil || !ok {
				return nil, &SecretError{i + 1, "an Ed25519 public key of 32 bytes, in base64 or PEM"}
			}
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// Sign implements [Scheme].
func (s Ed25519) Sign(secret string, r *Request) error {
	key, ok := privateKey(secret).(ed25519.PrivateKey)
	if !ok {
		return errors.New("reading private key: expected one of Ed25519 in PKCS #8 form, in base64 or PEM")
	}
	signature := ed25519.Sign(key, append([]byte(s.Signed.stamp(r)), r.Body...))
	r.Header.Set(s.Header, base64.StdEncoding.EncodeToString(signature))
	return nil
}

type ed25519Verifier struct {
	Ed25519
	header string // canonical
	keys   []ed25519.PublicKey
}

func (v *ed25519Verifier) Verify(r *Request) int {
	signature, prefix, ok := v.Signed.presented(r, v.header)
	if !ok {
		return 0
	}
	content := append([]byte(prefix), r.Body...)
	for i, key := range v.keys {
		if ed25519.Verify(key, content, signature) {
			return i + 1
		}
	}
	return 0
}

// presented returns the signature that a header holds in base64, and what is signed in
// front of the body.
func (s Signed) presented(r *Request, header string) (signature []byte, prefix string, ok bool) {
	value, ok := Single(r.Header, header)
	if !ok {
		return nil, "", false
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		return nil, "", false
	}
	prefix, ok = s.prefix(r)
	return signature, prefix, ok
}

// derOf returns the bytes of a key that is written in base64 or PEM, nil if it is neither.
func derOf(text string) []byte {
	if strings.HasPrefix(text, "-----BEGIN ") {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil
		}
		return block.Bytes
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return der
}

// privateKey returns nil if the text is no private key in PKCS #8 form.
func privateKey(text string) crypto.PrivateKey {
	key, err := x509.ParsePKCS8PrivateKey(derOf(text))
	if err != nil {
		return nil
	}
	return key
}
