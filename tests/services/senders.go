package services

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// Sender is a vendor as a test plays it.
type Sender struct {
	Vendor *vendors.Vendor
	Secret string // what the input has to know
	key    string // what the vendor signs with
}

// NewSender returns a sender that has the secret; one that signs with a private key has a key
// of its own instead.
func NewSender(t testing.TB, v *vendors.Vendor, secret string) Sender {
	t.Helper()
	verifies, signs, err := Keys(v, secret)
	require.NoError(t, err)
	return Sender{v, verifies, signs}
}

// Keys returns what verifies and what signs: the secret for both, or a new pair of keys for a
// vendor that signs with a private one.
func Keys(v *vendors.Vendor, secret string) (verifies, signs string, err error) {
	var private crypto.Signer
	switch v.Signing.(type) {
	case signing.ECDSA:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case signing.Ed25519:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return secret, secret, nil
	}
	if err != nil {
		return "", "", err
	}
	public, err1 := x509.MarshalPKIXPublicKey(private.Public())
	der, err2 := x509.MarshalPKCS8PrivateKey(private)
	return base64.StdEncoding.EncodeToString(public), base64.StdEncoding.EncodeToString(der), errors.Join(err1, err2)
}

// Request is a delivery on the wire.
type Request struct {
	Path   string
	Header http.Header
	Body   []byte
}

// Sign returns how the vendor sends a sample at a time to an input that it knows by a public
// URL. A vendor whose signature stands in the body cannot sign a body that is malformed.
func (s Sender) Sign(sample Sample, public string, at time.Time) (Request, error) {
	r := &signing.Request{Header: http.Header{}, Body: sample.Body, Now: at}
	if sample.ContentType != "" {
		r.Header.Set("Content-Type", sample.ContentType)
	}
	path := "/" + s.Vendor.Name
	if s.Vendor.SecretInPath() {
		path += "/" + url.PathEscape(s.key)
	}
	if sample.Event != "" {
		path += "/" + url.PathEscape(sample.Event)
	}
	known := public + path
	r.URL = known
	err := s.Vendor.Signing.Sign(s.key, r)
	return Request{path + r.URL[len(known):], r.Header, r.Body}, err
}

// Tolerance returns how old a request of the vendor may be. It is not ok for a vendor that
// does not sign the time.
func (s Sender) Tolerance() (tolerance time.Duration, ok bool) {
	var signed signing.Signed
	switch scheme := s.Vendor.Signing.(type) {
	case signing.InBody:
		return scheme.Tolerance, true
	case signing.HMAC:
		signed = scheme.Signed
	case signing.ECDSA:
		signed = scheme.Signed
	case signing.Ed25519:
		signed = scheme.Signed
	}
	return signed.Tolerance, signed.Timestamp != ""
}

// Sent returns the sample with the body that was sent, and with the events of that body where
// the vendor has put its signature into the body.
func (s Sender) Sent(t testing.TB, sample Sample, r Request) Sample {
	t.Helper()
	if bytes.Equal(sample.Body, r.Body) || sample.Reason != "" {
		return sample
	}
	sample.Body, sample.Events = r.Body, nil
	d := sample.delivery()
	document, err := s.Vendor.Payload(&d)
	require.NoError(t, err, sample.Path)
	defer document.Release()
	require.NoError(t, s.Vendor.Decode(&d, document, len(d.Body), func(e event.Event) error {
		sample.Events = append(sample.Events, Event{
			Key: e.PartitionKey, Vendor: e.Vendor, Schema: e.Schema(), Type: e.Type, ID: e.ID, JSON: string(e.AppendJSON(nil)),
		})
		return nil
	}))
	return sample
}
