package iec104server

import (
	"fmt"
	"net/netip"

	"busbar/internal/connector"
)

// Allow is the allow-list of a server.
type Allow struct {
	prefixes []netip.Prefix // nil with given: any
	given    bool
}

// UnmarshalNode implements plant.NodeDecoder.
func (a *Allow) UnmarshalNode(n *connector.Node) error {
	*a = Allow{given: true}
	if text, err := n.Str(); err == nil {
		if text != "any" {
			return fmt.Errorf("is %s, want a list of addresses and CIDR ranges, or any", text)
		}
		return nil
	}
	a.prefixes = []netip.Prefix{}
	for _, item := range n.Items {
		text, err := item.Str()
		if err != nil {
			return fmt.Errorf("want addresses and CIDR ranges, or any")
		}
		p, err := parsePrefix(text)
		if err != nil {
			return fmt.Errorf("has %s, want an address such as 10.0.0.5 or a CIDR range such as 10.0.0.0/24", text)
		}
		a.prefixes = append(a.prefixes, p)
	}
	if len(a.prefixes) == 0 {
		return fmt.Errorf("names nobody, want addresses and CIDR ranges, or any")
	}
	return nil
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

// any reports whether everybody is allowed on purpose.
func (a *Allow) any() bool { return a.given && a.prefixes == nil }
