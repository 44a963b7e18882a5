package connector

import (
	"net"
	"net/netip"
	"strings"

	"busbar/internal/plant"
)

// checkAddresses compares the addresses of a connector with those of all
// others that run: two cannot listen on the same, and one that dials another goes a way
// round that the points need not go.
func (r *Registry) checkAddresses(c *plant.Cross) []Problem {
	mine := r.kinds[c.Connector.Kind].spec
	var problems []Problem
	for i := range c.Plant.Connectors {
		other := &c.Plant.Connectors[i]
		kind, ok := r.kinds[other.Kind]
		if !ok || other.ID == c.Connector.ID || other.Disabled || c.Connector.Disabled {
			continue
		}
		for _, theirs := range kind.spec.listens(other.Settings) {
			if other.ID < c.Connector.ID {
				for _, addr := range mine.listens(c.Connector.Settings) {
					if collide(addr, theirs) {
						problems = append(problems, Faultf("", "listens on %s, where connector %q listens", addr, other.ID))
					}
				}
			}
			for _, addr := range mine.dials(c.Connector.Settings) {
				if reaches(addr, theirs) {
					problems = append(problems, Warnf("", "connects to %s, where connector %q of this plant listens: points can name %q themselves",
						addr, other.ID, other.ID))
				}
			}
		}
	}
	return problems
}

// collide reports whether the same process cannot listen on both addresses, as
// far as they show it. What "localhost" means is the machine's to say, any
// loopback address: it is taken as a collision with each.
func collide(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return isWildcard(hostA) || isWildcard(hostB) || sameHost(hostA, hostB) ||
		isLocalhost(hostA) && isLoopback(hostB) || isLoopback(hostA) && isLocalhost(hostB)
}

// sameHost reports whether two hosts are one, in whatever form they are written.
func sameHost(a, b string) bool {
	addrA, errA := netip.ParseAddr(a)
	addrB, errB := netip.ParseAddr(b)
	if errA != nil || errB != nil {
		return strings.EqualFold(a, b)
	}
	return addrA.Unmap() == addrB.Unmap()
}

// reaches reports whether a connection to dial ends at the listener of this
// machine, as far as the addresses show it.
func reaches(dial, listen string) bool {
	host, port, err := net.SplitHostPort(dial)
	listenHost, listenPort, listenErr := net.SplitHostPort(listen)
	if err != nil || listenErr != nil || port != listenPort {
		return false
	}
	return sameHost(host, listenHost) || isLoopback(host) && (isLoopback(listenHost) || isWildcard(listenHost))
}

func isWildcard(host string) bool {
	if host == "" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsUnspecified()
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return isLocalhost(host) || err == nil && addr.Unmap().IsLoopback()
}

func isLocalhost(host string) bool { return strings.EqualFold(host, "localhost") }
