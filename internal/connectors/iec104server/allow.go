package iec104server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// Allow is a list of controlling stations: by address, and with TLS also by what
// their certificates say.
type Allow struct {
	prefixes []netip.Prefix
	names    tlsconf.Allow
	given    bool // without entries: any
}

// UnmarshalNode implements plant.NodeDecoder.
func (a *Allow) UnmarshalNode(n *connector.Node) error {
	*a = Allow{given: true}
	if text, err := n.Str(); err == nil {
		if text != "any" {
			return fmt.Errorf("is %s, want a list of addresses, CIDR ranges and names of certificates, or any", text)
		}
		return nil
	}
	for _, item := range n.Items {
		text, err := item.Str()
		if err != nil {
			return fmt.Errorf("want addresses, CIDR ranges and names of certificates, or any")
		}
		if err := a.add(text); err != nil {
			return err
		}
	}
	if len(n.Items) == 0 {
		return fmt.Errorf("names nobody, want addresses, CIDR ranges and names of certificates, or any")
	}
	return nil
}

// add appends an entry. What is no address and does not look like one is the name
// of a certificate.
func (a *Allow) add(text string) error {
	if p, err := parsePrefix(text); err == nil {
		a.prefixes = append(a.prefixes, p)
		return nil
	}
	name, err := tlsconf.ParseName(text)
	if err != nil || strings.Trim(text, "0123456789.") == "" {
		return fmt.Errorf("has %s, want an address such as 10.0.0.5, a CIDR range such as 10.0.0.0/24, "+
			"or with tls what a certificate says: CN=scada1, a name or sha256:…", text)
	}
	a.names = append(a.names, name)
	return nil
}

// needsTLS reports names that are there without TLS.
func (a *Allow) needsTLS(path string, s *Settings) []connector.Problem {
	if len(a.names) == 0 || s.TLS.Enabled() {
		return nil
	}
	return []connector.Problem{connector.Faultf(path, "has %s, which is no address or CIDR range but the name of a certificate: "+
		"names need tls", a.names[0])}
}

// parsePrefix reads an address or a range. Those of IPv4 may be written as IPv6
// (::ffff:10.0.0.5): peers are compared as IPv4 then.
func parsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		const mapped = 96 // bits before the IPv4 address
		if p.Addr().Is4In6() && p.Bits() >= mapped {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
		}
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
}

// any reports whether everybody is meant.
func (a *Allow) any() bool { return a.given && len(a.prefixes) == 0 && len(a.names) == 0 }

// has reports whether an address is in one of the ranges.
func (a *Allow) has(addr netip.Addr) bool {
	return slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
