package vendors

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1"   // the hash of CallRail
	_ "crypto/sha256" // the hash of most senders
	_ "crypto/sha512" // the hash of OneRoute
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"sync"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Signature says how a sender signs: in a header stands the HMAC of the body as sent, with
// the text of a secret as the key.
type Signature struct {
	Header   string
	Hash     crypto.Hash // SHA1, SHA256 or SHA512
	Encoding Encoding
	Prefix   string // stands in front of the encoded HMAC
	// Reserialised says that the sender may have computed the HMAC over another text of
	// the same JSON document: see Reserialise.
	Reserialised bool
}

// Encoding says how an HMAC is written.
type Encoding string

// The encodings of an HMAC.
const (
	Hex    Encoding = "hex"
	Base64 Encoding = "base64" // the standard alphabet, with padding
)

// Key computes HMACs with one secret. Several goroutines may use it at the same time.
type Key struct{ hashes sync.Pool }

// Key returns the key that is made from a secret.
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

// Sign returns the value of the header for a body.
func (s *Signature) Sign(secret string, body []byte) string {
	mac := s.Key(secret).MAC(body)
	if s.Encoding == Base64 {
		return s.Prefix + base64.StdEncoding.EncodeToString(mac)
	}
	return s.Prefix + hex.EncodeToString(mac)
}

// Decode decodes the value of the header, without its prefix. It returns nil if the value
// is not the encoding of as many bytes as the HMAC has.
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

// Reserialise returns the texts that the sender may have signed instead of the body: the
// JSON document without insignificant whitespace, first with its strings as sent, then with
// its strings as JavaScript writes them. It leaves out texts that equal the body, and
// returns nothing if the body is no JSON.
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
