package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// certificates are the TLS configuration of files that may change.
type certificates struct {
	files tlsFiles
	log   *service.Logger

	mu     sync.Mutex
	looked time.Time
	read   [3]time.Time // when each file was last changed, as of the last reading
	config *tls.Config
	http1  *tls.Config // the same, without HTTP/2
}

const lookEvery = time.Second

func newCertificates(files tlsFiles, log *service.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log}
	changed, err := c.changed()
	if err != nil {
		return nil, err
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	c.read, c.looked = changed, time.Now()
	return c, nil
}

// get returns the configuration for a new connection, which may be of HTTP/2 or
// not. Files that have changed and cannot be read leave the last one in force.
func (c *certificates) get(http2 bool) *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= lookEvery {
		c.look()
	}
	if http2 {
		return c.config
	}
	return c.http1
}

func (c *certificates) look() {
	c.looked = time.Now()
	changed, err := c.changed()
	if err == nil {
		if changed == c.read {
			return
		}
		err = c.load()
	}
	if err != nil {
		c.log.With("error", err.Error()).Error("Keeping the last TLS certificate: the files cannot be read")
		return
	}
	c.read = changed
	c.log.Info("Read a new TLS certificate")
}

func (c *certificates) changed() (times [3]time.Time, err error) {
	for i, file := range []string{c.files.cert, c.files.key, c.files.clientCA} {
		if file == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return times, fmt.Errorf("reading field tls: %w", err)
		}
		times[i] = info.ModTime()
	}
	return times, nil
}

func (c *certificates) load() error {
	certificate, err := tls.LoadX509KeyPair(c.files.cert, c.files.key)
	if err != nil {
		return fmt.Errorf("reading fields tls.cert_file and tls.key_file: %w", err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if c.files.clientCA != "" {
		pem, err := os.ReadFile(c.files.clientCA)
		if err != nil {
			return fmt.Errorf("reading field tls.client_ca_file: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("reading field tls.client_ca_file: expected certificates in PEM in %s", c.files.clientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	c.config, c.http1 = config, config.Clone()
	c.http1.NextProtos = []string{"http/1.1"}
	return nil
}
