package webhook

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// acme is a vendor that is not compiled in, with a scheme.
func acme(scheme signing.Scheme) *vendors.Vendor {
	return &vendors.Vendor{
		Name: "acme", Signing: scheme, SecretEnv: "ACME_KEY",
		Handshake: &vendors.Handshake{Query: map[string]string{"hub.mode": "subscribe"}, Token: "hub.verify_token", Challenge: "hub.challenge", SecretEnv: "ACME_VERIFY_TOKEN"},
	}
}

const publicURL = "https://hooks.example.com/hooks"

// serving adds the routes of a vendor to a door's configuration.
func serving(t *testing.T, v *vendors.Vendor, variables ...string) func(*config) {
	return func(c *config) {
		t.Helper()
		added := &config{address: c.address, routes: vendorRoutes(v, false)}
		for _, r := range added.routes {
			r.publicURL = publicURL
		}
		require.NoError(t, added.load(variablesOf(append(variables, "ACME_KEY=a secret of acme")), nil))
		c.routes = append(c.routes, added.routes...)
		c.wanted = append(c.wanted, added.wanted...)
	}
}

// signed returns the headers and the body of a delivery of acme to a URL.
func signed(t *testing.T, scheme signing.Scheme, secret, url, contentType, body string) (headers []string, sent string) {
	t.Helper()
	r := &signing.Request{URL: url, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body), Now: time.Now()}
	require.NoError(t, scheme.Sign(secret, r))
	for name, values := range r.Header {
		headers = append(headers, name+": "+values[0])
	}
	return headers, string(r.Body)
}

const formType = "application/x-www-form-urlencoded"

// The URL that is verified is the public one and the path and query as sent, whatever the
// proxy in front has made of Host and path.
func TestPublicURL(t *testing.T) {
	scheme := signing.URLHMAC{Header: "X-Acme-Signature"}
	s := newStand(t, limited(limitsOfRows, ""), acks, serving(t, acme(scheme)))
	const path = "/acme/a%20b?c=d%2Fe&f"
	post := func(base, signedURL, host string) int {
		t.Helper()
		headers, body := signed(t, scheme, "a secret of acme", signedURL, formType, "From=%2B12025550143&Body=Hi")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Host = host
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		res, err := client(t, nil).Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	door := "http://" + s.address.String()
	to, err := url.Parse(door)
	require.NoError(t, err)
	proxy := httptest.NewServer(http.StripPrefix("/hooks", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}))
	t.Cleanup(proxy.Close)

	for name, base := range map[string]string{"door": door, "proxy": proxy.URL + "/hooks"} {
		require.Equal(t, 200, post(base, publicURL+path, ""), name)
		require.Equal(t, 200, post(base, "https://hooks.example.com:443/hooks"+path, "evil.example.com"), name)
		for _, wrong := range []string{
			door + path, "https://evil.example.com" + path, "https://evil.example.com/hooks" + path, "https://hooks.example.com" + path,
			"http://hooks.example.com/hooks" + path, publicURL + "/acme/a%20b", publicURL + "/acme/a b?c=d%2Fe&f", publicURL + "/acme/a%20b?c=d/e&f", publicURL + path + "&g",
		} {
			require.Equal(t, 401, post(base, wrong, "evil.example.com"), "%s: %s", name, wrong)
		}
	}
	require.Equal(t, map[string]int64{"/acme/{event} 1": 4}, s.metrics.all("webhook_verified"))
	t.Run("nginx", func(t *testing.T) {
		nginx := &proxied{stand: s, kind: proxyKind{command: "nginx", config: nginxConfig(`location /hooks/ { proxy_pass http://door/; }`)}}
		nginx.start(t, tool(t, "nginx"), s.address.String())
		require.Equal(t, 200, post("http://"+nginx.address+"/hooks", publicURL+path, ""))
		require.Equal(t, 401, post("http://"+nginx.address+"/hooks", "http://"+nginx.address+"/hooks"+path, ""))
	})
}

// Without a public URL nobody who signs it is served, and the error says where it is missing.
func TestPublicURLIsMissing(t *testing.T) {
	c := &config{address: "127.0.0.1:0", routes: vendorRoutes(acme(signing.URLHMAC{Header: "X"}), false)}
	err := c.load(variablesOf([]string{"ACME_KEY=a secret of acme"}), nil)
	require.ErrorContains(t, err, "reading field public_url: expected the URL at which acme reaches this input")
	require.ErrorContains(t, err, "HOOKSWITCH_PUBLIC_URL")

	for text, want := range map[string]string{
		"": "", "https://hooks.example.com": "https://hooks.example.com", "https://hooks.example.com/": "https://hooks.example.com",
		"http://127.0.0.1:8080/a/b/": "http://127.0.0.1:8080/a/b", "https://[2001:db8::1]:8443": "https://[2001:db8::1]:8443",
	} {
		c := parsed(t, fmt.Sprintf("public_url: %q\nroutes: [ { path: /a, verify: { none: true } }, { path: /b, public_url: 'https://b.example.com/', verify: { none: true } } ]", text))
		require.Equal(t, want, c.routes[0].publicURL)
		require.Equal(t, "https://b.example.com", c.routes[1].publicURL)
	}
	for _, text := range []string{
		"hooks.example.com", "/hooks", "ftp://hooks.example.com", "https://", "https://:8080", "https://ada@hooks.example.com",
		"https://hooks.example.com?a=b", "https://hooks.example.com?", "https://hooks.example.com#a", "https://hooks example.com",
	} {
		for field, yaml := range map[string]string{
			"public_url":          "public_url: %q\nroutes: [ { path: /a, verify: { none: true } } ]",
			"routes.0.public_url": "routes: [ { path: /a, public_url: %q, verify: { none: true } } ]",
		} {
			_, err := parse(t, fmt.Sprintf(yaml, text))
			require.ErrorContains(t, err, "reading field "+field+": expected a URL such as https://hooks.example.com", text)
		}
	}
}

// A signature that stands in the body is looked for in the body as it is inflated, within the
// limits; a body that does not inflate has none.
func TestSignatureInTheBody(t *testing.T) {
	scheme := signing.InBody{Tolerance: time.Hour}
	s := newStand(t, limited("body: 2KiB, inflated: 2KiB, in_flight: 4MiB", ""), acks, serving(t, acme(scheme)))
	headers, good := signed(t, scheme, "a secret of acme", "", "application/json", `{"event-data": {"id": 1}}`)
	_, forged := signed(t, scheme, "another", "", "application/json", `{"event-data": {"id": 1}}`)
	formHeaders, form := signed(t, scheme, "a secret of acme", "", formType, "event=opened")
	gzip := append([]string{"Content-Encoding: gzip"}, headers...)
	zipped := compressed(t, "gzip", good)
	for name, test := range map[string]struct {
		headers []string
		body    string
		status  int
		reached string
	}{
		"as it is":               {headers, good, 200, good},
		"form":                   {formHeaders, form, 200, form},
		"inflated":               {gzip, zipped, 200, good},
		"deflated":               {append([]string{"Content-Encoding: deflate"}, headers...), compressed(t, "flate", good), 200, good},
		"forged":                 {headers, forged, 401, ""},
		"forged and inflated":    {gzip, compressed(t, "gzip", forged), 401, ""},
		"no JSON":                {headers, good[1:], 401, ""},
		"said to be a form":      {formHeaders, good, 200, good}, // the decoders read it as JSON, too
		"form, said to be JSON":  {headers, form, 401, ""},
		"does not inflate":       {gzip, zipped[:len(zipped)-4] + "xxxx", 401, ""},
		"said to be coded":       {gzip, good, 401, ""},
		"coded, and not said":    {headers, zipped, 401, ""},
		"inflates to too much":   {gzip, compressed(t, "gzip", good+strings.Repeat(" ", 2<<10)), 413, ""},
		"another coding":         {append([]string{"Content-Encoding: br"}, headers...), good, 415, ""},
		"nothing":                {headers, "", 401, ""},
		"nothing that is zipped": {gzip, compressed(t, "gzip", ""), 401, ""},
	} {
		before := len(s.handed())
		require.Equal(t, test.status, post(t, s, "/acme", test.body, test.headers...), name)
		if test.reached == "" {
			require.Len(t, s.handed(), before, name)
		} else {
			require.Equal(t, test.reached, s.bodies()[before], name)
		}
		require.Zero(t, s.door.memory.inUse(), name)
	}
	require.Equal(t, map[string]int64{"/acme 1": 5}, s.metrics.all("webhook_verified"))
}

// none is a scheme whose proof is in a body that no door knows.
type none struct{ signing.Header }

func (none) Reads() signing.Reads { return signing.Reads{Body: signing.Inflated + 1} }

// A scheme that asks for nothing that the door knows verifies nobody.
func TestSchemeThatNeverLooks(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks, serving(t, acme(none{signing.Header{Name: "X-Acme"}})))
	require.Equal(t, 401, post(t, s, "/acme", "{}", "X-Acme: a secret of acme"))
	require.Empty(t, s.handed())
}

// What can be asked of the header alone is asked before anything of the body has come.
func TestSchemesAskEarly(t *testing.T) {
	for name, test := range map[string]struct {
		scheme signing.Scheme
		path   string
	}{
		"header": {signing.Header{Name: "X-Acme"}, "/acme"},
		"basic":  {signing.Basic{Username: "acme"}, "/acme"},
		"path":   {signing.PathToken{}, "/acme/wrong"},
	} {
		s := newStand(t, limited(limitsOfRows, ""), acks, serving(t, acme(test.scheme)))
		c := s.dial(t)
		_, err := io.WriteString(c, "POST "+test.path+" HTTP/1.1\r\nHost: door\r\nContent-Length: 1000\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, 401, res.StatusCode, name)
		require.Equal(t, test.scheme.Reads().Challenge, res.Header.Get("Www-Authenticate"), name)
	}
}

// A vendor's handshake is answered with its challenge to who has the token, and to nobody else.
func TestHandshake(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("the token of old\n"), 0o600))
	s := newStand(t, limited(limitsOfRows, "access_log: true\n"), acks,
		serving(t, acme(signing.Header{Name: "X-Acme"}), "ACME_VERIFY_TOKEN=the token & more", "ACME_VERIFY_TOKEN_OLD_FILE="+file))
	const good = "hub.mode=subscribe&hub.verify_token=the+token+%26+more&hub.challenge=1158201444"
	long := strings.Repeat("7", maxChallenge)
	ask := func(method, target, version, more string) (*http.Response, string) {
		t.Helper()
		c := s.dial(t)
		_, err := io.WriteString(c, method+" "+target+" HTTP/"+version+"\r\nHost: door\r\n"+more+"\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		return res, string(text)
	}
	answered := 0
	for _, test := range []struct{ method, target, version, want string }{
		{"GET", "/acme?" + good, "1.1", "1158201444"},
		{"HEAD", "/acme?" + good, "1.1", ""},
		{"GET", "/acme?" + good, "1.0", "1158201444"},
		{"GET", "/acme/messages/?more&" + good, "1.1", "1158201444"},
		{"GET", "http://door/acme?" + good, "1.1", "1158201444"},
		{"GET", "/acme?hub.challenge=a%20%3Cb%3E&hub.verify_token=the+token+of+old&hub.mode=subscribe", "1.1", "a <b>"},
		{"GET", "/acme?" + strings.Replace(good, "1158201444", long, 1), "1.1", long},
	} {
		res, text := ask(test.method, test.target, test.version, "")
		require.Equal(t, 200, res.StatusCode, test.target)
		require.Equal(t, test.want, text, test.target)
		require.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		if test.method == "HEAD" {
			require.EqualValues(t, len("1158201444"), res.ContentLength)
		}
		answered++
	}
	refused := 0
	for _, target := range []string{
		"/acme", "/acme?", "/acme?%zz&" + good, "/acme?a;b&" + good,
		"/acme?" + strings.Replace(good, "more", "less", 1),
		"/acme?" + strings.Replace(good, "the+token+%26+more", "a+secret+of+acme", 1),
		"/acme?" + strings.Replace(good, "the+token+%26+more", "", 1),
		"/acme?" + strings.Replace(good, "subscribe", "unsubscribe", 1),
		"/acme?" + strings.Replace(good, "hub.mode=subscribe&", "", 1),
		"/acme?" + strings.Replace(good, "hub.verify_token", "hub.verify.token", 1),
		"/acme?" + strings.Replace(good, "1158201444", "", 1),
		"/acme?" + strings.Replace(good, "1158201444", long+"7", 1),
		"/acme?" + strings.Replace(good, "1158201444", "a%0D%0Ab", 1),
		"/acme?" + strings.Replace(good, "1158201444", "%00", 1),
		"/acme?" + strings.Replace(good, "1158201444", "%C3%A9", 1),
		"/acme?" + good + "&hub.challenge=2",
		"/acme?" + good + "&hub.verify_token=the+token+%26+more",
		"/acme?" + good + "&hub.mode=subscribe",
		"/callrail/post_call?" + good, // who asks nothing
		"/open?" + good,
	} {
		res, text := ask("GET", target, "1.1", "")
		require.Equal(t, 405, res.StatusCode, target)
		require.Equal(t, "expected POST\n", text, target)
		require.Equal(t, "POST", res.Header.Get("Allow"))
		refused++
	}
	for _, method := range []string{"PUT", "OPTIONS", "DELETE"} {
		res, _ := ask(method, "/acme?"+good, "1.1", "")
		require.Equal(t, 405, res.StatusCode, method)
		refused++
	}
	res, _ := ask("POST", "/acme?"+good, "1.1", "Content-Length: 0\r\n")
	require.Equal(t, 401, res.StatusCode)
	s.readNoMore()
	res, _ = ask("GET", "/acme?"+good, "1.1", "")
	require.Equal(t, 503, res.StatusCode)

	counts := map[string]int64{}
	for labels, n := range s.metrics.all("webhook_deliveries") {
		_, outcome, _ := strings.Cut(labels, " ")
		counts[outcome] += n
	}
	require.Equal(t, map[string]int64{"challenged": int64(answered), "method": int64(refused), "unverified": 1, "draining": 1}, counts)
	require.Empty(t, s.metrics.all("webhook_verified"))
	require.Empty(t, s.handed())
	require.Contains(t, s.logs.String(), "outcome=challenged")
	for _, hidden := range []string{"1158201444", "the token", "hub."} {
		require.NotContains(t, s.logs.String(), hidden)
	}
}

// A vendor whose token is not set gets no handshake, though its deliveries are taken; a token
// that is short is warned of, as it stands in URLs.
func TestHandshakeWithoutToken(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks, serving(t, acme(signing.Header{Name: "X-Acme"})))
	require.Equal(t, 200, post(t, s, "/acme", "{}", "X-Acme: a secret of acme"))
	for _, token := range []string{"", "a+secret+of+acme"} {
		res, err := client(t, nil).Get("http://" + s.address.String() + "/acme?hub.mode=subscribe&hub.challenge=1&hub.verify_token=" + token)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 405, res.StatusCode)
	}

	c := &config{address: "127.0.0.1:0", routes: vendorRoutes(acme(signing.Header{Name: "X-Acme"}), false)}
	err := c.load(variablesOf([]string{"ACME_KEY=a secret of acme", "ACME_VERIFY_TOKEN= hush"}), nil)
	require.ErrorContains(t, err, "reading field vendors: reading variable ACME_VERIFY_TOKEN: expected no white space around the secret, for the handshake of /acme")
	require.NotContains(t, err.Error(), "hush")
}

// The handshake is the same over HTTP/2, by which a sender may also send a body with its GET.
func TestHandshakeOverHTTP2(t *testing.T) {
	authority := newAuthority(t)
	s := newStand(t, limited(limitsOfRows, authority.files(t).yaml), acks,
		serving(t, acme(signing.Header{Name: "X-Acme"}), "ACME_VERIFY_TOKEN=the token"))
	hc := client(t, &tls.Config{RootCAs: authority.pool})
	for _, test := range []struct {
		method, token, body, want string
		status                    int
	}{
		{"GET", "the+token", "", "1158", 200},
		{"GET", "the+token", "more", "1158", 200},
		{"HEAD", "the+token", "", "", 200},
		{"GET", "a+secret+of+acme", "", "expected POST\n", 405},
		{"HEAD", "a+secret+of+acme", "", "", 405},
	} {
		target := "https://" + s.address.String() + "/acme?hub.mode=subscribe&hub.challenge=1158&hub.verify_token=" + test.token
		r, err := http.NewRequestWithContext(t.Context(), test.method, target, strings.NewReader(test.body))
		require.NoError(t, err)
		res, err := hc.Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 2, res.ProtoMajor)
		require.Equal(t, test.status, res.StatusCode, test)
		require.Equal(t, test.want, string(text), test)
	}
	require.Empty(t, s.handed())
}

// The URL that is verified has the target of the request as sent, however it is written, and
// nothing of the host that the target names.
func TestTargetsAsSent(t *testing.T) {
	scheme := signing.URLHMAC{Header: "X-Acme-Signature"}
	s := newStand(t, limited(limitsOfRows, ""), acks, serving(t, acme(scheme)))
	for _, test := range []struct {
		target, signed string
		status         int
	}{
		{"http://evil.example.com/acme/a?b", "/acme/a?b", 200},
		{"http://evil.example.com/acme/a?b", "/acme/a", 401},
		{"/acme/a/", "/acme/a/", 200},
		{"/acme/a/", "/acme/a", 401},
		{"/acme/a?", "/acme/a?", 200},
		{"/acme/a?", "/acme/a", 401},
		{"/acme/a?b=2&a=1", "/acme/a?b=2&a=1", 200},
		{"/acme/a?b=2&a=1", "/acme/a?a=1&b=2", 401},
		{"/acme/a%2Fb", "/acme/a%2Fb", 200},
		{"/acme/a%2fb", "/acme/a%2Fb", 401},
		{"/acme/a#b", "/acme/a", 401},
		{"/acme/%61", "/acme/%61", 200},
		{"/acme/%61", "/acme/a", 401},
		{"/ac%6De/a", "/ac%6De/a", 200},
		{"/acme/it's@:a|", "/acme/it's@:a|", 200},
		{"/acme/a?it's=@:|^", "/acme/a?it's=@:|^", 200},
		{"//acme/a", "//acme/a", 404},
		{"/./acme/a", "/./acme/a", 404},
		{"/x/../acme/a", "/x/../acme/a", 404},
	} {
		headers, body := signed(t, scheme, "a secret of acme", publicURL+test.signed, formType, "From=%2B12025550143&Body=Hi")
		require.Equal(t, test.status, post(t, s, test.target, body, headers...), test)
	}
}
