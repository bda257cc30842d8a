package webhook

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const callrailKey = "0123456789abcdef0123456789abcdef"

// routes are those of most tests.
const routes = `
routes:
  - path: /callrail/{event}
    vendor: callrail
    account: main
    headers: [ x-request-id, X-Listed ]
  - { path: /oneroute, vendor: oneroute }
  - { path: /supersend, vendor: supersend, event: reply }
  - { path: "/movement/{token}", vendor: movement }
  - { path: /basic, verify: { basic: { username: ada }, secret_env: BASIC_PASSWORD } }
  - { path: /open, verify: { none: true } }
  - { path: "/any/{vendor}", verify: { none: true } }
`

// limited returns the configuration of a door with such limits.
func limited(limits, more string) string {
	return "address: 127.0.0.1:0\nlimits: { " + limits + " }\n" + more + routes
}

func sign(body string) string {
	mac := hmac.New(sha1.New, []byte(callrailKey))
	mac.Write([]byte(body))
	return "Signature: " + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func compressed(t *testing.T, coding, body string) string {
	t.Helper()
	var (
		b   bytes.Buffer
		w   io.WriteCloser
		err error
	)
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		w, err = flate.NewWriter(&b, flate.BestCompression)
		require.NoError(t, err)
	}
	_, err = io.WriteString(w, body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// call is a request that is sent over HTTP/1.1, written by hand, and over HTTP/2.
type call struct {
	method  string // POST if ""
	path    string // /open if ""
	headers []string
	body    string
	chunked bool   // the length is not announced
	length  int64  // announced, more than is sent
	raw     string // HTTP/1.1 instead of all of the above
}

func (c call) text() string {
	if c.raw != "" {
		return c.raw
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: door\r\n", c.method, c.path)
	for _, h := range c.headers {
		b.WriteString(h + "\r\n")
	}
	switch {
	case c.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for rest := c.body; rest != ""; {
			n := min(len(rest), 1000)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n\r\n")
	default:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", max(c.length, int64(len(c.body))), c.body)
	}
	return b.String()
}

// state is what the door and the pipeline are in when the request comes.
type state struct {
	limits string
	engine engine
	before func(*stand)
}

// row is one of the table: in a state a request gets an answer, the pipeline a
// body, and the outcome is counted.
type row struct {
	name  string
	state state
	call
	status  int
	text    string            // of the answer
	expects map[string]string // headers beside those that each answer of the status has
	closes  bool              // the connection, over HTTP/1.1
	reached []string          // the bodies that the pipeline was given
	outcome string            // route and outcome; "" if nothing is counted
}

// The headers of an answer that a row need not tell of. No other may be there.
var ordinary = []string{"Date", "Content-Length", "Content-Type", "Connection"}

const limitsOfRows = "body: 2KiB, inflated: 256KiB, in_flight: 4MiB"

func conformance(t *testing.T) []row {
	var (
		usual    = state{limits: limitsOfRows}
		leaving  = state{limits: limitsOfRows, before: func(s *stand) { s.leave(time.Hour) }}
		stopping = state{limits: limitsOfRows, before: func(s *stand) { s.readNoMore() }}
		full     = state{limits: limitsOfRows, before: func(s *stand) { s.door.memory.used += s.door.memory.limit }}
		roomFor  = func(n int64) state {
			return state{limits: limitsOfRows, before: func(s *stand) { s.door.memory.used += s.door.memory.limit - n }}
		}
		refusing  = state{limits: limitsOfRows, engine: nacks}
		hanging   = state{limits: limitsOfRows + ", answer: 100ms", engine: holds}
		nobody    = state{limits: limitsOfRows + ", answer: 100ms", engine: absent}
		unread    = state{limits: limitsOfRows, before: func(s *stand) { s.end(); <-s.door.unread }}
		impatient = state{limits: limitsOfRows + ", read: 300ms"}
		small     = state{limits: "body: 2KiB, inflated: 1000, in_flight: 4MiB"}

		allow    = map[string]string{"Allow": "GET, HEAD"}
		basic    = map[string]string{"Www-Authenticate": `Basic realm="webhook"`}
		noise    = randomText(4000)
		signed   = sign("{}")
		zeros    = strings.Repeat("0", 1<<20)
		bomb     = compressed(t, "gzip", zeros)
		just     = compressed(t, "gzip", zeros[:smallInflated])
		over     = compressed(t, "gzip", zeros[:smallInflated+1])
		gzipped  = compressed(t, "gzip", `{"a":1}`)
		zlibbed  = compressed(t, "zlib", `{"a":1}`)
		deflated = compressed(t, "flate", `{"a":1}`)
		corrupt  = gzipped[:len(gzipped)-4] + "xxxx"
	)
	require.Less(t, len(bomb), 2<<10)
	require.Less(t, len(just)*maxRatio, smallInflated)
	rows := []row{
		// The pipeline decides.
		{name: "accepted", state: usual, call: call{body: "{}"}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "accepted, length not announced", state: usual, call: call{body: "{}", chunked: true}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "accepted, empty", state: usual, call: call{}, status: 200, reached: []string{""}, outcome: "/open accepted"},
		{name: "accepted, compression of the answer asked for", state: usual, call: call{body: "{}", headers: []string{"Accept-Encoding: gzip, br"}}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "accepted, what is no JSON", state: usual, call: call{body: "\x00\xff"}, status: 200, reached: []string{"\x00\xff"}, outcome: "/open accepted"},
		{name: "refused", state: refusing, call: call{body: "{}"}, status: 503, text: "not delivered, send it again\n", reached: []string{"{}"}, outcome: "/open refused"},
		{name: "timeout", state: hanging, call: call{body: "{}"}, status: 503, text: "not delivered in time, send it again\n", reached: []string{"{}"}, outcome: "/open timeout"},
		{name: "not taken", state: nobody, call: call{body: "{}"}, status: 503, text: "not delivered in time, send it again\n", outcome: "/open not_taken"},
		{name: "read no more", state: unread, call: call{body: "{}"}, status: 503, text: "stopping, send it again\n", closes: true, outcome: "/open draining"},

		// The order of work: each is refused for the first reason that there is.
		{name: "no route", state: usual, call: call{path: "/nowhere", body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "no route, before draining", state: stopping, call: call{path: "/nowhere"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "no route, before the method", state: usual, call: call{path: "/nowhere", method: "GET"}, status: 404, text: "no such path\n", outcome: "none not_found"},
		{name: "no route, before the length", state: usual, call: call{path: "/nowhere", length: 300 << 20}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "no vendor of that name", state: usual, call: call{path: "/any/acme", body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "leaving", state: leaving, call: call{body: "{}"}, status: 200, closes: true, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "leaving, refused", state: leaving, call: call{path: "/callrail/post_call", body: "{}"}, status: 401, text: "not verified\n", closes: true, outcome: "/callrail/{event} unverified"},
		{name: "draining", state: stopping, call: call{body: "{}"}, status: 503, text: "stopping, send it again\n", closes: true, outcome: "/open draining"},
		{name: "draining, before the method", state: stopping, call: call{method: "GET"}, status: 503, text: "stopping, send it again\n", closes: true, outcome: "/open draining"},
		{name: "draining, before the length", state: stopping, call: call{length: 300 << 20}, status: 503, text: "stopping, send it again\n", closes: true, outcome: "/open draining"},
		{name: "draining, before the sender", state: stopping, call: call{path: "/callrail/post_call", body: "{}"}, status: 503, text: "stopping, send it again\n", closes: true, outcome: "/callrail/{event} draining"},
		{name: "method", state: usual, call: call{method: "GET"}, status: 405, text: "expected POST\n", outcome: "/open method"},
		{name: "method PUT", state: usual, call: call{method: "PUT", body: "{}"}, status: 405, text: "expected POST\n", closes: true, outcome: "/open method"},
		{name: "method HEAD", state: usual, call: call{method: "HEAD"}, status: 405, outcome: "/open method"},
		{name: "method OPTIONS", state: usual, call: call{method: "OPTIONS"}, status: 405, text: "expected POST\n", outcome: "/open method"},
		{name: "method OPTIONS, of no path", state: usual, call: call{raw: "OPTIONS * HTTP/1.1\r\nHost: door\r\n\r\n"}, status: 404, text: "no such path\n", outcome: "none not_found"},
		{name: "method of nobody's", state: usual, call: call{method: "POSTED"}, status: 405, text: "expected POST\n", outcome: "/open method"},
		{name: "method, before the length", state: usual, call: call{method: "PUT", length: 300 << 20}, status: 405, text: "expected POST\n", closes: true, outcome: "/open method"},
		{name: "method, before memory", state: full, call: call{method: "PUT", body: "{}"}, status: 405, text: "expected POST\n", closes: true, outcome: "/open method"},
		{name: "length", state: usual, call: call{length: 300 << 20}, status: 413, text: "too large\n", closes: true, outcome: "/open too_large"},
		{name: "length, one too many", state: usual, call: call{body: noise[:2049]}, status: 413, text: "too large\n", closes: true, outcome: "/open too_large"},
		{name: "length, before memory", state: full, call: call{length: 300 << 20}, status: 413, text: "too large\n", closes: true, outcome: "/open too_large"},
		{name: "length, before the sender", state: usual, call: call{path: "/callrail/post_call", length: 300 << 20}, status: 413, text: "too large\n", closes: true, outcome: "/callrail/{event} too_large"},
		{name: "largest", state: usual, call: call{body: noise[:2048]}, status: 200, reached: []string{noise[:2048]}, outcome: "/open accepted"},
		{name: "largest, length not announced", state: usual, call: call{body: noise[:2048], chunked: true}, status: 200, reached: []string{noise[:2048]}, outcome: "/open accepted"},
		{name: "too large, length not announced", state: usual, call: call{body: noise[:2049], chunked: true}, status: 413, text: "too large\n", closes: true, outcome: "/open too_large"},
		{name: "too large, before the sender", state: usual, call: call{path: "/callrail/post_call", body: noise, chunked: true}, status: 413, text: "too large\n", closes: true, outcome: "/callrail/{event} too_large"},
		{name: "memory", state: full, call: call{body: "{}"}, status: 503, text: "busy, send it again\n", closes: true, outcome: "/open no_memory"},
		{name: "memory, before the sender", state: full, call: call{path: "/callrail/post_call", body: "{}"}, status: 503, text: "busy, send it again\n", closes: true, outcome: "/callrail/{event} no_memory"},
		{name: "memory, none for the body to grow", state: roomFor(600), call: call{body: noise[:2048]}, status: 503, text: "busy, send it again\n", closes: true, outcome: "/open no_memory"},
		{name: "memory, none to inflate", state: roomFor(600), call: call{body: gzipped, headers: []string{"Content-Encoding: gzip"}}, status: 503, text: "busy, send it again\n", outcome: "/open no_memory"},
		{name: "memory, just enough", state: roomFor(2), call: call{body: "{}"}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "unverified", state: usual, call: call{path: "/callrail/post_call", body: "{}"}, status: 401, text: "not verified\n", outcome: "/callrail/{event} unverified"},
		{name: "unverified, another body", state: usual, call: call{path: "/callrail/post_call", body: "{ }", headers: []string{signed}}, status: 401, text: "not verified\n", outcome: "/callrail/{event} unverified"},
		{name: "unverified, before the coding", state: usual, call: call{path: "/callrail/post_call", body: "{}", headers: []string{"Content-Encoding: br"}}, status: 401, text: "not verified\n", outcome: "/callrail/{event} unverified"},
		{name: "unverified, before inflating", state: usual, call: call{path: "/callrail/post_call", body: bomb, headers: []string{"Content-Encoding: gzip"}}, status: 401, text: "not verified\n", outcome: "/callrail/{event} unverified"},
		{name: "unverified, basic", state: usual, call: call{path: "/basic", body: "{}"}, status: 401, text: "not verified\n", expects: basic, closes: true, outcome: "/basic unverified"},
		{name: "unverified, path token", state: usual, call: call{path: "/movement/token", body: "{}"}, status: 401, text: "not verified\n", closes: true, outcome: "/movement/{token} unverified"},
		{name: "unverified, without its body", state: usual, call: call{path: "/movement/token", length: 2000}, status: 401, text: "not verified\n", closes: true, outcome: "/movement/{token} unverified"},
		{name: "unverified, without its body, header", state: usual, call: call{path: "/supersend", length: 2000, headers: []string{"X-Webhook-Secret: wrong"}}, status: 401, text: "not verified\n", closes: true, outcome: "/supersend unverified"},
		{name: "unverified, before memory", state: full, call: call{path: "/supersend", body: "{}"}, status: 401, text: "not verified\n", closes: true, outcome: "/supersend unverified"},
		{name: "web page of another site", state: usual, call: call{body: "{}", headers: []string{"Sec-Fetch-Site: cross-site"}}, status: 403, text: "expected no web page\n", closes: true, outcome: "/open web_page"},
		{name: "web page, as text", state: usual, call: call{body: "{}", headers: []string{"Origin: https://example.com", "Content-Type: text/Plain ;charset=UTF-8"}}, status: 403, text: "expected no web page\n", closes: true, outcome: "/open web_page"},
		{name: "web page, as a form", state: usual, call: call{body: "a=1", headers: []string{"Origin: https://example.com", "Content-Type: application/x-www-form-urlencoded"}}, status: 403, text: "expected no web page\n", closes: true, outcome: "/open web_page"},
		{name: "web page, of no type", state: usual, call: call{body: "{}", headers: []string{"Origin: null"}}, status: 403, text: "expected no web page\n", closes: true, outcome: "/open web_page"},
		{name: "web page, verified", state: usual, call: call{path: "/callrail/post_call", body: "{}", headers: []string{"Sec-Fetch-Site: cross-site", signed}}, status: 200, reached: []string{"{}"}, outcome: "/callrail/{event} accepted"},
		{name: "no web page", state: usual, call: call{body: "{}", headers: []string{"Sec-Fetch-Site: none", "Content-Type: text/plain"}}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "no web page, with its origin", state: usual, call: call{body: "{}", headers: []string{"Origin: https://example.com", "Content-Type: application/json"}}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "query, as long as may be", state: usual, call: call{path: "/open?" + strings.Repeat("q", maxTarget-len("/open?")), body: "{}"}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "query, too long", state: usual, call: call{path: "/open?" + strings.Repeat("q", maxTarget), body: "{}"}, status: 414, text: "path and query too long\n", closes: true, outcome: "/open target"},
		{name: "many fields", state: usual, call: call{body: "{}", headers: slices.Repeat([]string{"A: b"}, maxFields)}, status: 431, text: "too many header fields\n", closes: true, outcome: "/open fields"},
		{name: "verified", state: usual, call: call{path: "/callrail/post_call", body: "{}", headers: []string{signed}}, status: 200, reached: []string{"{}"}, outcome: "/callrail/{event} accepted"},
		{name: "verified, length not announced", state: usual, call: call{path: "/callrail/post_call", body: "{}", headers: []string{signed}, chunked: true}, status: 200, reached: []string{"{}"}, outcome: "/callrail/{event} accepted"},
		{name: "verified, legacy query", state: usual, call: call{path: "/callrail/post_call?callernum=%2B15550100", body: "{}", headers: []string{signed}}, status: 200, reached: []string{"{}"}, outcome: "/callrail/{event} accepted"},
		{name: "verified, basic", state: usual, call: call{path: "/basic", body: "{}", headers: []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ada:lovelace"))}}, status: 200, reached: []string{"{}"}, outcome: "/basic accepted"},
		{name: "verified, path token", state: usual, call: call{path: "/movement/tok%2Fen", body: "{}"}, status: 200, reached: []string{"{}"}, outcome: "/movement/{token} accepted"},
		{name: "coding", state: usual, call: call{body: "{}", headers: []string{"Content-Encoding: br"}}, status: 415, text: "expected gzip, deflate or no coding\n", outcome: "/open coding"},
		{name: "coding, two", state: usual, call: call{body: gzipped, headers: []string{"Content-Encoding: gzip, gzip"}}, status: 415, text: "expected gzip, deflate or no coding\n", outcome: "/open coding"},
		{name: "coding, two headers", state: usual, call: call{body: gzipped, headers: []string{"Content-Encoding: gzip", "Content-Encoding: identity"}}, status: 415, text: "expected gzip, deflate or no coding\n", outcome: "/open coding"},
		{name: "coding, identity", state: usual, call: call{body: "{}", headers: []string{"Content-Encoding: Identity"}}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "coding, a charset", state: usual, call: call{body: "{}", headers: []string{"Content-Encoding: UTF-8"}}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "coding, another charset", state: usual, call: call{body: "{}", headers: []string{"Content-Encoding: iso-8859-1"}}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "coding, gzip", state: usual, call: call{body: gzipped, headers: []string{"Content-Encoding: GZIP"}}, status: 200, reached: []string{`{"a":1}`}, outcome: "/open accepted"},
		{name: "coding, x-gzip", state: usual, call: call{body: gzipped, headers: []string{"Content-Encoding: x-gzip"}}, status: 200, reached: []string{`{"a":1}`}, outcome: "/open accepted"},
		{name: "coding, gzip, length not announced", state: usual, call: call{body: gzipped, headers: []string{"Content-Encoding: gzip"}, chunked: true}, status: 200, reached: []string{`{"a":1}`}, outcome: "/open accepted"},
		{name: "coding, gzip, signed as sent", state: usual, call: call{path: "/callrail/post_call", body: gzipped, headers: []string{"Content-Encoding: gzip", sign(gzipped)}}, status: 200, reached: []string{`{"a":1}`}, outcome: "/callrail/{event} accepted"},
		{name: "coding, gzip, signed before", state: usual, call: call{path: "/callrail/post_call", body: gzipped, headers: []string{"Content-Encoding: gzip", sign(`{"a":1}`)}}, status: 401, text: "not verified\n", outcome: "/callrail/{event} unverified"},
		{name: "coding, deflate", state: usual, call: call{body: zlibbed, headers: []string{"Content-Encoding: deflate"}}, status: 200, reached: []string{`{"a":1}`}, outcome: "/open accepted"},
		{name: "coding, deflate without its header", state: usual, call: call{body: deflated, headers: []string{"Content-Encoding: deflate"}}, status: 200, reached: []string{`{"a":1}`}, outcome: "/open accepted"},
		{name: "coding, corrupt", state: usual, call: call{path: "/callrail/post_call", body: corrupt, headers: []string{"Content-Encoding: gzip", sign(corrupt)}}, status: 200, reached: []string{corrupt}, outcome: "/callrail/{event} accepted"},
		{name: "coding, cut off", state: usual, call: call{body: gzipped[:12], headers: []string{"Content-Encoding: gzip"}}, status: 200, reached: []string{gzipped[:12]}, outcome: "/open accepted"},
		{name: "coding, none of what was said", state: usual, call: call{body: "{}", headers: []string{"Content-Encoding: gzip"}}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "coding, empty", state: usual, call: call{headers: []string{"Content-Encoding: gzip"}}, status: 200, reached: []string{""}, outcome: "/open accepted"},
		{name: "inflated, largest", state: small, call: call{body: compressed(t, "gzip", zeros[:1000]), headers: []string{"Content-Encoding: gzip"}}, status: 200, reached: []string{zeros[:1000]}, outcome: "/open accepted"},
		{name: "inflated, too large", state: small, call: call{body: compressed(t, "gzip", zeros[:1001]), headers: []string{"Content-Encoding: gzip"}}, status: 413, text: "too large\n", outcome: "/open too_large"},
		{name: "inflated, largest of a small body", state: usual, call: call{body: just, headers: []string{"Content-Encoding: gzip"}}, status: 200, reached: []string{zeros[:smallInflated]}, outcome: "/open accepted"},
		{name: "inflated, too many times", state: usual, call: call{body: over, headers: []string{"Content-Encoding: gzip"}}, status: 413, text: "too large\n", outcome: "/open too_large"},
		{name: "inflated, bomb", state: usual, call: call{body: bomb, headers: []string{"Content-Encoding: gzip"}}, status: 413, text: "too large\n", outcome: "/open too_large"},

		// Bodies that do not come whole.
		{name: "incomplete", state: impatient, call: call{body: "{", length: 10}, status: 503, text: "not complete in time, send it again\n", closes: true, outcome: "/open incomplete"},
		{name: "incomplete, length not announced", state: impatient, call: call{raw: "POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"}, status: 503, text: "not complete in time, send it again\n", closes: true, outcome: "/open incomplete"},
		{name: "incomplete, unverified", state: impatient, call: call{path: "/callrail/post_call", body: "{", length: 10}, status: 503, text: "not complete in time, send it again\n", closes: true, outcome: "/callrail/{event} incomplete"},
		{name: "broken framing", state: usual, call: call{raw: "POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n{}\r\n"}, status: 400, text: "not complete\n", closes: true, outcome: "/open broken"},

		// What tells of the process counts as no delivery.
		{name: "alive", state: usual, call: call{method: "GET", path: "/healthz"}, status: 200, text: "alive\n"},
		{name: "alive, POST", state: usual, call: call{path: "/healthz"}, status: 405, text: "expected GET or HEAD\n", expects: allow},
		{name: "alive, POST with a body", state: usual, call: call{path: "/healthz", body: "{}"}, status: 405, text: "expected GET or HEAD\n", expects: allow, closes: true},
		{name: "alive, slash at the end", state: usual, call: call{method: "GET", path: "/healthz/"}, status: 200, text: "alive\n"},
		{name: "ready, POST", state: usual, call: call{path: "/readyz"}, status: 405, text: "expected GET or HEAD\n", expects: allow},
		{name: "alive, draining", state: stopping, call: call{method: "GET", path: "/healthz"}, status: 200, text: "alive\n"},
		{name: "alive, without memory", state: full, call: call{method: "GET", path: "/healthz"}, status: 200, text: "alive\n"},
		{name: "alive, HEAD", state: usual, call: call{method: "HEAD", path: "/healthz"}, status: 200},
		{name: "alive, an output hangs", state: hanging, call: call{method: "GET", path: "/healthz"}, status: 200, text: "alive\n"},
		{name: "ready", state: usual, call: call{method: "GET", path: "/readyz"}, status: 200, text: "ready\n"},
		{name: "ready, an output refuses", state: refusing, call: call{method: "GET", path: "/readyz"}, status: 200, text: "ready\n"},
		{name: "not ready, leaving", state: leaving, call: call{method: "GET", path: "/readyz"}, status: 503, text: "not ready\n"},
		{name: "not ready, draining", state: stopping, call: call{method: "GET", path: "/readyz"}, status: 503, text: "not ready\n"},
		{name: "not ready, without memory", state: full, call: call{method: "GET", path: "/readyz"}, status: 503, text: "not ready\n"},
		{name: "not ready, without memory for the largest body", state: roomFor(2047), call: call{method: "GET", path: "/readyz"}, status: 503, text: "not ready\n"},
		{name: "ready, with memory for the largest body", state: roomFor(2048), call: call{method: "GET", path: "/readyz"}, status: 200, text: "ready\n"},

		// Paths.
		{name: "path, escaped letter", state: usual, call: call{path: "/%6fpen", body: "{}"}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "path, two slashes", state: usual, call: call{path: "//open", body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, slash at the end", state: usual, call: call{path: "/open/", body: "{}"}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "path, two slashes at the end", state: usual, call: call{path: "/open//", body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, upwards", state: usual, call: call{path: "/callrail/../open", body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, upwards and escaped", state: usual, call: call{path: "/callrail/%2e%2e/open", body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, escaped slash", state: usual, call: call{path: "/callrail%2fpost_call", body: "{}", headers: []string{signed}}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, letter case", state: usual, call: call{path: "/Open", body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, empty parameter", state: usual, call: call{path: "/callrail/", body: "{}", headers: []string{signed}}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, NUL", state: usual, call: call{path: "/open%00", body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, long", state: usual, call: call{path: "/" + strings.Repeat("a", 16<<10), body: "{}"}, status: 404, text: "no such path\n", closes: true, outcome: "none not_found"},
		{name: "path, of another host", state: usual, call: call{raw: "POST http://elsewhere/open HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 2\r\n\r\n{}"}, status: 200, reached: []string{"{}"}, outcome: "/open accepted"},
		{name: "HTTP/1.0", state: usual, call: call{raw: "POST /open HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}"}, status: 200, closes: true, reached: []string{"{}"}, outcome: "/open accepted"},
	}
	return rows
}

func randomText(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('!' + r.IntN(90))
	}
	return string(b)
}

func TestConformance(t *testing.T) {
	authority := newAuthority(t)
	for _, row := range conformance(t) {
		if row.method == "" {
			row.method = "POST"
		}
		if row.path == "" {
			row.path = "/open"
		}
		t.Run("HTTP1/"+row.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, limited(row.state.limits, ""), row.state.engine)
			used := row.begin(s)
			c := s.dial(t)
			_, err := io.WriteString(c, row.call.text())
			require.NoError(t, err)
			r := bufio.NewReader(c)
			res, err := http.ReadResponse(r, &http.Request{Method: row.method})
			require.NoError(t, err)
			row.check(t, res)
			require.Equal(t, row.closes, res.Close, "closes the connection")
			row.checkBehind(t, s, used)
			if row.closes {
				_, err = r.ReadByte()
				require.Error(t, err)
				return
			}
			// The connection is kept: it takes another request.
			_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n")
			require.NoError(t, err)
			res, err = http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, 200, res.StatusCode)
			row.checkBehind(t, s, used)
		})
		if row.raw != "" {
			continue
		}
		t.Run("HTTP2/"+row.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, limited(row.state.limits, authority.files(t).yaml), row.state.engine)
			used := row.begin(s)
			var body io.Reader = strings.NewReader(row.body)
			if row.length > 0 {
				// What is announced and not sent never comes.
				r, w := io.Pipe()
				defer func() { _ = w.Close() }()
				body = struct {
					io.Reader
					io.Closer
				}{io.MultiReader(body, r), r}
			}
			if row.chunked {
				body = io.MultiReader(body)
			}
			req, err := http.NewRequestWithContext(t.Context(), row.method, "https://"+s.address.String()+row.path, body)
			require.NoError(t, err)
			if row.length > 0 {
				req.ContentLength = row.length
			}
			for _, h := range row.headers {
				name, value, _ := strings.Cut(h, ": ")
				req.Header.Add(name, value)
			}
			res, err := client(t, &tls.Config{RootCAs: authority.pool}).Do(req)
			require.NoError(t, err)
			require.Equal(t, 2, res.ProtoMajor)
			row.check(t, res)
			row.checkBehind(t, s, used)
		})
	}
}

// begin brings a door in the state of the row, and returns how much memory is
// used then.
func (row *row) begin(s *stand) int64 {
	if row.state.before != nil {
		row.state.before(s)
	}
	return s.door.memory.inUse()
}

func (row *row) check(t *testing.T, res *http.Response) {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, row.status, res.StatusCode, string(text))
	require.Equal(t, row.text, string(text))
	if row.text != "" {
		require.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
	}
	for _, name := range ordinary {
		res.Header.Del(name)
	}
	expected := http.Header{}
	switch row.status {
	case 401:
		expected.Set("Www-Authenticate", `Webhook realm="webhook"`)
	case 405:
		expected.Set("Allow", "POST")
	case 415:
		expected.Set("Accept-Encoding", "gzip, deflate")
	case 503:
		if row.path != readyPath {
			expected.Set("Retry-After", "5")
		}
	}
	for name, value := range row.expects {
		expected.Set(name, value)
	}
	require.Equal(t, expected, res.Header)
}

// checkBehind checks what is behind the door once the request is over.
func (row *row) checkBehind(t *testing.T, s *stand, used int64) {
	t.Helper()
	require.Equal(t, row.reached, s.bodies())
	expected := map[string]int64{}
	if row.outcome != "" {
		expected[row.outcome] = 1
		eventually(t, func() bool { return len(s.metrics.all("webhook_deliveries")) > 0 })
		route, _, _ := strings.Cut(row.outcome, " ")
		require.Equal(t, map[string]int64{route: 1}, s.metrics.all("webhook_answer"))
	}
	require.Equal(t, expected, s.metrics.all("webhook_deliveries"))
	if row.state.engine == holds && len(row.reached) > 0 {
		require.Equal(t, used+int64(len(row.reached[0])), s.door.memory.inUse())
		return
	}
	require.Equal(t, used, s.door.memory.inUse(), "memory held after the answer")
	require.Zero(t, s.door.inFlight.Load())
}

// No answer is one that some vendors take for a reason to stop, or to slow down.
func TestNoAnswerMisleadsVendors(t *testing.T) {
	for o, a := range answers {
		require.NotContains(t, []int{408, 410, 429, 502, 504}, a.status, o)
		require.Regexp(t, regexp.MustCompile(`^[a-zA-Z, ]*$`), a.text, o)
	}
	for _, o := range []outcome{refused, timeout, untaken, draining, noMemory, noConnection, incomplete} {
		require.Equal(t, 503, answers[o].status, o)
	}
}

func TestExpectContinue(t *testing.T) {
	s := newStand(t, limited(limitsOfRows, ""), acks)
	for _, test := range []struct{ headers, first string }{
		{"Content-Length: 5000\r\n", "HTTP/1.1 413 Request Entity Too Large\r\n"},
		{"Content-Length: 2\r\n", "HTTP/1.1 100 Continue\r\n"},
	} {
		c := s.dial(t)
		_, err := io.WriteString(c, "POST /open HTTP/1.1\r\nHost: door\r\nExpect: 100-continue\r\n"+test.headers+"\r\n")
		require.NoError(t, err)
		r := bufio.NewReader(c)
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, test.first, line)
		if !strings.Contains(line, "100") {
			continue
		}
		_, err = r.ReadString('\n')
		require.NoError(t, err)
		_, err = io.WriteString(c, "{}")
		require.NoError(t, err)
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode)
	}
	require.Equal(t, []string{"{}"}, s.bodies())
}

// A sender that writes all of a body before it reads gets to its answer, although
// nobody has waited for the body.
func TestAnswerWhileWriting(t *testing.T) {
	authority := newAuthority(t)
	for name, tlsYAML := range map[string]string{"plain": "", "TLS": authority.files(t).yaml} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, limited(limitsOfRows, tlsYAML), acks)
			c := s.dial(t)
			if tlsYAML != "" {
				c = tls.Client(c, &tls.Config{RootCAs: authority.pool, ServerName: "127.0.0.1"})
			}
			for _, header := range []string{"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 4194304\r\n\r\n", ""} {
				_, err := io.WriteString(c, header)
				require.NoError(t, err)
				_, err = io.WriteString(c, strings.Repeat("x", 2<<20))
				require.NoError(t, err)
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			require.NoError(t, err)
			require.Equal(t, 413, res.StatusCode)
			require.True(t, res.Close)
		})
	}
}
