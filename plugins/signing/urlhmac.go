package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unsafe"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// URLHMAC is how Twilio signs: the base64 of an HMAC-SHA1 in a header. The HMAC covers the
// URL and, for a form, the parameters of the body: sorted by name and value, each once, the
// name directly followed by the value. Any other body is covered by its SHA-256 in hex, which
// stands at the end of the URL's query as bodySHA256. The key is the text of the secret.
//
// The URL is taken with and without its port, since a sender may write either one. Nothing
// separates the URL from the parameters, or a name from its value: somebody who holds a signed
// request can move the bounds, but cannot change the text. So the SHA-256 has to end the text:
// anybody can put one into a parameter, a text message say, but other parameters follow there.
type URLHMAC struct{ Header string }

// Proof implements [Scheme].
func (s URLHMAC) Proof() string {
	return "HMAC-SHA1 of URL and parameters in the header " + s.Header
}

// Reads implements [Scheme].
func (s URLHMAC) Reads() Reads {
	return Reads{Headers: []string{"Content-Type", http.CanonicalHeaderKey(s.Header)}, Body: AsSent, URL: true, Challenge: unnamed}
}

// Verifier implements [Scheme].
func (s URLHMAC) Verifier(secrets []string) (Verifier, error) {
	return &urlVerifier{http.CanonicalHeaderKey(s.Header), macs(crypto.SHA1, secrets)}, nil
}

// Sign implements [Scheme].
func (s URLHMAC) Sign(secret string, r *Request) error {
	var parameters []byte
	if isURLEncoded(r) {
		var ok bool
		if parameters, ok = sortedParameters(r.Body); !ok {
			return errUnreadableForm
		}
	} else {
		r.URL = withBodySum(r.URL, r.Body)
	}
	sum := newMAC(crypto.SHA1, secret).sum(r.URL, parameters)
	r.Header.Set(s.Header, Base64.encode(sum))
	return nil
}

var errUnreadableForm = errors.New("reading form: expected names and values, percent-encoded")

const bodySum = "bodySHA256"

// withBodySum returns a URL whose query has the SHA-256 of a body.
func withBodySum(url string, body []byte) string {
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	sum := sha256.Sum256(body)
	return url + separator + bodySum + "=" + hex.EncodeToString(sum[:])
}

type urlVerifier struct {
	header string // canonical
	macs   []*mac
}

func (v *urlVerifier) Verify(r *Request) int {
	value, ok := Single(r.Header, v.header)
	if !ok || r.URL == "" {
		return 0
	}
	presented := Base64.decode(value, crypto.SHA1.Size())
	if presented == nil {
		return 0
	}
	_, query, _ := strings.Cut(r.URL, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return 0
	}
	var parameters []byte
	switch sums := values[bodySum]; {
	case len(sums) == 1:
		sum := sha256.Sum256(r.Body)
		if !strings.HasSuffix(query, bodySum+"="+sums[0]) || !Equal(Hex.decode(sums[0], len(sum)), sum[:]) {
			return 0
		}
	case len(sums) == 0 && isURLEncoded(r):
		if parameters, ok = sortedParameters(r.Body); !ok {
			return 0
		}
	default:
		return 0
	}
	for _, url := range withAndWithoutPort(r.URL) {
		if position := verifyMAC(v.macs, presented, url, parameters); position > 0 {
			return position
		}
	}
	return 0
}

const formType = "application/x-www-form-urlencoded"

// formOf returns the media type and the parameters of a body that the decoders read as a form,
// and nothing of any other body: a body that begins as a JSON object is no form, whatever the
// header says.
func formOf(h http.Header, body []byte) (mediaType string, parameters map[string]string) {
	mediaType, parameters, ok := payload.FormOf(unsafe.String(unsafe.SliceData(body), len(body)), h.Get("Content-Type"))
	if !ok {
		return "", nil
	}
	return mediaType, parameters
}

// isURLEncoded reports whether the body is a form, and the header says that it is URL-encoded.
func isURLEncoded(r *Request) bool {
	mediaType, _ := formOf(r.Header, r.Body)
	return mediaType == formType
}

// hasTooManyFields reports whether a form has more fields than any decoder reads.
func hasTooManyFields(form []byte) bool { return bytes.Count(form, []byte("&")) > payload.MaxFormParts }

// sortedParameters returns the parameters of a form as they are signed.
func sortedParameters(form []byte) ([]byte, bool) {
	if hasTooManyFields(form) {
		return nil, false
	}
	var parameters [][2]string
	for pair := range bytes.SplitSeq(form, []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		name, value, ok := unescapedPair(pair)
		if !ok {
			return nil, false
		}
		parameters = append(parameters, [2]string{name, value})
	}
	slices.SortFunc(parameters, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var b []byte
	for _, p := range slices.Compact(parameters) {
		b = append(append(b, p[0]...), p[1]...)
	}
	return b, true
}

// unescapedPair returns name and value of a field of a form.
func unescapedPair(pair []byte) (name, value string, ok bool) {
	escapedName, escapedValue, _ := bytes.Cut(pair, []byte("="))
	name, err := url.QueryUnescape(string(escapedName))
	if err != nil {
		return "", "", false
	}
	value, err = url.QueryUnescape(string(escapedValue))
	return name, value, err == nil
}

// withAndWithoutPort returns an absolute URL as it is, and with the port of its scheme or
// without its port.
func withAndWithoutPort(url string) []string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return []string{url}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, rest := rest[:end], rest[end:]
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		return []string{url, scheme + "://" + host[:colon] + rest}
	}
	port := "443"
	if scheme == "http" {
		port = "80"
	}
	return []string{url, scheme + "://" + host + ":" + port + rest}
}
