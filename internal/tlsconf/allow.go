package tlsconf

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"busbar/internal/connector"
)

// Allow is a list of peers by what their certificates say. Empty allows whoever
// an authority has given a certificate.
type Allow []Name

// Name is one entry of an allow-list, made by [ParseName]:
//
//   - sha256:… the fingerprint of the certificate, 64 hexadecimal digits with or
//     without colons; sha256: may be left out,
//   - CN=scada1 the common name,
//   - CN=scada1,O=Plant the whole subject, in either order,
//   - anything else: the common name, or one of the alternative names.
type Name struct {
	kind nameKind
	text string
	// rdns are the attributes of a whole subject, in the order written.
	rdns []string
}

type nameKind uint8

const (
	anyName nameKind = iota
	fingerprint
	commonName
	wholeSubject
)

// ParseName reads one entry of an allow-list.
func ParseName(text string) (Name, error) {
	text = strings.TrimSpace(text)
	digits := strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(text), "sha256:"), ":", "")
	switch {
	case isHex(digits) && len(digits) == 64:
		return Name{kind: fingerprint, text: "sha256:" + digits}, nil
	case strings.HasPrefix(strings.ToLower(text), "sha256:"):
		return Name{}, fmt.Errorf("has %s, want sha256: and 64 hexadecimal digits", text)
	case strings.Contains(text, "="):
		rdns, err := parseSubject(text)
		if err != nil {
			return Name{}, fmt.Errorf("has %s: %w", text, err)
		}
		if cn, ok := strings.CutPrefix(rdns[0], "CN="); ok && len(rdns) == 1 {
			return Name{kind: commonName, text: cn}, nil
		}
		return Name{kind: wholeSubject, text: text, rdns: rdns}, nil
	case text == "":
		return Name{}, errors.New("has an empty name")
	case strings.Contains(text, "*"):
		return Name{}, fmt.Errorf("has %s, want each name without *", text)
	case strings.Contains(text, "/") && !strings.Contains(text, "://"):
		return Name{}, fmt.Errorf("has %s, want what certificates say: a name, CN=…, a whole subject or sha256:…", text)
	}
	return Name{kind: anyName, text: text}, nil
}

func isHex(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil
}

// UnmarshalNode implements plant.NodeDecoder.
func (a *Allow) UnmarshalNode(n *connector.Node) error {
	*a = nil
	for _, item := range n.Items {
		text, err := item.Str()
		if err != nil {
			return errors.New("want a list of names and fingerprints of certificates")
		}
		name, err := ParseName(text)
		if err != nil {
			return err
		}
		*a = append(*a, name)
	}
	if len(*a) == 0 {
		return errors.New("names nobody, want a list of names and fingerprints of certificates")
	}
	return nil
}

// String returns the entry.
func (n Name) String() string {
	if n.kind == commonName {
		return "CN=" + n.text
	}
	return n.text
}

// Match reports whether the list has the certificate. An empty list has none.
func (a Allow) Match(i *Identity) bool {
	return slices.ContainsFunc(a, func(n Name) bool { return n.Match(i) })
}

// Match reports whether the entry means the certificate.
func (n Name) Match(i *Identity) bool {
	switch n.kind {
	case fingerprint:
		return n.text == i.Fingerprint
	case commonName:
		return n.text == i.CommonName
	case wholeSubject:
		rdns, err := parseSubject(i.Subject)
		if err != nil {
			return false
		}
		if slices.Equal(rdns, n.rdns) {
			return true
		}
		slices.Reverse(rdns)
		return slices.Equal(rdns, n.rdns)
	default:
		return strings.EqualFold(n.text, i.CommonName) || slices.ContainsFunc(i.Names, func(name string) bool { return sameHost(n.text, name) })
	}
}

// Overlaps reports whether there is a certificate that both entries mean, as far as
// they tell: a fingerprint does not say whose it is, and a certificate may have
// further names.
func (n Name) Overlaps(o Name) bool {
	switch {
	case n.kind == fingerprint || o.kind == fingerprint:
		return n.kind == o.kind && n.text == o.text
	case n.kind == wholeSubject && o.kind == wholeSubject:
		reversed := slices.Clone(o.rdns)
		slices.Reverse(reversed)
		return slices.Equal(n.rdns, o.rdns) || slices.Equal(n.rdns, reversed)
	case n.kind == anyName && o.kind == anyName:
		return sameHost(n.text, o.text)
	case n.kind == anyName || o.kind == anyName:
		return strings.EqualFold(n.common(), o.common())
	default:
		return n.common() == o.common()
	}
}

// common returns the common name that an entry asks for.
func (n Name) common() string {
	for _, rdn := range n.rdns {
		if cn, ok := strings.CutPrefix(rdn, "CN="); ok {
			return cn
		}
	}
	if n.kind == wholeSubject {
		return ""
	}
	return n.text
}

// sameHost compares names of hosts, or addresses, in whatever way they are written.
func sameHost(a, b string) bool {
	if x, err := netip.ParseAddr(a); err == nil {
		y, err := netip.ParseAddr(b)
		return err == nil && x.Unmap() == y.Unmap()
	}
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// parseSubject splits a subject at commas and pluses into attributes "TYPE=value".
// A backslash takes away the meaning of what follows.
func parseSubject(text string) ([]string, error) {
	var rdns []string
	var current strings.Builder
	end := func() error {
		kind, value, ok := strings.Cut(current.String(), "=")
		kind, value = strings.ToUpper(strings.TrimSpace(kind)), strings.TrimSpace(value)
		if !ok || kind == "" || value == "" {
			return errors.New("want a subject such as CN=scada1,O=Plant")
		}
		rdns = append(rdns, kind+"="+value)
		current.Reset()
		return nil
	}
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			current.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ',' || r == '+':
			if err := end(); err != nil {
				return nil, err
			}
		default:
			current.WriteRune(r)
		}
	}
	return rdns, end()
}

// JSONSchema implements plant.Describer.
func (Allow) JSONSchema() connector.Schema {
	return connector.Schema{"type": "array", "items": connector.TextSchema(), "minItems": 1}
}
