// Package pki makes the certificates of a small plant, or of a test: an
// authority, certificates for servers and clients, and the list of those that
// are revoked. It also says what is in such a file.
//
// Certificates begin an hour before they are made, because the clocks of
// gateways go wrong, and have random serial numbers of 127 bits.
package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"
)

// backdate is how long before its making a certificate is valid.
const backdate = time.Hour

// Authority signs certificates and lists of revoked ones.
type Authority struct {
	Cert *x509.Certificate
	key  crypto.Signer
}

// Subject names an authority.
type Subject struct {
	Name         string // common name
	Organization string // may be empty; those who get certificates share it
}

// NewAuthority makes an authority with a certificate of its own that is valid for
// the lifetime from now. It signs end certificates only.
func NewAuthority(s Subject, key crypto.Signer, now time.Time, lifetime time.Duration) (*Authority, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: s.name(),
		NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the authority: %w", err)
	}
	return &Authority{Cert: cert, key: key}, nil
}

func (s Subject) name() pkix.Name {
	n := pkix.Name{CommonName: s.Name}
	if s.Organization != "" {
		n.Organization = []string{s.Organization}
	}
	return n
}

// Request is a certificate to be signed.
type Request struct {
	Name           string   // common name
	Hosts          []string // host names, IP addresses, URIs that it is also valid for
	Server, Client bool     // what it may be used as; at least one
	Key            crypto.PublicKey
	Lifetime       time.Duration // from now; at most as long as the authority
}

// Sign makes a certificate. It ends with the authority at the latest.
func (a *Authority) Sign(r Request, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	if weak := WeakKey(r.Key); weak != "" {
		return nil, errors.New("the request " + weak)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: r.Name, Organization: a.Cert.Subject.Organization},
		NotBefore:    now.Add(-backdate), NotAfter: now.Add(r.Lifetime),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if template.NotAfter.After(a.Cert.NotAfter) {
		template.NotAfter = a.Cert.NotAfter
	}
	if !template.NotAfter.After(now) {
		return nil, fmt.Errorf("the authority has ended on %s", a.Cert.NotAfter.Format(time.DateOnly))
	}
	if r.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if r.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	for _, host := range r.Hosts {
		if err := addHost(template, host); err != nil {
			return nil, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, r.Key, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", r.Name, err)
	}
	return x509.ParseCertificate(der)
}

func addHost(template *x509.Certificate, host string) error {
	switch ip := net.ParseIP(host); {
	case ip != nil:
		template.IPAddresses = append(template.IPAddresses, ip)
	case strings.Contains(host, "://"):
		u, err := url.Parse(host)
		if err != nil {
			return fmt.Errorf("host %q: %w", host, err)
		}
		template.URIs = append(template.URIs, u)
	case host == "" || strings.ContainsAny(host, " :/@,"):
		return fmt.Errorf("host %q: want a host name such as rtu1.plant.example, without port, or an IP address", host)
	default:
		template.DNSNames = append(template.DNSNames, host)
	}
	return nil
}

// newSerial returns a random serial number, which is not 0.
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return serial.Add(serial, big.NewInt(1)), nil
}

// List signs a list of revoked certificates. Its number must be higher than that
// of the list before.
func (a *Authority) List(revoked []x509.RevocationListEntry, number *big.Int, now time.Time, lifetime time.Duration) ([]byte, error) {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: number, ThisUpdate: now.Add(-backdate), NextUpdate: now.Add(lifetime), RevokedCertificateEntries: revoked,
	}, a.Cert, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign the list of revoked certificates: %w", err)
	}
	return der, nil
}
