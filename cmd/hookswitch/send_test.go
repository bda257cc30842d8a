package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what CallRail signs with
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/plugins/webhook"
	"github.com/hookswitch/hookswitch/tests/services"
)

// door answers with a status and keeps the last request.
func door(t *testing.T, status int) (url string, last *http.Request, body *bytes.Buffer) {
	t.Helper()
	last, body = &http.Request{}, &bytes.Buffer{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body.Reset()
		_, _ = io.Copy(body, r.Body)
		*last = *r
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "told\n")
	}))
	t.Cleanup(s.Close)
	return s.URL, last, body
}

func TestSendSignsAsTheVendorDoes(t *testing.T) {
	t.Setenv("CALLRAIL_SIGNING_KEY", "a key")
	url, last, body := door(t, http.StatusOK)
	var out bytes.Buffer
	require.NoError(t, send(t.Context(), &out, url+"/callrail/{event}", "callrail", "post_call", "", "", ""))
	require.Equal(t, "200 OK\ntold\n", out.String())
	require.Equal(t, "/callrail/post_call", last.URL.Path)
	require.Equal(t, "application/json", last.Header.Get("Content-Type"))
	mac := hmac.New(sha1.New, []byte("a key"))
	mac.Write(body.Bytes())
	require.Equal(t, base64.StdEncoding.EncodeToString(mac.Sum(nil)), last.Header.Get("Signature"))
}

// An edited body is what is signed.
func TestSendEdits(t *testing.T) {
	t.Setenv("CALLRAIL_SIGNING_KEY", "a key")
	url, last, body := door(t, http.StatusOK)
	require.NoError(t, send(t.Context(), io.Discard, url, "callrail", "post_call", "", "", "", edit{"customer_phone_number", "+12025550143"}))
	require.Contains(t, body.String(), `"customer_phone_number":"+12025550143"`)
	mac := hmac.New(sha1.New, []byte("a key"))
	mac.Write(body.Bytes())
	require.Equal(t, base64.StdEncoding.EncodeToString(mac.Sum(nil)), last.Header.Get("Signature"))
}

// What is sent for any vendor is verified as the webhook input would, behind a proxy that takes
// a path away.
func TestSendIsVerified(t *testing.T) {
	const public = "https://hooks.example.com/hooks"
	url, last, body := door(t, http.StatusOK)
	for _, v := range vendors.All() {
		verifies, signs, err := services.Keys(v, "a secret of "+v.Name)
		require.NoError(t, err)
		verifier, err := v.Signing.Verifier([]string{verifies})
		require.NoError(t, err)
		t.Setenv(v.SigningEnv(), signs)
		for _, base := range []string{public, public + "/"} {
			require.NoError(t, send(t.Context(), io.Discard, url, v.Name, v.Events[0].Name, "", "", base), v.Name)
			token := ""
			if v.SecretInPath() {
				token = strings.Split(last.URL.Path, "/")[2]
			}
			require.Equal(t, 1, verifier.Verify(&signing.Request{
				URL: public + last.URL.RequestURI(), Header: last.Header, Body: body.Bytes(), Token: token, Now: time.Now(),
			}), v.Name)
		}
	}
}

// A vendor that signs with a key that only it has says how to make another pair, by which
// another openssl and send agree.
func TestSendWithKeysOfOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("expected openssl")
		}
		t.Skip("openssl is not installed")
	}
	command := regexp.MustCompile(`(?m)^  openssl (.*)$`)
	for _, scheme := range []signing.Scheme{signing.ECDSA{Header: "X-Acme"}, signing.Ed25519{Header: "X-Acme"}} {
		text := keyPair(&vendors.Vendor{Title: "Acme", Signing: scheme, SecretEnv: "ACME_PUBLIC_KEY"})
		require.Contains(t, text, "ACME_PUBLIC_KEY_FILE=public.pem")
		require.Contains(t, text, "ACME_PRIVATE_KEY_FILE=private.pem")
		commands := command.FindAllStringSubmatch(text, -1)
		require.Len(t, commands, 2)
		t.Chdir(t.TempDir())
		for _, c := range commands {
			out, err := exec.CommandContext(t.Context(), openssl, strings.Fields(c[1])...).CombinedOutput()
			require.NoError(t, err, "%s", out)
		}
		t.Setenv("ACME_PUBLIC_KEY_FILE", "public.pem")
		t.Setenv("ACME_PRIVATE_KEY_FILE", "private.pem")
		public, err := webhook.ReadSecret("ACME_PUBLIC_KEY")
		require.NoError(t, err)
		private, err := webhook.ReadSecret("ACME_PRIVATE_KEY")
		require.NoError(t, err)
		verifier, err := scheme.Verifier([]string{public})
		require.NoError(t, err)
		r := &signing.Request{Header: http.Header{}, Body: []byte("{}"), Now: time.Now()}
		require.NoError(t, scheme.Sign(private, r))
		require.Equal(t, 1, verifier.Verify(r))
	}
	require.Empty(t, keyPair(&vendors.Vendor{Signing: signing.PathToken{}}))
}

func TestSendPutsTheSecretWhereItBelongs(t *testing.T) {
	t.Setenv("MOVEMENT_PATH_TOKEN", "a/token")
	t.Setenv("SUPERSEND_SECRET", "a secret")
	url, last, body := door(t, http.StatusOK)
	file := filepath.Join(t.TempDir(), "body.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"a":1}`), 0o600))

	require.NoError(t, send(t.Context(), io.Discard, url+"/movement/{token}", "movement", "call.finished", file, "", ""))
	require.Equal(t, "/movement/a%2Ftoken", last.URL.EscapedPath())
	require.Equal(t, `{"a":1}`, body.String())

	require.NoError(t, send(t.Context(), io.Discard, url, "supersend", "click", file, "", ""))
	require.Equal(t, "a secret", last.Header.Get("X-Webhook-Secret"))
	require.NoError(t, send(t.Context(), io.Discard, url, "supersend", "click", file, "X-Mine", ""))
	require.Equal(t, "a secret", last.Header.Get("X-Mine"))
	require.Empty(t, last.Header.Get("X-Webhook-Secret"))
}

func TestSendKnowsWhereVendorsSend(t *testing.T) {
	url, last, _ := door(t, http.StatusOK)
	secretFile := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secretFile, []byte("a/token\n"), 0o600))
	for _, test := range []struct{ vendor, event, variable, path string }{
		{"callrail", "post_call", "", "/callrail/post_call"},
		{"supersend", "click", "", "/supersend"},
		{"mobiniti", "inbound", "", "/mobiniti/inbound"},
		{"mobiniti", "inbound", "MOBINITI_PATH_TOKEN_FILE", "/mobiniti/a%2Ftoken/inbound"},
		{"movement", "call.finished", "MOVEMENT_PATH_TOKEN_FILE", "/movement/a%2Ftoken"},
	} {
		if test.variable != "" {
			t.Setenv(test.variable, secretFile)
		}
		for _, end := range []string{"", "/"} {
			require.NoError(t, send(t.Context(), io.Discard, url+end, test.vendor, test.event, "", "", ""))
			require.Equal(t, test.path, last.URL.EscapedPath())
		}
	}
	t.Setenv("CALLRAIL_SIGNING_KEY_FILE", filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, send(t.Context(), io.Discard, url, "callrail", "post_call", "", "", ""), "reading variable CALLRAIL_SIGNING_KEY_FILE")
}

func TestSendTellsFormsFromJSON(t *testing.T) {
	url, last, _ := door(t, http.StatusOK)
	file := filepath.Join(t.TempDir(), "body")
	for body, expected := range map[string]string{
		`{"a":1}`:        "application/json",
		"\n [1]":         "application/json",
		"":               "application/json",
		"id=1&content=x": "application/x-www-form-urlencoded",
	} {
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
		require.NoError(t, send(t.Context(), io.Discard, url, "callrail", "text_message", file, "", ""))
		require.Equal(t, expected, last.Header.Get("Content-Type"), body)
	}
}

func TestSendFails(t *testing.T) {
	t.Setenv("MOVEMENT_PATH_TOKEN", "the-token")
	url, _, _ := door(t, http.StatusUnauthorized)
	for _, test := range []struct{ name, to, vendor, event, file, want string }{
		{"an answer that is not 2xx", url, "movement", "call.finished", "", "expected an answer of 2xx, got 401"},
		{"an unknown vendor", url, "nobody", "x", "", "reading flag vendor: expected one of "},
		{"an event without a sample", url, "callrail", "nothing", "", "expected one of the native events call_modified, "},
		{"a file that is not there", url, "callrail", "post_call", "/nowhere", "/nowhere"},
		{"a token that is not set", "http://127.0.0.1/{token}", "mobiniti", "inbound", "", "MOBINITI_PATH_TOKEN"},
		{"nobody listens", "http://127.0.0.1:1/{token}", "movement", "call.finished", "", "sending to 127.0.0.1:1"},
		{"no URL", "http://a b/{token}", "movement", "call.finished", "", "reading URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := send(t.Context(), io.Discard, test.to, test.vendor, test.event, test.file, "", "")
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "the-token")
		})
	}
}

// What is told to be tried with a sample has one, which gives what the event is for.
func TestEveryNativeEventHasASample(t *testing.T) {
	for _, v := range vendors.All() {
		for _, native := range v.Events {
			body, err := v.Sample(native.Name)
			require.NoError(t, err, "%s %s", v.Name, native.Name)
			d := &delivery.Delivery{Vendor: v.Name, Event: native.Name, Body: body}
			document, err := v.Payload(d)
			require.NoError(t, err)
			require.NoError(t, v.Decode(d, document, 100, func(e event.Event) error {
				require.Equal(t, native.Types[0], e.Type, "%s %s", v.Name, native.Name)
				return nil
			}))
		}
	}
}
