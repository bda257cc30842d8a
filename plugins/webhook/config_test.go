package webhook

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

func TestDefaults(t *testing.T) {
	c := parsed(t, "routes: [ { path: /a, verify: { none: true } } ]")
	require.Equal(t, "127.0.0.1:8080", c.address)
	require.Equal(t, tlsFiles{}, c.tls)
	require.False(t, c.accessLog)
	require.Equal(t, limits{
		body: 8 << 20, inflated: 8 << 20, inFlight: 64 << 20, header: 32 << 10, connections: 4096,
		read: 10 * time.Second, answer: 10 * time.Second, idle: 90 * time.Second,
	}, c.limits)
	require.Len(t, c.routes, 1)
	require.True(t, c.routes[0].public())
}

// linter returns a function that lints the fields of an input, as the command does.
func linter(t *testing.T) func(yaml string) []string {
	t.Helper()
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterBatchInput("webhook", spec(), func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
		return nil, nil
	}))
	return func(yaml string) (texts []string) {
		t.Helper()
		lints, err := env.NewComponentConfigLinter().SetSkipEnvVarCheck(true).LintInputYAML([]byte("webhook:\n  " + strings.ReplaceAll(strings.TrimSpace(yaml), "\n", "\n  ")))
		require.NoError(t, err)
		for _, l := range lints {
			texts = append(texts, l.What)
		}
		return texts
	}
}

// allSecrets are variables of all vendors.
func allSecrets() (variables []string) {
	for _, v := range vendors.All() {
		variables = append(variables, v.SecretEnv+"=0123456789abcdef")
	}
	return variables
}

// What can start passes the linter, whatever the environment holds.
func TestGoodConfigurations(t *testing.T) {
	lint := linter(t)
	for _, yaml := range []string{
		"vendors: callrail",
		"vendors: ' callrail , supersend '",
		"vendors: '*'",
		"vendors: '*'\nunverified: true",
		"vendors: ''\nunverified: true",
		"unverified: true",
		"vendors: callrail\nroutes: [ { path: '/callrail/second/{event}', vendor: callrail, account: second, verify: { secret_env: SECRET } } ]",
		"vendors: callrail\nroutes: [ { path: /callrail/post_call, vendor: callrail, event: post_call } ]",
		"vendors: ''\nroutes: [ { path: /a, verify: { none: true } } ]",
		"routes: [ { path: /a, verify: { none: true } } ]",
		"routes: [ { path: /a, vendor: callrail, account: main-2 } ]",
		"routes: [ { path: /a, vendor: oneroute, verify: { secret_env: SECRET } } ]",
		"routes: [ { path: /a, vendor: supersend, verify: { header: X-Mine } } ]",
		"routes: [ { path: '/a/{token}', vendor: mobiniti } ]",
		"routes: [ { path: /a, verify: { hmac: { header: X-A }, secret_env: SECRET } } ]",
		"routes: [ { path: /a, verify: { standard: true, secret_env: STANDARD } } ]",
		"routes: [ { path: /a, verify: { header: X-A, secret_env: SECRET } } ]",
		"routes: [ { path: /a, verify: { basic: { username: ada }, secret_env: SECRET } } ]",
		"routes: [ { path: '/{token}', verify: { path_token: true, secret_env: SECRET } } ]",
		"tls: { cert_file: a, key_file: b, client_ca_file: c }\nlimits: { read: 1m30s, answer: 1.5s, idle: 500ms }\nroutes: [ { path: '/{vendor}/a.b/{event}', verify: { none: true } } ]",
		"limits: { body: 1MiB, inflated: 8 mb, in_flight: 64m, header: 32768 }\nroutes: [ { path: /a, verify: { none: true } } ]",
		// The first route that fits counts; a later one may be wider.
		"routes: [ { path: /a/b, verify: { none: true } }, { path: '/a/{event}', verify: { none: true } }, { path: '/{event}/b', verify: { none: true } } ]",
		"routes: [ { path: '/{vendor}', verify: { none: true } }, { path: /anything, verify: { none: true } } ]",
		"routes: [ { path: /a/a, verify: { none: true } }, { path: /a/b, verify: { none: true } } ]",
		routes,
	} {
		require.Empty(t, lint(yaml), yaml)
		_, err := parse(t, yaml, append(allSecrets(), "SECRET=0123456789abcdef", "BASIC_PASSWORD=0123456789abcdef", "STANDARD=whsec_c2VjcmV0")...)
		require.NoError(t, err, yaml)
	}
	// The secrets are nothing that lint knows of.
	for _, yaml := range []string{"vendors: ''", "vendors: callrail", "vendors: '*'", "routes: [ { path: /a, verify: { header: X-A, secret_env: SECRET } } ]"} {
		require.Empty(t, lint(yaml), yaml)
		_, err := parse(t, yaml)
		require.Error(t, err, yaml)
	}
}

// What cannot start by its text is refused by the linter and at the start, in the
// same sentence: it begins with the name of the field and, within a route, ends with
// its path. No sentence shows what may be a secret.
func TestBadConfigurations(t *testing.T) {
	lint := linter(t)
	const none = "verify: { none: true }"
	for yaml, expected := range map[string]string{
		"address: 127.0.0.1:0":         "reading field vendors: expected names or *, such as HOOKSWITCH_VENDORS=callrail with the secret in CALLRAIL_SIGNING_KEY; or unverified: true (HOOKSWITCH_UNVERIFIED=true), which believes whoever reaches the address",
		"routes: []":                   "reading field vendors: expected names or *, such as",
		"vendors: acme":                `reading field vendors: expected *, or names with commas of those that are compiled in: callrail, mobiniti, movement, oneroute, supersend, got "acme"`,
		"vendors: 'callrail,'":         `reading field vendors: expected *, or names with commas of those that are compiled in: callrail, mobiniti, movement, oneroute, supersend, got ""`,
		"vendors: 'callrail,*'":        `reading field vendors: expected *, or names`,
		"vendors: 'callrail,callrail'": "reading field vendors: expected each name once, got callrail twice",
		"unverified: true\nroutes: [ { path: /a, " + none + " } ]":                                            "reading field unverified: expected vendors with it",
		"vendors: callrail\nroutes: [ { path: '/{vendor}', " + none + " } ]":                                  "reading field vendors: expected a path that is not taken, but /{vendor} takes all of /callrail",
		"vendors: callrail\nroutes: [ { path: '/callrail/{event}', vendor: callrail } ]":                      "reading field vendors: expected a path that is not taken, but /callrail/{event} takes all of /callrail/{event}",
		"vendors: '*'\nroutes: [ { path: '/{event}/{token}', verify: { path_token: true, secret_env: A } } ]": "reading field vendors: expected a path that is not taken, but /{event}/{token} takes all of /callrail/{event}",

		"address: 8080\nroutes: [ { path: /a, " + none + " } ]":                           `reading field address: expected host:port, got "8080"`,
		"address: 'localhost:http'\nroutes: [ { path: /a, " + none + " } ]":               `reading field address: expected host:port, got "localhost:http"`,
		"tls: { cert_file: a }\nroutes: [ { path: /a, " + none + " } ]":                   "reading field tls: expected both cert_file and key_file, or none",
		"tls: { key_file: a }\nroutes: [ { path: /a, " + none + " } ]":                    "reading field tls: expected both cert_file and key_file, or none",
		"tls: { client_ca_file: a }\nroutes: [ { path: /a, " + none + " } ]":              "reading field tls.client_ca_file: expected cert_file and key_file with it",
		"limits: { body: 2MiB, in_flight: 1MiB }\nroutes: [ { path: /a, " + none + " } ]": "reading field limits.in_flight: expected at least limits.body",
		"limits: { body: none }\nroutes: [ { path: /a, " + none + " } ]":                  "reading field limits.body: expected a size such as 1MiB, got \"none\"",
		"limits: { body: 0 }\nroutes: [ { path: /a, " + none + " } ]":                     "reading field limits.body: expected a size such as 1MiB, got \"0\"",
		"limits: { inflated: -1 }\nroutes: [ { path: /a, " + none + " } ]":                "reading field limits.inflated: expected a size such as 1MiB",
		"limits: { header: 2000GiB }\nroutes: [ { path: /a, " + none + " } ]":             "reading field limits.header: expected a size such as 1MiB",
		"limits: { in_flight: 1EiB }\nroutes: [ { path: /a, " + none + " } ]":             "reading field limits.in_flight: expected a size such as 1MiB",
		"limits: { connections: 0 }\nroutes: [ { path: /a, " + none + " } ]":              "reading field limits.connections: expected at least 1, got 0",
		"limits: { read: 0s }\nroutes: [ { path: /a, " + none + " } ]":                    "reading field limits.read: expected a time such as 10s, got \"0s\"",
		"limits: { answer: -1s }\nroutes: [ { path: /a, " + none + " } ]":                 "reading field limits.answer: expected a time such as 10s, got \"-1s\"",
		"limits: { answer: 10 }\nroutes: [ { path: /a, " + none + " } ]":                  "reading field limits.answer: expected a time such as 10s, got \"10\"",
		"limits: { idle: soon }\nroutes: [ { path: /a, " + none + " } ]":                  "reading field limits.idle: expected a time such as 10s, got \"soon\"",

		"routes: [ { path: a, " + none + " } ]":                                                                                 `reading field routes.0.path: expected a path that begins with /, got "a"`,
		"routes: [ { path: '', " + none + " } ]":                                                                                `reading field routes.0.path: expected a path that begins with /, got ""`,
		"routes: [ { path: /, " + none + " } ]":                                                                                 `reading field routes.0.path: expected segments`,
		"routes: [ { path: /a/, " + none + " } ]":                                                                               `reading field routes.0.path: expected segments`,
		"routes: [ { path: //a, " + none + " } ]":                                                                               `reading field routes.0.path: expected segments`,
		"routes: [ { path: /a/../b, " + none + " } ]":                                                                           `reading field routes.0.path: expected segments`,
		"routes: [ { path: /./a, " + none + " } ]":                                                                              `reading field routes.0.path: expected segments`,
		"routes: [ { path: /a b, " + none + " } ]":                                                                              `reading field routes.0.path: expected segments`,
		"routes: [ { path: /a%20b, " + none + " } ]":                                                                            `reading field routes.0.path: expected segments`,
		"routes: [ { path: '/a?b', " + none + " } ]":                                                                            `reading field routes.0.path: expected segments`,
		"routes: [ { path: '/{other}', " + none + " } ]":                                                                        `reading field routes.0.path: expected segments`,
		"routes: [ { path: '/x{event}', " + none + " } ]":                                                                       `reading field routes.0.path: expected segments`,
		"routes: [ { path: '/{event}/{event}', " + none + " } ]":                                                                `reading field routes.0.path: expected {event} once`,
		"routes: [ { path: /healthz, " + none + " } ]":                                                                          "reading field routes.0.path: expected another one than /healthz",
		"routes: [ { path: /readyz, " + none + " } ]":                                                                           "reading field routes.0.path: expected another one than /readyz",
		"routes: [ { path: /a, " + none + " }, { path: /a, " + none + " } ]":                                                    "reading field routes.1.path: expected a path that is not taken, but /a takes all of /a",
		"routes: [ { path: '/{event}', " + none + " }, { path: /a, " + none + " } ]":                                            "reading field routes.1.path: expected a path that is not taken, but /{event} takes all of /a",
		"routes: [ { path: '/{vendor}', " + none + " }, { path: /callrail, " + none + " } ]":                                    "reading field routes.1.path: expected a path that is not taken, but /{vendor} takes all of /callrail",
		"routes: [ { path: '/a/{event}', " + none + " }, { path: '/a/{token}', verify: { path_token: true, secret_env: A } } ]": "reading field routes.1.path: expected a path that is not taken, but /a/{event} takes all of /a/{token}",
		"routes: [ { path: /ok, " + none + " }, { path: /a, vendor: acme, " + none + " } ]":                                     `reading field routes.1.vendor: expected one that is compiled in: callrail, mobiniti, movement, oneroute, supersend, got "acme", for the route /a`,
		"routes: [ { path: '/{vendor}', vendor: callrail, " + none + " } ]":                                                     "reading field routes.0.vendor: expected none, as the path names the vendor, for the route /{vendor}",
		"routes: [ { path: '/{event}', event: reply, " + none + " } ]":                                                          "reading field routes.0.event: expected none, as the path names the event, for the route /{event}",
		"routes: [ { path: /a, account: Main, " + none + " } ]":                                                                 "reading field routes.0.account: expected 1 to 64 of a to z, 0 to 9 and -, for the route /a",

		"routes: [ { path: /a } ]":                                                                    "reading field routes.0.verify: expected a way, as no vendor tells its own, or none: true, for the route /a",
		"routes: [ { path: '/{vendor}', verify: { secret_env: A } } ]":                                "reading field routes.0.verify: expected a way",
		"routes: [ { path: /a, verify: { header: X-A } } ]":                                           "reading field routes.0.verify.secret_env: expected the name of an environment variable",
		"routes: [ { path: /a, vendor: callrail, verify: { secret_env: s3cret } } ]":                  "reading field routes.0.verify.secret_env: expected the name of an environment variable",
		"routes: [ { path: /a, vendor: callrail, verify: { secret_env: 1234567890 } } ]":              "reading field routes.0.verify.secret_env: expected the name of an environment variable",
		"routes: [ { path: /a, verify: { none: true, secret_env: A } } ]":                             "reading field routes.0.verify.secret_env: expected none where nobody is verified, for the route /a",
		"routes: [ { path: /a, verify: { none: true, standard: true } } ]":                            "reading field routes.0.verify: expected one way, got several, for the route /a",
		"routes: [ { path: /a, verify: { header: X-A, hmac: { header: X-A }, secret_env: A } } ]":     "reading field routes.0.verify: expected one way, got several, for the route /a",
		"routes: [ { path: /a, verify: { path_token: true, secret_env: A } } ]":                       "reading field routes.0.verify: expected {token} in the path where the path holds the secret, and only there, for the route /a",
		"routes: [ { path: /a, vendor: mobiniti } ]":                                                  "reading field routes.0.verify: expected {token} in the path where the path holds the secret, and only there, for the route /a",
		"routes: [ { path: '/{token}', verify: { header: X-A, secret_env: A } } ]":                    "reading field routes.0.verify: expected {token} in the path where",
		"routes: [ { path: '/{token}', " + none + " } ]":                                              "reading field routes.0.verify: expected {token} in the path where",
		"routes: [ { path: /a, verify: { hmac: { header: '' }, secret_env: A } } ]":                   `reading field routes.0.verify.hmac.header: expected a field that a sender can set, got "", for the route /a`,
		"routes: [ { path: /a, verify: { hmac: { header: content-length }, secret_env: A } } ]":       `reading field routes.0.verify.hmac.header: expected a field that a sender can set, got "content-length", for the route /a`,
		"routes: [ { path: /a, verify: { hmac: { header: X-A, algorithm: md5 }, secret_env: A } } ]":  "reading field routes.0.verify.hmac: expected an algorithm of sha1, sha256 and sha512",
		"routes: [ { path: /a, verify: { hmac: { header: X-A, encoding: octal }, secret_env: A } } ]": "reading field routes.0.verify.hmac: expected an algorithm of",
		"routes: [ { path: /a, verify: { header: host, secret_env: A } } ]":                           `reading field routes.0.verify.header: expected a field that a sender can set, got "host", for the route /a`,
		"routes: [ { path: /a, verify: { header: 'X A', secret_env: A } } ]":                          `reading field routes.0.verify.header: expected a field that a sender can set, got "X A", for the route /a`,
		// What tells who sends does not travel on.
		"routes: [ { path: /a, headers: [ X-B, cookie ], " + none + " } ]":                         "reading field routes.0.headers: expected none that holds credentials, got Cookie, for the route /a",
		"routes: [ { path: /a, headers: [ authorization ], " + none + " } ]":                       "reading field routes.0.headers: expected none that holds credentials, got Authorization, for the route /a",
		"routes: [ { path: /a, headers: [ Host ], " + none + " } ]":                                `reading field routes.0.headers: expected fields that a sender can set, got "Host", for the route /a`,
		"routes: [ { path: /a, headers: [ X-Key ], verify: { header: x-key, secret_env: A } } ]":   "reading field routes.0.headers: expected none that holds the secret, got X-Key, for the route /a",
		"routes: [ { path: /a, vendor: supersend, headers: [ X-Webhook-Secret ] } ]":               "reading field routes.0.headers: expected none that holds the secret, got X-Webhook-Secret, for the route /a",
		"routes: [ { path: /a, vendor: supersend, headers: [ X-Webhook-Secret ], " + none + " } ]": "reading field routes.0.headers: expected none that holds the secret, got X-Webhook-Secret, for the route /a",
	} {
		_, err := parse(t, yaml, append(allSecrets(), "A=0123456789abcdef")...)
		require.ErrorContains(t, err, expected, yaml)
		require.Contains(t, lint(yaml), err.Error(), yaml)
		for _, secret := range []string{"s3cret", "1234567890"} {
			require.NotContains(t, err.Error(), secret, yaml)
		}
	}
	// The engine refuses these before the input is asked.
	for yaml, expected := range map[string]string{
		"routes: [ { path: /a, verify: { nobody: true } } ]":       "field nobody not recognised",
		"routes: [ { path: /a, verify: { secrets: [ 12345 ] } } ]": "field secrets not recognised",
		"routes: [ { verify: { none: true } } ]":                   "field path is required",
	} {
		require.Contains(t, lint(yaml), expected, yaml)
	}
}

// The routes of vendors come from the vendors' folders.
func TestVendors(t *testing.T) {
	paths := func(c *config) (paths []string) {
		for _, r := range c.routes {
			paths = append(paths, r.path)
		}
		return paths
	}
	c := parsed(t, "vendors: 'callrail,supersend,mobiniti'", allSecrets()...)
	require.Equal(t, []string{"/callrail", "/callrail/{event}", "/supersend", "/supersend/{event}", "/mobiniti/{token}", "/mobiniti/{token}/{event}"}, paths(c))
	for i, r := range c.routes {
		require.Equal(t, []string{"callrail", "supersend", "mobiniti"}[i/2], r.vendor)
		require.Same(t, c.routes[i/2*2].proof, r.proof, "the routes of a vendor share its secrets")
		v, ok := vendors.Get(r.vendor)
		require.True(t, ok)
		require.Equal(t, v.Signing, r.proof.scheme)
	}

	// Routes stand before the vendors', so that they may be narrower.
	c = parsed(t, "vendors: callrail\nroutes: [ { path: /callrail/pre_call, vendor: callrail, event: pre_call, account: a } ]", allSecrets()...)
	require.Equal(t, []string{"/callrail/pre_call", "/callrail", "/callrail/{event}"}, paths(c))

	c = parsed(t, "vendors: '*'\nunverified: true")
	require.Len(t, c.routes, 2*len(vendors.All()))
	require.Equal(t, c.routes, parsed(t, "unverified: true").routes)
	for _, r := range c.routes {
		require.True(t, r.public())
		require.False(t, r.has(paramToken))
	}
	c = parsed(t, "vendors: movement\nunverified: true")
	require.Equal(t, []string{"/movement", "/movement/{event}"}, paths(c))
}

// What a path takes; a secret part of it is no label.
func TestPaths(t *testing.T) {
	for _, test := range []struct {
		route, path string
		args        arguments
		fits        bool
	}{
		{"/a", "/a", arguments{}, true},
		{"/a", "/%61", arguments{}, true},
		{"/a", "/a/", arguments{}, true},
		{"/a", "/a//", arguments{}, false},
		{"/a/{event}", "/a/x/", arguments{event: "x"}, true},
		{"/a/{event}", "/a/x//", arguments{}, false},
		{"/{token}", "/x%2f/", arguments{token: "x/"}, true},
		{"/a", "//a", arguments{}, false},
		{"/a", "/a/b", arguments{}, false},
		{"/a", "/", arguments{}, false},
		{"/a", "", arguments{}, false},
		{"/a", "a", arguments{}, false},
		{"/a", "*", arguments{}, false},
		{"/a", "/A", arguments{}, false},
		{"/a/b", "/a%2fb", arguments{}, false},
		{"/a/b", "/a/./b", arguments{}, false},
		{"/a/b", "/x/../a/b", arguments{}, false},
		{"/a/{event}", "/a/text_message.sent", arguments{event: "text_message.sent"}, true},
		{"/a/{event}", "/a/x%2fy", arguments{event: "x/y"}, true},
		{"/a/{event}", "/a/..", arguments{event: ".."}, true},
		{"/a/{event}", "/a/", arguments{}, false},
		{"/a/{event}", "/a", arguments{}, false},
		{"/a/{event}", "/a/%", arguments{}, false},
		{"/a/{event}", "/a/%zz", arguments{}, false},
		{"/a/{event}", "/a/x/y", arguments{}, false},
		{"/{vendor}/{event}/{token}", "/callrail/e/t", arguments{"callrail", "e", "t"}, true},
		{"/{vendor}", "/%63allrail", arguments{vendor: "callrail"}, true},
		{"/{vendor}", "/CallRail", arguments{}, false},
		{"/{vendor}", "/acme", arguments{}, false},
	} {
		segments, err := parsePath(test.route)
		require.NoError(t, err)
		args, fits := (&route{segments: segments}).match(test.path)
		require.Equal(t, test.fits, fits, "%s: %s", test.route, test.path)
		if fits {
			require.Equal(t, test.args, args, "%s: %s", test.route, test.path)
		}
	}
}

// The example in the documentation of the input is right.
func TestExample(t *testing.T) {
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterBatchInput("webhook", spec(), func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
		return nil, nil
	}))
	var view *service.ConfigView
	env.WalkInputs(func(name string, v *service.ConfigView) {
		if name == "webhook" {
			view = v
		}
	})
	require.NotNil(t, view)
	data, err := view.TemplateData()
	require.NoError(t, err)
	require.NotEmpty(t, data.Examples)
	for _, example := range data.Examples {
		_, yaml, ok := strings.Cut(example.Config, "input:\n")
		require.True(t, ok)
		yaml, _, _ = strings.Cut(yaml, "\npipeline:")
		lints, err := env.NewComponentConfigLinter().SetSkipEnvVarCheck(true).LintInputYAML([]byte(yaml))
		require.NoError(t, err)
		require.Empty(t, lints)
		inner := strings.TrimPrefix(strings.TrimLeft(yaml, "\n"), "  webhook:\n")
		_, err = parse(t, inner)
		require.ErrorContains(t, err, "expected a secret in CALLRAIL_SIGNING_KEY")
		_, err = parse(t, inner, append(allSecrets(), "CALLRAIL_SECOND_SIGNING_KEY=0123456789abcdef")...)
		require.NoError(t, err)
	}
	require.Contains(t, data.Description, "webhook_delivery_id")
	for o, a := range answers {
		if a.status != 400 {
			require.Contains(t, data.Description, strconv.Itoa(a.status), o)
		}
	}
}
