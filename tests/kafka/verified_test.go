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
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/hookswitch/hookswitch/plugins"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/services"
)

// secretOf returns what the tests have for a vendor, with characters that mean
// something elsewhere in YAML.
func secretOf(v *vendors.Vendor) string { return "new-" + v.Name + `-\n"#: 0123456789abcdef` }

// oldSecretOf returns the secret that is being replaced.
func oldSecretOf(v *vendors.Vendor) string { return "old-" + v.Name + "-0123456789abcdef" }

// verified are the variables of a distribution that verifies all vendors. Each secret
// is in a variable, and the one that it replaces in a file.
func verified(t *testing.T) []string {
	t.Helper()
	env := []string{"HOOKSWITCH_UNVERIFIED=false", "HOOKSWITCH_VENDORS=" + strings.Join(vendors.Names(), ",")}
	for _, v := range vendors.All() {
		file := filepath.Join(t.TempDir(), v.Name)
		require.NoError(t, os.WriteFile(file, []byte(oldSecretOf(v)+"\n"), 0o600))
		env = append(env, v.SecretEnv+"="+secretOf(v), v.SecretEnv+"_OLD_FILE="+file)
	}
	return env
}

// request returns how the vendor sends a sample.
func request(v *vendors.Vendor, s services.Sample, secret string) (path string, header http.Header) {
	header = http.Header{}
	if s.ContentType != "" {
		header.Set("Content-Type", s.ContentType)
	}
	path = "/" + v.Name
	switch {
	case v.Signature != nil:
		header.Set(v.Signature.Header, v.Signature.Sign(secret, s.Body))
	case v.SecretHeader != "":
		header.Set(v.SecretHeader, secret)
	default:
		path += "/" + url.PathEscape(secret)
	}
	if s.Event != "" {
		path += "/" + url.PathEscape(s.Event)
	}
	return path, header
}

// TestVerified has every vendor verified by the new and the old secret, and nobody by
// another.
func TestVerified(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	h := start(t, k, "kafka.yaml", names, verified(t)...)
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get(h.URL + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
	}

	all := services.Samples(t)
	samples := map[string][]services.Sample{}
	for _, s := range all {
		samples[s.Vendor] = append(samples[s.Vendor], s)
	}
	refused := 0
	for i, v := range vendors.All() {
		post := func(s services.Sample, secret string, want int) {
			t.Helper()
			path, header := request(v, s, secret)
			status, err := h.Send(path, header, s.Body)
			require.NoError(t, err)
			require.Equal(t, want, status, "%s of %s", s.Path, v.Name)
		}
		for n, s := range samples[v.Name] {
			post(s, []string{secretOf(v), oldSecretOf(v)}[n%2], http.StatusOK)
		}
		other := vendors.All()[(i+1)%len(vendors.All())]
		for _, wrong := range []string{secretOf(other), strings.ToUpper(secretOf(v)), secretOf(v) + "0", "x"} {
			post(samples[v.Name][0], wrong, http.StatusUnauthorized)
			refused++
		}
		path, _ := request(v, samples[v.Name][0], "x")
		status, err := h.Send(path, http.Header{}, samples[v.Name][0].Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, status, "nothing proves that %s sends", v.Name)
		refused++
	}

	h.Drained(t)
	records := k.Records(t, names.events)
	requireEvents(t, all, records, services.Unstamped(t, values(records)))
	requireDeadLetters(t, k, all, names.deadLetters)
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_verified") == float64(len(all)) }, "every sample is counted as verified")
	require.EqualValues(t, len(all)+refused, h.Metric(t, "webhook_answer_count"))
	require.NotZero(t, h.Metric(t, "webhook_answer_bucket"), "it is a histogram")

	h.Stop()
	logs := strings.Join(append(h.Lines(t, "stderr"), h.Lines(t, "stdout")...), "\n")
	require.Contains(t, logs, "Requests were not accepted")
	for _, v := range vendors.All() {
		require.NotContains(t, strings.ToLower(logs), secretOf(v))
		require.NotContains(t, logs, oldSecretOf(v))
	}
}

// TestMissingSecret starts it without one of the secrets: it refuses, and says which.
func TestMissingSecret(t *testing.T) {
	for _, v := range vendors.All() {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			env := append(verified(t), v.SecretEnv+"= ", v.SecretEnv+"_OLD_FILE=")
			says := services.Refused(t, "kafka.yaml", env...)
			require.Contains(t, says, "reading field vendors: expected a secret in "+v.SecretEnv)
			for _, other := range vendors.All() {
				require.NotContains(t, says, secretOf(other))
			}
		})
	}
	t.Run("no vendors", func(t *testing.T) {
		t.Parallel()
		require.Contains(t, services.Refused(t, "kafka.yaml", "HOOKSWITCH_UNVERIFIED=false"), "HOOKSWITCH_VENDORS=")
	})
}

// TestTLS speaks HTTPS with certificates of the environment, to clients with
// one of theirs.
func TestTLS(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	dir := t.TempDir()
	own, certFile, keyFile := certificate(t, dir, "own")
	client, clientFile, _ := certificate(t, dir, "client")
	h := start(t, k, "kafka.yaml", names, append(verified(t),
		"HOOKSWITCH_TLS_CERT_FILE="+certFile, "HOOKSWITCH_TLS_KEY_FILE="+keyFile, "HOOKSWITCH_TLS_CLIENT_CA_FILE="+clientFile)...)

	v, _ := vendors.Get("callrail")
	s := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	path, header := request(v, s, secretOf(v))
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
	h.Drained(t)
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
