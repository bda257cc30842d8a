package webhook

import (
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().Stable().Categories("Network").
		Summary("Receives webhooks over HTTP: verifies who sent them, bounds what senders can take, and answers when the pipeline is done with them.").
		Description(description()).
		LintRule(lintRule).
		Fields(
			service.NewStringField("address").
				Description("Where to listen, host:port.").
				Default("127.0.0.1:8080"),
			service.NewStringField("vendors").
				Description("The vendors to serve: names with commas, or `*` for all that are compiled in. How a vendor is verified, and by the secret of which variable, is known: see above. The input does not start without the secret of a vendor that is named; of `*` those without a secret are left out. For accounts, header fields and schemes of your own, use `routes`.").
				Examples("callrail", "callrail,supersend", "*").
				Optional(),
			service.NewBoolField("unverified").
				Description("Serves `vendors` without secrets: whoever reaches the address is believed. With this, no `vendors` means all.").
				Default(false),
			service.NewStringField("public_url").
				Description("The URL at which senders reach this input, as far as the paths of the routes: `https://hooks.example.com`, or with the path that a proxy in front takes away. A vendor that signs its URL, such as Twilio, cannot be verified without this field. The header field Host counts for nothing, since anybody can set it.").
				Example("https://hooks.example.com").
				Default(""),
			service.NewObjectField("tls",
				service.NewStringField("cert_file").Description("PEM file of the certificate and of those that lead to its root.").Default(""),
				service.NewStringField("key_file").Description("PEM file of the certificate's key.").Default(""),
				service.NewStringField("client_ca_file").Description("PEM file of authorities. With it a client needs a certificate of one of them.").Default(""),
			).Description("Serves HTTPS, with HTTP/2, if a certificate is given. Files that change are read again within a second; if they cannot be read, the last certificate stays."),
			service.NewObjectField("limits",
				bytesField("body", "8MiB", "How large a body may be as sent. A larger one is answered 413."),
				bytesField("inflated", "8MiB", fmt.Sprintf("How large a compressed body may become. Over %d KiB it may also not become more than %d times as large. A larger one is answered 413.", smallInflated>>10, maxRatio)),
				bytesField("in_flight", "64MiB", "How many bytes of bodies may be in memory until the pipeline is done with them, at least `body`. Over it senders are answered 503 and Retry-After."),
				service.NewIntField("connections").Description(fmt.Sprintf("How many connections may be open. Over it the connection whose sender the door has waited for longest is given up for a new one. There are fewer where the process may not open so many files. One of %d may be of HTTP/2, with %d requests under way each; a client that offers no HTTP/1.1 is then refused.", streams, streams)).Default(4096),
				bytesField("header", "32KiB", fmt.Sprintf("How large the header of a request may be. A larger one, or one of more than %d fields, is answered 431; path and query may have %d KiB, or are answered 414.", maxFields, maxTarget>>10)),
				service.NewDurationField("read").Default("10s").Description(fmt.Sprintf("How long a request may take to arrive. One that is not complete by then, or whose body comes at less than %d KiB a second after %s, is answered 503, and the connection is closed.", leastRate>>10, grace)),
				service.NewDurationField("answer").Default("10s").Description("How long the pipeline may take from then on. After it the sender is answered 503 and Retry-After. A delivery that the pipeline has not begun with is withdrawn; any other is still written. It has to be less than shutdown_timeout, which is 20s by default, so that senders are answered when the process stops."),
				service.NewDurationField("idle").Default("90s").Description("How long a connection may idle between requests. Load balancers close idle connections after 60 s by default; if both closed at the same time, a request on its way would be reset."),
			).Description("What strangers can take.").Advanced(),
			service.NewBoolField("access_log").
				Description("Whether to log a line for each request: route, status, outcome, size, seconds and the IP address of the peer. Never a body, path, query or header.").
				Default(false).Advanced(),
			service.NewObjectListField("routes",
				service.NewStringField("path").
					Description("The path that the sender posts to, of segments of letters, digits and ._~-. A segment may be `{event}`, the native event that the URL is for; `{token}`, the secret; or `{vendor}`, the name of a vendor that is compiled in. The first route that fits a request's path takes the request.").
					Examples("/callrail/{event}", "/movement/{token}", "/supersend"),
				service.NewStringField("vendor").
					Description("Who sends, by the name of the decoder. Empty where the path names the vendor, and for bodies that nothing here decodes.").
					Default(""),
				service.NewStringField("account").
					Description("Which account of the vendor sends: a label of your own, "+delivery.AccountLabel+".").
					Default(""),
				service.NewStringField("event").
					Description("The native event that this route is for, as the vendor names it, where neither the path nor the payload names it.").
					Default(""),
				service.NewStringField("public_url").
					Description("The URL of this route's senders, if it is not the input's `public_url`.").
					Default("").Advanced(),
				service.NewObjectField("verify",
					service.NewStringField("secret_env").
						Description("The environment variable that holds the secret: its name, not the secret. `_OLD` and `_FILE` are added to it as above. By default it is the vendor's.").
						Example("CALLRAIL_SECOND_SIGNING_KEY").
						// Hidden by echo, as who writes ${NAME} for NAME has the secret here.
						Secret().Default(""),
					service.NewObjectField("hmac",
						service.NewStringField("header").Description("The header field that holds the HMAC.").Example("X-Signature"),
						service.NewStringEnumField("algorithm", "sha1", "sha256", "sha512").Description("The hash.").Default("sha256"),
						service.NewStringEnumField("encoding", string(signing.Hex), string(signing.Base64)).Description("How the HMAC is written.").Default(string(signing.Hex)),
						service.NewStringField("prefix").Description("What stands in front of the HMAC.").Example("sha256=").Default(""),
					).Description("An HMAC of the body as sent, keyed with the text of the secret.").Optional(),
					service.NewBoolField("standard").
						Description("[Standard Webhooks](https://www.standardwebhooks.com): the secret is `whsec_` or, for ed25519, `whpk_` and base64.").
						Default(false),
					service.NewStringField("header").
						Description("A header field whose value is the secret.").
						Example("X-Webhook-Secret").Default(""),
					service.NewObjectField("basic",
						service.NewStringField("username").Description("The user name. The secret is the password."),
					).Description("HTTP basic authentication.").Optional(),
					service.NewBoolField("path_token").
						Description("The secret is the `{token}` of the path.").
						Default(false),
					service.NewBoolField("none").
						Description("Nobody is verified: whoever reaches the address is believed.").
						Default(false),
				).Description("How to know that the vendor sends: one way, by default the vendor's own."),
				service.NewStringListField("headers").
					Description("Header fields that become metadata: `webhook_header_` and the name in lower case with _ for -. Nothing else of a header does. Fields that hold credentials are refused.").
					Example([]string{"X-Request-Id"}).Default([]any{}).Advanced(),
			).Description("Paths of your own, beside those of `vendors` or instead of them: for a second account of a vendor, other header fields, other ways to verify.").
				Default([]any{}),
		).
		Example("Two vendors, verified",
			"CallRail signs with the key in `CALLRAIL_SIGNING_KEY`, SuperSend sends the secret of `SUPERSEND_SECRET` in a header. The processor knows from the delivery whose it is.", `
input:
  webhook:
    vendors: callrail,supersend
`+exampleOutput).
		Example("Two accounts of one vendor",
			"Each account posts to a path of its own and signs with its own key: the first with that of `CALLRAIL_SIGNING_KEY`, which is the vendor's own variable.", `
input:
  webhook:
    routes:
      - { path: "/callrail/main/{event}", vendor: callrail, account: main }
      - { path: "/callrail/second/{event}", vendor: callrail, account: second, verify: { secret_env: CALLRAIL_SECOND_SIGNING_KEY } }
`+exampleOutput)
}

const exampleOutput = `
pipeline:
  processors:
    - webhook_decode: {}

output:
  switch:
    cases:
      - check: errored()
        output: { file: { path: dead_letters.jsonl } }
      - output: { stdout: {} }
`

func bytesField(name, size, text string) *service.ConfigField {
	return service.NewStringField(name).Description(text).Default(size)
}

func description() string {
	var b strings.Builder
	b.WriteString(`
A sender waits until the pipeline is done with its delivery: 200 says that every output has it, or with the buffer ` + "`spool`" + ` that it is synced to disk; 503 with Retry-After that it has to be sent again. What cannot be decoded and has reached an output for dead letters is answered 200, too.

| answer | when |
|---|---|
| 200 | the pipeline has acknowledged the delivery, or the request is a vendor's handshake |
| 400 | the body ended before its length, or the request can be read in two ways |
| 401 | not verified |
| 403 | a web page sent the request to a route where nobody is verified |
| 404, 405 | no route has this path; the method is not POST |
| 413 | the body, as sent or inflated, is too large |
| 415 | the Content-Encoding is neither gzip nor deflate |
| 414, 431 | path and query, or the header, are too large |
| 417, 501, 505 | an unknown expectation, an unknown transfer coding, another version of HTTP |
| 500, Retry-After | a fault of ours |
| 503, Retry-After | an output refused, or took too long; the request did not come in time; too many bytes or connections are in use; the process stops |

A body has to come at 16 KiB a second at least, after two seconds. Where bytes or connections run out, the slowest request that has not come whole is given up for a new one. A request that is refused before its body has come is the last of its connection.

A body that does not inflate although its sender is verified is kept: it goes on as sent, and no decoder takes it. Where the signature stands in the body, such a body is not verified.

Each vendor of ` + "`vendors` posts to `/<vendor>/<native event>`, or to `/<vendor>` where the payload names the native event. If the vendor can neither sign nor set a header, its URL holds the secret: `/<vendor>/<secret>` and `/<vendor>/<secret>/<native event>`" + `. Make such secrets of 32 letters and digits or more; they stand in the logs of any proxy in front.

| vendor | secret | proof |
|---|---|---|
`)
	for _, v := range vendors.All() {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", v.Name, v.SecretEnv, v.Signing.Proof())
	}
	b.WriteString(`
A secret that is a public key is in base64 or PEM. A vendor that signs its URL needs ` + "`public_url`" + `.
`)
	for _, v := range vendors.All() {
		if v.Receipt != nil {
			fmt.Fprintf(&b, "\n%s is answered `%s`, of the type %s, with the 200.\n", v.Title, v.Receipt.Body, v.Receipt.ContentType)
		}
		if v.Handshake != nil {
			fmt.Fprintf(&b, "\nBefore it sends anything, %s asks with a GET whether the URL is its customer's. The door answers with the challenge of the query, up to %d characters of ASCII, if the query has the token that `%s` holds; without that variable it answers 405.\n", v.Title, maxChallenge, v.Handshake.SecretEnv)
		}
	}
	b.WriteString(`
The secret is read from that environment variable when the input starts, or from the file that the variable ` + "`<NAME>_FILE`" + ` names; the file is read again within a second when it changes, and the last secret stays if it cannot be read. While a secret is replaced, ` + "`<NAME>_OLD`, or `<NAME>_OLD_FILE`" + `, holds the one that is still valid, too.

The message's bytes are the body, and its metadata is what else is known of the delivery, where there is a value: ` + "`webhook_route`, `webhook_vendor`, `webhook_event`, `webhook_account`, `webhook_content_type`, `webhook_content_encoding`, `webhook_delivery_id`, `webhook_received_at`" + `, and the header fields that the route lists. Nothing of a request can set another metadata.

` + "`/healthz`" + ` answers 200 while the process is up, ` + "`/readyz`" + ` 503 while it stops, has no memory for another body, or a spool takes nothing.

Counts: ` + "`webhook_deliveries` by route and outcome (" + outcomeList() + "; `challenged` is a vendor's handshake; of the last two, `unreadable` is a request that net/http refuses and `handshake` a failure of TLS: these three are no deliveries), `webhook_late` (what the pipeline said after the answer) by route and verdict, `webhook_verified` by route and position of the secret (1, or 2 for `_OLD`), `webhook_gone` (senders that left before their answer) and `webhook_received_bytes` by route; gauges `webhook_in_flight`, `webhook_reserved_bytes`; timer `webhook_answer` by route" + `.`)
	return b.String()
}

// outcomeList names all outcomes with their status, in the words of the metric.
func outcomeList() string {
	var words []string
	for _, a := range answers {
		word := "`" + a.label + "`"
		if a.status != 0 {
			word += fmt.Sprintf(" %d", a.status)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
