package webhook

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// served returns the name on the certificate that a new connection is shown.
func served(t *testing.T, s *stand, config *tls.Config) (string, error) {
	t.Helper()
	c, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", s.address.String())
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestTLS(t *testing.T) {
	authority := newAuthority(t)
	s := newStand(t, limited(limitsOfRows, authority.files(t).yaml), acks)
	for _, protocol := range []string{"h2", "http/1.1"} {
		c, err := (&tls.Dialer{Config: &tls.Config{RootCAs: authority.pool, NextProtos: []string{protocol}}}).DialContext(t.Context(), "tcp", s.address.String())
		require.NoError(t, err)
		state := c.(*tls.Conn).ConnectionState()
		require.Equal(t, protocol, state.NegotiatedProtocol)
		require.EqualValues(t, tls.VersionTLS13, state.Version)
		require.NoError(t, c.Close())
	}
	_, err := served(t, s, &tls.Config{RootCAs: authority.pool, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12})
	require.NoError(t, err)
	_, err = served(t, s, &tls.Config{RootCAs: authority.pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.ErrorContains(t, err, "protocol version")
	// HTTP in the clear gets nothing done.
	c := s.dial(t)
	_, err = io.WriteString(c, call{method: "POST", path: "/open", body: "{}"}.text())
	require.NoError(t, err)
	text, _ := io.ReadAll(c)
	require.NotContains(t, string(text), "200 OK")
	require.Empty(t, s.bodies())
}

func TestCertificateIsReadAgain(t *testing.T) {
	authority := newAuthority(t)
	config := &tls.Config{RootCAs: authority.pool}
	f := authority.files(t)
	s := newStand(t, limited(limitsOfRows, f.yaml), acks)
	name, err := served(t, s, config)
	require.NoError(t, err)
	require.Equal(t, "first", name)

	// A broken replacement leaves the last one in force.
	require.NoError(t, os.WriteFile(f.certificate, []byte("none"), 0o600))
	eventually(t, func() bool {
		name, err := served(t, s, config)
		require.NoError(t, err)
		require.Equal(t, "first", name)
		time.Sleep(10 * time.Millisecond)
		return strings.Contains(s.logs.String(), "Keeping the last TLS certificate")
	})
	// So does a missing one, and one whose key is another's.
	require.NoError(t, os.Remove(f.certificate))
	name, err = served(t, s, config)
	require.NoError(t, err)
	require.Equal(t, "first", name)

	certificate, key := authority.issue(t, "second")
	require.NoError(t, os.WriteFile(f.certificate, certificate, 0o600))
	name, err = served(t, s, config)
	require.NoError(t, err)
	require.Equal(t, "first", name)
	require.NoError(t, os.WriteFile(f.key, key, 0o600))
	eventually(t, func() bool {
		name, err := served(t, s, config)
		require.NoError(t, err)
		time.Sleep(10 * time.Millisecond)
		return name == "second"
	})
	require.NotContains(t, s.logs.String(), "PRIVATE")
}

func TestMutualTLS(t *testing.T) {
	own, other := newAuthority(t), newAuthority(t)
	f := own.files(t)
	yaml := strings.Replace(f.yaml, " }", ", client_ca_file: \""+f.authority+"\" }", 1)
	s := newStand(t, limited(limitsOfRows, yaml), acks)
	ask := func(issuer *authority) error {
		config := &tls.Config{RootCAs: own.pool}
		if issuer != nil {
			certificate, key := issuer.issue(t, "client")
			pair, err := tls.X509KeyPair(certificate, key)
			require.NoError(t, err)
			config.Certificates = []tls.Certificate{pair}
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.address.String()+"/open", strings.NewReader("{}"))
		require.NoError(t, err)
		res, err := client(t, config).Do(req)
		if err != nil {
			return err
		}
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode)
		return nil
	}
	require.NoError(t, ask(own))
	require.Error(t, ask(nil))
	require.Error(t, ask(other))
	require.Len(t, s.bodies(), 1)
}

// Files that cannot be read are refused at start.
func TestRefusedCertificates(t *testing.T) {
	authority := newAuthority(t)
	f := authority.files(t)
	require.NoError(t, os.WriteFile(f.authority, []byte("none"), 0o600))
	for yaml, expected := range map[string]string{
		"tls: { cert_file: /none, key_file: " + f.key + " }":                                                      "reading field tls: stat /none",
		"tls: { cert_file: " + f.key + ", key_file: " + f.key + " }":                                              "reading fields tls.cert_file and tls.key_file",
		"tls: { cert_file: " + f.certificate + ", key_file: " + f.key + ", client_ca_file: /none }":               "reading field tls: stat /none",
		"tls: { cert_file: " + f.certificate + ", key_file: " + f.key + ", client_ca_file: " + f.authority + " }": "reading field tls.client_ca_file: expected certificates in PEM",
	} {
		conf, err := spec().ParseYAML(limited(limitsOfRows, yaml+"\n"), nil)
		require.NoError(t, err)
		_, err = newInput(conf, service.MockResources(), roomy)
		require.ErrorContains(t, err, expected)
	}
}

// A handshake that fails is counted, who only looks whether the port is open is not.
func TestFailedHandshake(t *testing.T) {
	authority := newAuthority(t)
	s := newStand(t, limited(limitsOfRows, authority.files(t).yaml), acks)
	require.NoError(t, s.dial(t).Close())
	_, err := served(t, s, &tls.Config{RootCAs: newAuthority(t).pool})
	require.Error(t, err)
	eventually(t, func() bool { return s.metrics.all("webhook_deliveries")["none handshake"] == 1 })
	eventually(t, func() bool { return strings.Contains(s.logs.String(), "outcome=handshake") })
}
