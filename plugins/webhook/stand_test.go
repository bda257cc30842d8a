package webhook

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "github.com/hookswitch/hookswitch/plugins/vendors/callrail"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/mobiniti"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/movement"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/oneroute"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/supersend"
)

func TestMain(m *testing.M) {
	if yaml := os.Getenv(childEnv); yaml != "" {
		os.Exit(child(yaml))
	}
	goleak.VerifyTestMain(m)
}

// patience bounds all waiting.
const patience = 30 * time.Second

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, time.Millisecond)
}

// engine is what stands behind the door.
type engine int

const (
	acks engine = iota
	nacks
	holds  // reads, and leaves the verdict to the test
	absent // reads nothing
)

// errInner is the error of the engine, no word of which a sender may see.
var errInner = errors.New("writing to broker-7.internal:9092: no leader")

// stand is a door that listens, behind it an engine that does as it is told.
type stand struct {
	*input
	metrics *metrics
	logs    *logs
	end     context.CancelFunc // of reading

	mu  sync.Mutex
	got []*handed
}

// handed is what the engine was given.
type handed struct {
	ctx      context.Context
	metadata map[string]string
	body     string
	settle   func(error)
}

// newStand starts a door. What changes its configuration does so before it listens.
func newStand(t *testing.T, yaml string, e engine, changes ...func(*config)) *stand {
	t.Helper()
	s := &stand{metrics: &metrics{counts: map[string]int64{}}, logs: &logs{}}
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterMetricsExporter("capture", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) {
		return s.metrics, nil
	}))
	builder := env.NewResourceBuilder()
	require.NoError(t, builder.SetMetricsYAML("capture: {}"))
	builder.SetLogger(slog.New(slog.NewTextHandler(s.logs, nil)))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	s.input, err = newInput(conf, resources, roomy)
	require.NoError(t, err)
	for _, change := range changes {
		change(s.door.config)
	}
	s.metrics.flush = func() { s.door.observe.flush(s.door, time.Now()) }
	background := context.WithoutCancel(t.Context())
	require.NoError(t, s.Connect(background))
	ctx, cancel := context.WithCancel(background)
	s.end = cancel
	done := make(chan struct{})
	if e == absent {
		close(done)
	} else {
		go func() {
			defer close(done)
			s.read(ctx, e)
		}()
	}
	t.Cleanup(func() {
		cancel()
		<-done
		require.NoError(t, s.Close(background))
		require.NoError(t, stop(background))
	})
	return s
}

func (s *stand) read(ctx context.Context, e engine) {
	for {
		batch, settle, err := s.ReadBatch(ctx)
		if err != nil {
			return
		}
		if len(batch) == 0 {
			s.mu.Lock()
			s.got = append(s.got, &handed{body: "nothing"})
			s.mu.Unlock()
		}
		for _, msg := range batch {
			h := &handed{ctx: msg.Context(), metadata: map[string]string{}}
			body, _ := msg.AsBytes()
			h.body = string(body)
			_ = msg.MetaWalk(func(key, value string) error {
				h.metadata[key] = value
				return nil
			})
			h.settle = func(err error) { _ = settle(ctx, err) }
			s.mu.Lock()
			s.got = append(s.got, h)
			s.mu.Unlock()
		}
		switch e {
		case acks:
			_ = settle(ctx, nil)
		case nacks:
			_ = settle(ctx, errInner)
		}
	}
}

func (s *stand) handed() []*handed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*handed(nil), s.got...)
}

// one waits for the only delivery that reached the engine.
func (s *stand) one(t *testing.T) *handed {
	t.Helper()
	eventually(t, func() bool { return len(s.handed()) > 0 })
	require.Len(t, s.handed(), 1)
	return s.handed()[0]
}

func (s *stand) bodies() []string {
	var bodies []string
	for _, h := range s.handed() {
		bodies = append(bodies, h.body)
	}
	return bodies
}

// dial returns a connection whose reads and writes are bounded.
func (s *stand) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", s.address.String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// client returns a client of HTTP/2 over TLS, or of HTTP/1.1.
func client(t *testing.T, config *tls.Config) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: config != nil, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// metrics is an exporter that remembers counters, by name and labels.
type metrics struct {
	flush  func() // what the door has counted
	mu     sync.Mutex
	counts map[string]int64
}

type counted struct {
	of  *metrics
	key string
	set bool
}

func (m *metrics) at(name string, values []string) counted {
	return counted{of: m, key: strings.Join(append([]string{name}, values...), " ")}
}

// add is for counters and timers, of which it counts how often they were told.
func (c counted) add(n int64) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.set {
		c.of.counts[c.key] = n
	} else {
		c.of.counts[c.key] += n
	}
}

func (c counted) Incr(n int64) { c.add(n) }
func (c counted) Timing(int64) { c.add(1) }
func (c counted) Set(n int64)  { c.add(n) }

func (m *metrics) NewCounterCtor(name string, _ ...string) service.MetricsExporterCounterCtor {
	return func(values ...string) service.MetricsExporterCounter { return m.at(name, values) }
}

func (m *metrics) NewTimerCtor(name string, _ ...string) service.MetricsExporterTimerCtor {
	return func(values ...string) service.MetricsExporterTimer { return m.at(name, values) }
}

func (m *metrics) NewGaugeCtor(name string, _ ...string) service.MetricsExporterGaugeCtor {
	return func(values ...string) service.MetricsExporterGauge {
		c := m.at(name, values)
		c.set = true
		return c
	}
}

func (m *metrics) Close(context.Context) error { return nil }

// all returns what was counted under a name: labels and count.
func (m *metrics) all(name string) map[string]int64 {
	m.flush()
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]int64{}
	for key, n := range m.counts {
		if labels, ok := strings.CutPrefix(key, name+" "); ok && n != 0 {
			all[labels] = n
		} else if key == name {
			all[""] = n
		}
	}
	return all
}

// logs is a log that tests can read.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
	pem         []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	der, key := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	})
	var err error
	a.certificate, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.key = key
	a.pool.AddCert(a.certificate)
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func (a *authority) sign(t *testing.T, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	return der, key
}

// issue returns the PEM of a certificate for this machine, and of its key.
func (a *authority) issue(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	der, private := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	text, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// files are a certificate, its key and the authority in files of their own, and
// the configuration that names the first two.
type files struct{ certificate, key, authority, yaml string }

func (a *authority) files(t *testing.T) files {
	t.Helper()
	dir := t.TempDir()
	f := files{certificate: filepath.Join(dir, "certificate.pem"), key: filepath.Join(dir, "key.pem"), authority: filepath.Join(dir, "authority.pem")}
	certificate, key := a.issue(t, "first")
	require.NoError(t, os.WriteFile(f.certificate, certificate, 0o600))
	require.NoError(t, os.WriteFile(f.key, key, 0o600))
	require.NoError(t, os.WriteFile(f.authority, a.pem, 0o600))
	f.yaml = fmt.Sprintf("tls: { cert_file: %q, key_file: %q }\n", f.certificate, f.key)
	return f
}

// roomy is what is behind a door that takes every delivery.
func roomy() error { return nil }
