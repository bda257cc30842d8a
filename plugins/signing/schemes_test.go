package signing

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// More invented keys of openssl, and one of RFC 8032.
const (
	ed25519Other = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	ecdsaPublic  = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQcDzCalbliYtUWuVFRMwps3rPX30WO2sDcGQ9zb4MTpRivu2ZTLRo7a+orp92rLvjVq9HreytRz2rxJ9SCWyew=="
	ecdsaOther   = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUE6i3N52ZvOvbZfAkYPy18CSyHA7iQzvb3AUKxWqUo2s741F+ujlTa1enodYKIO9ogek2vuszBgmvNoFJaYNkQ=="

	ecdsaPrivatePEM = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHkAEpchWR0gAP7x3
G+15XQAchI8KCrItK6Ovi8k4mguhRANCAARBwPMJqVuWJi1Ra5UVEzCmzes9ffRY
7awNwZD3NvgxOlGK+7ZlMtGjtr6iun3asu+NWr0et7K1HPavEn1IJbJ7
-----END PRIVATE KEY-----`
)

// schemes are all families, some in several forms.
var schemes = map[string]struct {
	scheme        Scheme
	secret        string // what verifies
	private       string // what signs, "" for secret
	other         string // another secret
	contentType   string
	body          string
	tolerance     time.Duration // 0 for none
	coversNothing bool          // of the body
}{
	"HMAC":              {scheme: HMAC{Header: "X-Signature", Hash: crypto.SHA1, Encoding: Base64}, body: document},
	"HMAC, hash":        {scheme: HMAC{Header: "X-Signature", Hash: crypto.SHA256, Encoding: Base64}, body: document},
	"HMAC, hex":         {scheme: HMAC{Header: "X-Signature", Hash: crypto.SHA256, Encoding: Hex}, body: document},
	"HMAC, prefix":      {scheme: HMAC{Header: "X-Signature", Hash: crypto.SHA256, Encoding: Hex, Prefix: "sha256="}, body: document},
	"HMAC, time":        {scheme: HMAC{Header: "X-Signature", Hash: crypto.SHA256, Encoding: Hex, Signed: Signed{"X-Time", ".", time.Minute}}, tolerance: time.Minute, body: document},
	"HMAC, reserial":    {scheme: HMAC{Header: "X-Reserialised", Hash: crypto.SHA512, Encoding: Hex, Reserialised: true}, body: "{}"},
	"ECDSA":             {scheme: ECDSA{Header: "X-Signature"}, secret: ecdsaPublic, private: ecdsaPrivatePEM, other: ecdsaOther, body: document},
	"ECDSA, time":       {scheme: ECDSA{"X-Signature", Signed{"X-Time", "", time.Hour}}, secret: ecdsaPublic, private: ecdsaPrivatePEM, other: ecdsaOther, tolerance: time.Hour, body: document},
	"Ed25519":           {scheme: Ed25519{Header: "X-Signature"}, secret: ed25519Public, private: ed25519Private, other: ed25519Other, body: document},
	"Ed25519, time":     {scheme: Ed25519{"X-Signature", Signed{"X-Time", "|", 5 * time.Minute}}, secret: ed25519Public, private: ed25519Private, other: ed25519Other, tolerance: 5 * time.Minute, body: document},
	"URLHMAC, form":     {scheme: URLHMAC{"X-Signature"}, contentType: formType, body: "To=%2B12025550143&Empty=&Body=caf%C3%A9+%26+more&A=2&A=1"},
	"URLHMAC, JSON":     {scheme: URLHMAC{"X-Signature"}, contentType: "application/json", body: document},
	"InBody, JSON":      {scheme: InBody{8 * time.Hour}, contentType: "application/json", tolerance: 8 * time.Hour, body: document, coversNothing: true},
	"InBody, form":      {scheme: InBody{8 * time.Hour}, contentType: formType, tolerance: 8 * time.Hour, body: "event=opened&token=x", coversNothing: true},
	"InBody, parts":     {scheme: InBody{8 * time.Hour}, contentType: "multipart/form-data; boundary=x", tolerance: 8 * time.Hour, body: multipartOf("event", "opened", "token", "x"), coversNothing: true},
	"Standard Webhooks": {scheme: Standard{}, secret: "whsec_Zmlyc3Qga2V5", other: "bmV4dCBrZXk=", tolerance: 5 * time.Minute, body: document},
	"Header":            {scheme: Header{"X-Secret"}, body: document, coversNothing: true},
	"Basic":             {scheme: Basic{"ada"}, body: document, coversNothing: true},
	"PathToken":         {scheme: PathToken{}, body: document, coversNothing: true},
}

const document = "{\"event\": \"opened\",\r\n \"time\": 1.50}\r\n"

// now is in the middle of a second, as the time of most requests is.
var now = time.Unix(1700000000, 5e8)

// made is a request that somebody has signed, with the things alone that the scheme says
// that it reads.
func made(t *testing.T, name string) (r *Request, secret, other string) {
	t.Helper()
	s := schemes[name]
	secret, other = "a secret of one", "a secret of two"
	if s.secret != "" {
		secret, other = s.secret, s.other
	}
	private := secret
	if s.private != "" {
		private = s.private
	}
	signed := &Request{
		URL: "https://hooks.example.com/in/front/a?b=c%20d&e", Now: now, Body: []byte(s.body),
		Header: headers("Content-Type", s.contentType, "X-Other", "x"),
	}
	require.NoError(t, s.scheme.Sign(private, signed), name)
	reads := s.scheme.Reads()
	r = &Request{Header: http.Header{}, Now: now}
	for _, header := range reads.Headers {
		require.Equal(t, http.CanonicalHeaderKey(header), header, name)
		r.Header[header] = slices.Clone(signed.Header[header])
	}
	if reads.Body != NoBody {
		r.Body = signed.Body
	}
	if reads.URL {
		r.URL = signed.URL
	}
	if reads.Token {
		r.Token = signed.Token
	}
	return r, secret, other
}

// What is signed verifies, by the secret that signed, and from any place among several.
func TestSignedVerifies(t *testing.T) {
	for name, s := range schemes {
		r, secret, other := made(t, name)
		body := bytes.Clone(r.Body)
		require.Equal(t, 1, verify(t, s.scheme, r, secret), name)
		require.Equal(t, 1, verify(t, s.scheme, r, secret, other), name)
		require.Equal(t, 2, verify(t, s.scheme, r, other, secret), name)
		require.Zero(t, verify(t, s.scheme, r, other), name)
		require.Zero(t, verify(t, s.scheme, r), name)
		require.Equal(t, body, r.Body, "%s: a delivery that is verified is the one that was sent", name)
		require.NotEmpty(t, s.scheme.Proof(), name)
		require.NotEmpty(t, s.scheme.Reads().Challenge, name)
	}
}

// Any other byte of what is covered is another request.
func TestAnyByteCounts(t *testing.T) {
	for name, s := range schemes {
		r, secret, _ := made(t, name)
		v, err := s.scheme.Verifier([]string{secret})
		require.NoError(t, err)
		refuses := func(what string, at int) {
			t.Helper()
			require.Zero(t, v.Verify(r), "%s: byte %d of %s", name, at, what)
		}
		if !s.coversNothing {
			sent := r.Body
			for i := range sent {
				r.Body = bytes.Clone(sent)
				r.Body[i] ^= 1
				refuses("body", i)
			}
			for _, body := range [][]byte{nil, sent[:len(sent)-1], append(bytes.Clone(sent), 'x')} {
				r.Body = body
				refuses("body", len(body))
			}
			r.Body = sent
		}
		sent := r.URL
		for i := range sent {
			r.URL = sent[:i] + string(sent[i]^1) + sent[i+1:]
			refuses("URL", i)
		}
		r.URL = sent
		for i := range r.Token {
			token := r.Token
			r.Token = token[:i] + string(token[i]^1) + token[i+1:]
			refuses("token", i)
			r.Token = token
		}
		for _, header := range s.scheme.Reads().Headers {
			if header == "Content-Type" {
				continue
			}
			values := r.Header[header]
			value := values[0]
			for i := range value {
				if name == "Basic" && i == len(value)-1 {
					continue // its base64 has bits that mean nothing
				}
				r.Header[header] = []string{value[:i] + string(value[i]^1) + value[i+1:]}
				refuses(header, i)
			}
			spoilt := [][]string{nil, {}, {""}, {value, value}, {value, ""}, {"", value}, {value[:len(value)-1]}}
			if name != "Standard Webhooks" { // whose header is a list
				spoilt = append(spoilt, []string{value + "," + value}, []string{value + " "})
			}
			for _, wrong := range spoilt {
				r.Header[header] = wrong
				refuses(header, len(wrong))
			}
			r.Header[header] = values
		}
		require.Equal(t, 1, v.Verify(r), name)
	}
}

// What was signed longer ago than the tolerance, or for a time after it, is refused.
func TestTolerance(t *testing.T) {
	for name, s := range schemes {
		r, secret, _ := made(t, name)
		signed := now.Truncate(time.Second)
		want := 1
		if s.tolerance > 0 {
			want = 0
		}
		for _, way := range []time.Duration{1, -1} {
			r.Now = signed.Add(way * s.tolerance)
			require.Equal(t, 1, verify(t, s.scheme, r, secret), name)
			for _, more := range []time.Duration{1, time.Second, 1000 * time.Hour, 100 * 365 * 24 * time.Hour} {
				r.Now = signed.Add(way * (s.tolerance + more))
				require.Equal(t, want, verify(t, s.scheme, r, secret), "%s: %v", name, way*(s.tolerance+more))
			}
		}
	}
}

// What one scheme signs, no other takes, though both have the same secret.
func TestNoOtherScheme(t *testing.T) {
	for name := range schemes {
		r, secret, _ := made(t, name)
		for other, s := range schemes {
			if strings.Split(name, ",")[0] == "InBody" && strings.Split(other, ",")[0] == "InBody" ||
				strings.Split(name, ",")[0] == "URLHMAC" && strings.Split(other, ",")[0] == "URLHMAC" || name == other {
				continue // the same scheme
			}
			if s.secret != "" {
				secret = s.secret
			}
			require.Zero(t, verify(t, s.scheme, r, secret), "%s with what %s signed", other, name)
		}
	}
}

// Several goroutines use a verifier at the same time.
func TestAtTheSameTime(t *testing.T) {
	for name, s := range schemes {
		r, secret, other := made(t, name)
		v, err := s.scheme.Verifier([]string{other, secret})
		require.NoError(t, err)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 8 {
					if at := v.Verify(r); at != 2 {
						t.Errorf("%s: expected 2, got %d", name, at)
					}
				}
			})
		}
		group.Wait()
	}
}

// A secret that is no key is refused where it stands, and is not quoted.
func TestKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	require.NoError(t, err)
	rsaPublic := base64.StdEncoding.EncodeToString(der)
	for name, wrong := range map[string][]string{
		"ECDSA":             {"", "hush", "aHVzaA==", ed25519Public, rsaPublic, ecdsaPrivatePEM, "-----BEGIN PUBLIC KEY-----\nhush"},
		"Ed25519":           {"", "hush", "aHVzaA==", ecdsaPublic, rsaPublic, ed25519Private, ed25519Public[:40], "-----BEGIN PUBLIC KEY-----\nhush"},
		"Standard Webhooks": {"", "hush!", "whsec_", "whsec_hush!", "whpk_aHVzaA==", "whpk_"},
	} {
		for _, text := range wrong {
			_, err := schemes[name].scheme.Verifier([]string{schemes[name].secret, text})
			var wrong *SecretError
			require.ErrorAs(t, err, &wrong, "%s: %q", name, text)
			require.Equal(t, 2, wrong.Position, name)
			require.NotContains(t, err.Error(), "hush", name)
			require.NotContains(t, err.Error(), "aHVz", name)
		}
	}
	for name, wrong := range map[string][]string{
		"ECDSA":             {"", "hush", ecdsaPublic, ed25519Private},
		"Ed25519":           {"", "hush", ed25519Public, ecdsaPrivatePEM},
		"Standard Webhooks": {"", "hush!", "whpk_" + ed25519Public},
	} {
		for _, text := range wrong {
			err := schemes[name].scheme.Sign(text, &Request{Header: http.Header{}, Now: now})
			require.ErrorContains(t, err, "expected", name)
			require.NotContains(t, err.Error(), "hush", name)
		}
	}
	for _, body := range []string{"", "[]", "{", `{"a":1}x`, "a=b"} {
		require.ErrorContains(t, InBody{}.Sign("secret", &Request{Header: http.Header{}, Body: []byte(body)}), "reading body: expected a JSON object", body)
	}
	parts := &Request{Header: headers("Content-Type", "multipart/form-data; boundary=x"), Body: []byte("--x\r\n\r\n")}
	require.ErrorContains(t, InBody{}.Sign("secret", parts), "reading form: expected parts")
	broken := &Request{Header: headers("Content-Type", formType), Body: []byte("a=%zz")}
	require.ErrorIs(t, InBody{}.Sign("secret", broken), errUnreadableForm)
	require.ErrorIs(t, URLHMAC{"X"}.Sign("secret", broken), errUnreadableForm)
}

// A body holds the proof in one way: what a decoder would read otherwise is refused.
func TestInBodyForgeries(t *testing.T) {
	token := strings.Repeat("e0b54", 10)
	of := func(secret string) string {
		return Hex.encode(newMAC(crypto.SHA256, secret).sum("1700000000"+token, nil))
	}
	good := of("secret")
	long := strings.Repeat("a", maxProof+1)
	ofLong := Hex.encode(newMAC(crypto.SHA256, "secret").sum("1700000000"+long, nil))
	proof := func(timestamp, token, signature string) string {
		return fmt.Sprintf(`{"timestamp":%s,"token":%s,"signature":%s}`, timestamp, token, signature)
	}
	whole := proof(`"1700000000"`, `"`+token+`"`, `"`+good+`"`)
	fields := "timestamp=1700000000&token=" + token + "&signature=" + good
	for name, test := range map[string]struct {
		contentType, body string
		position          int
	}{
		"last":                         {"application/json", `{"signature":null,"a":[{"signature":1}],"signature":` + whole + `}`, 1},
		"last within":                  {"", `{"signature":{"token":"x",` + whole[1:] + `}`, 1},
		"escapes":                      {"", strings.Replace(`{"signature":`+whole+`}`, "signature", `sign\u0061ture`, 1), 1},
		"byte order mark":              {"", "\ufeff" + `{"signature":` + whole + `}`, 1},
		"other members":                {"", `{"signature":{"more":{"timestamp":"1"},` + whole[1:] + `,"timestamp":"1","token":"x"}`, 1},
		"upper case":                   {"", `{"signature":` + strings.Replace(whole, good, strings.ToUpper(good), 1) + `}`, 1},
		"first":                        {"", `{"signature":` + whole + `,"signature":null}`, 0},
		"first, then an empty one":     {"", `{"signature":` + whole + `,"signature":{}}`, 0},
		"first within":                 {"", `{"signature":{` + whole[1:len(whole)-1] + `,"token":"x"}}`, 0},
		"first within, then an object": {"", `{"signature":{` + whole[1:len(whole)-1] + `,"token":{}}}`, 0},
		"of two":                       {"", `{"signature":{"timestamp":"1700000000","token":"` + token + `"},"signature":{"signature":"` + good + `"}}`, 0},
		"another letter case":          {"", `{"Signature":` + whole + `}`, 0},
		"deeper":                       {"", `{"a":{"signature":` + whole + `}}`, 0},
		"at the top":                   {"", whole, 0},
		"in an array":                  {"", `[{"signature":` + whole + `}]`, 0},
		"in an array of signatures":    {"", `{"signature":[` + whole + `]}`, 0},
		"as text":                      {"", `{"signature":` + string(payload.AppendString(nil, whole)) + `}`, 0},
		"ends early":                   {"", `{"signature":` + whole, 0},
		"goes on":                      {"", `{"signature":` + whole + `}{}`, 0},
		"broken behind":                {"", `{"signature":` + whole + `,"a":tru}`, 0},
		"no JSON":                      {"", fields, 0},
		"nothing":                      {"", "", 0},
		"other time":                   {"", `{"signature":` + proof(`"1700000001"`, `"`+token+`"`, `"`+good+`"`) + `}`, 0},
		"time and token shifted":       {"", `{"signature":` + proof(`"170000000"`, `"0`+token+`"`, `"`+good+`"`) + `}`, 0},
		"time as a fraction":           {"", `{"signature":` + proof(`1700000000.0`, `"`+token+`"`, `"`+good+`"`) + `}`, 0},
		"time signed":                  {"", `{"signature":` + proof(`"+1700000000"`, `"`+token+`"`, `"`+good+`"`) + `}`, 0},
		"empty token":                  {"", `{"signature":` + proof(`"1700000000"`, `""`, `"`+Hex.encode(newMAC(crypto.SHA256, "secret").sum("1700000000", nil))+`"`) + `}`, 0},
		"other secret":                 {"", `{"signature":` + strings.Replace(whole, good, of("other"), 1) + `}`, 0},
		"empty secret":                 {"", `{"signature":` + strings.Replace(whole, good, of(""), 1) + `}`, 0},
		"truncated":                    {"", `{"signature":` + strings.Replace(whole, good, good[:62], 1) + `}`, 0},
		"longer":                       {"", `{"signature":` + strings.Replace(whole, good, good+"00", 1) + `}`, 0},
		"parent's of another":          {"", `{"signature":{"parent-signature":"` + of("other") + `",` + strings.Replace(whole[1:], good, of("more"), 1) + `}`, 0},
		"form":                         {formType, "a=b&&" + fields, 1},
		"form with escapes":            {formType + ";charset=utf-8", strings.Replace(fields, "token", "t%6fken", 1), 1},
		"form, twice":                  {formType, fields + "&token=" + token, 0},
		"form, broken":                 {formType, fields + "&%zz=1", 0},
		"long":                         {"", `{"signature":` + proof(`"1700000000"`, `"`+long+`"`, `"`+ofLong+`"`) + `}`, 0},
		"form, long":                   {formType, "timestamp=1700000000&token=" + long + "&signature=" + ofLong, 0},
		"form, too many":               {formType, fields + strings.Repeat("&a", payload.MaxFormParts), 0},
		"form, twice, first empty":     {formType, "token=&" + fields, 0},
		"JSON, long":                   {"", `{"signature":` + proof(`"1700000000"`, `"`+long+`"`, `"`+ofLong+`"`) + `}`, 0},
		"JSON, said to be a form":      {formType, `{"signature":` + whole + `}`, 1},
		"JSON with a form in a string": {formType, `{"event":"opened","x":"&` + fields + `&"}`, 0},
		"parts, twice, first empty":    {"multipart/form-data; boundary=x", multipartOf("token", "", "timestamp", "1700000000", "token", token, "signature", good), 0},
		"form in the path":             {formType, "signature[timestamp]=1700000000&signature[token]=" + token + "&signature[signature]=" + good, 0},
		"parts":                        {"multipart/form-data; boundary=x", multipartOf("timestamp", "1700000000", "token", token, "signature", good), 1},
		"parts, twice":                 {"multipart/form-data; boundary=x", multipartOf("timestamp", "1700000000", "token", token, "signature", good, "token", token), 0},
		"parts, too many":              {"multipart/form-data; boundary=x", multipartOf(append(slices.Repeat([]string{"a", ""}, payload.MaxFormParts), "timestamp", "1700000000", "token", token, "signature", good)...), 0},
		"parts, long":                  {"multipart/form-data; boundary=x", multipartOf("timestamp", "1700000000", "token", long, "signature", ofLong), 0},
		"parts, cut":                   {"multipart/form-data; boundary=x", strings.TrimSuffix(multipartOf("timestamp", "1700000000", "token", token, "signature", good), "--x--\r\n"), 0},
		"parts, another boundary":      {"multipart/form-data; boundary=y", multipartOf("timestamp", "1700000000", "token", token, "signature", good), 0},
		"parts without a boundary":     {"multipart/form-data", multipartOf("timestamp", "1700000000", "token", token, "signature", good), 0},
	} {
		r := &Request{Body: []byte(test.body), Header: headers("Content-Type", test.contentType), Now: now}
		require.Equal(t, test.position, verify(t, InBody{time.Hour}, r, "secret"), name)
	}
}

// The URL and the parameters are read in one way.
func TestURLForgeries(t *testing.T) {
	const at = "https://hooks.example.com/twilio"
	sign := func(text string) string { return Base64.encode(newMAC(crypto.SHA1, "secret").sum(text, nil)) }
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of hello
	for name, test := range map[string]struct {
		url, contentType, body, signed string
		position                       int
	}{
		"sorted":                      {at, formType, "b=2&a=1&B=3", at + "B3a1b2", 1},
		"twice the same":              {at, formType, "a=1&a=1", at + "a1", 1},
		"twice":                       {at, formType, "a=2&a=1", at + "a1a2", 1},
		"twice, as sent":              {at, formType, "a=2&a=1", at + "a2a1", 0},
		"without a value":             {at, formType, "a=&b&c=1", at + "abc1", 1},
		"sorted by name, then value":  {at, formType, "ab=1&a=b2", at + "ab2ab1", 1},
		"unsorted":                    {at, formType, "b=2&a=1", at + "b2a1", 0},
		"escapes are not signed":      {at, formType, "a=%2b", at + "a%2b", 0},
		"plus":                        {at, formType, "a=1+2", at + "a1 2", 1},
		"too many":                    {at, formType, "a" + strings.Repeat("&a", payload.MaxFormParts+1), at + "a", 0},
		"many":                        {at, formType, "a" + strings.Repeat("&a", payload.MaxFormParts), at + "a", 1},
		"broken escape":               {at, formType, "a=%2", at + "a%2", 0},
		"query":                       {at + "?x=%20", formType, "a=1", at + "?x=%20a1", 1},
		"query unescaped":             {at + "?x=%20", formType, "a=1", at + "?x= a1", 0},
		"port":                        {at, formType, "a=1", "https://hooks.example.com:443/twilio" + "a1", 1},
		"port that is left out":       {"https://hooks.example.com:8443/twilio", formType, "a=1", at + "a1", 1},
		"port of another":             {at, formType, "a=1", "https://hooks.example.com:8443/twilio" + "a1", 0},
		"port of IPv6":                {"https://[2001:db8::1]/twilio", formType, "a=1", "https://[2001:db8::1]:443/twilio" + "a1", 1},
		"host without a path":         {"https://hooks.example.com", formType, "a=1", "https://hooks.example.com:443" + "a1", 1},
		"host with a query":           {"https://hooks.example.com?a:1", formType, "a=1", "https://hooks.example.com:443?a:1" + "a1", 1},
		"another scheme":              {at, formType, "a=1", "http://hooks.example.com/twilio" + "a1", 0},
		"another path":                {at + "/", formType, "a=1", at + "a1", 0},
		"no URL":                      {"", formType, "a=1", "a1", 0},
		"no form":                     {at, "application/json", "hello", at, 0},
		"no type":                     {at, "", "a=1", at + "a1", 0},
		"digest":                      {at + "?bodySHA256=" + sum, "application/json", "hello", at + "?bodySHA256=" + sum, 1},
		"digest in upper case":        {at + "?bodySHA256=" + strings.ToUpper(sum), "", "hello", at + "?bodySHA256=" + strings.ToUpper(sum), 1},
		"digest of another body":      {at + "?bodySHA256=" + sum, "application/json", "hello!", at + "?bodySHA256=" + sum, 0},
		"digest twice":                {at + "?bodySHA256=" + sum + "&bodySHA256=" + sum, "", "hello", at + "?bodySHA256=" + sum + "&bodySHA256=" + sum, 0},
		"digest, then a parameter":    {at + "?bodySHA256=" + sum + "&x=1", "", "hello", at + "?bodySHA256=" + sum + "&x=1", 0},
		"digest behind a parameter":   {at + "?x=1&bodySHA256=" + sum, "", "hello", at + "?x=1&bodySHA256=" + sum, 1},
		"JSON, said to be a form":     {at, formType, `{"a":"b"}`, at + `{"a":"b"}`, 0},
		"digest, then a form":         {at + "?bodySHA256=" + sum, formType, "a=1", at + "?bodySHA256=" + sum + "a1", 0},
		"digest, empty":               {at + "?bodySHA256=", formType, "a=1", at + "?bodySHA256=" + "a1", 0},
		"digest of what is no digest": {at + "?bodySHA256=00", "", "hello", at + "?bodySHA256=00", 0},
		"broken query":                {at + "?bodySHA256=%zz", formType, "a=1", at + "?bodySHA256=%zz" + "a1", 0},
	} {
		r := &Request{URL: test.url, Header: headers("Content-Type", test.contentType, "X-Signature", sign(test.signed)), Body: []byte(test.body)}
		require.Equal(t, test.position, verify(t, URLHMAC{"X-Signature"}, r, "secret"), name)
	}
}

// FuzzInBody: whatever the body, the proof that is found where a decoder reads JSON is what the
// decoder reads.
func FuzzInBody(f *testing.F) {
	whole := `{"signature":{"timestamp":"1","token":"t","signature":"s"}}`
	for _, body := range []string{whole, whole[:20], `{"a":"&timestamp=1&token=t&signature=s&"}`, "token=&timestamp=1&token=t&signature=s", `{"signature":` + whole + `}`, "timestamp=1&token=t&signature=s", multipartOf("timestamp", "1", "token", "t", "signature", "s")} {
		for _, contentType := range []string{"application/json", formType, "multipart/form-data; boundary=x"} {
			f.Add(contentType, body)
		}
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		h := headers("Content-Type", contentType)
		p, ok := findProof(h, []byte(body))
		if !ok {
			return
		}
		for _, text := range []string{p.timestamp, p.token, p.signature} {
			if text == "" {
				t.Fatal("expected no proof without a field")
			}
		}
		if _, _, isForm := payload.FormOf(body, contentType); isForm {
			return // whose fields the decoder may read as text of another charset
		}
		v, err := payload.ParseBody(body, contentType)
		if err != nil {
			return
		}
		defer v.Release()
		read := func(name string) string {
			text, _ := v.Get("signature").Get(name).Scalar()
			return text
		}
		if got := (proof{read("timestamp"), read("token"), read("signature"), read("parent-signature")}); got != p {
			t.Fatalf("%q: expected %q, got %q", body, got, p)
		}
	})
}

// FuzzParameters: whatever the form, what is signed is what net/url reads, sorted.
func FuzzParameters(f *testing.F) {
	for _, body := range []string{"", "a=1&b=2", "b=2&a=1&a=1&a=0", "a=%2b+c&d", "&=&=a&%zz", "a;b=c"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, ok := sortedParameters([]byte(body))
		values, err := url.ParseQuery(body)
		if err != nil {
			if ok && !strings.Contains(body, ";") {
				t.Fatalf("%q: expected that the form is refused", body)
			}
			return
		}
		if !ok {
			t.Fatalf("%q: expected that the form is read", body)
		}
		var names []string
		for name := range values {
			names = append(names, name)
		}
		slices.Sort(names)
		var want strings.Builder
		for _, name := range names {
			slices.Sort(values[name])
			for _, value := range slices.Compact(values[name]) {
				want.WriteString(name + value)
			}
		}
		if string(got) != want.String() {
			t.Fatalf("%q: expected %q, got %q", body, want.String(), got)
		}
	})
}
