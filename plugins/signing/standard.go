package signing

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Standard is Standard Webhooks 1.0: the webhook-signature header holds signatures
// of id.timestamp.body, one of which has to be by one of the keys, and the
// timestamp has to be of the last or next five minutes. A secret is a symmetric key
// (whsec_ and base64) or a public one (whpk_ and base64).
//
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type Standard struct{}

const standardTolerance = 5 * time.Minute

// Proof implements [Scheme].
func (Standard) Proof() string { return "Standard Webhooks" }

// Reads implements [Scheme].
func (Standard) Reads() Reads {
	return Reads{Headers: []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}, Body: AsSent, Challenge: unnamed}
}

// standardKey is a symmetric key, or a public one.
type standardKey struct {
	symmetric *standardwebhooks.Webhook
	public    ed25519.PublicKey
}

// Verifier implements [Scheme].
func (Standard) Verifier(secrets []string) (Verifier, error) {
	var v standardVerifier
	for i, secret := range secrets {
		key, expected := newStandardKey(secret)
		if expected != "" {
			return nil, &SecretError{i + 1, expected}
		}
		v = append(v, key)
	}
	return v, nil
}

// newStandardKey returns the key of a secret, or what is expected of a secret.
func newStandardKey(secret string) (key standardKey, expected string) {
	text, asymmetric := strings.CutPrefix(secret, "whpk_")
	if !asymmetric {
		text = strings.TrimPrefix(secret, "whsec_")
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil || len(raw) == 0:
		return key, "whsec_ or whpk_ and a key in base64"
	case asymmetric && len(raw) != ed25519.PublicKeySize:
		return key, "whpk_ and an Ed25519 key of 32 bytes in base64"
	case asymmetric:
		key.public = raw
	default:
		if key.symmetric, err = standardwebhooks.NewWebhookRaw(raw); err != nil {
			return key, "a key of Standard Webhooks"
		}
	}
	return key, ""
}

// Sign implements [Scheme].
func (Standard) Sign(secret string, r *Request) error {
	key, expected := newStandardKey(secret)
	if expected != "" || key.symmetric == nil {
		return errors.New("reading secret: expected whsec_ and a key in base64")
	}
	const id = "msg_hookswitch"
	signature, err := key.symmetric.Sign(id, r.Now, r.Body)
	if err != nil {
		return errors.New("signing: expected a key of Standard Webhooks")
	}
	r.Header.Set("Webhook-Id", id)
	Signed{Timestamp: "Webhook-Timestamp"}.stamp(r)
	r.Header.Set("Webhook-Signature", signature)
	return nil
}

type standardVerifier []standardKey

func (v standardVerifier) Verify(r *Request) int {
	id, ok1 := Single(r.Header, "Webhook-Id")
	timestamp, ok2 := Single(r.Header, "Webhook-Timestamp")
	signatures, ok3 := Single(r.Header, "Webhook-Signature")
	if !ok1 || !ok2 || !ok3 || id == "" || !isRecent(timestamp, r.Now, standardTolerance) {
		return 0
	}
	for i, key := range v {
		if key.symmetric != nil && key.symmetric.VerifyIgnoringTimestamp(r.Body, r.Header) == nil ||
			key.public != nil && verifyStandard(key.public, id+"."+timestamp+".", signatures, r.Body) {
			return i + 1
		}
	}
	return 0
}

func verifyStandard(key ed25519.PublicKey, prefix, signatures string, body []byte) bool {
	// To verify one takes longer than any other step, and a header holds hundreds.
	looks := 8
	content := append([]byte(prefix), body...)
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
