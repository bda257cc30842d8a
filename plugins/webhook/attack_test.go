package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The attacks are on a door in a process of its own, so that its memory is not
// mixed with that of the attackers. The process is this test's, told by childEnv,
// which holds the configuration.
const childEnv = "HOOKSWITCH_TEST_DOOR"

// child is the main function of the process with the door. It ends with its input.
func child(yaml string) int {
	ballast := make([]byte, 64<<20) // as the program does
	defer runtime.KeepAlive(ballast)
	conf, err := spec().ParseYAML(yaml, nil)
	if err != nil {
		panic(err)
	}
	in, err := newInput(conf, service.MockResources(), roomy)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := in.Connect(ctx); err != nil {
		panic(err)
	}
	go func() {
		for {
			_, settle, err := in.ReadBatch(ctx)
			if err != nil {
				return
			}
			_ = settle(ctx, nil)
		}
	}()
	_, _ = os.Stdout.WriteString(in.address.String() + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// attacked is a door that is attacked.
type attacked struct {
	address string
	pid     int
	before  int // its memory when it listened, in MiB
}

func attack(t *testing.T, yaml string) *attacked {
	t.Helper()
	if runtime.GOOS != "linux" {
		require.NotEqual(t, "true", os.Getenv("CI"), "the memory of a process is only known on Linux")
		t.Skip("the memory of a process is only known on Linux")
	}
	return attackBy(t, exec.Command(os.Args[0]), yaml)
}

// attackBy attacks a door that a command starts.
func attackBy(t *testing.T, cmd *exec.Cmd, yaml string) *attacked {
	t.Helper()
	cmd.Env = append(os.Environ(), childEnv+"="+yaml)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait(), "the door has broken down")
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	a := &attacked{address: strings.TrimSpace(line), pid: cmd.Process.Pid}
	a.before = a.peak(t)
	return a
}

// peak returns the most memory that the process has taken so far, in MiB.
func (a *attacked) peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(a.pid) + "/status")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	require.True(t, ok)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kib >> 10
}

// Over its budget for bodies a door may take the allowance, in MiB: connections,
// what is re-serialised, and what a garbage collector leaves, which is the more the busier
// the processors are with other work (270 were seen).
const (
	budget    = 16
	allowance = 320
)

const limitsUnderAttack = "body: 1MiB, inflated: 8MiB, in_flight: 16MiB"

// bounded checks that the memory has stayed in its bounds.
func (a *attacked) bounded(t *testing.T) {
	t.Helper()
	a.boundedBy(t, budget+allowance)
}

func (a *attacked) boundedBy(t *testing.T, most int) {
	t.Helper()
	took := a.peak(t) - a.before
	t.Logf("took %d MiB over the %d MiB of a door without visitors", took, a.before)
	if !raced {
		require.LessOrEqual(t, took, most)
	}
}

// few is a count that is less where everything takes longer.
func few(n int) int {
	if raced {
		return n / 10
	}
	return n
}

func (a *attacked) dial(t *testing.T) net.Conn {
	c, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", a.address)
	if err != nil {
		t.Error(err)
		return nil
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// together runs n attackers, each with a connection.
func (a *attacked) together(t *testing.T, n int, attacker func(c net.Conn)) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if c := a.dial(t); c != nil {
				defer func() { _ = c.Close() }()
				attacker(c)
			}
		})
	}
	all.Wait()
}

// asks is an attacker that sends n requests, one after the other, over as many
// connections as the door lets it, and hears the answers.
func (a *attacked) asks(t *testing.T, n int, request func(i int) string, hear func(status int)) {
	var (
		c   net.Conn
		r   *bufio.Reader
		res *http.Response
	)
	for i := range n {
		if c == nil {
			if c = a.dial(t); c == nil {
				return
			}
			r = bufio.NewReader(c)
		}
		_, _ = io.WriteString(c, request(i))
		var err error
		if res, err = http.ReadResponse(r, nil); err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
		hear(res.StatusCode)
		if res.Close {
			_ = c.Close()
			c = nil
		}
	}
	if c != nil {
		_ = c.Close()
	}
}

// genuine sends n deliveries, one after the other and each over a new connection,
// all of which have to be accepted.
func (a *attacked) genuine(t *testing.T, n int) {
	t.Helper()
	var slowest time.Duration
	for range n {
		begun := time.Now()
		c := a.dial(t)
		require.NotNil(t, c)
		_, err := io.WriteString(c, call{method: "POST", path: "/callrail/post_call", body: "{}", headers: []string{sign("{}")}}.text())
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode)
		_ = c.Close()
		slowest = max(slowest, time.Since(begun))
	}
	t.Logf("%d genuine deliveries, the slowest in %v", n, slowest)
}

// during runs an attack while genuine deliveries pass.
func (a *attacked) during(t *testing.T, n int, attack func(over <-chan struct{})) {
	t.Helper()
	over := make(chan struct{})
	var attacking sync.WaitGroup
	attacking.Go(func() { attack(over) })
	defer attacking.Wait()
	defer close(over)
	a.genuine(t, n)
}

func TestAttackWithLargeBodies(t *testing.T) {
	const size = 300 << 20
	chunk := "10000\r\n" + strings.Repeat("x", 64<<10) + "\r\n"
	for name, header := range map[string]string{"announced": "Content-Length: " + strconv.Itoa(size), "chunked": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			a := attack(t, limited(limitsUnderAttack, ""))
			var written atomic.Int64
			a.together(t, 16, func(c net.Conn) {
				_, _ = io.WriteString(c, "POST /open HTTP/1.1\r\nHost: door\r\n"+header+"\r\n\r\n")
				for range size / (64 << 10) {
					n, err := io.WriteString(c, chunk)
					written.Add(int64(n))
					if err != nil {
						break // the door has closed the connection
					}
				}
			})
			t.Logf("%d MiB were sent before the door closed", written.Load()>>20)
			require.Less(t, written.Load(), int64(16*size))
			a.genuine(t, 10)
			a.bounded(t)
		})
	}
}

func TestAttackWithBombs(t *testing.T) {
	a := attack(t, limited(limitsUnderAttack, ""))
	bombs := []string{
		compressed(t, "gzip", strings.Repeat("\x00", 64<<20)),                                    // 1,000 times
		compressed(t, "zlib", strings.Repeat("\x00", 64<<20)),                                    // 1,000 times
		compressed(t, "gzip", compressed(t, "gzip", strings.Repeat("\x00", 64<<20))),             // again
		compressed(t, "gzip", strings.Repeat(randomText(1000)+strings.Repeat("0", 9_000), 2000)), // under the ratio, over the limit
	}
	for i, bomb := range bombs {
		require.Less(t, len(bomb), 1<<20)
		coding := []string{"gzip", "deflate", "gzip", "gzip"}[i]
		request := call{method: "POST", path: "/open", body: bomb, headers: []string{"Content-Encoding: " + coding}}.text()
		var attackers sync.WaitGroup
		for range 8 {
			attackers.Go(func() {
				a.asks(t, few(30), func(int) string { return request }, func(status int) {
					if i != 2 && status != 413 && status != 503 {
						t.Errorf("answered %d", status)
					}
				})
			})
		}
		attackers.Wait()
	}
	a.genuine(t, 10)
	a.bounded(t)
}

// slowly writes a byte now and then until the connection or the attack ends.
func slowly(c net.Conn, text string, over <-chan struct{}) {
	for i := 0; ; i = (i + 1) % len(text) {
		select {
		case <-over:
			return
		case <-time.After(50 * time.Millisecond):
		}
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return
		}
	}
}

func TestAttackWithSlowRequests(t *testing.T) {
	for name, begin := range map[string]string{
		"header": "POST /open HTTP/1.1\r\nX-A: ",
		"body":   "POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 1048576\r\n\r\n",
		"chunks": "POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t, limited(limitsUnderAttack+", connections: 1000, read: 2s", ""))
			text := "x"
			if name == "chunks" {
				text = "1\r\nx\r\n"
			}
			a.during(t, 20, func(over <-chan struct{}) {
				a.together(t, 400, func(c net.Conn) {
					_, _ = io.WriteString(c, begin)
					slowly(c, text, over)
				})
			})
			// The door ends each of them by itself.
			c := a.dial(t)
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, begin)
			go slowly(c, text, t.Context().Done())
			_, err := io.Copy(io.Discard, c)
			if err != nil {
				require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			}
			a.bounded(t)
		})
	}
}

// Answers that are never read: the sender only sends on.
func TestAttackWithUnreadAnswers(t *testing.T) {
	a := attack(t, limited(limitsUnderAttack, ""))
	requests := strings.Repeat(call{method: "POST", path: "/nowhere", body: "{}"}.text(), 100)
	a.during(t, 20, func(<-chan struct{}) {
		a.together(t, 50, func(c net.Conn) {
			_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
			_ = c.SetWriteDeadline(time.Now().Add(5 * time.Second))
			for range few(1000) {
				if _, err := io.WriteString(c, requests); err != nil {
					return
				}
			}
		})
	})
	a.bounded(t)
}

// openFiles is how many files this process may open: enough, or it is told.
func openFiles(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/limits")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "Max open files")
	require.True(t, ok)
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	if n < 5500 {
		t.Logf("only %d files may be open, so that there are fewer connections", n)
		require.NotEqual(t, "true", os.Getenv("CI"), "5,500 open files are needed")
	}
	return n
}

func TestAttackWithIdleConnections(t *testing.T) {
	a := attack(t, limited(limitsUnderAttack+", connections: 1000", ""))
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			_ = c.Close()
		}
	}()
	for i := range min(few(5000), openFiles(t)-500) {
		c := a.dial(t)
		require.NotNil(t, c)
		idle = append(idle, c)
		if i%2 == 0 { // one that has been of use
			_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n")
		}
		if i%500 == 0 {
			a.genuine(t, 2)
		}
	}
	a.genuine(t, 50)
	a.bounded(t)
}

func TestAttackWithWrongSignatures(t *testing.T) {
	a := attack(t, limited(limitsUnderAttack, ""))
	body := strings.Repeat("x", 3000)
	requests := []string{
		call{method: "POST", path: "/callrail/post_call", body: body, headers: []string{sign("{}")}}.text(),
		call{method: "POST", path: "/oneroute", body: `{"a": "` + body + `"}`, headers: []string{"X-Oneroute-Signature: " + strings.Repeat("00", 64)}}.text(),
		call{method: "POST", path: "/supersend", body: body, headers: []string{"X-Webhook-Secret: wrong"}}.text(),
		call{method: "POST", path: "/movement/wrong", body: body}.text(),
	}
	var refused atomic.Int64
	a.during(t, 100, func(<-chan struct{}) {
		var attackers sync.WaitGroup
		for range 8 {
			attackers.Go(func() {
				a.asks(t, few(20_000)/8, func(i int) string { return requests[i%len(requests)] }, func(status int) {
					if status != 401 {
						t.Errorf("answered %d", status)
						return
					}
					refused.Add(1)
				})
			})
		}
		attackers.Wait()
	})
	require.EqualValues(t, few(20_000), refused.Load())
	a.bounded(t)
}

// A document takes more memory than its text, and nobody has verified these.
func TestAttackWithUnverifiedDocuments(t *testing.T) {
	const size = 1 << 20
	fill := func(begin, element, end string) string {
		n := (size - len(begin) - len(end)) / len(element)
		return begin + strings.Repeat(element, n) + end
	}
	for name, document := range map[string]string{
		"deep":    strings.Repeat("[", size/2) + strings.Repeat("]", size/2),
		"broad":   fill("[[]", ",[]", "]"),
		"numbers": fill("[0", ",0", "]"),
		"members": fill(`{"":0`, `,"":0`, "}"),
		"strings": fill(`["`, `\u00e9`, `"]`),
		"objects": fill("[{}", ` ,{"a":{}}`, "]"),
		"nested":  fill("[0", ","+strings.Repeat("[", 100)+strings.Repeat("]", 100), "]"),
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t, limited(limitsUnderAttack, ""))
			request := call{method: "POST", path: "/oneroute", body: document, headers: []string{"X-Oneroute-Signature: " + strings.Repeat("00", 64)}}.text()
			a.during(t, 5, func(<-chan struct{}) {
				a.together(t, 8, func(c net.Conn) {
					r := bufio.NewReader(c)
					for range 3 {
						_, _ = io.WriteString(c, request)
						res, err := http.ReadResponse(r, nil)
						if err != nil {
							return // the door had no memory, and closed
						}
						_, _ = io.Copy(io.Discard, res.Body)
						if res.StatusCode != 401 && res.StatusCode != 503 {
							t.Errorf("answered %d", res.StatusCode)
						}
						if res.Close {
							return
						}
					}
				})
			})
			a.bounded(t)
		})
	}
}

// framer returns a connection of HTTP/2 that is driven frame by frame.
func (a *attacked) framer(t *testing.T, config *tls.Config) (*http2.Framer, net.Conn) {
	c, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", a.address)
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
	return f, c
}

func fields(path string, more ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	all := append([]string{":method", "POST", ":scheme", "https", ":authority", "door", ":path", path}, more...)
	for i := 0; i < len(all); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	return b.Bytes()
}

func TestAttackOverHTTP2(t *testing.T) {
	authority := newAuthority(t)
	config := &tls.Config{RootCAs: authority.pool, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	for name, attacker := range map[string]func(f *http2.Framer){
		"resets": func(f *http2.Framer) {
			block := fields("/open")
			for i := range few(20_000) {
				id := uint32(2*i + 1)
				if f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true}) != nil || f.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
					return
				}
			}
		},
		"streams": func(f *http2.Framer) {
			block := fields("/open", "content-length", "1000000")
			for i := range 1000 {
				id := uint32(2*i + 1)
				if f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true}) != nil || f.WriteData(id, false, make([]byte, 1000)) != nil {
					return
				}
			}
			time.Sleep(time.Second)
		},
		"headers": func(f *http2.Framer) {
			if f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("/open")}) != nil {
				return
			}
			more := fields("/x", "x-large", strings.Repeat("x", 10_000))
			for range few(5000) {
				if f.WriteContinuation(1, false, more) != nil {
					return
				}
			}
		},
		"one header": func(f *http2.Framer) {
			for i := range 100 {
				block := fields("/open", "x-large", strings.Repeat("x", 15_000))
				if f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block, EndHeaders: true}) != nil {
					return
				}
			}
			time.Sleep(time.Second)
		},
		"pings": func(f *http2.Framer) {
			for range few(50_000) {
				if f.WritePing(false, [8]byte{}) != nil {
					return
				}
			}
		},
		"settings": func(f *http2.Framer) {
			for range few(50_000) {
				if f.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 30}) != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t, limited(limitsUnderAttack+", read: 3s", authority.files(t).yaml))
			var attackers sync.WaitGroup
			for range 8 {
				attackers.Go(func() {
					f, c := a.framer(t, config)
					if f == nil {
						return
					}
					defer func() { _ = c.Close() }()
					attacker(f)
				})
			}
			hc := client(t, &tls.Config{RootCAs: authority.pool})
			for range 20 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+a.address+"/open", strings.NewReader("{}"))
				require.NoError(t, err)
				res, err := hc.Do(req)
				require.NoError(t, err)
				_ = res.Body.Close()
				require.Contains(t, []int{200, 503}, res.StatusCode) // bodies without end hold memory until their time is over
			}
			attackers.Wait()
			a.bounded(t)
		})
	}
}
