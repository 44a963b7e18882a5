package iec104client

import (
	"fmt"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
)

// Source is the keys of the `from` of a point that names an iec104-client.
type Source struct {
	CA   iec104keys.CommonAddress `json:"ca" required:"true" doc:"common address, 1 to 65534"`
	IOA  iec104keys.ObjectAddress `json:"ioa" required:"true" doc:"information object address, 1 to 16777215"`
	As   MonitorType              `json:"as" doc:"type identification, such as M_ME_TF_1: objects of other types than this, with whatever time tag, are refused"`
	Part string                   `json:"part" enum:"value,elapsed,changes" doc:"what of the object: its value, the elapsed time of a protection event in ms, or the change detection of M_PS_NA_1"`
}

func sourceDefaults() Source { return Source{Part: "value"} }

// The key of a reading: the address, and which part of the object it is.
const (
	caShift   = 24
	partShift = 40
)

// key returns what readings for the point are found by.
func (s Source) key() uint64 { return s.address() | uint64(s.part())<<partShift }

// address returns the address in one number.
func (s *Source) address() uint64 { return addressOf(uint16(s.CA), uint32(s.IOA)) }

func addressOf(ca uint16, ioa uint32) uint64 { return uint64(ca)<<caShift | uint64(ioa) }

func (s *Source) part() part {
	switch s.Part {
	case "elapsed":
		return elapsed
	case "changes":
		return changes
	default:
		return whole
	}
}

// family returns the family that the point is restricted to.
func (s *Source) family() family { return familyOf[s.As.TypeID] }

// Validate implements connector.Validator.
func (s *Source) Validate() []connector.Problem {
	if f := s.family(); f != noFamily && !f.has(s.part()) {
		return []connector.Problem{connector.Faultf("part", "is %s, which %s does not have", s.Part, s.As)}
	}
	return nil
}

// MonitorType is a type identification in monitor direction, written as mnemonic or
// number.
type MonitorType struct{ asdu.TypeID }

// UnmarshalNode implements plant.NodeDecoder.
func (m *MonitorType) UnmarshalNode(n *connector.Node) error {
	const want = "want a type of process information such as M_ME_TF_1 or 36"
	text, err := n.Str()
	if err != nil {
		return fmt.Errorf("%s", want)
	}
	t, ok := asdu.ParseTypeID(text)
	if !ok || familyOf[t] == noFamily {
		return fmt.Errorf("is %s, %s", text, want)
	}
	m.TypeID = t
	return nil
}

// checkConnector reports addresses that the octets cannot hold, and those whose points
// do not agree on the type.
func checkConnector(settings Settings, sources []connector.End[Source], _ []connector.End[connector.None]) []connector.Problem {
	first := make(map[uint64]int)
	var problems []connector.Problem
	for i := range sources {
		s := sources[i].End
		if key, text := settings.Octets.Fault(uint16(s.CA), uint32(s.IOA)); key != "" {
			problems = append(problems, sources[i].Faultf(key, "%s", text))
		}
		if s.family() == noFamily {
			continue
		}
		other, ok := first[s.address()]
		if !ok {
			first[s.address()] = i
			continue
		}
		if o := &sources[other]; o.End.family() != s.family() {
			problems = append(problems, sources[i].Faultf("as", "is %s, but ca %d ioa %d is %s for %s in line %d",
				s.As, s.CA, s.IOA, o.End.As, o.Point, o.Line()))
		}
	}
	return problems
}

// JSONSchema implements plant.Describer.
func (MonitorType) JSONSchema() connector.Schema {
	return iec104keys.TypeSchema(func(t asdu.TypeID) bool { return familyOf[t] != noFamily })
}
