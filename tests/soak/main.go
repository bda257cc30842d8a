// Command soak posts mixed load to the door for a long time and fails if its memory
// or its goroutines grow, if an answer is not the one that is due, or if memory
// stays reserved at the end. It wants Linux and the folder of the repository:
//
//	go run ./tests/soak -for 10m
//
// It compiles the distribution and starts it with all vendors, verified, and nothing
// behind the decoders. The load is the samples of all
// vendors, signed, some in gzip, some padded to a megabyte, and among them wrong
// secrets, bodies that are too large or not complete, gzip bombs and unknown paths.
// The resident memory and the goroutines are looked at every two seconds; the first
// quarter of the looks is warm-up, and the median of the last quarter may be at most
// 1.25 times that of the second.
//
// -url and -admin put the load on a deployment that runs instead, with the vendors'
// secrets in the environment, and the metrics add_go_metrics and add_process_metrics
// of prometheus.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/hookswitch/hookswitch/plugins"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/services"
)

const (
	growth     = 1.25 // of the last quarter over the second
	lookEvery  = 2 * time.Second
	allSecrets = "0123456789abcdef0123456789abcdef" // of the distribution that is started here
	public     = "https://hooks.example.com"        // the URL that vendors know of the distribution that is started here
	bodyLimit  = 1 << 20                            // of the distribution that is started here
)

func config(address, admin string) string {
	return `
http: { address: "` + admin + `" }
input: { webhook: { address: "` + address + `", vendors: "*", public_url: "` + public + `", limits: { body: 1MiB } } }
pipeline: { processors: [ webhook_decode: {} ] }
output:
  switch:
    cases:
      - { check: errored(), output: { drop: {} } }
      - { output: { drop: {} } }
logger: { level: ERROR }
metrics: { prometheus: { use_histogram_timing: true, add_go_metrics: true, add_process_metrics: true } }
`
}

func main() {
	log.SetFlags(log.Ltime)
	took := flag.Duration("for", 10*time.Minute, "how long, at least a minute")
	connections := flag.Int("connections", 32, "senders at the same time")
	door := flag.String("url", "", "of a door that runs; without it one is started")
	admin := flag.String("admin", "http://127.0.0.1:4195", "where the door of -url has its metrics")
	flag.Parse()
	if err := run(*took, *connections, *door, *admin); err != nil {
		log.Fatal(err)
	}
}

func run(took time.Duration, connections int, door, admin string) error {
	if took < time.Minute {
		return fmt.Errorf("reading flag for: expected at least a minute, got %s", took)
	}
	keyOf := func(v *vendors.Vendor) string { return os.Getenv(v.SigningEnv()) }
	if door == "" {
		keys, env := map[string]string{}, os.Environ()
		for _, v := range vendors.All() {
			secret, key, err := services.Keys(v, allSecrets)
			if err != nil {
				return err
			}
			keys[v.Name] = key
			env = append(env, v.SecretEnv+"="+secret)
		}
		keyOf = func(v *vendors.Vendor) string { return keys[v.Name] }
		var stop func()
		var err error
		if door, admin, stop, err = start(env); err != nil {
			return err
		}
		defer stop()
	}
	samples, err := read(keyOf)
	if err != nil {
		return err
	}
	l := &load{door: door, samples: samples, client: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: connections},
	}}
	ctx, cancel := context.WithTimeout(context.Background(), took)
	defer cancel()
	var senders sync.WaitGroup
	for range connections {
		senders.Go(func() {
			for ctx.Err() == nil {
				l.send()
			}
		})
	}
	looks, lookErr := watch(ctx, admin)
	cancel()
	senders.Wait()
	if err := errors.Join(lookErr, l.failed()); err != nil {
		return err
	}
	log.Printf("%d requests, %.0f a second: %s", l.total(), float64(l.total())/took.Seconds(), l.summary())
	if err := errors.Join(
		compare("resident memory in MiB", looks, func(s look) float64 { return s.memory / (1 << 20) }),
		compare("goroutines", looks, func(s look) float64 { return s.goroutines }),
	); err != nil {
		return err
	}
	return released(admin)
}

// start starts the distribution.
func start(env []string) (door, admin string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return "", "", nil, err
	}
	binary, file := filepath.Join(dir, "hookswitch"), filepath.Join(dir, "config.yaml")
	build := exec.Command("go", "build", "-o", binary, "./cmd/hookswitch")
	build.Stderr = os.Stderr
	address, err1 := freeAddress()
	admin, err2 := freeAddress()
	if err := errors.Join(err1, err2, build.Run(), os.WriteFile(file, []byte(config(address, admin)), 0o600)); err != nil {
		return "", "", nil, fmt.Errorf("building the distribution: %w", err)
	}
	cmd := exec.Command(binary, "run", file)
	cmd.Env = env
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			return "http://" + address, "http://" + admin, stop, c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", "", nil, errors.New("expected the distribution to listen within ten seconds")
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// sample is a body and how its vendor sends it.
type sample struct {
	vendor             *vendors.Vendor
	key, wrong         string // what the vendor signs with, and what somebody else does
	event, contentType string
	body, large        []byte // large is nil if it can not be padded
	zips               bool   // false if the vendor signs what stands in the body, and so no bytes of gzip
}

// contentTypes are what a sample's ending says of it.
var contentTypes = map[string]string{".json": "application/json", ".form": "application/x-www-form-urlencoded", ".body": ""}

func read(keyOf func(*vendors.Vendor) string) (all []*sample, err error) {
	for _, v := range vendors.All() {
		_, wrong, err := services.Keys(v, "another")
		if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(filepath.Join("plugins", "vendors", v.Name, "testdata"), func(path string, d fs.DirEntry, err error) error {
			contentType, ok := contentTypes[filepath.Ext(path)]
			event := filepath.Base(filepath.Dir(path))
			if err != nil || d.IsDir() || !ok {
				return err
			}
			s := &sample{vendor: v, key: keyOf(v), wrong: wrong, event: event, contentType: contentType}
			if s.body, err = os.ReadFile(path); err != nil {
				return err
			}
			if contentType == "application/json" {
				s.large = append(bytes.Repeat([]byte(" "), max(0, bodyLimit-len(s.body))), s.body...)
			}
			if _, err := s.request("http://door", s.key, s.body, false); err == nil { // else a signature in the body has no place there
				_, err := s.request("http://door", s.key, s.body, true)
				s.zips = err == nil
				all = append(all, s)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading samples: %w", err)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("reading samples: expected some below plugins/vendors")
	}
	return all, nil
}

func zip(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

// request makes what the vendor would send, perhaps zipped. A body that is not signed for an
// error is sent as it is.
func (s *sample) request(door, key string, body []byte, zipped bool) (*http.Request, error) {
	path := "/" + s.vendor.Name
	if s.vendor.SecretInPath() {
		path += "/" + url.PathEscape(key)
	}
	if s.event != vendors.Undeclared {
		path += "/" + url.PathEscape(s.event)
	}
	r := &signing.Request{URL: public + path, Header: http.Header{}, Body: body, Now: time.Now()}
	if s.contentType != "" {
		r.Header.Set("Content-Type", s.contentType)
	}
	inflated := s.vendor.Signing.Reads().Body == signing.Inflated
	if zipped && !inflated {
		r.Body = zip(r.Body)
	}
	signErr := s.vendor.Signing.Sign(key, r)
	if zipped && inflated {
		r.Body = zip(r.Body)
	}
	if zipped {
		r.Header.Set("Content-Encoding", "gzip")
	}
	req, err := http.NewRequest(http.MethodPost, door+strings.TrimPrefix(r.URL, public), bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	req.Header = r.Header
	return req, signErr
}

var (
	bomb    = make([]byte, 16<<20)
	tooMuch = bytes.Repeat([]byte(" "), bodyLimit+1)
)

// kinds are the requests, how many of 1,000 are of each, and the answer that is
// due; 0 where the sender does not wait.
var kinds = []struct {
	name   string
	of1000 int
	due    int
}{
	{"plain", 640, http.StatusOK},
	{"gzip", 120, http.StatusOK},
	{"wrong secret", 120, http.StatusUnauthorized},
	{"breaks off", 70, 0},
	{"unknown path", 30, http.StatusNotFound},
	{"large", 8, http.StatusOK},
	{"bomb", 6, http.StatusRequestEntityTooLarge},
	{"too large", 6, http.StatusRequestEntityTooLarge},
}

type load struct {
	door    string
	samples []*sample
	client  *http.Client
	sent    [16]atomic.Int64 // by kind

	mu  sync.Mutex
	err error
}

func (l *load) send() {
	n, i := rand.IntN(1000), 0 //nolint:gosec // chance, no secret
	for ; n >= kinds[i].of1000; i++ {
		n -= kinds[i].of1000
	}
	kind := kinds[i]
	s := l.samples[rand.IntN(len(l.samples))] //nolint:gosec // chance, no secret
	l.sent[i].Add(1)
	if err := l.post(kind.name, kind.due, s); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err == nil {
			l.err = fmt.Errorf("posting %s, %s of %s: %w", kind.name, s.event, s.vendor.Name, err)
			log.Print(l.err)
		}
	}
}

func (l *load) post(kind string, due int, s *sample) error {
	body, zipped, key := s.body, false, s.key
	switch kind {
	case "gzip":
		zipped = s.zips
	case "bomb":
		body, zipped = bomb, true
	case "too large":
		body = tooMuch
	case "large":
		if s.large != nil {
			body = s.large
		}
	case "wrong secret":
		key = s.wrong
	}
	req, err := s.request(l.door, key, body, zipped)
	if err != nil && due == http.StatusOK {
		return err
	}
	switch kind {
	case "unknown path":
		req.URL.Path = "/nobody"
	case "breaks off":
		return breakOff(req, body)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		if kind == "too large" { // refused unread, which a client may take for an error
			return nil
		}
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != due {
		err = fmt.Errorf("expected the answer %d, got %d %s", due, resp.StatusCode, bytes.TrimSpace(text))
	}
	return err
}

// breakOff sends half of a body and goes.
func breakOff(req *http.Request, body []byte) error {
	conn, err := net.Dial("tcp", req.URL.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: soak\r\nContent-Length: %d\r\n", req.URL.EscapedPath(), len(body)); err != nil {
		return err
	}
	if err := req.Header.Write(conn); err != nil {
		return err
	}
	_, err = conn.Write(append([]byte("\r\n"), body[:len(body)/2]...))
	return err
}

func (l *load) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *load) total() (n int64) {
	for i := range l.sent {
		n += l.sent[i].Load()
	}
	return n
}

func (l *load) summary() string {
	var parts []string
	for i, k := range kinds {
		parts = append(parts, fmt.Sprintf("%d %s", l.sent[i].Load(), k.name))
	}
	return strings.Join(parts, ", ")
}

type look struct{ memory, goroutines float64 }

// watch looks at the process until ctx ends.
func watch(ctx context.Context, admin string) (looks []look, err error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return looks, nil
		case <-tick.C:
		}
		m, err := metrics(admin, "process_resident_memory_bytes", "go_goroutines")
		if err != nil {
			return nil, err
		}
		looks = append(looks, look{m[0], m[1]})
		if len(looks)%15 == 0 {
			log.Printf("%.0f MiB, %.0f goroutines", m[0]/(1<<20), m[1])
		}
	}
}

// metrics returns the sums of metrics, whatever their labels. Each has to be there.
func metrics(admin string, names ...string) ([]float64, error) {
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Get(admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	values, found := make([]float64, len(names)), make([]bool, len(names))
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "{")
		i := slices.Index(names, name)
		if i < 0 {
			continue
		}
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return nil, fmt.Errorf("reading metric %s: %w", name, err)
		}
		values[i], found[i] = values[i]+value, true
	}
	if i := slices.Index(found, false); i >= 0 {
		return nil, fmt.Errorf("reading metrics: expected %s", names[i])
	}
	return values, lines.Err()
}

// compare prints the medians of the quarters, and fails if the last is over that of
// the second by more than growth.
func compare(what string, looks []look, of func(look) float64) error {
	if len(looks) < 8 {
		return fmt.Errorf("comparing %s: expected at least 8 looks, got %d", what, len(looks))
	}
	var medians [4]float64
	for q := range medians {
		var values []float64
		for _, s := range looks[q*len(looks)/4 : (q+1)*len(looks)/4] {
			values = append(values, of(s))
		}
		slices.Sort(values)
		medians[q] = values[len(values)/2]
	}
	most := slices.MaxFunc(looks, func(a, b look) int { return cmp.Compare(of(a), of(b)) })
	log.Printf("%s: medians of the quarters %.0f, %.0f, %.0f, %.0f, the last %.2f of the first and %.2f of the second; at most %.0f",
		what, medians[0], medians[1], medians[2], medians[3], medians[3]/medians[0], medians[3]/medians[1], of(most))
	if medians[3] > growth*medians[1] {
		return fmt.Errorf("comparing %s: expected at most %.2f times that of the second quarter in the last, got %.2f", what, growth, medians[3]/medians[1])
	}
	return nil
}

// released waits until the door holds nothing.
func released(admin string) error {
	var m []float64
	for range 60 {
		time.Sleep(time.Second) // the gauges are set every second
		var err error
		if m, err = metrics(admin, "webhook_reserved_bytes", "webhook_in_flight"); err != nil {
			return err
		}
		if m[0] == 0 && m[1] == 0 {
			return nil
		}
	}
	return fmt.Errorf("waiting for the door to hold nothing: it has %.0f bytes reserved and %.0f requests in flight", m[0], m[1])
}
