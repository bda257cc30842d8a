package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxyKind is a proxy that stands in front of a door, and shares few connections to
// the door among all senders, so that a boundary between messages that the two read
// differently mixes the requests of several senders. The proxy gives every request a
// name, the sender's port and a count, and writes down what it has forwarded.
type proxyKind struct {
	name    string
	command string
	config  string // with {dir}, {listen} and {door}
	streams bool   // does not know the bodies that it forwards
}

// proxies are those that know the bodies before those that do not.
var proxies = []proxyKind{
	{
		name: "nginx as it comes", command: "nginx", config: nginxConfig(""),
	},
	{
		name: "nginx that streams, and drops no field", command: "nginx", streams: true,
		config: nginxConfig("proxy_request_buffering off; ignore_invalid_headers off; underscores_in_headers on;"),
	},
	{
		name: "HAProxy that buffers, and refuses little", command: "haproxy",
		config: haproxyConfig("option http-buffer-request\n option accept-invalid-http-request\n http-request set-var(txn.body) req.body,sha2(256),hex"),
	},
	{
		name: "HAProxy as it comes", command: "haproxy", config: haproxyConfig(""), streams: true,
	},
}

func (k proxyKind) args(dir, config string) []string {
	if k.command == "nginx" {
		return []string{"-e", "stderr", "-p", dir, "-c", config}
	}
	return []string{"-db", "-f", config}
}

// written returns how the proxy writes a body down.
func (k proxyKind) written(body string) string {
	if k.command == "nginx" {
		return body
	}
	sum := sha256.Sum256([]byte(body))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

func nginxConfig(more string) string {
	return `
daemon off;
master_process off;
pid {dir}/pid;
error_log stderr;
events {}
http {
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	log_format lines escape=json '{"id":"$remote_port-$connection_requests","line":"$request","status":"$status",'
		'"upstream":"$upstream_addr","upstream_status":"$upstream_status","answer":"$upstream_http_x_answer","body":"$request_body"}';
	access_log {dir}/log lines;
	client_max_body_size 0;
	client_body_buffer_size 1m;
	large_client_header_buffers 4 128k;
	upstream door {
		server {door};
		keepalive 2;
	}
	server {
		listen {listen};
		` + more + `
		location / {
			proxy_pass http://door;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header X-Request $remote_port-$connection_requests;
			proxy_ignore_client_abort on; # senders here close their side when they have sent all
		}
	}
}
`
}

func haproxyConfig(more string) string {
	return `
global
 log stdout len 65535 format raw local0
 tune.bufsize 131072
defaults
 mode http
 http-reuse always
 timeout connect 10s
 timeout client 10s
 timeout server 10s
frontend front
 bind {listen}
 unique-id-format %cp-%rt
 http-request set-header X-Request %[unique-id]
 ` + more + `
 declare capture response len 64
 http-response capture res.hdr(X-Answer) id 0
 log global
 log-format '{"id":"%ID","line":"%HM","status":"%ST","upstream":"%s","upstream_status":"%ts","answer":"%[capture.res.hdr(0)]","body":"%[var(txn.body)]"}'
 default_backend back
backend back
 server door {door}
`
}

// line is what a proxy has written down of a request.
type line struct {
	ID             string `json:"id"`
	Line           string `json:"line"`
	Status         string `json:"status"`
	Upstream       string `json:"upstream"`
	UpstreamStatus string `json:"upstream_status"`
	Answer         string `json:"answer"` // the name that the door's answer carries
	Body           string `json:"body"`
}

// forwarded reports whether the door has got the request, as far as the proxy knows.
func (l line) forwarded() bool {
	return l.Upstream != "" && l.Upstream != "-" && l.Upstream != "<NOSRV>"
}

// witness stands between net/http and the door.
type witness struct {
	door http.Handler

	mu       sync.Mutex
	requests []*seen
}

// seen is a request that has reached the door.
type seen struct {
	id    string // the name that the proxy has given
	body  bytes.Buffer
	whole bool // the door has read all of the body
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s := w.sees(r)
	rw.Header().Set("X-Answer", s.id)
	r.Body = &witnessed{r.Body, w, s}
	w.door.ServeHTTP(rw, r)
}

func (w *witness) sees(r *http.Request) *seen {
	s := &seen{id: strings.Join(r.Header["X-Request"], " and "), whole: r.ContentLength == 0}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, s)
	return s
}

func (w *witness) all() []seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []seen
	for _, s := range w.requests {
		all = append(all, seen{id: s.id, body: *bytes.NewBuffer(bytes.Clone(s.body.Bytes())), whole: s.whole})
	}
	return all
}

type witnessed struct {
	io.ReadCloser
	*witness
	seen *seen
}

func (w *witnessed) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.body.Write(p[:n])
	w.seen.whole = w.seen.whole || errors.Is(err, io.EOF)
	return n, err
}

// proxied is a door behind a proxy.
type proxied struct {
	*stand
	witness *witness
	kind    proxyKind
	address string // of the proxy
	log     string // file of what it has written down
	stop    func() // ends the proxy
}

// tool returns the path of a program. A test that lacks the program skips, and fails in
// CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, name := range []string{name, "/usr/sbin/" + name} { // which is not in every user's PATH
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.NotEqual(t, "true", os.Getenv("CI"), "there is no %s", name)
	t.Skipf("there is no %s: the door is not tested with it", name)
	return ""
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

// behind starts a door, and a proxy in front of the door.
func behind(t *testing.T, kind proxyKind, limits string) *proxied {
	t.Helper()
	path := tool(t, kind.command)
	p := &proxied{stand: newStand(t, limited(limits, ""), acks), kind: kind}
	p.witness = &witness{door: p.door}
	l := listen(t)
	server := newServer(p.door, l, nil, p.stand.log)
	server.http.Handler = p.witness
	served := make(chan error, 1)
	go func() { served <- server.serve() }()
	t.Cleanup(func() {
		server.shutdown(context.WithoutCancel(t.Context()))
		require.NoError(t, <-served)
	})
	p.start(t, path, l.Addr().String())
	return p
}

// start starts the proxy in front of an address.
func (p *proxied) start(t *testing.T, path, door string) {
	t.Helper()
	free := listen(t)
	p.address = free.Addr().String()
	require.NoError(t, free.Close())
	dir := t.TempDir()
	p.log = filepath.Join(dir, "log")
	config := filepath.Join(dir, "config")
	text := strings.NewReplacer("{dir}", dir, "{listen}", p.address, "{door}", door).Replace(p.kind.config)
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	out, err := os.Create(p.log)
	require.NoError(t, err)
	cmd := exec.Command(path, p.kind.args(dir, config)...)
	stderr := &logs{}
	cmd.Stdout, cmd.Stderr = out, stderr
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is ended by a signal
	}()
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			<-ended
			_ = out.Close()
		})
	}
	t.Cleanup(p.stop)
	require.Eventually(t, func() bool {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.address)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	}, patience, patience/1000, "%s: %s", p.kind.command, stderr)
}

// lines returns what the proxy has written down.
func (p *proxied) lines(t *testing.T) []line {
	t.Helper()
	text, err := os.ReadFile(p.log)
	require.NoError(t, err)
	var lines []line
	for text := range strings.Lines(string(text)) {
		if !strings.HasPrefix(text, "{") || !strings.HasSuffix(text, "\n") {
			continue // HAProxy says that it has begun
		}
		var l line
		require.NoError(t, json.Unmarshal([]byte(text), &l), text)
		lines = append(lines, l)
	}
	return lines
}

// exchange is what a sender has sent over a connection of its own, and what it has
// heard.
type exchange struct {
	name    string
	port    string // of the sender
	framed  framed
	answers []heard
}

// heard is an answer that a sender has heard.
type heard struct {
	status int
	id     string // of the request that the door has answered; "" if net/http or the proxy has
}

// names reports whether the name is that of a request of the exchange.
func (e *exchange) names(id string) bool { return strings.HasPrefix(id, e.port+"-") }

// exchange sends the bytes over a new connection, and hears all answers.
func (p *proxied) exchange(t *testing.T, name string, f framed) *exchange {
	t.Helper()
	c := (&attacked{address: p.address}).dial(t)
	require.NotNil(t, c)
	defer func() { _ = c.Close() }()
	_, port, err := net.SplitHostPort(c.LocalAddr().String())
	require.NoError(t, err)
	e := &exchange{name: name, port: port, framed: f}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		_, _ = io.WriteString(c, f.request)
		_ = c.(*net.TCPConn).CloseWrite()
	})
	r := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil { // the end, a reset, or the answer to an older or newer version
			_, err := io.Copy(io.Discard, r)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, name)
			return e
		}
		_, _ = io.Copy(io.Discard, res.Body)
		e.answers = append(e.answers, heard{res.StatusCode, res.Header.Get("X-Answer")})
	}
}

// genuine sends a delivery over a new connection.
func (p *proxied) genuine(t *testing.T, name string) *exchange {
	t.Helper()
	return p.exchange(t, name, framed{
		request: call{method: "POST", path: "/open", body: "{}", headers: []string{"Connection: close"}}.text(),
		status:  200, bodies: []string{"{}"},
	})
}

// settled waits until the proxy has written down what it has done for the
// exchanges, and ends it.
func (p *proxied) settled(t *testing.T, all []*exchange) []line {
	t.Helper()
	eventually(t, func() bool {
		written := map[string]bool{}
		for _, l := range p.lines(t) {
			written[l.ID] = true
		}
		for _, e := range all {
			for _, a := range e.answers {
				if a.id != "" && !written[a.id] {
					return false
				}
			}
		}
		for _, s := range p.witness.all() {
			if s.id != "" && !written[s.id] {
				return false
			}
		}
		return true
	})
	p.stop()
	return p.lines(t)
}

// disagreements tells where the proxy and the server behind it have read the bytes of
// the senders differently, or a sender has heard the answer to another request. A proxy
// that knows the bodies adds them to known, by exchange and place in it; a proxy of the
// same command that does not know the bodies is compared with these.
func (p *proxied) disagreements(all []*exchange, lines []line, known map[string]string) (found []string) {
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	exchangeOf := map[string]*exchange{}
	for _, e := range all {
		exchangeOf[e.port] = e
	}
	forwarded := map[string][]line{}
	placeOf, count := map[string]string{}, map[string]int{}
	for _, l := range lines {
		port, _, _ := strings.Cut(l.ID, "-")
		if e := exchangeOf[port]; e != nil {
			count[port]++
			placeOf[l.ID] = fmt.Sprintf("%s, request %d", e.name, count[port])
		}
		if l.forwarded() {
			forwarded[l.ID] = append(forwarded[l.ID], l)
		}
	}
	reached := map[string]bool{}
	for _, s := range p.witness.all() {
		port, _, _ := strings.Cut(s.id, "-")
		e := exchangeOf[port]
		if reached[s.id] || len(forwarded[s.id]) != 1 || e == nil {
			say("request %q has reached the door, and was forwarded %d times", s.id, len(forwarded[s.id]))
			continue
		}
		reached[s.id] = true
		l, body := forwarded[s.id][0], s.body.String()
		if l.Status != "200" || !s.whole || strings.HasPrefix(e.framed.request, "GET ") {
			continue // the door makes nothing of the body
		}
		if !p.kind.streams {
			known[placeOf[s.id]] = l.Body
		}
		if sent, ok := known[placeOf[s.id]]; ok && sent != p.kind.written(body) {
			say("%s: the body %q was forwarded, and %q read", placeOf[s.id], sent, body)
		}
		// A request that was announced as a body is a body in the table.
		if strings.Contains(body, "HTTP/1.") && !slices.Contains(e.framed.bodies, body) {
			say("%s: a request was read as the body %q", e.name, body)
		}
	}
	for id, all := range forwarded {
		for _, l := range all {
			switch {
			case l.Answer == "" || l.Answer == "-": // net/http has refused the request, or the sender has gone in mid-body
				if l.Status != "-1" && !strings.HasPrefix(l.Status, "4") && !strings.HasPrefix(l.Status, "5") {
					say("request %s was answered %s by nobody", id, l.Status)
				}
			case l.Answer != id || !reached[id]:
				say("request %s got the answer to %q", id, l.Answer)
			}
			if l.Status == "502" || l.Status == "504" {
				say("request %s was answered %s", id, l.Status)
			}
		}
	}
	for _, e := range all {
		last := -1 // HAProxy counts from 0
		for _, a := range e.answers {
			if a.id == "" {
				continue
			}
			_, count, _ := strings.Cut(a.id, "-")
			n, err := strconv.Atoi(count)
			if err != nil || n <= last || !e.names(a.id) {
				say("%s: from port %s: an answer of %q", e.name, e.port, a.id)
			}
			last = n
		}
	}
	return found
}

// Whatever the senders write, nginx and HAProxy agree with the door on every boundary
// between messages, and no sender hears the answer to another one.
func TestProxiesAgreeWithTheDoor(t *testing.T) {
	known := map[string]map[string]string{"nginx": {}, "haproxy": {}}
	for _, kind := range proxies {
		t.Run(kind.name, func(t *testing.T) {
			p := behind(t, kind, limitsOfFraming)
			cases := framings()
			var all []*exchange
			for _, name := range slices.Sorted(maps.Keys(cases)) {
				e, after := p.exchange(t, name, cases[name]), p.genuine(t, "after "+name)
				all = append(all, e, after)
				require.Len(t, after.answers, 1, name)
				require.Equal(t, 200, after.answers[0].status, name)
			}
			lines := p.settled(t, all)
			require.Empty(t, p.disagreements(all, lines, known[kind.command]))
			// net/http has refused the requests that were forwarded and did not reach the
			// handler, and the door has counted each refusal.
			refused := map[string]bool{}
			for _, l := range lines {
				refused[l.ID] = l.forwarded()
			}
			for _, s := range p.witness.all() {
				delete(refused, s.id)
			}
			maps.DeleteFunc(refused, func(_ string, forwarded bool) bool { return !forwarded })
			eventually(t, func() bool {
				return p.metrics.all("webhook_deliveries")["none unreadable"] == int64(len(refused))
			})
		})
	}
}

// careless listens for requests and answers each before its body is read. It takes the
// body for the next request.
func careless(t *testing.T, w *witness) net.Listener {
	t.Helper()
	l := listen(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = c.Close() }()
				for r := bufio.NewReader(c); ; {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					s := w.sees(req)
					_, _ = fmt.Fprintf(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nX-Answer: %s\r\n\r\n", s.id)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l
}

// The comparison has teeth: a server that refuses a request before its body, and neither
// reads the body nor closes the connection, disagrees with each proxy.
func TestProxiesNoticeDisagreement(t *testing.T) {
	for _, kind := range proxies {
		t.Run(kind.name, func(t *testing.T) {
			p := &proxied{kind: kind, witness: &witness{}}
			p.start(t, tool(t, kind.command), careless(t, p.witness).Addr().String())
			e := p.exchange(t, "body", framings()["body of what is not verified"])
			require.NotEmpty(t, e.answers)
			eventually(t, func() bool { return len(p.lines(t)) > 0 && len(p.witness.all()) > 1 })
			p.stop()
			found := p.disagreements([]*exchange{e}, p.lines(t), map[string]string{})
			require.NotEmpty(t, found)
			require.Contains(t, found[0], `request "" has reached the door`)
		})
	}
}

// Genuine deliveries pass through the proxies, and each sender gets the answer to its
// own, although the door ends its connections where it refuses before the body.
func TestDeliveriesThroughProxies(t *testing.T) {
	const large = 300 << 10
	document := `{"id": "1"}`
	for _, kind := range proxies {
		t.Run(kind.name, func(t *testing.T) {
			p := behind(t, kind, "body: 2MiB, inflated: 4MiB, in_flight: 16MiB")
			transport := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
			defer transport.CloseIdleConnections()
			hc := &http.Client{Transport: transport, Timeout: patience}
			send := func(path, body string, status int, edit func(*http.Request)) {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.address+path, strings.NewReader(body))
				require.NoError(t, err)
				if edit != nil {
					edit(req)
				}
				res, err := hc.Do(req)
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, res.Body)
				require.NoError(t, err)
				require.Equal(t, status, res.StatusCode)
				if status != http.StatusOK {
					// A proxy that has answered before it has read the body ends the sender's
					// connection a moment later, when the next request may be under way in it.
					transport.CloseIdleConnections()
				}
				all := p.witness.all()
				last := all[len(all)-1]
				require.Equal(t, last.id, res.Header.Get("X-Answer"))
				if status == http.StatusOK {
					require.True(t, last.whole)
					require.Equal(t, body, last.body.String())
				}
			}
			signed := func(body string) func(*http.Request) {
				return func(r *http.Request) { r.Header.Set("Signature", strings.TrimPrefix(sign(body), "Signature: ")) }
			}
			send("/callrail/post_call", document, 200, signed(document))
			send("/callrail/post_call", document, 200, func(r *http.Request) {
				signed(document)(r)
				r.ContentLength = -1 // in chunks
			})
			zipped := compressed(t, "gzip", document)
			send("/callrail/post_call", zipped, 200, func(r *http.Request) {
				signed(zipped)(r)
				r.Header.Set("Content-Encoding", "gzip")
			})
			expect := func(r *http.Request) { r.Header.Set("Expect", "100-continue") }
			send("/open", document, 200, expect)
			megabyte := strings.Repeat("x", 1<<20)
			send("/open", megabyte, 200, nil)
			send("/open", megabyte, 200, func(r *http.Request) { r.ContentLength = -1 })
			require.Equal(t, []string{document, document, document, document, megabyte, megabyte}, p.bodies())
			send("/movement/wrong", strings.Repeat("x", large), 401, expect)
			for i := range 50 {
				if i%5 < 4 {
					send("/open", document, 200, nil)
				} else {
					send("/movement/wrong", strings.Repeat("x", large), 401, nil)
				}
			}
			send("/open", strings.Repeat("x", 2<<20+1), 413, nil)
			require.Len(t, p.bodies(), 6+40)
		})
	}
}
