package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// dial connects to the broker of the settings, without a word of MQTT.
func dial(ctx context.Context, s Settings) (net.Conn, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	var config *tls.Config
	if secure(u.Scheme) {
		if config, err = s.TLS.config(u.Hostname()); err != nil {
			return nil, err
		}
	}
	switch u.Scheme {
	case "mqtts":
		d := tls.Dialer{Config: config}
		return d.DialContext(ctx, "tcp", address(u))
	case "ws", "wss":
		return dialWebSocket(ctx, u, config)
	default:
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address(u))
	}
}

// dialWebSocket connects in a goroutine of its own, as the library knows no
// context; it bounds the attempt itself.
func dialWebSocket(ctx context.Context, u *url.URL, config *tls.Config) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := paho.NewWebsocket(u.String(), config, handshakeTimeout, nil, nil)
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		r := <-done
		if r.err == nil {
			r.err = r.conn.Close()
		}
		return nil, errors.Join(ctx.Err(), r.err)
	}
}

// config makes the settings of one connection. Files are read for every
// connection, so that certificates can be replaced while running.
func (t TLS) config(host string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: no certificate in %s", t.CA)
		}
	}
	if t.Cert != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// secure reports whether a scheme stands for TLS.
func secure(scheme string) bool { return scheme == "mqtts" || scheme == "wss" }

// address returns host and port of a URL.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
