package app

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateAge is how long after they were read the files of the certificate are looked at again.
const certificateAge = 5 * time.Second

// certificate is the certificate of HTTPS. Its files are read again while it is in use; what is
// faulty then is logged once, and the one before stays in force.
type certificate struct {
	log      *slog.Logger
	cert     string
	key      string
	mu       sync.Mutex
	at       time.Time
	texts    [2][]byte
	inForce  *tls.Certificate
	lastFail string
}

// openCertificate reads the files. It fails if they are faulty.
func openCertificate(log *slog.Logger, cert, key string) (*certificate, error) {
	c := &certificate{log: log, cert: cert, key: key}
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// config is that of the listener.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: c.get}
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) >= certificateAge {
		c.reload()
	}
	return c.inForce, nil
}

// Reload reads the files now.
func (c *certificate) Reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reload()
}

func (c *certificate) reload() {
	err := c.read()
	if err == nil {
		c.lastFail = ""
	} else if text := err.Error(); text != c.lastFail {
		c.lastFail = text
		c.log.Warn("certificate of HTTPS is faulty, the one before stays in force", "error", err)
	}
}

func (c *certificate) read() error {
	c.at = time.Now()
	cert, err1 := os.ReadFile(c.cert)
	key, err2 := os.ReadFile(c.key)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("http.tls: %w", err)
	}
	if c.inForce != nil && bytes.Equal(cert, c.texts[0]) && bytes.Equal(key, c.texts[1]) {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("http.tls: %s and %s: %w", c.cert, c.key, err)
	}
	c.inForce, c.texts = &pair, [2][]byte{cert, key}
	return nil
}
