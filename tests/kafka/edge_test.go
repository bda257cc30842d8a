package kafka_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/hookswitch/hookswitch/plugins"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/services"
)

// edgeRoutes are those of edge.yaml.
var edgeRoutes = []edgeRoute{
	{"callrail", "/callrail/{event}", "CALLRAIL_SIGNING_KEY", signed},
	{"oneroute", "/oneroute", "ONEROUTE_SECRET_KEY", signed},
	{"supersend", "/supersend", "SUPERSEND_SECRET", inHeader},
	{"movement", "/movement/{token}", "MOVEMENT_PATH_TOKEN", inPath},
	{"mobiniti", "/mobiniti/{token}/{event}", "MOBINITI_PATH_TOKEN", inPath},
}

type edgeRoute struct {
	vendor, path, variable string
	// proves adds to a header what tells that the vendor sends.
	proves func(header http.Header, s services.Sample, secret string)
}

func signed(header http.Header, s services.Sample, secret string) {
	v, _ := vendors.Get(s.Vendor)
	header.Set(v.Signature.Header, v.Signature.Sign(secret, s.Body))
}

func inHeader(header http.Header, s services.Sample, secret string) {
	v, _ := vendors.Get(s.Vendor)
	header.Set(v.SecretHeader, secret)
}

func inPath(http.Header, services.Sample, string) {}

// secret returns what the tests have for a route, with characters that mean
// something elsewhere in YAML.
func (r edgeRoute) secret() string { return "new-" + r.vendor + `-\n"#: 0123456789abcdef` }

// old returns the one that is being replaced.
func (r edgeRoute) old() string { return "old-" + r.vendor + "-0123456789abcdef" }

func edgeSecrets() (env []string) {
	for _, r := range edgeRoutes {
		env = append(env, r.variable+"="+r.secret(), r.variable+"_OLD="+r.old())
	}
	return env
}

// takes reports whether the route's path declares what the sample's does.
func (r edgeRoute) takes(s services.Sample) bool {
	return s.Vendor == r.vendor && strings.Contains(r.path, "{event}") == (s.Event != "")
}

// request returns how the vendor sends a sample.
func (r edgeRoute) request(s services.Sample, secret string) (path string, header http.Header) {
	header = http.Header{}
	if s.ContentType != "" {
		header.Set("Content-Type", s.ContentType)
	}
	r.proves(header, s, secret)
	return strings.NewReplacer("{event}", url.PathEscape(s.Event), "{token}", url.PathEscape(secret)).Replace(r.path), header
}

func edgeSamples(t *testing.T) map[string][]services.Sample {
	t.Helper()
	of := map[string][]services.Sample{}
	for _, s := range services.Samples(t) {
		for _, r := range edgeRoutes {
			if r.takes(s) {
				of[r.vendor] = append(of[r.vendor], s)
			}
		}
	}
	for _, r := range edgeRoutes {
		require.NotEmpty(t, of[r.vendor])
	}
	return of
}

// TestEdge has every vendor verified by the new and the old secret, and nobody by
// another.
func TestEdge(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	h := start(t, k, "edge.yaml", names, edgeSecrets()...)
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get(h.URL + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
	}

	var all []services.Sample
	samples := edgeSamples(t)
	for i, r := range edgeRoutes {
		post := func(s services.Sample, secret string, want int) {
			t.Helper()
			path, header := r.request(s, secret)
			status, err := h.Send(path, header, s.Body)
			require.NoError(t, err)
			require.Equal(t, want, status, "%s at %s", s.Path, r.path)
		}
		for n, s := range samples[r.vendor] {
			post(s, []string{r.secret(), r.old()}[n%2], http.StatusOK)
		}
		all = append(all, samples[r.vendor]...)

		other := edgeRoutes[(i+1)%len(edgeRoutes)]
		for _, wrong := range []string{other.secret(), strings.ToUpper(r.secret()), r.secret() + "0", "x"} {
			post(samples[r.vendor][0], wrong, http.StatusUnauthorized)
		}
		path, _ := r.request(samples[r.vendor][0], "x")
		status, err := h.Send(path, http.Header{}, samples[r.vendor][0].Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, status, "nothing proves it at %s", r.path)
	}

	records := k.Records(t, names.events)
	requireEvents(t, all, records, services.Unstamped(t, values(records)))
	requireDeadLetters(t, k, all, names.deadLetters)
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_verified") == float64(len(all)) }, "every sample is counted as verified")
	require.EqualValues(t, len(all)+5*len(edgeRoutes), h.Metric(t, "webhook_answer_count"))
	require.NotZero(t, h.Metric(t, "webhook_answer_bucket"), "it is a histogram")

	h.Stop()
	logs := strings.Join(append(h.Lines(t, "stderr"), h.Lines(t, "stdout")...), "\n")
	require.Contains(t, logs, "Requests were not accepted")
	for _, r := range edgeRoutes {
		require.NotContains(t, strings.ToLower(logs), r.secret())
		require.NotContains(t, logs, r.old())
	}
}

// TestEdgeSecrets starts it without one of the secrets: it refuses, and says which.
func TestEdgeSecrets(t *testing.T) {
	for i, r := range edgeRoutes {
		t.Run(r.vendor, func(t *testing.T) {
			t.Parallel()
			env := append(edgeSecrets(), r.variable+"= ", r.variable+"_OLD=")
			says := services.Refused(t, "edge.yaml", env...)
			require.Contains(t, says, "reading field routes."+strconv.Itoa(i)+".verify.secrets: expected at least one that is not empty, for the route "+r.path)
			for _, r := range edgeRoutes {
				require.NotContains(t, says, r.secret())
			}
		})
	}
}

// TestEdgeTLS speaks HTTPS with certificates of the environment, to clients with
// one of theirs.
func TestEdgeTLS(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	dir := t.TempDir()
	own, certFile, keyFile := certificate(t, dir, "own")
	client, clientFile, _ := certificate(t, dir, "client")
	h := start(t, k, "edge.yaml", names, append(edgeSecrets(),
		"HOOKSWITCH_TLS_CERT_FILE="+certFile, "HOOKSWITCH_TLS_KEY_FILE="+keyFile, "HOOKSWITCH_TLS_CLIENT_CA_FILE="+clientFile)...)

	r := edgeRoutes[0]
	s := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	path, header := r.request(s, r.secret())
	post := func(certificates ...tls.Certificate) (*http.Response, error) {
		roots := x509.NewCertPool()
		roots.AddCert(own.Leaf)
		c := http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: true, DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates},
		}}
		req, err := http.NewRequest(http.MethodPost, strings.Replace(h.URL, "http:", "https:", 1)+path, bytes.NewReader(s.Body))
		require.NoError(t, err)
		req.Header = header.Clone()
		return c.Do(req)
	}
	resp, err := post(client)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, 2, resp.ProtoMajor)
	_, err = post()
	require.Error(t, err, "a client without a certificate")
	require.Len(t, k.Records(t, names.events), 1)
}

// certificate makes one that is its own authority, and writes it to PEM files.
func certificate(t *testing.T, dir, name string) (c tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(file, kind string, der []byte) string {
		path := filepath.Join(dir, name+file)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	certFile, keyFile = write(".pem", "CERTIFICATE", cert), write("-key.pem", "PRIVATE KEY", secret)
	c, err = tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(t, err)
	return c, certFile, keyFile
}
