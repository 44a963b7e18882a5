package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// handshake is what becomes known of the peer during one handshake. The
// callbacks of Go write it, before the handshake returns.
type handshake struct {
	endpoint *Endpoint
	role     Role   // ours
	host     string // that was dialled
	wire     *wire  // nil: the library dials by itself
	material *material

	hello    bool // of a server: a ClientHello has come
	versions []uint16
	suites   []uint16
	askedFor [][]byte // of a client: subjects of the authorities that the server takes; nil: it did not ask
	asked    bool
	certs    []*x509.Certificate // that the peer has shown, checked
	until    time.Time           // when they are to be checked again
}

// serverConfig is the configuration of a connection that was accepted. The files
// are looked at when the ClientHello has come.
func (h *handshake) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			h.hello, h.versions, h.suites = true, info.SupportedVersions, info.CipherSuites
			m, err := h.endpoint.fresh()
			if err != nil {
				return nil, err
			}
			h.material = m
			c := h.base()
			if m.roots != nil {
				// Go verifies only in order to send the right alert. All that is in
				// tls.ca may end a chain there; h.verify is exact.
				c.ClientAuth = tls.RequireAndVerifyClientCert
				c.ClientCAs = m.roots.Clone()
				for _, cert := range m.intermediates {
					c.ClientCAs.AddCert(cert)
				}
			}
			return c, nil
		},
	}
}

// clientConfig is the configuration of a connection that is made.
func (h *handshake) clientConfig() (*tls.Config, error) {
	m, err := h.endpoint.fresh()
	if err != nil {
		return nil, err
	}
	h.material = m
	c := h.base()
	c.ServerName = h.endpoint.settings.ServerName
	if c.ServerName == "" {
		c.ServerName = h.host
	}
	// h.verify does all of it, with the allow-list in place of the name.
	c.InsecureSkipVerify = true
	// Go would not show a certificate of another authority than those the server
	// asks for, and the server would say that it lacks one.
	c.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		h.asked, h.askedFor = true, info.AcceptableCAs
		if m.own == nil {
			return &tls.Certificate{}, nil
		}
		return m.own, nil
	}
	return c, nil
}

func (h *handshake) base() *tls.Config {
	s := &h.endpoint.settings
	c := &tls.Config{
		MinVersion: s.minVersion(), CipherSuites: s.suites(), SessionTicketsDisabled: true, VerifyConnection: h.verify,
	}
	if h.material.own != nil {
		c.Certificates = []tls.Certificate{*h.material.own}
	}
	return c
}

// verify implements VerifyConnection of [tls.Config].
func (h *handshake) verify(state tls.ConnectionState) error {
	e := h.endpoint
	if len(state.PeerCertificates) == 0 {
		return nil // Go has refused it if there must be one
	}
	if h.role == Server && h.material.roots == nil {
		return nil // it was not asked for
	}
	until, fault := e.settings.check(h.material, h.role, state.PeerCertificates, h.host, time.Now())
	if fault != nil {
		return fault
	}
	h.certs, h.until = state.PeerCertificates, until
	return nil
}
