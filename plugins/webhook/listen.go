package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// newServer returns a server that bounds what a connection can take.
func newServer(d *door, logger *service.Logger) *http.Server {
	c := d.config
	return &http.Server{
		Handler:           d,
		ReadTimeout:       c.limits.read,
		ReadHeaderTimeout: c.limits.read,
		// A sender that does not read its answer: all answers are smaller than the
		// buffers of a socket, so this ends those that send on without reading.
		WriteTimeout:   c.limits.read + c.limits.answer + 10*time.Second,
		IdleTimeout:    c.limits.idle,
		MaxHeaderBytes: int(c.limits.header),
		ConnState:      noteState,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 128,
			// What is received and not yet read is in no budget: keep it to the least.
			MaxReceiveBufferPerConnection: 64 << 10,
			MaxReceiveBufferPerStream:     64 << 10,
		},
		ErrorLog: log.New(panics{logger}, "", 0),
	}
}

// panics logs, of what the server has to say, that the door panicked. The rest is
// of strangers' connections, who could fill the log at will.
type panics struct{ log *service.Logger }

func (p panics) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("http: panic")) {
		p.log.Errorf("Answering a request: %s", line)
	}
	return len(line), nil
}

// listener takes at most so many connections. Over it, the one that has idled
// longest is closed for a new one, so that whoever holds idle ones keeps nobody
// out; if none idles the new one waits.
type listener struct {
	net.Listener
	slots chan struct{}

	mu   sync.Mutex
	open map[*conn]struct{}
}

// conn is a connection that knows since when it idles.
type conn struct {
	net.Conn
	of   *listener
	idle atomic.Int64             // unix nanoseconds; 0 while it serves a request
	tls  atomic.Pointer[tls.Conn] // over it, once it has served a request
	once sync.Once
}

func limitConnections(l net.Listener, most int) *listener {
	return &listener{Listener: l, slots: make(chan struct{}, most), open: map[*conn]struct{}{}}
}

func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.waitForSlot()
	c := &conn{Conn: inner, of: l}
	c.idle.Store(time.Now().UnixNano())
	l.mu.Lock()
	l.open[c] = struct{}{}
	l.mu.Unlock()
	return c, nil
}

func (l *listener) waitForSlot() {
	for {
		select {
		case l.slots <- struct{}{}:
			return
		default:
		}
		if l.closeIdle() {
			continue
		}
		// All serve a request. Look again for one that has come to idle.
		select {
		case l.slots <- struct{}{}:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// closeIdle closes the connection that has idled longest, if one idles.
func (l *listener) closeIdle() bool {
	l.mu.Lock()
	var oldest *conn
	var since int64
	for c := range l.open {
		if idle := c.idle.Load(); idle > 0 && (oldest == nil || idle < since) {
			oldest, since = c, idle
		}
	}
	l.mu.Unlock()
	if oldest == nil {
		return false
	}
	_ = oldest.Close()
	return true
}

// expire ends the wait for what senders have not sent yet, so that they can be
// answered. HTTP/2 shares the connection with answers: there it would end them.
func (l *listener) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if t := c.tls.Load(); t == nil || t.ConnectionState().NegotiatedProtocol != "h2" {
			_ = c.SetReadDeadline(time.Now())
		}
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = c.Conn.Close()
		c.of.mu.Lock()
		delete(c.of.open, c)
		c.of.mu.Unlock()
		<-c.of.slots
	})
	return err
}

// noteState is told by the server what its connections do.
func noteState(nc net.Conn, state http.ConnState) {
	t, over := nc.(*tls.Conn)
	if over {
		nc = t.NetConn()
	}
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case http.StateIdle:
		c.idle.Store(time.Now().UnixNano())
	case http.StateActive:
		c.idle.Store(0)
		if over {
			c.tls.Store(t)
		}
	}
}

// certificates are the TLS configuration of files that may change.
type certificates struct {
	files tlsFiles
	log   *service.Logger

	mu     sync.Mutex
	looked time.Time
	read   [3]time.Time // when the files were changed that config is of
	config *tls.Config
}

const lookEvery = time.Second

func newCertificates(files tlsFiles, log *service.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log}
	changed, err := c.changed()
	if err != nil {
		return nil, err
	}
	if c.config, err = c.load(); err != nil {
		return nil, err
	}
	c.read, c.looked = changed, time.Now()
	return c, nil
}

// get returns the configuration for a new connection. Files that have changed and
// cannot be read leave the last one in force.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEvery {
		return c.config, nil
	}
	c.looked = time.Now()
	changed, err := c.changed()
	if err == nil && changed == c.read {
		return c.config, nil
	}
	config, err2 := c.load()
	if err = errors.Join(err, err2); err != nil {
		c.log.With("error", err.Error()).Error("Keeping the last TLS certificate: the files cannot be read")
		return c.config, nil
	}
	c.config, c.read = config, changed
	c.log.Info("Read a new TLS certificate")
	return c.config, nil
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

func (c *certificates) load() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(c.files.cert, c.files.key)
	if err != nil {
		return nil, fmt.Errorf("reading fields tls.cert_file and tls.key_file: %w", err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if c.files.clientCA != "" {
		pem, err := os.ReadFile(c.files.clientCA)
		if err != nil {
			return nil, fmt.Errorf("reading field tls.client_ca_file: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading field tls.client_ca_file: expected certificates in PEM in %s", c.files.clientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}
