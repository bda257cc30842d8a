package signing

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1"   // a hash of HMAC
	_ "crypto/sha256" // a hash of HMAC
	_ "crypto/sha512" // a hash of HMAC
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Signed says what a signature covers: a timestamp, a separator and the body, or without a
// Timestamp the body alone. The body is the bytes as sent.
type Signed struct {
	Timestamp string // the header of the Unix time in seconds; "" for none
	Separator string // between timestamp and body
	// Tolerance is how far the timestamp may be from now, either way.
	Tolerance time.Duration
}

// headers returns the canonical names of the headers that hold signature and timestamp.
func (s Signed) headers(signature string) []string {
	names := []string{http.CanonicalHeaderKey(signature)}
	if s.Timestamp != "" {
		names = append(names, http.CanonicalHeaderKey(s.Timestamp))
	}
	return names
}

// prefix returns what is signed in front of the body. It is not ok if the timestamp is
// missing, or too far from now.
func (s Signed) prefix(r *Request) (prefix string, ok bool) {
	if s.Timestamp == "" {
		return "", true
	}
	timestamp, ok := Single(r.Header, http.CanonicalHeaderKey(s.Timestamp))
	if !ok || !isRecent(timestamp, r.Now, s.Tolerance) {
		return "", false
	}
	return timestamp + s.Separator, true
}

// stamp sets the timestamp, and returns what is signed in front of the body.
func (s Signed) stamp(r *Request) string {
	if s.Timestamp == "" {
		return ""
	}
	timestamp := strconv.FormatInt(r.Now.Unix(), 10)
	r.Header.Set(s.Timestamp, timestamp)
	return timestamp + s.Separator
}

// isRecent reports whether a Unix time in seconds, as decimal digits, is not further from
// now than tolerance.
func isRecent(seconds string, now time.Time, tolerance time.Duration) bool {
	n, err := strconv.ParseUint(seconds, 10, 40) // so that no time overflows below
	return err == nil && now.Sub(time.Unix(int64(n), 0)).Abs() <= tolerance
}

// HMAC is an HMAC in a header. The key is the text of the secret.
type HMAC struct {
	Header   string
	Hash     crypto.Hash // SHA1, SHA256 or SHA512
	Encoding Encoding
	Prefix   string // stands in front of the encoded HMAC
	Signed   Signed
	// Reserialised says that the sender may have computed the HMAC over another text of
	// the same JSON document: without insignificant whitespace, and with its strings as
	// sent or as JavaScript writes them.
	Reserialised bool
}

// Encoding says how an HMAC is written.
type Encoding string

// The encodings of an HMAC.
const (
	Hex    Encoding = "hex"
	Base64 Encoding = "base64" // the standard alphabet, with padding
)

// Proof implements [Scheme].
func (s HMAC) Proof() string {
	return "HMAC-" + strings.ReplaceAll(s.Hash.String(), "-", "") + " in the header " + s.Header
}

// Reads implements [Scheme].
func (s HMAC) Reads() Reads {
	return Reads{Headers: s.Signed.headers(s.Header), Body: AsSent, Challenge: unnamed}
}

// Verifier implements [Scheme].
func (s HMAC) Verifier(secrets []string) (Verifier, error) {
	return &hmacVerifier{s, http.CanonicalHeaderKey(s.Header), macs(s.Hash, secrets)}, nil
}

// Sign implements [Scheme].
func (s HMAC) Sign(secret string, r *Request) error {
	sum := newMAC(s.Hash, secret).sum(s.Signed.stamp(r), r.Body)
	r.Header.Set(s.Header, s.Prefix+s.Encoding.encode(sum))
	return nil
}

type hmacVerifier struct {
	HMAC
	header string // canonical
	macs   []*mac
}

func (v *hmacVerifier) Verify(r *Request) int {
	value, ok := Single(r.Header, v.header)
	if !ok {
		return 0
	}
	text, ok := strings.CutPrefix(value, v.Prefix)
	if !ok {
		return 0
	}
	presented := v.Encoding.decode(text, v.Hash.Size())
	prefix, ok := v.Signed.prefix(r)
	if presented == nil || !ok {
		return 0
	}
	position := verifyMAC(v.macs, presented, prefix, r.Body)
	if position > 0 || !v.Reserialised {
		return position
	}
	for _, other := range reserialise(r.Body) {
		if position := verifyMAC(v.macs, presented, prefix, other); position > 0 {
			return position
		}
	}
	return 0
}

func (e Encoding) encode(sum []byte) string {
	if e == Base64 {
		return base64.StdEncoding.EncodeToString(sum)
	}
	return hex.EncodeToString(sum)
}

// decode returns nil if the text is not the encoding of as many bytes.
func (e Encoding) decode(text string, size int) []byte {
	decode := hex.DecodeString
	if e == Base64 {
		decode = base64.StdEncoding.Strict().DecodeString
	}
	sum, err := decode(text)
	if err != nil || len(sum) != size {
		return nil
	}
	return sum
}

// mac computes HMACs with one secret. Several goroutines may use it at the same time.
type mac struct{ hashes sync.Pool }

func newMAC(h crypto.Hash, secret string) *mac {
	return &mac{sync.Pool{New: func() any { return hmac.New(h.New, []byte(secret)) }}}
}

func macs(h crypto.Hash, secrets []string) []*mac {
	var all []*mac
	for _, secret := range secrets {
		all = append(all, newMAC(h, secret))
	}
	return all
}

// sum returns the HMAC of a text and a body.
func (m *mac) sum(text string, body []byte) []byte {
	h := m.hashes.Get().(hash.Hash)
	defer m.hashes.Put(h)
	h.Reset()
	h.Write([]byte(text))
	h.Write(body)
	return h.Sum(nil)
}

// verifyMAC returns the position of the first secret by which presented is the HMAC of a
// text and a body, or 0.
func verifyMAC(macs []*mac, presented []byte, text string, body []byte) int {
	for i, m := range macs {
		if Equal(presented, m.sum(text, body)) {
			return i + 1
		}
	}
	return 0
}

// reserialise returns the texts that a sender may have signed instead of the body: the
// JSON document without insignificant whitespace, first with its strings as sent, then with
// its strings as JavaScript writes them. It leaves out texts that equal the body, and
// returns nothing if the body is no JSON.
func reserialise(body []byte) [][]byte {
	var compact bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return nil
	}
	var others [][]byte
	last := body
	for _, text := range [][]byte{compact.Bytes(), payload.AppendLiteral(nil, compact.String())} {
		if string(text) != string(last) {
			others = append(others, text)
		}
		last = text
	}
	return others
}
