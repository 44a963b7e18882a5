package iec104server

import (
	"slices"

	"busbar/internal/connector"
	"busbar/internal/iec104keys"
)

// listens returns the address that is listened on, if there is one.
func (s Settings) listens() []string {
	if s.Listen == "" {
		return nil
	}
	return []string{s.Listen}
}

// checkPlaces reports faults of where the server listens and whom it dials.
func (s *Settings) checkPlaces() (problems []connector.Problem) {
	switch {
	case s.Listen == "" && len(s.Dial) == 0:
		return []connector.Problem{connector.Faultf("listen", "is missing, want the address to listen on, host:port, or dial")}
	case s.Listen == "" && len(s.Allow.Prefixes) > 0:
		problems = append(problems, connector.Faultf("allow", "has %s, but only names of certificates have an effect without listen", s.Allow.Prefixes[0]))
	case s.Listen == "":
	case !iec104keys.HostPort(s.Listen):
		problems = append(problems, connector.Faultf("listen", "is %q, want host:port such as 127.0.0.1:2404", s.Listen))
	case !iec104keys.Loopback(iec104keys.HostOf(s.Listen)) && !s.Allow.Given:
		problems = append(problems, connector.Faultf("allow", "is missing, want the addresses of the controlling stations, "+
			"or any, because %s is reached from other machines", s.Listen))
	}
	for i, addr := range s.Dial {
		if !iec104keys.HostPort(addr) || iec104keys.HostOf(addr) == "" {
			problems = append(problems, connector.Faultf("dial", "has %q, want host:port such as control.example:2404", addr))
		}
		if slices.Contains(s.Dial[:i], addr) {
			problems = append(problems, connector.Faultf("dial", "has %q twice, want each address once", addr))
		}
	}
	return problems
}
