package signing

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// verifying returns a function that tells which of two secrets verifies a request that is
// made now. A header is its name, a colon, a space and its value.
func verifying(t *testing.T, s Scheme, secrets ...string) func(body string, headers ...string) int {
	t.Helper()
	v, err := s.Verifier(secrets)
	require.NoError(t, err)
	return func(body string, headers ...string) int {
		h := http.Header{}
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			h.Add(name, value)
		}
		return v.Verify(&Request{Header: h, Body: []byte(body), Now: time.Now()})
	}
}

func sum(h func() hash.Hash, secret, body string) []byte {
	m := hmac.New(h, []byte(secret))
	m.Write([]byte(body))
	return m.Sum(nil)
}

func TestHMAC(t *testing.T) {
	const body = `{ "a": 1 }`
	position := verifying(t, HMAC{Header: "Signature", Hash: crypto.SHA1, Encoding: Base64}, "new", "old")
	encode := base64.StdEncoding.EncodeToString
	good := encode(sum(sha1.New, "new", body))
	for name, test := range map[string]struct {
		headers  []string
		position int
	}{
		"new":                         {[]string{"Signature: " + good}, 1},
		"old":                         {[]string{"Signature: " + encode(sum(sha1.New, "old", body))}, 2},
		"empty secret":                {[]string{"Signature: " + encode(sum(sha1.New, "", body))}, 0},
		"another secret":              {[]string{"Signature: " + encode(sum(sha1.New, "older", body))}, 0},
		"compact body":                {[]string{"Signature: " + encode(sum(sha1.New, "new", `{"a":1}`))}, 0},
		"another hash":                {[]string{"Signature: " + encode(sum(sha256.New, "new", body))}, 0},
		"hash cut to the length":      {[]string{"Signature: " + encode(sum(sha256.New, "new", body)[:20])}, 0},
		"hex":                         {[]string{"Signature: " + hex.EncodeToString(sum(sha1.New, "new", body))}, 0},
		"without padding":             {[]string{"Signature: " + strings.TrimRight(good, "=")}, 0},
		"truncated":                   {[]string{"Signature: " + encode(sum(sha1.New, "new", body)[:10])}, 0},
		"longer":                      {[]string{"Signature: " + encode(append(sum(sha1.New, "new", body), 0))}, 0},
		"base64 for URLs":             {[]string{"Signature: " + strings.NewReplacer("+", "-", "/", "_").Replace(encode(sum(sha1.New, "new", body))) + "!"}, 0},
		"empty":                       {[]string{"Signature: "}, 0},
		"none":                        {nil, 0},
		"text":                        {[]string{"Signature: none"}, 0},
		"prefix":                      {[]string{"Signature: sha1=" + good}, 0},
		"twice":                       {[]string{"Signature: " + good, "Signature: " + good}, 0},
		"conflicting":                 {[]string{"Signature: " + good, "Signature: x"}, 0},
		"conflicting, other way":      {[]string{"Signature: x", "Signature: " + good}, 0},
		"list":                        {[]string{"Signature: " + good + ", " + good}, 0},
		"in another header":           {[]string{"X-Signature: " + good}, 0},
		"in letters of another case":  {[]string{"sIGNATURE: " + good}, 1},
		"header of OneRoute's scheme": {[]string{"X-Oneroute-Signature: " + hex.EncodeToString(sum(sha512.New, "new", body))}, 0},
	} {
		require.Equal(t, test.position, position(body, test.headers...), name)
	}
}

func TestReserialised(t *testing.T) {
	position := verifying(t, HMAC{Header: "x-oneroute-signature", Hash: crypto.SHA512, Encoding: Hex, Reserialised: true}, "first", "new")
	header := func(signed string) string {
		return "x-oneroute-signature: " + hex.EncodeToString(sum(sha512.New, "new", signed))
	}
	for name, test := range map[string]struct{ sent, signed string }{
		"as sent":                  {`{"a":1}`, `{"a":1}`},
		"as sent, pretty":          {"{\n  \"a\": 1\n}", "{\n  \"a\": 1\n}"},
		"compact":                  {"{\n  \"b\": [ 1, {} ],\n\t\"a\" : null\r\n}\n", `{"b":[1,{}],"a":null}`},
		"order of keys":            {`{ "b": 1, "a": 2, "10": 3, "9": 4 }`, `{"b":1,"a":2,"10":3,"9":4}`},
		"duplicate keys":           {`{ "a": 1, "a": 2 }`, `{"a":1,"a":2}`},
		"text of numbers":          {`[ 1.0, 1e5, 12345678901234567890, -0, 1E+2 ]`, `[1.0,1e5,12345678901234567890,-0,1E+2]`},
		"escaped, as sent":         {`{ "a": "\u00e9" }`, `{"a":"\u00e9"}`},
		"escaped, as JavaScript":   {`{ "a": "\u00e9" }`, `{"a":"é"}`},
		"escapes in a compact one": {`{"a":"\u00e9\/\u000a"}`, `{"a":"é/\n"}`},
		"escapes in keys":          {`{ "\u00e9": 1 }`, `{"é":1}`},
		"spaces in strings":        {`{ "a b": " c " }`, `{"a b":" c "}`},
		"no JSON, as sent":         {`{ "a": `, `{ "a": `},
		"empty":                    {``, ``},
	} {
		require.Equal(t, 2, position(test.sent, header(test.signed)), name)
	}
	sent := `{ "a": 1 }`
	for name, test := range map[string]string{
		"another value":     header(`{"a":2}`),
		"sorted keys only":  header(`{"a": 1}`),
		"another secret":    "x-oneroute-signature: " + hex.EncodeToString(sum(sha512.New, "CallRail's", `{"a":1}`)),
		"another hash":      "x-oneroute-signature: " + hex.EncodeToString(sum(sha256.New, "new", `{"a":1}`)),
		"base64":            "x-oneroute-signature: " + base64.StdEncoding.EncodeToString(sum(sha512.New, "new", `{"a":1}`)),
		"odd":               header(sent)[:len(header(sent))-1],
		"truncated":         header(sent)[:len(header(sent))-2],
		"longer":            header(sent) + "00",
		"not hexadecimal":   header(sent)[:len(header(sent))-2] + "zz",
		"header of another": "Signature: " + base64.StdEncoding.EncodeToString(sum(sha1.New, "new", sent)),
	} {
		require.Zero(t, position(sent, test), name)
	}
	upper := "x-oneroute-signature: " + strings.ToUpper(hex.EncodeToString(sum(sha512.New, "new", sent)))
	require.Equal(t, 2, position(sent, upper))
	require.Zero(t, position(sent, header(sent), header(sent)))
	// Sorting is no re-serialisation.
	require.Zero(t, position(`{ "b": 1, "a": 2 }`, header(`{"a":2,"b":1}`)))
	require.Zero(t, position(`{ "a": 1, "a": 2 }`, header(`{"a":2}`)))
}

func TestStandardWebhooks(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	var (
		body  = `{"a":1}`
		first = base64.StdEncoding.EncodeToString([]byte("first key"))
		next  = base64.StdEncoding.EncodeToString([]byte("next key"))
		now   = time.Now()
		at    = func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
		v1    = func(key, id, timestamp, body string) string {
			return "v1," + base64.StdEncoding.EncodeToString(sum(sha256.New, key, id+"."+timestamp+"."+body))
		}
		v1a = func(id, timestamp, body string) string {
			return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(id+"."+timestamp+"."+body)))
		}
	)
	symmetric, asymmetric := verifying(t, Standard{}, "whsec_"+first, next), verifying(t, Standard{}, first, "whpk_"+base64.StdEncoding.EncodeToString(public))
	for name, test := range map[string]struct {
		timestamp, signatures string
		position              int
	}{
		"first":                       {at(0), v1("first key", "7", at(0), body), 1},
		"next":                        {at(0), v1("next key", "7", at(0), body), 2},
		"several, last":               {at(0), "v1,none v2,x " + v1("old key", "7", at(0), body) + " " + v1("next key", "7", at(0), body), 2},
		"almost old":                  {at(-4 * time.Minute), v1("first key", "7", at(-4*time.Minute), body), 1},
		"almost future":               {at(4 * time.Minute), v1("first key", "7", at(4*time.Minute), body), 1},
		"old":                         {at(-6 * time.Minute), v1("first key", "7", at(-6*time.Minute), body), 0},
		"future":                      {at(6 * time.Minute), v1("first key", "7", at(6*time.Minute), body), 0},
		"replayed with another time":  {at(0), v1("first key", "7", at(-6*time.Minute), body), 0},
		"replayed with another id":    {at(0), v1("first key", "8", at(0), body), 0},
		"another body":                {at(0), v1("first key", "7", at(0), body+" "), 0},
		"another key":                 {at(0), v1("third key", "7", at(0), body), 0},
		"empty key":                   {at(0), v1("", "7", at(0), body), 0},
		"no version":                  {at(0), strings.TrimPrefix(v1("first key", "7", at(0), body), "v1,"), 0},
		"another version":             {at(0), strings.Replace(v1("first key", "7", at(0), body), "v1,", "v1a,", 1), 0},
		"truncated":                   {at(0), v1("first key", "7", at(0), body)[:20], 0},
		"empty":                       {at(0), "v1,", 0},
		"nothing":                     {at(0), "", 0},
		"no time":                     {"", v1("first key", "7", "", body), 0},
		"time is no number":           {"now", v1("first key", "7", "now", body), 0},
		"time of another age":         {"-9223372036854775808", v1("first key", "7", "-9223372036854775808", body), 0},
		"public":                      {at(0), v1a("7", at(0), body), 2},
		"public, several":             {at(0), "v1a,none v1,x " + v1a("7", at(0), body), 2},
		"public, old":                 {at(-6 * time.Minute), v1a("7", at(-6*time.Minute), body), 0},
		"public, future":              {at(6 * time.Minute), v1a("7", at(6*time.Minute), body), 0},
		"public, of another age":      {"-9223372036854775808", v1a("7", "-9223372036854775808", body), 0},
		"public, other age":           {"9223372036854775807", v1a("7", "9223372036854775807", body), 0},
		"public, another body":        {at(0), v1a("7", at(0), body+" "), 0},
		"public, as symmetric":        {at(0), "v1," + strings.TrimPrefix(v1a("7", at(0), body), "v1a,"), 0},
		"public, key as symmetric":    {at(0), v1(string(public), "7", at(0), body), 0},
		"public, after many of wrong": {at(0), strings.Repeat(v1a("8", at(0), body)+" ", 500) + v1a("7", at(0), body), 0},
	} {
		position := symmetric
		if strings.HasPrefix(name, "public") {
			position = asymmetric
		}
		require.Equal(t, test.position, position(body,
			"Webhook-Id: 7", "Webhook-Timestamp: "+test.timestamp, "Webhook-Signature: "+test.signatures), name)
	}
	position := symmetric
	good := []string{"Webhook-Id: 7", "Webhook-Timestamp: " + at(0), "Webhook-Signature: " + v1("first key", "7", at(0), body)}
	require.Equal(t, 1, position(body, good...))
	for i := range good {
		require.Zero(t, position(body, append(good[:i:i], good[i+1:]...)...), "without %s", good[i])
		require.Zero(t, position(body, append(good[:3:3], good[i])...), "twice %s", good[i])
	}
	require.Zero(t, asymmetric(body, "Webhook-Id: ", good[1], "Webhook-Signature: "+v1a("", at(0), body)))
}

func TestHeader(t *testing.T) {
	position := verifying(t, Header{"x-webhook-secret"}, "old", "new one")
	for name, test := range map[string]struct {
		headers  []string
		position int
	}{
		"old":         {[]string{"X-Webhook-Secret: old"}, 1},
		"new":         {[]string{"x-webhook-secret: new one"}, 2},
		"empty":       {[]string{"X-Webhook-Secret: "}, 0},
		"none":        {nil, 0},
		"letter case": {[]string{"X-Webhook-Secret: OLD"}, 0},
		"prefix":      {[]string{"X-Webhook-Secret: ol"}, 0},
		"longer":      {[]string{"X-Webhook-Secret: oldd"}, 0},
		"list":        {[]string{"X-Webhook-Secret: old, new one"}, 0},
		"twice":       {[]string{"X-Webhook-Secret: old", "X-Webhook-Secret: old"}, 0},
		"conflicting": {[]string{"X-Webhook-Secret: old", "X-Webhook-Secret: wrong"}, 0},
	} {
		require.Equal(t, test.position, position("{}", test.headers...), name)
	}
}

func TestBasic(t *testing.T) {
	position := verifying(t, Basic{"ada"}, "love:lace", "byron")
	encode := func(text string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))
	}
	for name, test := range map[string]struct {
		headers  []string
		position int
	}{
		"first":           {[]string{encode("ada:love:lace")}, 1},
		"second":          {[]string{encode("ada:byron")}, 2},
		"empty password":  {[]string{encode("ada:")}, 0},
		"another user":    {[]string{encode("eve:byron")}, 0},
		"no user":         {[]string{encode(":byron")}, 0},
		"no colon":        {[]string{encode("adabyron")}, 0},
		"bearer":          {[]string{strings.Replace(encode("ada:byron"), "Basic", "Bearer", 1)}, 0},
		"no base64":       {[]string{"Authorization: Basic ada:byron"}, 0},
		"none":            {nil, 0},
		"twice":           {[]string{encode("ada:byron"), encode("ada:byron")}, 0},
		"conflicting":     {[]string{encode("ada:byron"), encode("eve:byron")}, 0},
		"proxy's":         {[]string{strings.Replace(encode("ada:byron"), "Auth", "Proxy-Auth", 1)}, 0},
		"scheme in lower": {[]string{strings.Replace(encode("ada:byron"), "Basic", "basic", 1)}, 2},
	} {
		require.Equal(t, test.position, position("{}", test.headers...), name)
	}
}

func TestReserialise(t *testing.T) {
	for body, want := range map[string][]string{
		`{"b":1.0,"a":[true]}`:                       nil,
		"{ \"b\": 1.0,\n\t\"a\": [ true, \"\" ] }":   {`{"b":1.0,"a":[true,""]}`},
		`{"a":"\u00e9\/"}`:                           {`{"a":"é/"}`},
		`{"a": "\u00e9", "a": 12345678901234567890}`: {`{"a":"\u00e9","a":12345678901234567890}`, `{"a":"é","a":12345678901234567890}`},
		`{"a":`: nil,
		`a=b`:   nil,
	} {
		var got []string
		for _, text := range reserialise([]byte(body)) {
			got = append(got, string(text))
		}
		require.Equal(t, want, got, body)
	}
}
