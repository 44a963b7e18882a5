package iec104client

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/tlsconf"
)

// Settings are the keys of a connector of kind iec104-client.
type Settings struct {
	Addresses []string `json:"addresses" required:"true" min:"1" doc:"addresses of the station, host:port, at most 8"`
	Single    bool     `json:"singleConnection" doc:"connect to one address at a time, for stations that take no standby connection"`

	TLS tlsconf.Settings `json:"tls" doc:"certificates of both sides, as IEC 62351-3 has it; without it the connection is not encrypted"`

	K  int           `json:"k" min:"1" max:"32767" doc:"most I frames sent and not acknowledged"`
	W  int           `json:"w" min:"1" max:"32767" doc:"I frames received after which an acknowledgement is sent at the latest"`
	T0 time.Duration `json:"t0" min:"1s" max:"255s" doc:"longest wait for a connection"`
	T1 time.Duration `json:"t1" min:"1s" max:"255s" doc:"longest wait for an acknowledgement or confirmation"`
	T2 time.Duration `json:"t2" min:"1s" max:"255s" doc:"longest delay of an acknowledgement, less than t1"`
	T3 time.Duration `json:"t3" min:"1s" max:"48h" doc:"silence after which the link is tested"`

	Originator int             `json:"originator" max:"255" doc:"originator address of requests and commands; 0 is none"`
	Time       iec104keys.Zone `json:"time" doc:"clock of time tags, received and sent: utc, local or an IANA time zone"`

	GI            Period `json:"gi" doc:"period of the general interrogation; off: only after a connection and a restart of the station"`
	Counters      Period `json:"counters" doc:"period of the counter interrogation, aligned to the clock, a part of a day; off"`
	CounterFreeze string `json:"counterFreeze" enum:"none,freeze,reset" doc:"what goes before the counters are read: nothing, a freeze, or a freeze with reset"`
	CounterGroup  int    `json:"counterGroup" max:"4" doc:"group of counters, 1 to 4; 0: all"`
	Clock         Period `json:"clock" doc:"period of clock synchronisation; off"`
}

func defaults() Settings {
	return Settings{
		K: 12, W: 8, T0: 30 * time.Second, T1: 15 * time.Second, T2: 10 * time.Second, T3: 20 * time.Second,
		Time: iec104keys.Zone{Location: time.UTC}, GI: Period(15 * time.Minute), CounterFreeze: "none",
	}
}

// maxAddresses is how many addresses a station may have.
const maxAddresses = 8

// Validate implements connector.Validator.
func (s *Settings) Validate() []connector.Problem {
	var problems []connector.Problem
	if len(s.Addresses) > maxAddresses {
		problems = append(problems, connector.Faultf("addresses", "has %d entries, want at most %d", len(s.Addresses), maxAddresses))
	}
	for i, a := range s.Addresses {
		if !dialable(a) {
			problems = append(problems, connector.Faultf("addresses", "has %q, want host:port such as 10.0.0.5:2404", a))
		} else if slices.Contains(s.Addresses[:i], a) {
			problems = append(problems, connector.Faultf("addresses", "has %s twice", a))
		}
	}
	if s.W > s.K {
		problems = append(problems, connector.Faultf("w", "is %d, want at most k, which is %d", s.W, s.K))
	} else if 3*s.W > 2*s.K+2 {
		problems = append(problems, connector.Warnf("w", "is %d, the standard recommends at most two thirds of k, which is %d", s.W, s.K))
	}
	if s.T2 >= s.T1 {
		problems = append(problems, connector.Faultf("t2", "is %v, want less than t1, which is %v", s.T2, s.T1))
	}
	if c := time.Duration(s.Counters); c != 0 && (24*time.Hour)%c != 0 {
		problems = append(problems, connector.Faultf("counters", "is %v, want a part of a day such as 15m or 1h", c))
	}
	if s.Counters == 0 && (s.CounterFreeze != "none" || s.CounterGroup != 0) {
		problems = append(problems, connector.Faultf("counters", "is off, so counterFreeze and counterGroup have no meaning"))
	}
	return append(problems, s.TLS.Problems("tls", stationUse())...)
}

// dialable reports whether an address can be connected to, as far as it shows.
func dialable(address string) bool {
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil && host != "" && n > 0
}

// stationUse is what TLS is used for: both sides show certificates.
func stationUse() tlsconf.Use { return tlsconf.Use{Role: tlsconf.Client, Mutual: true} }

// security returns the keys of TLS. A connection is renewed once per day unless
// they say otherwise.
func (s *Settings) security() tlsconf.Settings {
	t := s.TLS
	if t.MaxAge == 0 {
		t.MaxAge = 24 * time.Hour
	}
	return t
}

// params returns the parameters of the link.
func (s *Settings) params() iec104.Params {
	return iec104.Params{K: s.K, W: s.W, T0: s.T0, T1: s.T1, T2: s.T2, T3: s.T3}
}

// Period is the period of a request; 0 is off.
type Period time.Duration

// Limits of a period.
const (
	minPeriod = 10 * time.Second
	maxPeriod = 7 * 24 * time.Hour
)

// UnmarshalNode implements plant.NodeDecoder.
func (p *Period) UnmarshalNode(n *connector.Node) error {
	const want = "want a duration from 10s to 168h, or off"
	*p = 0
	if text, err := n.Str(); err == nil && (text == "off" || text == "0") {
		return nil
	}
	d, err := n.Duration()
	switch {
	case err != nil:
		return fmt.Errorf("%w, or off", err)
	case d < minPeriod || d > maxPeriod:
		return fmt.Errorf("is %v, %s", d, want)
	}
	*p = Period(d)
	return nil
}
