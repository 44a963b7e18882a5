package tlsconf

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"busbar/internal/connector"
)

// TestFiles is the step of a test that the files can be read and are in order.
func (e *Endpoint) TestFiles(t *connector.Test) bool {
	return t.Step("TLS files", func() (string, error) {
		if err := e.Reload(); err != nil {
			return "", err
		}
		e.mu.Lock()
		found := "own certificate: " + e.material.ownSubject()
		e.mu.Unlock()
		if worries := e.Problems(); len(worries) > 0 {
			found += "; " + strings.Join(worries, "; ")
		}
		return found, nil
	})
}

// TestConnect is the step of a test that makes the handshake with a server over a
// connection, which is closed if it fails.
func (e *Endpoint) TestConnect(ctx context.Context, t *connector.Test, raw net.Conn, host string) (conn *Conn, ok bool) {
	ok = t.Step("TLS", func() (detail string, err error) {
		if conn, err = e.Connect(ctx, raw, host); err != nil {
			return "", err
		}
		return conn.describe(), nil
	})
	return conn, ok
}

// describe returns what a handshake has found.
func (c *Conn) describe() string {
	found := ""
	if peer := c.Peer(); peer != nil {
		found = fmt.Sprintf("certificate of %s, of %s, until %s", peer, peer.Issuer, date(peer.NotAfter))
	}
	if t, ok := c.Conn.(*tls.Conn); ok {
		s := t.ConnectionState()
		found += ", " + tls.VersionName(s.Version) + ", " + tls.CipherSuiteName(s.CipherSuite)
	}
	return strings.TrimPrefix(found, ", ")
}
