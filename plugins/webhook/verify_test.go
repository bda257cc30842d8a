package webhook

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"testing"

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

// The header of a signature is no secret, so it may travel on.
func TestGenericHMAC(t *testing.T) {
	const body = `{"a":1}`
	for algorithm, h := range map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New} {
		for encoding, encode := range map[string]func([]byte) string{"hex": hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString} {
			for _, prefix := range []string{"", algorithm + "="} {
				route := fmt.Sprintf(`{ path: /g, headers: [ X-Signature ], verify: { hmac: { header: x-signature, algorithm: %s, encoding: %s, prefix: %q }, secret_env: SECRET } }`, algorithm, encoding, prefix)
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

// Where the new secret is not set yet, the one that is being replaced keeps its position.
func TestOldSecretAlone(t *testing.T) {
	position := verifying(t, `{ path: /h, verify: { header: X-Secret, secret_env: SECRET } }`, "", "old")
	require.Equal(t, 2, position("/h", "{}", "X-Secret: old"))
	require.Zero(t, position("/h", "{}", "X-Secret: "))
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
