package iec104server

import (
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/linkprofile"
)

// Dialect is the keys of a server in which controlling stations differ, and
// which a link profile sets together.
type Dialect struct {
	Profile linkprofile.Name `json:"profile" doc:"link profile that the other keys have their defaults from, see busbar profiles"`

	MaxAPDU    int    `json:"maxAPDU" min:"40" max:"253" doc:"largest length octet sent"`
	MaxObjects int    `json:"maxObjects" min:"1" max:"127" doc:"most information objects in an ASDU"`
	Octets     Octets `json:"octets" doc:"octets of cause, common address and information object address"`

	SummerTime bool `json:"summerTime" doc:"set SU in time tags that show local time in summer"`
	Weekday    bool `json:"weekday" doc:"put the day of the week into time tags; otherwise it is 0, not used"`

	Interrogation   string `json:"interrogation" enum:"untagged,tagged" doc:"types in answers: without time tag, or that of the target"`
	EndOfInit       bool   `json:"endOfInitialisation" doc:"send M_EI_NA_1 after the start"`
	Originator      string `json:"originator" enum:"mirror,zero" doc:"originator address of answers: that of the request, or none"`
	UnknownRequests string `json:"unknownRequests" enum:"cause,confirmation" doc:"answer to a request of unknown type, cause or address: causes 44 to 47, or a negative confirmation"`
}

// Preset implements [connector.Presetter]: what no key says is that of the profile.
func (s *Settings) Preset(keys *connector.Node) { s.follow(linkprofile.Of(keys)) }

// follow takes over what a profile has for a controlled station.
func (s *Settings) follow(p linkprofile.Profile) {
	link := &p.Params
	s.K, s.W, s.T1, s.T2, s.T3 = link.K, link.W, link.T1, link.T2, link.T3
	s.MaxAPDU, s.MaxObjects = link.MaxAPDU, p.MaxObjects
	s.Octets = Octets{Cause: link.Sizes.COT, CA: link.Sizes.CA, IOA: link.Sizes.IOA}
	s.Time = Zone{Location: time.UTC}
	if p.LocalTime {
		s.Time = Zone{Location: time.Local}
	}
	s.SummerTime, s.Weekday, s.EndOfInit = p.SummerTime, p.Weekday, p.EndOfInit
	s.Interrogation = either(p.Tagged, "tagged", "untagged")
	s.Originator = either(p.MirrorOriginator, "mirror", "zero")
	s.UnknownRequests = either(p.ConfirmUnknown, "confirmation", "cause")
	s.Termination, s.UnknownQualifiers = p.Termination, p.UnknownQualifiers
	s.LateCommands, s.CommandAge = p.LateCommands, p.CommandAge
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// unstamped returns the bits of time tags that are not sent.
func (d *Dialect) unstamped() (bits asdu.Time) {
	if !d.SummerTime {
		bits |= asdu.TimeSummer
	}
	if !d.Weekday {
		bits |= asdu.Clock{Weekday: 7}.Time()
	}
	return bits
}
