package iec104keys

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// Allow is a list of stations that may connect: by address, and with TLS also by
// what their certificates say.
type Allow struct {
	Prefixes []netip.Prefix
	Names    tlsconf.Allow
	Given    bool // without entries: any
}

// UnmarshalNode implements plant.NodeDecoder.
func (a *Allow) UnmarshalNode(n *connector.Node) error {
	*a = Allow{Given: true}
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
		if err := a.Add(text); err != nil {
			return err
		}
	}
	if len(n.Items) == 0 {
		return fmt.Errorf("names nobody, want addresses, CIDR ranges and names of certificates, or any")
	}
	return nil
}

// Add appends an entry. What is no address and does not look like one is the name
// of a certificate.
func (a *Allow) Add(text string) error {
	if p, err := parsePrefix(text); err == nil {
		a.Prefixes = append(a.Prefixes, p)
		return nil
	}
	name, err := tlsconf.ParseName(text)
	if err != nil || strings.Trim(text, "0123456789.") == "" {
		return fmt.Errorf("has %s, want an address such as 10.0.0.5, a CIDR range such as 10.0.0.0/24, "+
			"or with tls what a certificate says: CN=scada1, a name or sha256:…", text)
	}
	a.Names = append(a.Names, name)
	return nil
}

// NeedsTLS reports names that are there without TLS; path is the key of the list.
func (a *Allow) NeedsTLS(path string, secured bool) []connector.Problem {
	if len(a.Names) == 0 || secured {
		return nil
	}
	return []connector.Problem{connector.Faultf(path, "has %s, which is no address or CIDR range but the name of a certificate: "+
		"names need tls", a.Names[0])}
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

// Any reports whether everybody is meant.
func (a *Allow) Any() bool { return a.Given && len(a.Prefixes) == 0 && len(a.Names) == 0 }

// Has reports whether an address is in one of the ranges.
func (a *Allow) Has(addr netip.Addr) bool {
	return slices.ContainsFunc(a.Prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
