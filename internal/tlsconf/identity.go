package tlsconf

import (
	"crypto/x509"
	"strings"
	"time"

	"busbar/internal/pki"
)

// Identity is whom a certificate names.
type Identity struct {
	Subject     string   // whole subject, such as "CN=scada1,O=Plant"
	CommonName  string   // of the subject
	Names       []string // alternative names: hosts, addresses, URIs, mail addresses
	Fingerprint string   // "sha256:" and 64 hexadecimal digits
	Issuer      string   // subject of who has signed it
	Serial      string   // hexadecimal
	NotAfter    time.Time
}

func identityOf(cert *x509.Certificate) *Identity {
	return &Identity{
		Subject: cert.Subject.String(), CommonName: cert.Subject.CommonName, Names: pki.Names(cert),
		Fingerprint: pki.Fingerprint(cert), Issuer: cert.Issuer.String(), Serial: cert.SerialNumber.Text(16), NotAfter: cert.NotAfter,
	}
}

// String returns subject, names and fingerprint.
func (i *Identity) String() string {
	text := i.Subject
	if text == "" {
		text = "without subject"
	}
	if len(i.Names) > 0 {
		text += ", names " + strings.Join(i.Names, " ")
	}
	return text + ", " + i.Fingerprint
}

// Name returns what a certificate is called: its subject, or the first of its other
// names, or its fingerprint; empty for nil.
func (i *Identity) Name() string {
	switch {
	case i == nil:
		return ""
	case i.Subject != "":
		return i.Subject
	case len(i.Names) > 0:
		return i.Names[0]
	default:
		return i.Fingerprint
	}
}
