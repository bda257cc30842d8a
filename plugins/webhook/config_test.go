package webhook

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

func TestDefaults(t *testing.T) {
	c := parsed(t, "routes: [ { path: /a, verify: { none: true } } ]")
	require.Equal(t, "127.0.0.1:8080", c.address)
	require.Equal(t, tlsFiles{}, c.tls)
	require.False(t, c.accessLog)
	require.Equal(t, limits{
		body: 1 << 20, inflated: 8 << 20, inFlight: 64 << 20, header: 32 << 10, connections: 4096,
		read: 10 * time.Second, answer: 10 * time.Second, idle: time.Minute,
	}, c.limits)
	require.Len(t, c.routes, 1)
	require.True(t, c.routes[0].public)
}

// What cannot be right is refused at start, by the name of its field and, within a
// route, by its path; and no refusal shows a secret.
func TestRefusedConfigurations(t *testing.T) {
	const key = "c2VjcmV0" // "secret"
	for yaml, expected := range map[string]string{
		"routes: []": "reading field routes: expected at least one",
		"tls: { cert_file: a }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                               "reading field tls: expected both cert_file and key_file, or none",
		"tls: { key_file: a }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                                "reading field tls: expected both cert_file and key_file, or none",
		"tls: { client_ca_file: a }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                          "reading field tls.client_ca_file: expected cert_file and key_file with it",
		"limits: { body: 2MiB, in_flight: 1MiB }\nroutes: [ { path: /a, verify: { none: true } } ]":                                             "reading field limits.in_flight: expected at least limits.body",
		"limits: { body: none }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                              "limits.body: expected a size such as 1MiB, got \"none\"",
		"limits: { body: 0 }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                                 "limits.body: expected a size such as 1MiB, got \"0\"",
		"limits: { inflated: -1 }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                            "limits.inflated: expected a size such as 1MiB",
		"limits: { header: 2000GiB }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                         "limits.header: expected a size such as 1MiB",
		"limits: { in_flight: 1EiB }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                         "limits.in_flight: expected a size such as 1MiB",
		"limits: { connections: 0 }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                          "limits.connections: expected at least 1, got 0",
		"limits: { connections: many }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                       "connections",
		"limits: { read: 0s }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                                "limits.read: expected more than 0, got 0s",
		"limits: { answer: -1s }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                             "limits.answer: expected more than 0, got -1s",
		"limits: { idle: soon }\nroutes: [ { path: /a, verify: { none: true } } ]":                                                              "limits.idle",
		"routes: [ { path: a, verify: { none: true } } ]":                                                                                       `reading field routes.0.path: expected a path that begins with /, got "a"`,
		"routes: [ { path: '', verify: { none: true } } ]":                                                                                      `reading field routes.0.path: expected a path that begins with /, got ""`,
		"routes: [ { path: /, verify: { none: true } } ]":                                                                                       `reading field routes.0.path: expected segments`,
		"routes: [ { path: /a/, verify: { none: true } } ]":                                                                                     `reading field routes.0.path: expected segments`,
		"routes: [ { path: //a, verify: { none: true } } ]":                                                                                     `reading field routes.0.path: expected segments`,
		"routes: [ { path: /a/../b, verify: { none: true } } ]":                                                                                 `reading field routes.0.path: expected segments`,
		"routes: [ { path: /./a, verify: { none: true } } ]":                                                                                    `reading field routes.0.path: expected segments`,
		"routes: [ { path: /a b, verify: { none: true } } ]":                                                                                    `reading field routes.0.path: expected segments`,
		"routes: [ { path: /a%20b, verify: { none: true } } ]":                                                                                  `reading field routes.0.path: expected segments`,
		"routes: [ { path: '/a?b', verify: { none: true } } ]":                                                                                  `reading field routes.0.path: expected segments`,
		"routes: [ { path: '/{other}', verify: { none: true } } ]":                                                                              `reading field routes.0.path: expected segments`,
		"routes: [ { path: '/x{event}', verify: { none: true } } ]":                                                                             `reading field routes.0.path: expected segments`,
		"routes: [ { path: '/{event}/{event}', verify: { none: true } } ]":                                                                      `reading field routes.0.path: expected {event} once`,
		"routes: [ { path: /healthz, verify: { none: true } } ]":                                                                                "reading field routes.0.path: expected another one than /healthz",
		"routes: [ { path: /readyz, verify: { none: true } } ]":                                                                                 "reading field routes.0.path: expected another one than /readyz",
		"routes: [ { path: /a, verify: { none: true } }, { path: /a, verify: { none: true } } ]":                                                "reading field routes.1.path: expected a path that is not taken, but /a takes all of /a",
		"routes: [ { path: '/{event}', verify: { none: true } }, { path: /a, verify: { none: true } } ]":                                        "reading field routes.1.path: expected a path that is not taken, but /{event} takes all of /a",
		"routes: [ { path: '/a/{event}', verify: { none: true } }, { path: '/a/{token}', verify: { path_token: true, secrets: [ s3cret ] } } ]": "reading field routes.1.path: expected a path that is not taken, but /a/{event} takes all of /a/{token}",
		"routes: [ { path: /ok, verify: { none: true } }, { path: /a, vendor: acme, verify: { none: true } } ]":                                 `reading field routes.1.vendor: expected one that is compiled in: callrail, mobiniti, movement, oneroute, supersend, got "acme", for the route /a`,
		"routes: [ { path: '/{vendor}', vendor: callrail, verify: { none: true } } ]":                                                           "reading field routes.0.vendor: expected none, as the path tells, for the route /{vendor}",
		"routes: [ { path: '/{event}', event: reply, verify: { none: true } } ]":                                                                "reading field routes.0.event: expected none, as the path tells, for the route /{event}",
		"routes: [ { path: /a, account: Main, verify: { none: true } } ]":                                                                       "reading field routes.0.account: expected 1 to 64 of a to z, 0 to 9 and -, for the route /a",
		"routes: [ { path: /a } ]": "reading field routes.0.verify: expected a way, as the vendor has no signature of its own, or none: true, for the route /a",
		"routes: [ { path: /a, vendor: supersend, verify: { secrets: [ s3cret ] } } ]":                           "reading field routes.0.verify: expected a way, as the vendor has no signature of its own, or none: true, for the route /a",
		"routes: [ { path: '/{vendor}', verify: { secrets: [ s3cret ] } } ]":                                     "reading field routes.0.verify: expected a way",
		"routes: [ { path: /a, vendor: callrail } ]":                                                             "reading field routes.0.verify.secrets: expected at least one that is not empty, for the route /a",
		"routes: [ { path: /a, vendor: callrail, verify: { secrets: [ '', '  ', \"\\t\" ] } } ]":                 "reading field routes.0.verify.secrets: expected at least one that is not empty, for the route /a",
		"routes: [ { path: /a, verify: { header: X-A, secrets: [ '' ] } } ]":                                     "reading field routes.0.verify.secrets: expected at least one that is not empty, for the route /a",
		"routes: [ { path: '/{token}', verify: { path_token: true } } ]":                                         "reading field routes.0.verify.secrets: expected at least one that is not empty, for the route /{token}",
		"routes: [ { path: /a, verify: { standard: true } } ]":                                                   "reading field routes.0.verify.secrets: expected at least one that is not empty, for the route /a",
		"routes: [ { path: /a, verify: { basic: { username: ada } } } ]":                                         "reading field routes.0.verify.secrets: expected at least one that is not empty, for the route /a",
		"routes: [ { path: /a, verify: { hmac: { header: X-A } } } ]":                                            "reading field routes.0.verify.secrets: expected at least one that is not empty, for the route /a",
		"routes: [ { path: /a, verify: { none: true, secrets: [ s3cret ] } } ]":                                  "reading field routes.0.verify.secrets: expected none where nobody is verified, for the route /a",
		"routes: [ { path: /a, verify: { none: true, secrets: [ '' ] } } ]":                                      "reading field routes.0.verify.secrets: expected none where nobody is verified, for the route /a",
		"routes: [ { path: /a, verify: { none: true, standard: true } } ]":                                       "reading field routes.0.verify: expected one way, got several, for the route /a",
		"routes: [ { path: /a, verify: { header: X-A, hmac: { header: X-A }, secrets: [ s3cret ] } } ]":          "reading field routes.0.verify: expected one way, got several, for the route /a",
		"routes: [ { path: /a, verify: { path_token: true, secrets: [ s3cret ] } } ]":                            "reading field routes.0.verify.path_token: expected it with {token} in the path, and only then, for the route /a",
		"routes: [ { path: '/{token}', verify: { header: X-A, secrets: [ s3cret ] } } ]":                         "reading field routes.0.verify.path_token: expected it with {token} in the path, and only then, for the route /{token}",
		"routes: [ { path: '/{token}', verify: { none: true } } ]":                                               "reading field routes.0.verify.path_token: expected it with {token} in the path, and only then, for the route /{token}",
		"routes: [ { path: /a, verify: { hmac: { header: '' }, secrets: [ s3cret ] } } ]":                        "reading field routes.0.verify.hmac: expected a header",
		"routes: [ { path: /a, verify: { hmac: { header: X-A, algorithm: md5 }, secrets: [ s3cret ] } } ]":       "reading field routes.0.verify.hmac",
		"routes: [ { path: /a, verify: { hmac: { header: X-A, encoding: octal }, secrets: [ s3cret ] } } ]":      "reading field routes.0.verify.hmac",
		"routes: [ { path: /a, verify: { standard: true, secrets: [ 's3cret!' ] } } ]":                           "reading field routes.0.verify.secrets: secret 1: expected whsec_ or whpk_ and base64, for the route /a",
		"routes: [ { path: /a, verify: { standard: true, secrets: [ '', whsec_ ] } } ]":                          "reading field routes.0.verify.secrets: secret 2: expected a key, got none, for the route /a",
		"routes: [ { path: /a, verify: { standard: true, secrets: [ whsec_" + key + ", whpk_" + key + " ] } } ]": "reading field routes.0.verify.secrets: secret 2: expected an ed25519 key of 32 bytes, got 6, for the route /a",
		"address: 8080\nroutes: [ { path: /a, verify: { none: true } } ]":                                        `reading field address: expected host:port, got "8080"`,
		// What a header holds that tells who sends does not travel on.
		"routes: [ { path: /a, headers: [ X-B, cookie ], verify: { none: true } } ]":                             "reading field routes.0.headers: expected none that holds credentials, got Cookie, for the route /a",
		"routes: [ { path: /a, headers: [ authorization ], verify: { none: true } } ]":                           "reading field routes.0.headers: expected none that holds credentials, got Authorization, for the route /a",
		"routes: [ { path: /a, headers: [ X-Key ], verify: { header: x-key, secrets: [ s3cret ] } } ]":           "reading field routes.0.headers: expected none that holds the secret, got X-Key, for the route /a",
		"routes: [ { path: /a, verify: { header: host, secrets: [ s3cret ] } } ]":                                "reading field routes.0.verify.header: expected one that holds a secret, got Host, for the route /a",
		"routes: [ { path: /a, vendor: callrail, verify: { secrets: [ '', \"s3cret\\n\" ] } } ]":                 "reading field routes.0.verify.secrets: expected no white space around a secret, secret 2 has some, for the route /a",
		"routes: [ { path: '/{vendor}', verify: { none: true } }, { path: /callrail, verify: { none: true } } ]": "reading field routes.1.path: expected a path that is not taken, but /{vendor} takes all of /callrail",
	} {
		_, err := parse(t, yaml)
		require.ErrorContains(t, err, expected, yaml)
		for _, secret := range []string{"s3cret", key} {
			require.NotContains(t, err.Error(), secret, yaml)
		}
	}
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
		{"/a", "/a/", arguments{}, false},
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

// The first route that a path fits counts; a later one may be wider.
func TestOverlappingRoutes(t *testing.T) {
	c := parsed(t, "routes: [ { path: /a/b, verify: { none: true } }, { path: '/a/{event}', verify: { none: true } }, { path: '/{event}/b', verify: { none: true } } ]")
	require.Len(t, c.routes, 3)
	c = parsed(t, "routes: [ { path: '/{vendor}', verify: { none: true } }, { path: /anything, verify: { none: true } } ]")
	require.Len(t, c.routes, 2)
	c = parsed(t, "routes: [ { path: /a/a, verify: { none: true } }, { path: /a/b, verify: { none: true } } ]")
	require.Len(t, c.routes, 2)
}

func TestLint(t *testing.T) {
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterBatchInput("webhook", spec(), func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
		return nil, nil
	}))
	lint := func(yaml string) string {
		lints, err := env.NewComponentConfigLinter().SetSkipEnvVarCheck(true).LintInputYAML([]byte("webhook:\n  " + strings.ReplaceAll(strings.TrimSpace(yaml), "\n", "\n  ")))
		require.NoError(t, err)
		var texts []string
		for _, l := range lints {
			texts = append(texts, l.Error())
		}
		return strings.Join(texts, "\n")
	}
	for _, yaml := range []string{
		"routes: [ { path: /a, verify: { none: true } } ]",
		"routes: [ { path: /a, vendor: callrail, account: main-2, verify: { secrets: [ x ] } } ]",
		"routes: [ { path: /a, vendor: oneroute, verify: { secrets: [ \"${KEY:}\", \"${OLD_KEY:}\" ] } } ]",
		"routes: [ { path: /a, verify: { hmac: { header: X-A }, secrets: [ x ] } } ]",
		"routes: [ { path: /a, verify: { standard: true, secrets: [ x ] } } ]",
		"routes: [ { path: /a, verify: { header: X-A, secrets: [ x ] } } ]",
		"routes: [ { path: /a, verify: { basic: { username: ada }, secrets: [ x ] } } ]",
		"routes: [ { path: '/{token}', verify: { path_token: true, secrets: [ x ] } } ]",
		"tls: { cert_file: a, key_file: b }\nlimits: { read: 1m30s, answer: 1.5s, idle: 500ms }\nroutes: [ { path: '/{vendor}/a.b/{event}', verify: { none: true } } ]",
		"limits: { body: 1MiB, inflated: 8 mb, in_flight: 64m, header: 32768 }\nroutes: [ { path: /a, verify: { none: true } } ]",
		routes,
	} {
		require.Empty(t, lint(yaml), yaml)
	}
	for yaml, expected := range map[string]string{
		"address: 127.0.0.1:0": "routes",
		"routes: []":           "expected at least one of routes",
		"routes: [ { path: /a, vendor: acme, verify: { none: true } } ]":                                             "expected a vendor that is compiled in",
		"routes: [ { path: /a, account: Main, verify: { none: true } } ]":                                            "expected 1 to 64",
		"routes: [ { path: /a } ]":                                                                                   "expected verify to say how",
		"routes: [ { path: /a, vendor: supersend } ]":                                                                "expected verify to say how",
		"routes: [ { path: /a, vendor: supersend, verify: { secrets: [ x ] } } ]":                                    "expected verify to say how",
		"routes: [ { path: /a, vendor: callrail } ]":                                                                 "expected verify with the secrets",
		"routes: [ { path: /a, verify: { none: true, standard: true } } ]":                                           "expected one way to verify, got several",
		"address: 8080\nroutes: [ { path: /a, verify: { none: true } } ]":                                            "expected host:port, got 8080",
		"tls: { cert_file: a }\nroutes: [ { path: /a, verify: { none: true } } ]":                                    "expected both cert_file and key_file, or none",
		"limits: { read: 0s }\nroutes: [ { path: /a, verify: { none: true } } ]":                                     "expected a time such as 10s, got 0s",
		"limits: { answer: 10 }\nroutes: [ { path: /a, verify: { none: true } } ]":                                   "expected a time such as 10s, got 10",
		"routes: [ { path: a/b, verify: { none: true } } ]":                                                          "expected a / and segments",
		"routes: [ { path: '/a/{evnt}', verify: { none: true } } ]":                                                  "expected a / and segments",
		"routes: [ { path: '/a/{token}', verify: { none: true } } ]":                                                 "expected path_token: true with {token} in the path, and only then",
		"routes: [ { path: /a, verify: { path_token: true, secrets: [ x ] } } ]":                                     "expected path_token: true with {token} in the path, and only then",
		"routes: [ { path: /a, verify: { none: true, secrets: [ x ] } } ]":                                           "expected no secrets where nobody is verified",
		"routes: [ { path: /a, headers: [ X-B, COOKIE ], verify: { none: true } } ]":                                 "expected none that holds credentials",
		"routes: [ { path: /a, verify: { nobody: true } } ]":                                                         "nobody",
		"routes: [ { path: /a, verify: { hmac: { header: X-A, algorithm: md5 }, secrets: [ x ] } } ]":                "md5",
		"limits: { body: none }\nroutes: [ { path: /a, verify: { none: true } } ]":                                   "expected a size such as 1MiB",
		"limits: { connections: 0 }\nroutes: [ { path: /a, verify: { none: true } } ]":                               "expected at least 1",
		"routes: [ { path: /ok, verify: { none: true } }, { path: /a, vendor: mobiniti, verify: { secrets: [] } } ]": "expected verify to say how",
	} {
		require.Contains(t, lint(yaml), expected, yaml)
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
		// Without the secrets in the environment it does not start.
		_, err = parse(t, strings.NewReplacer("${CALLRAIL_SIGNING_KEY:}", "", "${SUPERSEND_SECRET:}", "").Replace(inner))
		require.ErrorContains(t, err, "verify.secrets: expected at least one that is not empty")
		filled := strings.NewReplacer("${CALLRAIL_SIGNING_KEY:}", "a", "${SUPERSEND_SECRET:}", "b").Replace(inner)
		require.NotContains(t, filled, "${")
		_, err = parse(t, filled)
		require.NoError(t, err)
	}
	require.Contains(t, data.Description, "webhook_delivery_id")
	for o, a := range answers {
		if a.status != 400 {
			require.Contains(t, data.Description, strconv.Itoa(a.status), o)
		}
	}
}
