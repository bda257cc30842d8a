package webhook

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/signing"
)

// The secrets of the routes of most tests.
func init() {
	for name, value := range map[string]string{
		"CALLRAIL_SIGNING_KEY": callrailKey, "CALLRAIL_SIGNING_KEY_OLD": "old key",
		"ONEROUTE_SECRET_KEY": "other", "SUPERSEND_SECRET": "s3cret", "MOVEMENT_PATH_TOKEN": "tok/en", "BASIC_PASSWORD": "lovelace",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
}

// started returns what the constructor makes of a configuration, and what it logs.
func started(t *testing.T, yaml string, variables ...string) (*config, *logs, error) {
	t.Helper()
	text := &logs{}
	builder := service.NewEnvironment().NewResourceBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(text, nil)))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop(t.Context())) })
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	c, err := newConfig(conf, variablesOf(variables), resources.Logger())
	return c, text, err
}

// Without a secret it does not start, and says which variable lacks it. What is in
// a variable or file is never told.
func TestSecretsThatAreMissing(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const hidden = "hush-hush-hush-hush"
	for name, test := range map[string]struct {
		yaml      string
		variables []string
		expected  string
	}{
		"none":                  {"vendors: callrail", nil, "reading field vendors: expected a secret in CALLRAIL_SIGNING_KEY, or in the file that CALLRAIL_SIGNING_KEY_FILE names, for the route /callrail"},
		"one of two":            {"vendors: callrail,mobiniti", []string{"CALLRAIL_SIGNING_KEY=" + hidden}, "reading field vendors: expected a secret in MOBINITI_PATH_TOKEN, or"},
		"empty":                 {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY=", "CALLRAIL_SIGNING_KEY_OLD= \t", "CALLRAIL_SIGNING_KEY_FILE="}, "expected a secret in CALLRAIL_SIGNING_KEY"},
		"another vendor's":      {"vendors: callrail", []string{"SUPERSEND_SECRET=" + hidden}, "expected a secret in CALLRAIL_SIGNING_KEY"},
		"all, none":             {"vendors: '*'", nil, "reading field vendors: expected the secret of at least one vendor, none is set: callrail (CALLRAIL_SIGNING_KEY), mobiniti (MOBINITI_PATH_TOKEN), movement (MOVEMENT_PATH_TOKEN), oneroute (ONEROUTE_SECRET_KEY), supersend (SUPERSEND_SECRET)"},
		"all, wrong":            {"vendors: '*'", []string{"SUPERSEND_SECRET=" + hidden, "CALLRAIL_SIGNING_KEY_FILE=" + dir + "/none"}, "reading field vendors: reading variable CALLRAIL_SIGNING_KEY_FILE: stat " + dir + "/none: no such file"},
		"no vendors":            {"vendors: ''", []string{"CALLRAIL_SIGNING_KEY=" + hidden}, "reading field vendors: expected names or *, such as HOOKSWITCH_VENDORS=callrail with the secret in CALLRAIL_SIGNING_KEY; or unverified: true (HOOKSWITCH_UNVERIFIED=true)"},
		"a route's":             {"routes: [ { path: /a, vendor: callrail, verify: { secret_env: MINE } } ]", []string{"CALLRAIL_SIGNING_KEY=" + hidden}, "reading field routes.0.verify.secret_env: expected a secret in MINE, or in the file that MINE_FILE names, for the route /a"},
		"a route's, by default": {"routes: [ { path: /a, vendor: callrail } ]", nil, "reading field routes.0.verify.secret_env: expected a secret in CALLRAIL_SIGNING_KEY, or"},
		"white space":           {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY=" + hidden + "\n"}, "reading variable CALLRAIL_SIGNING_KEY: expected no white space around the secret"},
		"white space, old":      {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY=" + hidden, "CALLRAIL_SIGNING_KEY_OLD= " + hidden}, "reading variable CALLRAIL_SIGNING_KEY_OLD: expected no white space around the secret"},
		"text and file":         {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY=" + hidden, "CALLRAIL_SIGNING_KEY_FILE=" + file("both", hidden)}, "expected one of CALLRAIL_SIGNING_KEY and CALLRAIL_SIGNING_KEY_FILE, both are set"},
		"no file":               {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY_OLD_FILE=" + dir + "/none"}, "reading variable CALLRAIL_SIGNING_KEY_OLD_FILE: stat " + dir + "/none: no such file"},
		"a folder":              {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY_FILE=" + dir}, "reading variable CALLRAIL_SIGNING_KEY_FILE: read " + dir},
		"empty file":            {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY_FILE=" + file("empty", "\n")}, "reading variable CALLRAIL_SIGNING_KEY_FILE: expected a secret, got none in " + dir + "/empty"},
		"two lines in a file":   {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY_FILE=" + file("lines", hidden+"\n\n")}, "expected no white space around the secret in " + dir + "/lines"},
		"a large file":          {"vendors: callrail", []string{"CALLRAIL_SIGNING_KEY_FILE=" + file("large", strings.Repeat("a", maxSecret+1))}, "expected at most 65536 bytes in " + dir + "/large"},
		"no Standard Webhooks":  {"routes: [ { path: /a, verify: { standard: true, secret_env: A } } ]", []string{"A=whsec_" + hidden}, "reading field routes.0.verify.secret_env: reading variable A: expected whsec_ or whpk_ and a key in base64, for the route /a"},
		"empty key":             {"routes: [ { path: /a, verify: { standard: true, secret_env: A } } ]", []string{"A_OLD=whsec_"}, "reading variable A_OLD: expected whsec_ or whpk_ and a key in base64"},
		"no public key":         {"routes: [ { path: /a, verify: { standard: true, secret_env: A } } ]", []string{"A=whpk_aHVzaC1odXNo"}, "reading variable A: expected whpk_ and an Ed25519 key of 32 bytes in base64"},
	} {
		_, text, err := started(t, test.yaml, test.variables...)
		require.ErrorContains(t, err, test.expected, name)
		for _, said := range []string{err.Error(), text.String()} {
			require.NotContains(t, said, "hush", name)
			require.NotContains(t, said, "aHVza", name)
		}
	}
}

// Of all vendors those without a secret are not served, and one line says which.
func TestAllVendors(t *testing.T) {
	c, text, err := started(t, "vendors: '*'", "SUPERSEND_SECRET=0123456789abcdef", "MOVEMENT_PATH_TOKEN_OLD=0123456789abcdef")
	require.NoError(t, err)
	require.Len(t, c.routes, 4)
	require.Equal(t, "movement", c.routes[0].vendor)
	require.Equal(t, "supersend", c.routes[2].vendor)
	require.Equal(t, 1, strings.Count(text.String(), "\n"), text)
	require.Contains(t, text.String(), "callrail (CALLRAIL_SIGNING_KEY), mobiniti (MOBINITI_PATH_TOKEN), oneroute (ONEROUTE_SECRET_KEY)")

	_, text, err = started(t, "vendors: '*'", allSecrets()...)
	require.NoError(t, err)
	require.Empty(t, text.String())
}

// The environment is read by the constructor only, so that lint needs none.
func TestEnvironmentIsReadOnce(t *testing.T) {
	asked := 0
	conf, err := spec().ParseYAML("vendors: callrail,supersend", nil)
	require.NoError(t, err)
	_, err = parseConfig(conf)
	require.NoError(t, err)
	c, err := newConfig(conf, func(string) (string, bool) {
		asked++
		return "", false
	}, nil)
	require.Error(t, err)
	require.Nil(t, c)
	require.Equal(t, 4, asked) // CallRail's variable, its twins, and the twin of a twin; then nothing more
}

// A secret that a sender sends as it is may be guessed if it is short.
func TestWarnsOfShortSecrets(t *testing.T) {
	const yaml = "routes: [ { path: '/{token}', verify: { path_token: true, secret_env: MINE } } ]"
	_, text, err := started(t, yaml, "MINE=sixteen-and-more", "MINE_OLD=hush")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(text.String(), "A secret has less than 16 characters"))
	require.Contains(t, text.String(), "variable=MINE_OLD")
	require.NotContains(t, text.String(), "hush")
	_, text, err = started(t, yaml, "MINE=sixteen-and-more")
	require.NoError(t, err)
	require.Empty(t, text.String())
	_, text, err = started(t, "vendors: callrail", "CALLRAIL_SIGNING_KEY=short") // nobody sends it
	require.NoError(t, err)
	require.Empty(t, text.String())
}

// Who serves strangers on an address that other machines reach is warned.
func TestWarnsOfPublicRoutes(t *testing.T) {
	for address, public := range map[string]bool{
		"127.0.0.1:0": false, "localhost:0": false, "[::1]:0": false, "0.0.0.0:0": true, ":0": true, "[::]:0": true, "192.0.2.1:80": true, "example.com:80": true,
	} {
		_, text, err := started(t, "address: '"+address+"'\nvendors: callrail,movement\nunverified: true")
		require.NoError(t, err)
		if public {
			require.Equal(t, 1, strings.Count(text.String(), "\n"), text)
			require.Contains(t, text.String(), "Nobody is verified on these routes")
			require.Contains(t, text.String(), "/callrail, /callrail/{event}, /movement, /movement/{event}")
		} else {
			require.Empty(t, text.String(), address)
		}
	}
	_, text, err := started(t, "address: 0.0.0.0:0\nvendors: callrail", allSecrets()...)
	require.NoError(t, err)
	require.Empty(t, text.String())
}

// A secret in a file is read again when the file changes; one that cannot be read
// leaves the last secret, and is told of once.
func TestSecretsInFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	written := time.Now().Add(-time.Hour)
	write := func(text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		written = written.Add(time.Second) // however coarse the clock of the files is
		require.NoError(t, os.Chtimes(path, written, written))
	}
	write("first-secret-of-all\n")
	c, text, err := started(t, "vendors: supersend", "SUPERSEND_SECRET_FILE="+path, "SUPERSEND_SECRET_OLD=old-secret-of-all")
	require.NoError(t, err)
	v := c.routes[0].proof.verifier.(*reloading)
	position := func(secret string) int {
		return v.Verify(&signing.Request{Header: http.Header{"X-Webhook-Secret": {secret}}})
	}
	look := func() { v.looked = time.Time{} }
	require.Equal(t, 1, position("first-secret-of-all"))
	require.Equal(t, 2, position("old-secret-of-all"))

	write("second-secret-of-all\r\n")
	v.looked = time.Now().Add(time.Hour) // not yet
	require.Equal(t, 1, position("first-secret-of-all"))
	look()
	require.Equal(t, 1, position("second-secret-of-all"))
	require.Zero(t, position("first-secret-of-all"))
	require.Equal(t, 2, position("old-secret-of-all"))
	require.Equal(t, 1, strings.Count(text.String(), "Read a new secret"))

	for name, breaks := range map[string]func(){
		"no file":     func() { require.NoError(t, os.Remove(path)) },
		"empty":       func() { write("") },
		"white space": func() { write(" third") },
	} {
		before := strings.Count(text.String(), "Keeping the last secret")
		breaks()
		for range 3 {
			look()
			require.Equal(t, 1, position("second-secret-of-all"), name)
		}
		require.Equal(t, before+1, strings.Count(text.String(), "Keeping the last secret"), name)
		write("second-secret-of-all")
		look()
		require.Equal(t, 1, position("second-secret-of-all"), name)
	}
	write("last-secret-of-all")
	look()
	require.Equal(t, 1, position("last-secret-of-all"))
	require.Equal(t, 2, strings.Count(text.String(), "Read a new secret"), "a file that has the same secret again is no new one")
	require.NotContains(t, text.String(), "secret-of-all")
}

// A file whose secret does not fit its scheme leaves the last one, too.
func TestSecretsInFilesThatDoNotFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte("whsec_c2VjcmV0"), 0o600))
	c, text, err := started(t, "routes: [ { path: /a, verify: { standard: true, secret_env: A } } ]", "A_FILE="+path)
	require.NoError(t, err)
	v := c.routes[0].proof.verifier.(*reloading)
	current := v.get()
	require.NoError(t, os.WriteFile(path, []byte("whsec_not base64"), 0o600))
	for range 2 {
		v.looked = time.Time{}
		require.Same(t, current, v.get())
	}
	require.Equal(t, 1, strings.Count(text.String(), "Keeping the last secret"))
	require.NotContains(t, text.String(), "not base64")
	require.NoError(t, os.WriteFile(path, []byte("whsec_c2VjcmV0Mg=="), 0o600))
	v.looked = time.Time{}
	require.NotSame(t, current, v.get())
}

// ReadSecret is for those who send.
func TestReadSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte("from a file\n"), 0o600))
	for _, test := range []struct{ text, file, want string }{{"", "", ""}, {"text", "", "text"}, {"", path, "from a file"}} {
		t.Setenv("A_SECRET", test.text)
		t.Setenv("A_SECRET_FILE", test.file)
		got, err := ReadSecret("A_SECRET")
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
	t.Setenv("A_SECRET", "text")
	_, err := ReadSecret("A_SECRET")
	require.ErrorContains(t, err, "both are set")
}
