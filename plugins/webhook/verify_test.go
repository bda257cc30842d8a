package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/signing"
)

// parsed returns the configuration, which has to be right.
func parsed(t *testing.T, yaml string, variables ...string) *config {
	t.Helper()
	c, err := parse(t, yaml, variables...)
	require.NoError(t, err)
	return c
}

// parse reads a configuration with such variables, NAME=value, in the environment.
func parse(t *testing.T, yaml string, variables ...string) (*config, error) {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, service.NewEnvironment())
	if err != nil {
		return nil, err
	}
	return newConfig(conf, variablesOf(variables), nil)
}

func variablesOf(variables []string) environment {
	return func(name string) (string, bool) {
		for _, v := range variables {
			if is, value, _ := strings.Cut(v, "="); is == name {
				return value, true
			}
		}
		return "", false
	}
}

// verifying returns a function that tells which secret of a route verifies a
// request, without a server. The route's secret is SECRET.
func verifying(t *testing.T, route, secret, old string) func(path, body string, headers ...string) int {
	t.Helper()
	d := &door{config: parsed(t, "routes: [ "+route+" ]", "SECRET="+secret, "SECRET_OLD="+old)}
	return func(path, body string, headers ...string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://door"+path, nil)
		require.NoError(t, err)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		req := &request{Request: r}
		args, ok := d.find(req)
		require.True(t, ok)
		req.token = args.token
		for _, known := range []signing.Body{signing.NoBody, signing.AsSent} {
			sent := []byte(body)
			if known == signing.NoBody {
				sent = nil
			}
			req.verify(known, sent)
		}
		return req.secret
	}
}

func mac(h func() hash.Hash, secret, body string) []byte {
	m := hmac.New(h, []byte(secret))
	m.Write([]byte(body))
	return m.Sum(nil)
}

// The payload, key and signature of the vendor's own page.
func TestCallRailDocumented(t *testing.T) {
	body, err := os.ReadFile("testdata/callrail_documented.json")
	require.NoError(t, err)
	position := verifying(t, `{ path: /c, vendor: callrail, verify: { secret_env: SECRET } }`, "072e77e426f92738a72fe23c4d1953b4", "")
	require.Equal(t, 1, position("/c", string(body), "Signature: UZAHbUdfm3GqL7qzilGozGzWV64="))
	require.Zero(t, position("/c", string(body)+"\n", "Signature: UZAHbUdfm3GqL7qzilGozGzWV64="))
	require.Zero(t, position("/c", string(body), "Signature: UZAHbUdfm3GqL7qzilGozGzWV65="), "bits after the last byte")
}

func TestCallRail(t *testing.T) {
	const body = `{ "a": 1 }`
	position := verifying(t, `{ path: /c, vendor: callrail, verify: { secret_env: SECRET } }`, "new", "old")
	encode := base64.StdEncoding.EncodeToString
	good := encode(mac(sha1.New, "new", body))
	for name, test := range map[string]struct {
		headers  []string
		position int
	}{
		"new":                         {[]string{"Signature: " + good}, 1},
		"old":                         {[]string{"Signature: " + encode(mac(sha1.New, "old", body))}, 2},
		"empty secret":                {[]string{"Signature: " + encode(mac(sha1.New, "", body))}, 0},
		"another secret":              {[]string{"Signature: " + encode(mac(sha1.New, "older", body))}, 0},
		"compact body":                {[]string{"Signature: " + encode(mac(sha1.New, "new", `{"a":1}`))}, 0},
		"another hash":                {[]string{"Signature: " + encode(mac(sha256.New, "new", body))}, 0},
		"hash cut to the length":      {[]string{"Signature: " + encode(mac(sha256.New, "new", body)[:20])}, 0},
		"hex":                         {[]string{"Signature: " + hex.EncodeToString(mac(sha1.New, "new", body))}, 0},
		"without padding":             {[]string{"Signature: " + strings.TrimRight(good, "=")}, 0},
		"truncated":                   {[]string{"Signature: " + encode(mac(sha1.New, "new", body)[:10])}, 0},
		"longer":                      {[]string{"Signature: " + encode(append(mac(sha1.New, "new", body), 0))}, 0},
		"base64 for URLs":             {[]string{"Signature: " + strings.NewReplacer("+", "-", "/", "_").Replace(encode(mac(sha1.New, "new", body))) + "!"}, 0},
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
		"header of OneRoute's scheme": {[]string{"X-Oneroute-Signature: " + hex.EncodeToString(mac(sha512.New, "new", body))}, 0},
	} {
		require.Equal(t, test.position, position("/c", body, test.headers...), name)
	}
}

func TestOneRoute(t *testing.T) {
	position := verifying(t, `{ path: /o, vendor: oneroute, verify: { secret_env: SECRET } }`, "first", "new")
	header := func(signed string) string {
		return "x-oneroute-signature: " + hex.EncodeToString(mac(sha512.New, "new", signed))
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
		require.Equal(t, 2, position("/o", test.sent, header(test.signed)), name)
	}
	sent := `{ "a": 1 }`
	for name, test := range map[string]string{
		"another value":     header(`{"a":2}`),
		"sorted keys only":  header(`{"a": 1}`),
		"another secret":    "x-oneroute-signature: " + hex.EncodeToString(mac(sha512.New, "CallRail's", `{"a":1}`)),
		"another hash":      "x-oneroute-signature: " + hex.EncodeToString(mac(sha256.New, "new", `{"a":1}`)),
		"base64":            "x-oneroute-signature: " + base64.StdEncoding.EncodeToString(mac(sha512.New, "new", `{"a":1}`)),
		"odd":               header(sent)[:len(header(sent))-1],
		"truncated":         header(sent)[:len(header(sent))-2],
		"longer":            header(sent) + "00",
		"not hexadecimal":   header(sent)[:len(header(sent))-2] + "zz",
		"header of another": "Signature: " + base64.StdEncoding.EncodeToString(mac(sha1.New, "new", sent)),
	} {
		require.Zero(t, position("/o", sent, test), name)
	}
	upper := "x-oneroute-signature: " + strings.ToUpper(hex.EncodeToString(mac(sha512.New, "new", sent)))
	require.Equal(t, 2, position("/o", sent, upper))
	require.Zero(t, position("/o", sent, header(sent), header(sent)))
	// Sorting is no re-serialisation.
	require.Zero(t, position("/o", `{ "b": 1, "a": 2 }`, header(`{"a":2,"b":1}`)))
	require.Zero(t, position("/o", `{ "a": 1, "a": 2 }`, header(`{"a":2}`)))
}

func TestGenericHMAC(t *testing.T) {
	const body = `{"a":1}`
	for algorithm, h := range map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New} {
		for encoding, encode := range map[string]func([]byte) string{"hex": hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString} {
			for _, prefix := range []string{"", algorithm + "="} {
				route := fmt.Sprintf(`{ path: /g, verify: { hmac: { header: x-signature, algorithm: %s, encoding: %s, prefix: %q }, secret_env: SECRET } }`, algorithm, encoding, prefix)
				position := verifying(t, route, "one", "two")
				for i, secret := range []string{"one", "two"} {
					require.Equal(t, i+1, position("/g", body, "X-Signature: "+prefix+encode(mac(h, secret, body))), route)
				}
				require.Zero(t, position("/g", body, "X-Signature: "+prefix+encode(mac(h, "  ", body))), route)
				require.Zero(t, position("/g", body, "X-Signature: "+prefix+encode(mac(h, "three", body))), route)
				require.Zero(t, position("/g", body, "X-Signature: "+prefix), route)
				require.Zero(t, position("/g", body, "X-Signature: v1="+encode(mac(h, "one", body))), route)
				if prefix != "" {
					require.Zero(t, position("/g", body, "X-Signature: "+encode(mac(h, "one", body))), route)
					require.Zero(t, position("/g", body, "X-Signature: "+strings.ToUpper(prefix)+encode(mac(h, "one", body))), route)
				}
			}
		}
	}
}

func TestStandardWebhooks(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	var (
		body  = `{"a":1}`
		first = base64.StdEncoding.EncodeToString([]byte("first key"))
		next  = base64.StdEncoding.EncodeToString([]byte("next key"))
		now   = time.Now()
		route = `{ path: /s, verify: { standard: true, secret_env: SECRET } }`
		at    = func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
		v1    = func(key, id, timestamp, body string) string {
			return "v1," + base64.StdEncoding.EncodeToString(mac(sha256.New, key, id+"."+timestamp+"."+body))
		}
		v1a = func(id, timestamp, body string) string {
			return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(id+"."+timestamp+"."+body)))
		}
	)
	symmetric, asymmetric := verifying(t, route, "whsec_"+first, next), verifying(t, route, first, "whpk_"+base64.StdEncoding.EncodeToString(public))
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
		require.Equal(t, test.position, position("/s", body,
			"Webhook-Id: 7", "Webhook-Timestamp: "+test.timestamp, "Webhook-Signature: "+test.signatures), name)
	}
	position := symmetric
	good := []string{"Webhook-Id: 7", "Webhook-Timestamp: " + at(0), "Webhook-Signature: " + v1("first key", "7", at(0), body)}
	require.Equal(t, 1, position("/s", body, good...))
	for i := range good {
		require.Zero(t, position("/s", body, append(good[:i:i], good[i+1:]...)...), "without %s", good[i])
		require.Zero(t, position("/s", body, append(good[:3:3], good[i])...), "twice %s", good[i])
	}
	require.Zero(t, position("/s", body, "Webhook-Id: ", good[1], "Webhook-Signature: "+v1a("", at(0), body)))
}

func TestHeaderSecret(t *testing.T) {
	position := verifying(t, `{ path: /h, verify: { header: x-webhook-secret, secret_env: SECRET } }`, "old", "new one")
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
		require.Equal(t, test.position, position("/h", "{}", test.headers...), name)
	}
}

func TestBasic(t *testing.T) {
	position := verifying(t, `{ path: /b, verify: { basic: { username: ada }, secret_env: SECRET } }`, "love:lace", "byron")
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
		require.Equal(t, test.position, position("/b", "{}", test.headers...), name)
	}
}

func TestPathToken(t *testing.T) {
	position := verifying(t, `{ path: "/p/{token}/in", verify: { path_token: true, secret_env: SECRET } }`, "to/ken", "é%")
	for path, want := range map[string]int{
		"/p/to%2Fken/in":            1,
		"/p/to%2fken/in":            1,
		"/p/%74o%2fken/in":          1,
		"/p/%c3%a9%25/in":           2,
		"/p/token/in":               0,
		"/p/to%252Fken/in":          0,
		"/p/x/in?token=to%2Fken":    0,
		"/p/to%2Fken%00/in":         0,
		"/p/TO%2FKEN/in":            0,
		"/p/%20/in":                 0,
		"/p/to%2Fken+/in":           0,
		"/p/to%2Fken;a=b/in":        0,
		"/p/%2e%2e%2fp%2ftoken/in":  0,
		"/p/{token}/in":             0,
		"/p/to%2Fken/in?anything=1": 1,
	} {
		require.Equal(t, want, position(path, "{}"), path)
	}
}

// The secret of one vendor opens no route of another, by whatever header.
func TestAnotherVendorsSecret(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	body := "{}"
	for _, path := range []string{"/callrail/post_call", "/oneroute", "/supersend", "/movement/x", "/basic"} {
		for _, secret := range []string{callrailKey, "other", "s3cret", "tok/en", "lovelace"} {
			headers := []string{
				"Signature: " + base64.StdEncoding.EncodeToString(mac(sha1.New, secret, body)),
				"X-Oneroute-Signature: " + hex.EncodeToString(mac(sha512.New, secret, body)),
				"X-Webhook-Secret: " + secret,
				"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ada:"+secret)),
			}
			own := map[string]string{"/callrail/post_call": callrailKey, "/oneroute": "other", "/supersend": "s3cret", "/basic": "lovelace"}[path]
			want := 401
			if secret == own {
				want = 200
			}
			status := post(t, s, path, body, headers...)
			require.Equal(t, want, status, "%s with %s", path, secret)
		}
	}
	require.Equal(t, map[string]int64{"/callrail/{event} 1": 1, "/oneroute 1": 1, "/supersend 1": 1, "/basic 1": 1}, s.metrics.all("webhook_verified"))
}
