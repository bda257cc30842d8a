package twilio

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// TestSignature verifies the requests that Twilio has published as tests of its library:
// https://github.com/twilio/twilio-python/blob/main/tests/unit/test_request_validator.py
func TestSignature(t *testing.T) {
	v, ok := vendors.Get("twilio")
	require.True(t, ok)
	verifier, err := v.Signing.Verifier([]string{"12345"})
	require.NoError(t, err)

	const (
		url  = "https://mycompany.com/myapp.php?foo=1&bar=2"
		form = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
		json = `{"property": "value", "boolean": true}`
		sum  = "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
	)
	verify := func(url, contentType, body, signature string) int {
		header := http.Header{"Content-Type": {contentType}, "X-Twilio-Signature": {signature}}
		return verifier.Verify(&signing.Request{URL: url, Header: header, Body: []byte(body)})
	}
	withPort := strings.Replace(url, ".com", ".com:1234", 1)
	insecure := func(url string) string { return strings.Replace(url, "https", "http", 1) }
	for name, c := range map[string]struct{ url, contentType, body, signature string }{
		"form":                      {url, "application/x-www-form-urlencoded", form, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		"repeated parameters":       {url, "application/x-www-form-urlencoded", "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234", "IK+Dwps556ElfBT0I3Rgjkr1wJU="},
		"port not signed":           {withPort, "application/x-www-form-urlencoded", form, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		"port signed, http":         {insecure(withPort), "application/x-www-form-urlencoded", form, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="},
		"default port signed":       {url, "application/x-www-form-urlencoded; charset=UTF-8", form, "kvajT1Ptam85bY51eRf/AJRuM3w="},
		"default port signed, http": {insecure(url), "application/x-www-form-urlencoded", form, "0ZXoZLH/DfblKGATFgpif+LLRf4="},
		"JSON":                      {url + sum, "application/json", json, "a9nBmqA0ju/hNViExpshrM61xv4="},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, 1, verify(c.url, c.contentType, c.body, c.signature))
			require.Equal(t, 0, verify(c.url, c.contentType, strings.Replace(c.body, "1", "2", 1)+" ", c.signature), "another body")
			require.Equal(t, 0, verify(strings.Replace(c.url, "foo=1", "foo=2", 1), c.contentType, c.body, c.signature), "another URL")
			require.Equal(t, 0, verify(c.url, c.contentType, c.body, strings.ToLower(c.signature)), "another signature")
		})
	}
}

// A payload is of a family only with all keys that tell the family.
func TestFamily(t *testing.T) {
	for text, want := range map[string]family{
		`{"MessageStatus":null,"Body":"","MessageSid":""}`: messageStates,
		`{"Body":"","MessageSid":null}`:                    messages,
		`{"Body":"","SmsSid":null}`:                        messages,
		`{"Body":""}`:                                      "",
		`{"MessageSid":"SM1","SmsSid":"SM1"}`:              "",
		`{"RecordingStatus":"","CallStatus":""}`:           recordings,
		`{"CallStatus":""}`:                                calls,
		`{"CallSid":"CA1"}`:                                "",
	} {
		v, err := payload.Parse(text)
		require.NoError(t, err)
		require.Equal(t, want, familyOf(v), text)
	}
}
