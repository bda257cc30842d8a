package vendors

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1"   // of CallRail
	_ "crypto/sha256" // of most
	_ "crypto/sha512" // of OneRoute
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"sync"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Signature is how a sender signs: a header that holds the HMAC of the body as
// sent, keyed with the text of a secret.
type Signature struct {
	Header   string
	Hash     crypto.Hash // SHA1, SHA256 or SHA512
	Encoding Encoding
	Prefix   string // in front of the encoded HMAC
	// Reserialised says that the HMAC may also be that of the body as a JSON
	// document without insignificant whitespace: see Reserialise.
	Reserialised bool
}

// Encoding is how an HMAC is written.
type Encoding string

// The encodings of an HMAC.
const (
	Hex    Encoding = "hex"
	Base64 Encoding = "base64" // standard, padded
)

// Key computes HMACs with one secret. It may be used by several goroutines.
type Key struct{ hashes sync.Pool }

// Key returns the key of a secret.
func (s *Signature) Key(secret string) *Key {
	return &Key{sync.Pool{New: func() any { return hmac.New(s.Hash.New, []byte(secret)) }}}
}

// MAC returns the HMAC of a body.
func (k *Key) MAC(body []byte) []byte {
	mac := k.hashes.Get().(hash.Hash)
	defer k.hashes.Put(mac)
	mac.Reset()
	mac.Write(body)
	return mac.Sum(nil)
}

// Sign returns the header's value for a body.
func (s *Signature) Sign(secret string, body []byte) string {
	mac := s.Key(secret).MAC(body)
	if s.Encoding == Base64 {
		return s.Prefix + base64.StdEncoding.EncodeToString(mac)
	}
	return s.Prefix + hex.EncodeToString(mac)
}

// Decode returns the HMAC that a header's value, without its prefix, is said to
// be, nil if it is none.
func (s *Signature) Decode(text string) []byte {
	decode := hex.DecodeString
	if s.Encoding == Base64 {
		decode = base64.StdEncoding.Strict().DecodeString
	}
	mac, err := decode(text)
	if err != nil || len(mac) != s.Hash.Size() {
		return nil
	}
	return mac
}

// Reserialise returns what else than the body may be signed: the document without
// insignificant whitespace, its strings as sent and as JavaScript writes them. It
// returns nothing that equals the body, and nothing if that is no JSON.
func (s *Signature) Reserialise(body []byte) [][]byte {
	var compact bytes.Buffer
	if !s.Reserialised || json.Compact(&compact, body) != nil {
		return nil
	}
	var others [][]byte
	last := body
	for _, text := range [][]byte{compact.Bytes(), payload.AppendLiteral(nil, compact.String())} {
		if !bytes.Equal(text, last) {
			others = append(others, text)
		}
		last = text
	}
	return others
}
