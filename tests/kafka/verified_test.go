package kafka_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/hookswitch/hookswitch/plugins"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/services"
)

// public is the URL by which the vendors know the distribution.
const public = "https://hooks.example.com"

// senders are a vendor with the secret of today, and with the secret that is being replaced.
type senders struct{ today, old services.Sender }

// newSenders returns all vendors. The secrets have characters that mean something elsewhere in
// YAML.
func newSenders(t *testing.T) map[string]senders {
	t.Helper()
	all := map[string]senders{}
	for _, v := range vendors.All() {
		all[v.Name] = senders{
			today: services.NewSender(t, v, "new-"+v.Name+`-\n"#: 0123456789abcdef`),
			old:   services.NewSender(t, v, "old-"+v.Name+"-0123456789abcdef"),
		}
	}
	return all
}

// verified are the variables of a distribution that verifies all vendors. Each secret
// is in a variable, and the one that it replaces in a file.
func verified(t *testing.T, all map[string]senders) []string {
	t.Helper()
	env := []string{"HOOKSWITCH_UNVERIFIED=false", "HOOKSWITCH_VENDORS=" + strings.Join(vendors.Names(), ","), "HOOKSWITCH_PUBLIC_URL=" + public}
	for _, v := range vendors.All() {
		file := filepath.Join(t.TempDir(), v.Name)
		require.NoError(t, os.WriteFile(file, []byte(all[v.Name].old.Secret+"\n"), 0o600))
		env = append(env, v.SecretEnv+"="+all[v.Name].today.Secret, v.SecretEnv+"_OLD_FILE="+file)
		if v.Handshake != nil {
			env = append(env, v.Handshake.SecretEnv+"="+handshakeToken)
		}
	}
	return env
}

const handshakeToken = "token-of-handshakes"

// TestVerified has every vendor verified by the new and the old secret. It refuses every
// forgery: by another secret, by the secret and scheme of another vendor, with nothing that
// proves anything, of another body, and what is older than the vendor's tolerance.
func TestVerified(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	all := newSenders(t)
	h := start(t, k, "kafka.yaml", names, verified(t, all)...)
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get(h.URL + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
	}

	samples := map[string][]services.Sample{}
	for _, s := range services.Samples(t) {
		samples[s.Vendor] = append(samples[s.Vendor], s)
	}
	var sent []services.Sample
	others := 0 // requests that bring nothing
	for i, v := range vendors.All() {
		post := func(r services.Request, want int, what string) {
			t.Helper()
			status, err := h.Send(r.Path, r.Header, r.Body)
			require.NoError(t, err)
			require.Equal(t, want, status, "%s: %s", v.Name, what)
			if want == http.StatusUnauthorized {
				others++
			}
		}
		own := all[v.Name]
		verifiable := 0
		for n, s := range samples[v.Name] {
			sender := []services.Sender{own.today, own.old}[n%2]
			r, err := sender.Sign(s, public, time.Now())
			if err != nil {
				require.Equal(t, signing.Inflated, v.Signing.Reads().Body, "%s: %v", s.Path, err)
				post(services.Request{Path: "/" + v.Name, Header: r.Header, Body: s.Body}, http.StatusUnauthorized, s.Path)
				continue
			}
			post(r, http.StatusOK, s.Path)
			sent = append(sent, sender.Sent(t, s, r))
			verifiable++
		}
		require.NotZero(t, verifiable, v.Name)

		plain := samples[v.Name][slices.IndexFunc(samples[v.Name], func(s services.Sample) bool { return s.Reason == "" })]
		sign := func(sender services.Sender, at time.Time) services.Request {
			t.Helper()
			r, err := sender.Sign(plain, public, at)
			require.NoError(t, err)
			return r
		}
		good := sign(own.today, time.Now())
		for _, wrong := range []string{"x", strings.ToUpper(own.today.Secret), own.today.Secret + "0"} {
			post(sign(services.NewSender(t, v, wrong), time.Now()), http.StatusUnauthorized, "another secret")
		}
		post(services.Request{Path: strings.Replace(good.Path, url.PathEscape(own.today.Secret), "x", 1), Header: http.Header{}, Body: plain.Body}, http.StatusUnauthorized, "nothing proves who sends")
		other := all[vendors.All()[(i+1)%len(vendors.All())].Name].today
		foreign := sign(other, time.Now())
		foreign.Path = strings.Replace(good.Path, url.PathEscape(own.today.Secret), url.PathEscape(other.Secret), 1)
		post(foreign, http.StatusUnauthorized, "the proof of "+other.Vendor.Name)
		if reads := v.Signing.Reads(); reads.Body == signing.AsSent {
			post(services.Request{Path: good.Path, Header: good.Header, Body: append(bytes.Clone(good.Body), "&x=1"...)}, http.StatusUnauthorized, "another body")
		}
		if reads := v.Signing.Reads(); reads.URL {
			post(services.Request{Path: good.Path + "?a=1", Header: good.Header, Body: good.Body}, http.StatusUnauthorized, "another URL")
		}
		if tolerance, ok := own.today.Tolerance(); ok {
			post(sign(own.today, time.Now().Add(-tolerance-time.Minute)), http.StatusUnauthorized, "a replay")
			post(sign(own.today, time.Now().Add(tolerance+time.Minute)), http.StatusUnauthorized, "from the future")
		}
		others += shakeHands(t, h.URL, v)
		requireReceipts(t, h.URL, v, good, foreign)
		sent = append(sent, own.today.Sent(t, plain, good))
		others++
	}

	h.Drained(t)
	records := k.Records(t, names.events)
	requireEvents(t, sent, records, services.Unstamped(t, values(records)))
	requireDeadLetters(t, k, sent, names.deadLetters)
	services.Eventually(t, func() bool { return h.Metric(t, "webhook_verified") == float64(len(sent)) }, "every sample is counted as verified")
	require.EqualValues(t, len(sent)+others, h.Metric(t, "webhook_answer_count"))
	require.NotZero(t, h.Metric(t, "webhook_answer_bucket"), "it is a histogram")

	h.Stop()
	logs := strings.Join(append(h.Lines(t, "stderr"), h.Lines(t, "stdout")...), "\n")
	require.Contains(t, logs, "Requests were not accepted")
	for _, own := range all {
		require.NotContains(t, strings.ToLower(logs), own.today.Secret)
		require.NotContains(t, logs, own.old.Secret)
	}
	require.NotContains(t, logs, handshakeToken)
}

// requireReceipts expects what the vendor wants to read in the answer to a delivery that is
// taken, and in no other answer.
func requireReceipts(t *testing.T, base string, v *vendors.Vendor, good, foreign services.Request) {
	t.Helper()
	answer := func(r services.Request) (int, vendors.Receipt) {
		req, err := http.NewRequest(http.MethodPost, base+r.Path, bytes.NewReader(r.Body))
		require.NoError(t, err)
		req.Header = r.Header.Clone()
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, vendors.Receipt{ContentType: resp.Header.Get("Content-Type"), Body: string(body)}
	}
	var want vendors.Receipt
	if v.Receipt != nil {
		want = *v.Receipt
	}
	status, got := answer(good)
	require.Equal(t, http.StatusOK, status, v.Name)
	require.Equal(t, want, got, v.Name)
	status, got = answer(foreign)
	require.Equal(t, http.StatusUnauthorized, status, v.Name)
	require.Equal(t, "not verified\n", got.Body, v.Name)
}

// shakeHands asks as a vendor does whether the URL is ours, and with another token. A vendor
// that does not ask is told that GET is no method. It returns how many requests it has made.
func shakeHands(t *testing.T, base string, v *vendors.Vendor) int {
	t.Helper()
	ask := func(token string) (int, string) {
		query := url.Values{}
		if h := v.Handshake; h != nil {
			for name, value := range h.Query {
				query.Set(name, value)
			}
			query.Set(h.Token, token)
			query.Set(h.Challenge, "1158201444")
		}
		path := "/" + v.Name
		if v.SecretInPath() {
			path += "/x"
		}
		resp, err := http.Get(base + path + "?" + query.Encode())
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, strings.TrimSpace(string(body))
	}
	status, _ := ask("another")
	require.Equal(t, http.StatusMethodNotAllowed, status, v.Name)
	if v.Handshake == nil {
		return 1
	}
	status, body := ask(handshakeToken)
	require.Equal(t, http.StatusOK, status, v.Name)
	require.Equal(t, "1158201444", body, v.Name)
	return 2
}

// TestMissingSecret starts it without one of the secrets: it refuses, and says which.
func TestMissingSecret(t *testing.T) {
	for _, v := range vendors.All() {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			all := newSenders(t)
			env := append(verified(t, all), v.SecretEnv+"= ", v.SecretEnv+"_OLD_FILE=")
			says := services.Refused(t, "kafka.yaml", env...)
			require.Contains(t, says, "reading field vendors: expected a secret in "+v.SecretEnv)
			for _, other := range vendors.All() {
				require.NotContains(t, says, all[other.Name].today.Secret)
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
	dir, all := t.TempDir(), newSenders(t)
	own, certFile, keyFile := certificate(t, dir, "own")
	client, clientFile, _ := certificate(t, dir, "client")
	h := start(t, k, "kafka.yaml", names, append(verified(t, all),
		"HOOKSWITCH_TLS_CERT_FILE="+certFile, "HOOKSWITCH_TLS_KEY_FILE="+keyFile, "HOOKSWITCH_TLS_CLIENT_CA_FILE="+clientFile)...)

	s := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	delivery, err := all["callrail"].today.Sign(s, public, time.Now())
	require.NoError(t, err)
	post := func(certificates ...tls.Certificate) (*http.Response, error) {
		roots := x509.NewCertPool()
		roots.AddCert(own.Leaf)
		c := http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: true, DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates},
		}}
		req, err := http.NewRequest(http.MethodPost, strings.Replace(h.URL, "http:", "https:", 1)+delivery.Path, bytes.NewReader(s.Body))
		require.NoError(t, err)
		req.Header = delivery.Header.Clone()
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
