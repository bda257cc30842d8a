package signing

import (
	"crypto"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// verify returns the position of the secret that verifies a request.
func verify(t *testing.T, s Scheme, r *Request, secrets ...string) int {
	t.Helper()
	v, err := s.Verifier(secrets)
	require.NoError(t, err)
	return v.Verify(r)
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// The payload, key and signature of CallRail's page on webhooks.
func TestCallRailDocumented(t *testing.T) {
	body, err := os.ReadFile("testdata/callrail_documented.json")
	require.NoError(t, err)
	s := HMAC{Header: "Signature", Hash: crypto.SHA1, Encoding: Base64}
	const key = "072e77e426f92738a72fe23c4d1953b4"
	require.Equal(t, 1, verify(t, s, &Request{Body: body, Header: headers("Signature", "UZAHbUdfm3GqL7qzilGozGzWV64=")}, key))
	require.Zero(t, verify(t, s, &Request{Body: append(body, '\n'), Header: headers("Signature", "UZAHbUdfm3GqL7qzilGozGzWV64=")}, key))
	require.Zero(t, verify(t, s, &Request{Body: body, Header: headers("Signature", "UZAHbUdfm3GqL7qzilGozGzWV65=")}, key), "bits after the last byte")
}

// The vector of GitHub's page on the scheme of X-Hub-Signature-256, which Meta uses, too.
func TestHubSignature(t *testing.T) {
	s := HMAC{Header: "X-Hub-Signature-256", Hash: crypto.SHA256, Encoding: Hex, Prefix: "sha256="}
	r := &Request{Body: []byte("Hello, World!"), Header: headers("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")}
	require.Equal(t, 1, verify(t, s, r, "It's a Secret to Everybody"))
	require.Zero(t, verify(t, s, r, "It's a Secret to Nobody"))
}

// The vectors of twilio-python, tests/unit/test_request_validator.py.
func TestTwilioDocumented(t *testing.T) {
	const (
		url    = "https://mycompany.com/myapp.php?foo=1&bar=2"
		ported = "https://mycompany.com:1234/myapp.php?foo=1&bar=2"
		plain  = "http://mycompany.com/myapp.php?foo=1&bar=2"
		call   = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
		sum    = "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
		json   = `{"property": "value", "boolean": true}`
	)
	for name, test := range map[string]struct{ url, contentType, body, signature string }{
		"form":                   {url, formType, call, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		"form with a charset":    {url, formType + "; charset=UTF-8", call, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		"a name twice":           {url, formType, "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234", "IK+Dwps556ElfBT0I3Rgjkr1wJU="},
		"port removed":           {ported, formType, call, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		"port of http kept":      {"http://mycompany.com:1234/myapp.php?foo=1&bar=2", formType, call, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="},
		"port added to https":    {url, formType, call, "kvajT1Ptam85bY51eRf/AJRuM3w="},
		"port added to http":     {plain, formType, call, "0ZXoZLH/DfblKGATFgpif+LLRf4="},
		"another body":           {url + sum, "application/json", json, "a9nBmqA0ju/hNViExpshrM61xv4="},
		"another body as a form": {url + sum, formType, json, "a9nBmqA0ju/hNViExpshrM61xv4="},
	} {
		r := &Request{URL: test.url, Header: headers("Content-Type", test.contentType, "X-Twilio-Signature", test.signature), Body: []byte(test.body)}
		require.Equal(t, 1, verify(t, URLHMAC{"X-Twilio-Signature"}, r, "12345"), name)
		r.Body = append(r.Body, '1')
		require.Zero(t, verify(t, URLHMAC{"X-Twilio-Signature"}, r, "12345"), name)
	}
}

// The vector of sendgrid-python, test/unit/test_eventwebhook.py.
func TestSendGridDocumented(t *testing.T) {
	const (
		key       = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
		other     = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA=="
		signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
		another   = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0="
		body      = `[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",` +
			`"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",` +
			`"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",` +
			`"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]` + "\r\n"
	)
	s := ECDSA{"X-Twilio-Email-Event-Webhook-Signature", Signed{Timestamp: "X-Twilio-Email-Event-Webhook-Timestamp", Tolerance: time.Hour}}
	request := func(body, signature, timestamp string) *Request {
		return &Request{
			Body: []byte(body), Now: time.Unix(1600112502, 0),
			Header: headers("X-Twilio-Email-Event-Webhook-Signature", signature, "X-Twilio-Email-Event-Webhook-Timestamp", timestamp),
		}
	}
	require.Equal(t, 2, verify(t, s, request(body, signature, "1600112502"), other, key))
	require.Equal(t, 1, verify(t, s, request(body, signature, "1600112502"), "-----BEGIN PUBLIC KEY-----\n"+key+"\n-----END PUBLIC KEY-----"))
	require.Zero(t, verify(t, s, request(body, signature, "1600112502"), other))
	require.Zero(t, verify(t, s, request("payload", signature, "1600112502"), key))
	require.Zero(t, verify(t, s, request(body, another, "1600112502"), key))
	require.Zero(t, verify(t, s, request(body, signature, "timestamp"), key))
	require.Zero(t, verify(t, s, request(body, signature, "1600112503"), key))
}

// Telnyx publishes no signature with its key, so openssl has signed here.
func TestEd25519AsOpenSSL(t *testing.T) {
	s := Ed25519{"Telnyx-Signature-Ed25519", Signed{Timestamp: "Telnyx-Timestamp", Separator: "|", Tolerance: 5 * time.Minute}}
	r := &Request{
		Body: []byte(`{"a": 1}`), Now: time.Unix(1700000000, 0),
		Header: headers("Telnyx-Signature-Ed25519", "r2gt4VsjLgHdbUJv+swH5IabIgXXH9HkBhbVhzECF5hKHS0Ylss/n2vjLMjY20bHo1i2xJL0UU4IwaZkXQQhCg==", "Telnyx-Timestamp", "1700000000"),
	}
	require.Equal(t, 1, verify(t, s, r, ed25519Public))
	require.Equal(t, 1, verify(t, s, r, "MCowBQYDK2VwAyEASVVknG+VBjCrqhjmhqVqP3mWM0zTFm5JutdRNuenSCw="), "in PKIX form")
	again := &Request{Body: r.Body, Now: r.Now, Header: http.Header{}}
	require.NoError(t, s.Sign(ed25519Private, again))
	require.Equal(t, r.Header, again.Header)
}

// A pair of invented keys of openssl.
const (
	ed25519Private = "MC4CAQAwBQYDK2VwBCIEIGa26jvl4aePr2heHJXwJoqDlZP8R/lI1Mwd6Mz2daM0"
	ed25519Public  = "SVVknG+VBjCrqhjmhqVqP3mWM0zTFm5JutdRNuenSCw="
)

// Mailgun publishes no signature with its key, so openssl has computed the HMAC of the time
// and the token of Mailgun's page.
func TestMailgunAsOpenSSL(t *testing.T) {
	const (
		token   = "e0b5477167110d68991efc6b9f89f0a11066af27834600e123"
		own     = "0f916c11070a3a2d60e1e62b157d8f0ff147a95685942ac0980d9857ac8ca4ee"
		parents = "42898b3244d02d01dd4ebddf9837d0f9cd2797f09665b48b052d001d4182d667"
	)
	for name, test := range map[string]struct {
		contentType, body string
		own, parent       int // positions
	}{
		"JSON":       {"application/json", `{"signature": {"token": "` + token + `", "timestamp": "1700000000", "signature": "` + own + `"}, "event-data": {}}`, 1, 0},
		"number":     {"application/json", `{"event-data": {}, "signature": {"token": "` + token + `", "timestamp": 1700000000, "signature": "` + own + `"}}`, 1, 0},
		"subaccount": {"application/json", `{"signature": {"token": "` + token + `", "timestamp": "1700000000", "signature": "` + own + `", "parent-signature": "` + parents + `"}}`, 1, 1},
		"form":       {formType, "event=opened&timestamp=1700000000&token=" + token + "&signature=" + own, 1, 0},
		"multipart":  {"multipart/form-data; boundary=x", multipartOf("event", "opened", "timestamp", "1700000000", "token", token, "signature", own), 1, 0},
	} {
		r := &Request{Body: []byte(test.body), Header: headers("Content-Type", test.contentType), Now: time.Unix(1700000000, 0)}
		require.Equal(t, test.own, verify(t, InBody{time.Hour}, r, "key-invented"), name)
		require.Equal(t, test.parent, verify(t, InBody{time.Hour}, r, "key-parent"), name)
		require.Zero(t, verify(t, InBody{time.Hour}, r, "key-other"), name)
	}
}

// multipartOf returns a multipart form with the boundary x.
func multipartOf(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&b, "--x\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", fields[i], fields[i+1])
	}
	return b.String() + "--x--\r\n"
}
