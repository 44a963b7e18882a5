package tlsconf

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"busbar/internal/pki"
)

// revocationList is a list of revoked certificates.
type revocationList struct {
	file    string
	list    *x509.RevocationList
	entries map[string]*x509.RevocationListEntry // by serial number

	mu    sync.Mutex
	byKey map[string]bool // whether the key of an issuer has signed it
}

// The extensions that a list may have though they are critical: none. Lists that
// hold only some of the certificates, or only changes, have one.
var (
	oidDelta   = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidPartial = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidReason  = asn1.ObjectIdentifier{2, 5, 29, 21}
)

// parseLists reads lists of revoked certificates from PEM, or one from DER.
func parseLists(text []byte) ([]*revocationList, error) {
	if bytes.HasPrefix(text, []byte{0x30}) {
		l, err := parseList(text)
		if err != nil {
			return nil, err
		}
		return []*revocationList{l}, nil
	}
	var lists []*revocationList
	var others []string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			others = append(others, block.Type)
			continue
		}
		l, err := parseList(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		return nil, errors.New("has no list of revoked certificates" + butHas(others))
	}
	return lists, nil
}

func parseList(der []byte) (*revocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	for _, ext := range list.Extensions {
		switch {
		case ext.Id.Equal(oidDelta):
			return nil, errors.New("holds only changes (delta CRL), want a complete list")
		case ext.Critical && ext.Id.Equal(oidPartial):
			return nil, errors.New("holds only some of the certificates (issuing distribution point), want a complete list")
		case ext.Critical:
			return nil, fmt.Errorf("has the critical extension %s, which is not known", ext.Id)
		}
	}
	l := &revocationList{list: list, entries: make(map[string]*x509.RevocationListEntry, len(list.RevokedCertificateEntries)), byKey: make(map[string]bool)}
	for i := range list.RevokedCertificateEntries {
		e := &list.RevokedCertificateEntries[i]
		for _, ext := range e.Extensions {
			if ext.Critical && !ext.Id.Equal(oidReason) {
				return nil, fmt.Errorf("entry %x has the critical extension %s, which is not known", e.SerialNumber, ext.Id)
			}
		}
		l.entries[serialKey(e.SerialNumber)] = e
	}
	return l, nil
}

// serialKey tells serial numbers apart, also negative ones, which are faulty but
// occur.
func serialKey(n *big.Int) string { return n.Text(62) }

// of reports whether the list is signed by the issuer.
func (l *revocationList) of(issuer *x509.Certificate) bool {
	if !bytes.Equal(l.list.RawIssuer, issuer.RawSubject) {
		return false
	}
	key := string(issuer.Raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	signed, known := l.byKey[key]
	if !known {
		signed = l.list.CheckSignatureFrom(issuer) == nil
		if len(l.byKey) < 100 { // the issuer may come from a peer
			l.byKey[key] = signed
		}
	}
	return signed
}

func (l *revocationList) expired(now time.Time) bool {
	return !l.list.NextUpdate.IsZero() && now.After(l.list.NextUpdate)
}

// listOf returns the newest list of an issuer; nil: there is none.
func (m *material) listOf(issuer *x509.Certificate) *revocationList {
	var newest *revocationList
	for _, l := range m.lists {
		if l.of(issuer) && (newest == nil || l.list.ThisUpdate.After(newest.list.ThisUpdate)) {
			newest = l
		}
	}
	return newest
}

// revoked checks the certificates of a chain, but for its end, which is trusted
// as such. With hard each must have a list that is valid. It returns until when
// that holds; zero: without end.
func (m *material) revoked(chain []*x509.Certificate, now time.Time, hard bool) (until time.Time, fault *Error) {
	if len(m.lists) == 0 {
		return time.Time{}, nil
	}
	for i, cert := range chain[:len(chain)-1] {
		issuer := chain[i+1]
		l := m.listOf(issuer)
		if l == nil {
			if hard {
				return until, &Error{Reason: NoRevocationList, Text: "there is no list of " + issuer.Subject.String() + " among tls.crl, which crlCheck hard wants"}
			}
			continue
		}
		if e := l.entries[serialKey(cert.SerialNumber)]; e != nil {
			return until, &Error{Reason: Revoked, Text: fmt.Sprintf("certificate %x of %s was revoked on %s, %s",
				cert.SerialNumber, cert.Subject, date(e.RevocationTime), pki.Reason(e.ReasonCode))}
		}
		if !hard || l.list.NextUpdate.IsZero() {
			continue
		}
		if l.expired(now) {
			return until, &Error{Reason: NoRevocationList, Text: "the list of " + issuer.Subject.String() + " in " + l.file +
				" has expired on " + date(l.list.NextUpdate) + ", want a newer one"}
		}
		until = sooner(until, l.list.NextUpdate)
	}
	return until, nil
}

// sooner returns the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// listProblems tells of lists that have expired or are missing.
func (m *material) listProblems(now time.Time) []string {
	var problems []string
	for _, l := range m.lists {
		if l.expired(now) {
			problems = append(problems, "list of revoked certificates "+l.file+" of "+l.list.Issuer.String()+" has expired on "+date(l.list.NextUpdate))
		}
	}
	if len(m.lists) == 0 {
		return nil
	}
	for _, cert := range m.authorities {
		if cert.IsCA && m.listOf(cert) == nil {
			problems = append(problems, "there is no list of revoked certificates of "+cert.Subject.String())
		}
	}
	return problems
}
