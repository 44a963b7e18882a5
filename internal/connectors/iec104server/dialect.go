package iec104server

import (
	"fmt"
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

// Octets is the key octets: the sizes that IEC 60870-5-104 fixes, and peers that
// come from IEC 60870-5-101 may not keep.
type Octets struct {
	Cause uint8 `json:"cause" min:"1" max:"2" doc:"cause of transmission; with 2 the originator address follows it"`
	CA    uint8 `json:"ca" min:"1" max:"2" doc:"common address"`
	IOA   uint8 `json:"ioa" min:"1" max:"3" doc:"information object address"`
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

// sizes returns the octets as the library has them.
func (o Octets) sizes() asdu.Sizes { return asdu.Sizes{COT: o.Cause, CA: o.CA, IOA: o.IOA} }

// fault returns why an address cannot be sent, if it cannot.
func (o Octets) fault(ca uint16, ioa uint32) (key, text string) {
	highest := uint32(1)<<(8*o.IOA) - 1
	switch {
	case o.CA == 1 && ca > 254:
		return "ca", fmt.Sprintf("is %d, want 1 to 254, because octets.ca is 1", ca)
	case ioa > highest:
		return "ioa", fmt.Sprintf("is %d, want 1 to %d, because octets.ioa is %d", ioa, highest, o.IOA)
	default:
		return "", ""
	}
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
