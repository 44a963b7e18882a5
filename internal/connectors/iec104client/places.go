package iec104client

import (
	"slices"

	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/tlsconf"
)

// maxAddresses is how many addresses a station may have.
const maxAddresses = 8

// listens reports whether the station dials out, and is waited for.
func (s *Settings) listens() bool { return s.Listen != "" }

// places returns the addresses that are listened on.
func (s Settings) places() []string {
	if !s.listens() {
		return nil
	}
	return []string{s.Listen}
}

// use is what TLS is used for: both sides show certificates. The side that listens
// is the TLS server.
func (s *Settings) use() tlsconf.Use {
	if s.listens() {
		return tlsconf.Use{Role: tlsconf.Server, Mutual: true}
	}
	return tlsconf.Use{Role: tlsconf.Client, Mutual: true}
}

// checkPlaces reports faults of where the station is.
func (s *Settings) checkPlaces() (problems []connector.Problem) {
	if s.listens() {
		return s.checkListen()
	}
	if len(s.Addresses) == 0 {
		return []connector.Problem{connector.Faultf("addresses", "is missing, want the addresses of the station, host:port, or listen")}
	}
	if len(s.Addresses) > maxAddresses {
		problems = append(problems, connector.Faultf("addresses", "has %d entries, want at most %d", len(s.Addresses), maxAddresses))
	}
	if s.Allow.Given {
		problems = append(problems, connector.Faultf("allow", "has no effect without listen; tls.allow is for the certificate of a station that is dialled"))
	}
	for i, a := range s.Addresses {
		if !iec104keys.HostPort(a) || iec104keys.HostOf(a) == "" {
			problems = append(problems, connector.Faultf("addresses", "has %q, want host:port such as 10.0.0.5:2404", a))
		} else if slices.Contains(s.Addresses[:i], a) {
			problems = append(problems, connector.Faultf("addresses", "has %s twice", a))
		}
	}
	return problems
}

// checkListen reports faults of where a station that dials out is waited for.
func (s *Settings) checkListen() (problems []connector.Problem) {
	if len(s.Addresses) > 0 {
		problems = append(problems, connector.Faultf("addresses", "has no place beside listen: the station is dialled, or dials"))
	}
	if s.Single {
		problems = append(problems, connector.Faultf("singleConnection", "has no meaning with listen: a station that dials out has one connection"))
	}
	switch {
	case !iec104keys.HostPort(s.Listen):
		problems = append(problems, connector.Faultf("listen", "is %q, want host:port such as 127.0.0.1:2404", s.Listen))
	case !iec104keys.Loopback(iec104keys.HostOf(s.Listen)) && !s.Allow.Given:
		problems = append(problems, connector.Faultf("allow", "is missing, want the addresses of the station, "+
			"or any, because %s is reached from other machines", s.Listen))
	}
	return problems
}
