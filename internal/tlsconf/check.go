package tlsconf

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// check decides whether a peer that has shown these certificates is let in, at
// the handshake and while it is connected. host is the one that was dialled;
// empty for a client. until is when the answer has to be found again.
func (s *Settings) check(m *material, role Role, certs []*x509.Certificate, host string, now time.Time) (until time.Time, fault *Error) {
	chains, err := certs[0].Verify(m.options(role, certs, now))
	if err != nil {
		fault = m.explainVerify(err, certs, role, now)
	} else {
		for _, chain := range chains { // one that is in order is enough
			if until, fault = s.checkChain(m, chain, now); fault == nil {
				break
			}
		}
	}
	if fault == nil {
		fault = s.checkName(certs[0], role, host)
	}
	if fault != nil {
		fault.Peer = identityOf(certs[0])
	}
	return until, fault
}

// options are how a peer is verified. The role is ours.
func (m *material) options(role Role, certs []*x509.Certificate, now time.Time) x509.VerifyOptions {
	o := x509.VerifyOptions{
		Roots: m.roots, Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if role == Client {
		o.KeyUsages[0] = x509.ExtKeyUsageServerAuth
	}
	for _, cert := range m.intermediates {
		o.Intermediates.AddCert(cert)
	}
	for _, cert := range certs[1:] {
		o.Intermediates.AddCert(cert)
	}
	return o
}

func (s *Settings) checkChain(m *material, chain []*x509.Certificate, now time.Time) (until time.Time, fault *Error) {
	for i, cert := range chain {
		weak := weakness(cert)
		if i == len(chain)-1 && i > 0 && weak != "" && strings.HasPrefix(weak, "is signed") {
			weak = "" // nobody relies on the signature of what is trusted as such
		}
		if weak != "" {
			return until, &Error{Reason: WeakCertificate, Text: "certificate " + cert.Subject.String() + " " + weak}
		}
		until = sooner(until, cert.NotAfter)
	}
	lists, fault := m.revoked(chain, now, s.hard())
	return sooner(until, lists), fault
}

// checkName looks whether the peer is the one that is wanted.
func (s *Settings) checkName(cert *x509.Certificate, role Role, host string) *Error {
	id := identityOf(cert)
	if len(s.Allow) > 0 && !s.Allow.Match(id) {
		return &Error{Reason: NotAllowed, Text: "the certificate is not on the allow-list, want " + s.Allow.some()}
	}
	want := s.ServerName
	switch {
	case role == Server || want == "" && len(s.Allow) > 0:
		return nil
	case want == "":
		want = host
	}
	if cert.VerifyHostname(want) != nil {
		text := "the certificate is not for " + want
		if len(id.Names) == 0 {
			text += ": it has no alternative names; name it by CN=" + id.CommonName + " in allow"
		} else {
			text += " but for " + strings.Join(id.Names, ", ") + "; want one of these as serverName, or the peer in allow"
		}
		return &Error{Reason: WrongName, Text: text}
	}
	return nil
}

// some returns the beginning of the list.
func (a Allow) some() string {
	const most = 5
	var words []string
	for _, n := range a[:min(len(a), most)] {
		words = append(words, n.String())
	}
	text := strings.Join(words, " or ")
	if len(a) > most {
		text += fmt.Sprintf(" or one of %d more", len(a)-most)
	}
	return text
}

// explainVerify makes a reason of what Go says of a chain.
func (m *material) explainVerify(err error, certs []*x509.Certificate, role Role, now time.Time) *Error {
	fault := &Error{Reason: ProtocolError, Text: strings.TrimPrefix(err.Error(), "x509: "), Err: err}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return fault.invalid(invalid, role, now)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		return fault
	}
	// Go says the same of a chain whose links are expired or weak as of an unknown one.
	for _, cert := range certs {
		if weak := weakness(cert); weak != "" {
			fault.Reason, fault.Text = WeakCertificate, "certificate "+cert.Subject.String()+" "+weak
			return fault
		}
	}
	last := certs[len(certs)-1]
	for _, cert := range slices.Concat(certs[1:], m.authorities) {
		if now.After(cert.NotAfter) && bytes.Equal(cert.RawSubject, issuerIn(certs, cert)) {
			return fault.expired(cert, now)
		}
	}
	fault.Reason = UnknownAuthority
	fault.Text = "the certificate is signed by " + last.Issuer.String() + ", want " + m.anchors()
	for _, cert := range m.authorities {
		if bytes.Equal(cert.RawSubject, last.RawIssuer) {
			fault.Text = "the certificate is signed by another " + last.Issuer.String() + " than the one of tls.ca, with another key"
		}
	}
	return fault
}

// issuerIn returns the subject of cert if one of the certificates names it as its
// issuer.
func issuerIn(certs []*x509.Certificate, cert *x509.Certificate) []byte {
	for _, c := range certs {
		if bytes.Equal(c.RawIssuer, cert.RawSubject) {
			return c.RawIssuer
		}
	}
	return nil
}

// anchors names the authorities that are trusted.
func (m *material) anchors() string {
	if m.roots == nil {
		return "one that this system trusts, or its authority in tls.ca"
	}
	const most = 5
	var words []string
	for _, cert := range m.authorities[:min(len(m.authorities), most)] {
		words = append(words, cert.Subject.String())
	}
	return strings.Join(words, " or ") + " of tls.ca"
}

func (e *Error) invalid(err x509.CertificateInvalidError, role Role, now time.Time) *Error {
	switch err.Reason {
	case x509.Expired:
		return e.expired(err.Cert, now)
	case x509.IncompatibleUsage:
		e.Reason, e.Text = WrongUse, "the certificate is not for "+peerOf(role)+", want the extended key usage "+usageOf(role)
	case x509.NotAuthorizedToSign, x509.TooManyIntermediates:
		e.Reason = WrongUse
	}
	return e
}

func (e *Error) expired(cert *x509.Certificate, now time.Time) *Error {
	if now.Before(cert.NotBefore) {
		e.Reason = NotYetValid
		e.Text = "certificate " + cert.Subject.String() + " is not valid before " + date(cert.NotBefore) + "; here it is " + date(now)
		return e
	}
	e.Reason = Expired
	e.Text = "certificate " + cert.Subject.String() + " has expired on " + date(cert.NotAfter) + "; here it is " + date(now)
	return e
}

func peerOf(role Role) string {
	if role == Server {
		return "clients"
	}
	return "servers"
}

func usageOf(role Role) string {
	if role == Server {
		return "clientAuth"
	}
	return "serverAuth"
}

// hostOf returns the host of an address host:port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
