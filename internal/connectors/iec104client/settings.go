package iec104client

import (
	"fmt"
	"slices"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/linkprofile"
	"busbar/internal/tlsconf"
)

// Settings are the keys of a connector of kind iec104-client.
type Settings struct {
	Addresses []string         `json:"addresses" min:"1" doc:"addresses of the station, host:port, at most 8"`
	Single    bool             `json:"singleConnection" doc:"connect to one address at a time, for stations that take no standby connection"`
	Listen    string           `json:"listen" doc:"address to listen on, host:port, for a station that dials out (reverse connect); in place of addresses"`
	Allow     iec104keys.Allow `json:"allow" doc:"of listen: addresses and CIDR ranges of the station, with tls also names of its certificate, or any; required when listen is not loopback"`

	TLS tlsconf.Settings `json:"tls" doc:"certificates of both sides, as IEC 62351-3 has it; without it the connection is not encrypted"`

	Profile linkprofile.Name `json:"profile" doc:"link profile that the other keys have their defaults from, see busbar profiles"`

	K  int           `json:"k" min:"1" max:"32767" doc:"most I frames sent and not acknowledged"`
	W  int           `json:"w" min:"1" max:"32767" doc:"I frames received after which an acknowledgement is sent at the latest"`
	T0 time.Duration `json:"t0" min:"1s" max:"255s" doc:"longest wait for a connection"`
	T1 time.Duration `json:"t1" min:"1s" max:"255s" doc:"longest wait for an acknowledgement or confirmation"`
	T2 time.Duration `json:"t2" min:"1s" max:"255s" doc:"longest delay of an acknowledgement, less than t1"`
	T3 time.Duration `json:"t3" min:"1s" max:"48h" doc:"silence after which the link is tested"`

	Octets iec104keys.Octets `json:"octets" doc:"octets of cause, common address and information object address"`

	Originator int             `json:"originator" max:"255" doc:"originator address of requests and commands; 0 is none"`
	Time       iec104keys.Zone `json:"time" doc:"clock of time tags, received and sent: utc, local or an IANA time zone"`
	SummerTime bool            `json:"summerTime" doc:"SU is used where time tags show local time: set in summer in those sent, and looked at in those received"`
	Weekday    bool            `json:"weekday" doc:"put the day of the week into time tags; otherwise it is 0, not used"`

	GI            Period `json:"gi" doc:"period of the general interrogation; off: only after a connection and a restart of the station"`
	Counters      Period `json:"counters" doc:"period of the counter interrogation, aligned to the clock, a part of a day; off"`
	CounterFreeze string `json:"counterFreeze" enum:"none,freeze,reset" doc:"what goes before the counters are read: nothing, a freeze, or a freeze with reset"`
	CounterGroup  int    `json:"counterGroup" max:"4" doc:"group of counters, 1 to 4; 0: all"`
	Clock         Period `json:"clock" doc:"period of clock synchronisation; off"`
}

func defaults() Settings {
	s := Settings{GI: Period(15 * time.Minute), CounterFreeze: "none"}
	s.follow(linkprofile.Of(&connector.Node{}))
	return s
}

// Preset implements [connector.Presetter]: what no key says is that of the profile.
func (s *Settings) Preset(keys *connector.Node) { s.follow(linkprofile.Of(keys)) }

// follow takes over what a profile has for a controlling station.
func (s *Settings) follow(p linkprofile.Profile) {
	link := &p.Params
	s.K, s.W, s.T0, s.T1, s.T2, s.T3 = link.K, link.W, link.T0, link.T1, link.T2, link.T3
	s.Octets = iec104keys.Octets{Cause: link.Sizes.COT, CA: link.Sizes.CA, IOA: link.Sizes.IOA}
	s.Time = iec104keys.Zone{Location: time.UTC}
	if p.LocalTime {
		s.Time = iec104keys.Zone{Location: time.Local}
	}
	s.SummerTime, s.Weekday = p.SummerTime, p.Weekday
}

// Validate implements connector.Validator.
func (s *Settings) Validate() []connector.Problem {
	problems := s.checkPlaces()
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
	if s.Octets.Cause == 1 && s.Originator != 0 {
		problems = append(problems, connector.Faultf("originator", "is %d, which has no place, because octets.cause is 1", s.Originator))
	}
	problems = append(problems, s.Allow.NeedsTLS("allow", s.TLS.Enabled())...)
	return append(problems, s.TLS.Problems("tls", s.use())...)
}

// security returns the keys of TLS with the names of allow among the peers. A
// connection is renewed once per day unless they say otherwise.
func (s *Settings) security() tlsconf.Settings {
	t := s.TLS
	t.Allow = slices.Concat(t.Allow, s.Allow.Names)
	if t.MaxAge == 0 {
		t.MaxAge = 24 * time.Hour
	}
	return t
}

// params returns the parameters of the link.
func (s *Settings) params() iec104.Params {
	return iec104.Params{K: s.K, W: s.W, T0: s.T0, T1: s.T1, T2: s.T2, T3: s.T3, Sizes: s.Octets.Sizes()}
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

// JSONSchema implements plant.Describer.
func (p Period) JSONSchema() connector.Schema {
	d := connector.DurationSchema()
	d["x-minimum"], d["x-maximum"] = minPeriod.String(), maxPeriod.String()
	s := connector.Schema{"anyOf": []connector.Schema{d, {"const": "off"}}, "default": "off"}
	if p != 0 {
		s["default"] = time.Duration(p).String()
	}
	return s
}
