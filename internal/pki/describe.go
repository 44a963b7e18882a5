package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fingerprint returns the SHA-256 of a certificate as allow-lists take it.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Names returns the alternative names of a certificate: host names, addresses,
// URIs and mail addresses.
func Names(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	return append(names, cert.EmailAddresses...)
}

// Item is what is to say of one certificate, key, list or request in a file.
type Item struct {
	Kind  string  `json:"kind"` // such as "certificate"
	Lines []Field `json:"fields"`
}

// Field is one property of an item.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (i *Item) add(name, format string, args ...any) {
	i.Lines = append(i.Lines, Field{name, fmt.Sprintf(format, args...)})
}

// Describe says what is in a file of PEM blocks, or of one DER structure. Of a
// private key it says the kind only.
func Describe(text []byte, now time.Time) ([]Item, error) {
	var items []Item
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "EC PARAMETERS" { // openssl writes them before a key
			continue
		}
		item, err := describeBlock(block, now)
		if err != nil {
			return items, fmt.Errorf("PEM block %s: %w", block.Type, err)
		}
		items = append(items, item)
	}
	switch {
	case len(items) > 0:
		return items, nil
	case !bytes.HasPrefix(text, []byte{0x30}):
		return nil, errors.New("is neither PEM nor DER")
	}
	for _, label := range []string{certLabel, listLabel, requestLabel, keyLabel, "EC PRIVATE KEY", "RSA PRIVATE KEY"} {
		if item, err := describeBlock(&pem.Block{Type: label, Bytes: text}, now); err == nil {
			return []Item{item}, nil
		}
	}
	return nil, errors.New("is DER, but no certificate, list of revoked certificates, request or private key")
}

func describeBlock(block *pem.Block, now time.Time) (Item, error) {
	switch block.Type {
	case certLabel:
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Item{}, err
		}
		return describeCert(cert, now), nil
	case listLabel:
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return Item{}, err
		}
		return describeList(list, now), nil
	case requestLabel, "NEW CERTIFICATE REQUEST":
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			return Item{}, err
		}
		i := Item{Kind: "certificate signing request"}
		i.add("subject", "%s", request.Subject)
		i.add("names", "%s", list(Names(&x509.Certificate{DNSNames: request.DNSNames, IPAddresses: request.IPAddresses,
			URIs: request.URIs, EmailAddresses: request.EmailAddresses})))
		i.addKey(request.PublicKey)
		return i, nil
	case "ENCRYPTED PRIVATE KEY":
		return Item{Kind: "private key, encrypted: Busbar wants it without passphrase"}, nil
	}
	key, err := parseKey(block)
	if err != nil {
		return Item{}, err
	}
	i := Item{Kind: "private key"}
	i.addKey(key.Public())
	return i, nil
}

func describeCert(cert *x509.Certificate, now time.Time) Item {
	i := Item{Kind: "certificate"}
	if cert.IsCA {
		i.Kind = "certificate of an authority"
	}
	i.add("subject", "%s", cert.Subject)
	if bytes.Equal(cert.RawSubject, cert.RawIssuer) {
		i.add("issuer", "itself")
	} else {
		i.add("issuer", "%s", cert.Issuer)
	}
	i.add("serial", "%x", cert.SerialNumber)
	i.add("valid", "%s", validity(cert.NotBefore, cert.NotAfter, now))
	if !cert.IsCA {
		i.add("names", "%s", list(Names(cert)))
		i.add("use", "%s", uses(cert))
	}
	i.addKey(cert.PublicKey)
	if cert.IsCA {
		i.add("print", "%s", Fingerprint(cert))
		return i
	}
	i.add("allow", "%s", Fingerprint(cert))
	if cert.Subject.CommonName != "" {
		i.add("", "or CN=%s, or %s", cert.Subject.CommonName, cert.Subject)
	}
	return i
}

func (i *Item) addKey(public any) {
	text := DescribeKey(public)
	if der, err := x509.MarshalPKIXPublicKey(public); err == nil {
		sum := sha256.Sum256(der)
		text += fmt.Sprintf(", id %x", sum[:8]) // the same of a key and of its certificate
	}
	if WeakKey(public) != "" {
		text += ", too weak"
	}
	i.add("key", "%s", text)
}

func uses(cert *x509.Certificate) string {
	var words []string
	for _, u := range cert.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			words = append(words, "server")
		case x509.ExtKeyUsageClientAuth:
			words = append(words, "client")
		case x509.ExtKeyUsageAny:
			words = append(words, "any")
		}
	}
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return "any"
	}
	return list(words)
}

func describeList(revoked *x509.RevocationList, now time.Time) Item {
	i := Item{Kind: "list of revoked certificates"}
	i.add("issuer", "%s", revoked.Issuer)
	if revoked.Number != nil {
		i.add("number", "%d", revoked.Number)
	}
	i.add("valid", "%s", validity(revoked.ThisUpdate, revoked.NextUpdate, now))
	i.add("revoked", "%d", len(revoked.RevokedCertificateEntries))
	for _, e := range revoked.RevokedCertificateEntries {
		i.add("", "%x since %s, %s", e.SerialNumber, e.RevocationTime.UTC().Format(time.DateTime), Reason(e.ReasonCode))
	}
	return i
}

func validity(from, to, now time.Time) string {
	text := from.UTC().Format(time.DateTime) + " to " + to.UTC().Format(time.DateTime) + " UTC, "
	switch left := to.Sub(now); {
	case to.IsZero():
		return from.UTC().Format(time.DateTime) + " UTC, without end"
	case now.Before(from):
		return text + "NOT YET VALID"
	case left < 0:
		return text + "EXPIRED"
	case left < 48*time.Hour:
		return text + fmt.Sprintf("%d hours left", int(left.Hours()))
	default:
		return text + fmt.Sprintf("%d days left", int(left.Hours()/24))
	}
}

func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
