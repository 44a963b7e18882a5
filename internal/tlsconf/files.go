package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"busbar/internal/pki"
)

// maxFile is the longest file that is read, in octets.
const maxFile = 64 << 20

// material is what was read from the files, at one time. It is not changed.
type material struct {
	texts         [][]byte // of the files, to see whether they have changed
	own           *tls.Certificate
	roots         *x509.CertPool // nil: those of the system
	intermediates []*x509.Certificate
	authorities   []*x509.Certificate // of the file ca
	lists         []*revocationList
}

// readFiles returns the texts of the files.
func readFiles(files []file) ([][]byte, error) {
	texts := make([][]byte, len(files))
	for i, f := range files {
		var err error
		if texts[i], err = readFile(f.path); err != nil {
			return nil, fmt.Errorf("%s: %w", f.key, err)
		}
	}
	return texts, nil
}

// readFile reads a regular file: another one could make us wait.
func readFile(path string) (text []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: is longer than %d MiB", path, maxFile>>20)
	}
	return text, err
}

func sameTexts(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// parse makes material of the texts of the files, in the order of [Settings.files].
func (s *Settings) parse(texts [][]byte) (*material, error) {
	m := &material{texts: texts}
	next := func() []byte {
		text := texts[0]
		texts = texts[1:]
		return text
	}
	if s.CA != "" {
		if err := m.trust(next()); err != nil {
			return nil, fmt.Errorf("tls.ca: %s: %w", s.CA, err)
		}
	}
	if s.Cert != "" {
		cert := next()
		if err := m.show(cert, next()); err != nil {
			return nil, fmt.Errorf("tls.cert: %s with the key %s: %w", s.Cert, s.Key, err)
		}
	}
	for _, file := range s.CRL {
		lists, err := parseLists(next())
		if err != nil {
			return nil, fmt.Errorf("tls.crl: %s: %w", file, err)
		}
		for _, l := range lists {
			l.file = file
		}
		m.lists = append(m.lists, lists...)
	}
	return m, nil
}

// trust takes the certificates of authorities. Those whose issuer is there too
// are links of a chain; the others are where a chain may end.
func (m *material) trust(text []byte) error {
	certs, err := parseCerts(text)
	if err != nil {
		return err
	}
	m.authorities = certs
	m.roots = x509.NewCertPool()
	for _, cert := range certs {
		linked := !bytes.Equal(cert.RawIssuer, cert.RawSubject) && slices.ContainsFunc(certs, func(other *x509.Certificate) bool {
			return bytes.Equal(cert.RawIssuer, other.RawSubject)
		})
		if linked {
			m.intermediates = append(m.intermediates, cert)
		} else {
			m.roots.AddCert(cert)
		}
	}
	return nil
}

// parseCerts reads certificates from PEM, or one from DER.
func parseCerts(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	if bytes.HasPrefix(text, []byte{0x30}) {
		return x509.ParseCertificates(text)
	}
	var others []string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			others = append(others, block.Type)
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("has no certificate" + butHas(others))
	}
	return certs, nil
}

// butHas names the PEM blocks that there are instead of those wanted.
func butHas(types []string) string {
	if len(types) == 0 {
		return ", want PEM or DER"
	}
	return ", but " + strings.Join(types, ", ")
}

// show takes our own certificate.
func (m *material) show(cert, key []byte) error {
	if bytes.Contains(key, []byte("ENCRYPTED")) {
		return errors.New("the key is encrypted, want it without passphrase")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "tls: "))
	}
	if weak := weakness(pair.Leaf); weak != "" {
		return errors.New("the certificate " + weak)
	}
	m.own = &pair
	return nil
}

// weakness says what is wrong with key or signature of a certificate; empty:
// nothing.
func weakness(cert *x509.Certificate) string {
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "is signed with " + cert.SignatureAlgorithm.String() + ", want SHA-256"
	}
	return pki.WeakKey(cert.PublicKey)
}

// expiryWarning is how long before its end a certificate is warned about; one that
// lives for less than three months, in its last third.
const expiryWarning = 30 * 24 * time.Hour

// problems returns what an operator should know before it hurts.
func (m *material) problems(now time.Time, role Role) []string {
	var problems []string
	about := func(what string, cert *x509.Certificate) {
		switch {
		case now.After(cert.NotAfter):
			problems = append(problems, what+" "+cert.Subject.String()+" has expired on "+date(cert.NotAfter))
		case now.Before(cert.NotBefore):
			problems = append(problems, what+" "+cert.Subject.String()+" is not valid before "+date(cert.NotBefore)+"; here it is "+date(now))
		case cert.NotAfter.Sub(now) < min(expiryWarning, cert.NotAfter.Sub(cert.NotBefore)/3):
			problems = append(problems, what+" "+cert.Subject.String()+" expires on "+date(cert.NotAfter))
		}
	}
	if m.own != nil {
		about("certificate", m.own.Leaf)
		if wrong := wrongUse(m.own.Leaf, role); wrong != "" {
			problems = append(problems, "certificate "+m.own.Leaf.Subject.String()+" "+wrong)
		}
	}
	for _, cert := range m.authorities {
		about("authority", cert)
	}
	return append(problems, m.listProblems(now)...)
}

// wrongUse says that a certificate is not for a role; empty: it is.
func wrongUse(cert *x509.Certificate, role Role) string {
	lacks := func(use x509.ExtKeyUsage) bool {
		return len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) > 0 &&
			!slices.Contains(cert.ExtKeyUsage, use) && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
	}
	switch {
	case role&Server != 0 && lacks(x509.ExtKeyUsageServerAuth):
		return "is not for servers, which peers may refuse"
	case role&Client != 0 && lacks(x509.ExtKeyUsageClientAuth):
		return "is not for clients, which peers may refuse"
	default:
		return ""
	}
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
