package signing

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// InBody is how Mailgun signs: an HMAC-SHA256 in hex that stands in the body beside what it
// covers, a Unix time in seconds and a token, one directly behind the other. In JSON the three
// are signature.timestamp, signature.token and signature.signature; in a form they are the
// fields timestamp, token and signature. The key is the text of the secret. What happens on a
// subaccount has a parent-signature, too, by the key of the account above: either is enough.
//
// The HMAC does not cover the event: somebody who holds a signed request can put another event
// beside the signature for as long as the tolerance lasts.
type InBody struct {
	// Tolerance is how far the timestamp may be from now, either way.
	Tolerance time.Duration
}

// Proof implements [Scheme].
func (InBody) Proof() string { return "HMAC-SHA256 of timestamp and token in the body" }

// Reads implements [Scheme].
func (InBody) Reads() Reads {
	return Reads{Headers: []string{"Content-Type"}, Body: Inflated, Challenge: unnamed}
}

// Verifier implements [Scheme].
func (s InBody) Verifier(secrets []string) (Verifier, error) {
	return &inBodyVerifier{s, macs(crypto.SHA256, secrets)}, nil
}

type inBodyVerifier struct {
	InBody
	macs []*mac
}

func (v *inBodyVerifier) Verify(r *Request) int {
	p, ok := findProof(r.Header, r.Body)
	if !ok || !isRecent(p.timestamp, r.Now, v.Tolerance) {
		return 0
	}
	presented := Hex.decode(p.signature, crypto.SHA256.Size())
	if presented == nil {
		return 0
	}
	position := verifyMAC(v.macs, presented, p.timestamp+p.token, nil)
	if parents := Hex.decode(p.parents, crypto.SHA256.Size()); position == 0 && parents != nil {
		return verifyMAC(v.macs, parents, p.timestamp+p.token, nil)
	}
	return position
}

// proof is what a body says of who sent it.
type proof struct {
	timestamp, token, signature string
	parents                     string // the signature by the key of the account above; "" for none
}

// field returns the place of a field, nil if a proof has none of that name.
func (p *proof) field(name string) *string {
	switch name {
	case "timestamp":
		return &p.timestamp
	case "token":
		return &p.token
	case "signature":
		return &p.signature
	case "parent-signature":
		return &p.parents
	}
	return nil
}

const multipartType = "multipart/form-data"

// maxProof is how many bytes a field of a proof may have.
const maxProof = 256

// findProof finds the proof in a body that nobody has verified. It keeps nothing else. It
// reads a body as a form only if the decoders do.
func findProof(h http.Header, body []byte) (p proof, ok bool) {
	mediaType, parameters := formOf(h, body)
	switch mediaType {
	case multipartType:
		ok = p.findInParts(multipart.NewReader(bytes.NewReader(body), parameters["boundary"]))
	case formType:
		ok = p.findInForm(body)
	default:
		ok = p.findInJSON(body)
	}
	for _, text := range []string{p.timestamp, p.token, p.signature} {
		ok = ok && text != "" && len(text) <= maxProof
	}
	return p, ok
}

// findInForm finds the proof in a form. A form that has a field twice has none.
func (p *proof) findInForm(form []byte) bool {
	if hasTooManyFields(form) {
		return false
	}
	seen := map[*string]bool{}
	for pair := range bytes.SplitSeq(form, []byte("&")) {
		escapedName, escapedValue, _ := bytes.Cut(pair, []byte("="))
		name, err := url.QueryUnescape(string(escapedName))
		if err != nil {
			return false
		}
		field := p.field(name)
		if field == nil {
			continue
		}
		if seen[field] {
			return false
		}
		seen[field] = true
		if *field, err = url.QueryUnescape(string(escapedValue)); err != nil {
			return false
		}
	}
	return true
}

// findInParts finds the proof in a multipart form. A form that has a field twice has none.
func (p *proof) findInParts(parts *multipart.Reader) bool {
	seen := map[*string]bool{}
	for range payload.MaxFormParts {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		field := p.field(part.FormName())
		if field == nil {
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, maxProof+1))
		if err != nil || seen[field] {
			return false
		}
		*field, seen[field] = string(value), true
	}
	return false
}

// findInJSON finds the proof in a JSON document. Of a repeated key the last counts.
func (p *proof) findInJSON(text []byte) bool {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return onlyObject(d, func(name string) error {
		if name != "signature" {
			return skipValue(d)
		}
		*p = proof{}
		if d.PeekKind() != '{' {
			return skipValue(d)
		}
		return eachMember(d, func(name string) error {
			field := p.field(name)
			if field == nil {
				return skipValue(d)
			}
			*field = ""
			switch d.PeekKind() {
			case '"', '0':
			default:
				return skipValue(d)
			}
			value, err := d.ReadToken()
			if err != nil {
				return err
			}
			*field = value.String()
			return nil
		})
	}) == nil
}

// skipValue reads a value. The bytes of the body are in memory, so ReadValue copies none of them,
// and it is faster than SkipValue.
func skipValue(d *jsontext.Decoder) error {
	_, err := d.ReadValue()
	return err
}

var errNoObject = errors.New("expected one object")

// onlyObject reads an object with nothing behind it, as eachMember does.
func onlyObject(d *jsontext.Decoder, read func(name string) error) error {
	if err := eachMember(d, read); err != nil {
		return err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errNoObject
	}
	return nil
}

// eachMember reads an object, and calls read where the value of each member begins.
func eachMember(d *jsontext.Decoder, read func(name string) error) error {
	begin, err := d.ReadToken()
	if err != nil {
		return err
	}
	if begin.Kind() != '{' {
		return errNoObject
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	_, err = d.ReadToken()
	return err
}

// Sign implements [Scheme]. It replaces the proof of the body.
func (InBody) Sign(secret string, r *Request) error {
	token := make([]byte, 25)
	_, _ = rand.Read(token) // it never fails
	p := proof{timestamp: strconv.FormatInt(r.Now.Unix(), 10), token: hex.EncodeToString(token)}
	p.signature = Hex.encode(newMAC(crypto.SHA256, secret).sum(p.timestamp+p.token, nil))
	mediaType, parameters := formOf(r.Header, r.Body)
	replace := p.replaceInJSON
	switch mediaType {
	case multipartType:
		replace = func(body []byte) ([]byte, error) { return p.replaceInParts(body, parameters["boundary"]) }
	case formType:
		replace = p.replaceInForm
	}
	body, err := replace(r.Body)
	if err != nil {
		return err
	}
	r.Body = body
	return nil
}

// replaceInParts leaves the other parts of the form as they are.
func (p *proof) replaceInParts(body []byte, boundary string) ([]byte, error) {
	var b bytes.Buffer
	parts, w := multipart.NewReader(bytes.NewReader(body), boundary), multipart.NewWriter(&b)
	err := w.SetBoundary(boundary)
	for err == nil {
		var part *multipart.Part
		if part, err = parts.NextRawPart(); err != nil || p.field(part.FormName()) != nil {
			continue
		}
		var to io.Writer
		if to, err = w.CreatePart(part.Header); err == nil {
			_, err = io.Copy(to, part)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading form: expected parts: %w", err)
	}
	err = errors.Join(w.WriteField("timestamp", p.timestamp), w.WriteField("token", p.token), w.WriteField("signature", p.signature), w.Close())
	return b.Bytes(), err
}

func (p *proof) replaceInForm(body []byte) ([]byte, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errUnreadableForm
	}
	form.Set("timestamp", p.timestamp)
	form.Set("token", p.token)
	form.Set("signature", p.signature)
	return []byte(form.Encode()), nil
}

// replaceInJSON leaves the other members of the object where they are.
func (p *proof) replaceInJSON(body []byte) ([]byte, error) {
	var b bytes.Buffer
	d, e := jsontext.NewDecoder(bytes.NewReader(body)), jsontext.NewEncoder(&b)
	err := e.WriteToken(jsontext.BeginObject)
	if err == nil {
		err = onlyObject(d, func(name string) error {
			value, err := d.ReadValue()
			if err != nil || name == "signature" {
				return err
			}
			return errors.Join(e.WriteToken(jsontext.String(name)), e.WriteValue(value))
		})
	}
	if err != nil {
		return nil, fmt.Errorf("reading body: expected a JSON object or a form, which holds the signature: %w", err)
	}
	for _, token := range []jsontext.Token{
		jsontext.String("signature"), jsontext.BeginObject,
		jsontext.String("timestamp"), jsontext.String(p.timestamp),
		jsontext.String("token"), jsontext.String(p.token),
		jsontext.String("signature"), jsontext.String(p.signature),
		jsontext.EndObject, jsontext.EndObject,
	} {
		if err := e.WriteToken(token); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
