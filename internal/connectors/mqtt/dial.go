package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"

	paho "github.com/eclipse/paho.mqtt.golang"

	"busbar/internal/tlsconf"
)

// dialer returns what connects to the broker of the settings, without a word of
// MQTT.
func dialer(e *tlsconf.Endpoint) func(context.Context, Settings) (net.Conn, error) {
	return func(ctx context.Context, s Settings) (net.Conn, error) {
		u, err := url.Parse(s.URL)
		if err != nil {
			return nil, fmt.Errorf("url: %w", err)
		}
		switch u.Scheme {
		case "mqtts":
			return e.DialContext(ctx, "tcp", address(u))
		case "wss":
			conn, err := e.Adopt(u.Hostname(), func(config *tls.Config) (net.Conn, error) { return dialWebSocket(ctx, u, config) })
			if err != nil {
				return nil, err
			}
			return conn, nil
		case "ws":
			return dialWebSocket(ctx, u, nil)
		default:
			var d net.Dialer
			return d.DialContext(ctx, "tcp", address(u))
		}
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
