package iec104client

import (
	"fmt"
	"maps"
	"slices"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/interop"
	"busbar/internal/linkprofile"
	"busbar/internal/point"
)

var _ interop.Describer = (*Settings)(nil)

// Interop implements [interop.Describer].
func (s *Settings) Interop(id string, points []connector.PointKeys, commands []connector.CommandKeys) interop.Facts {
	f := interop.Facts{
		Name: id, Role: interop.Controlling, Profile: string(s.Profile), Params: s.params(), Address: s.Listen, Connections: 1,
		Answers: interop.Either, MaxObjects: 127, Groups: map[int]int{}, CounterGroups: map[int]int{}, Double: true,
		Time: s.Time.Key(), SummerTime: s.SummerTime, Weekday: s.Weekday,
	}
	if s.Profile == "" {
		f.Profile = linkprofile.Of(&connector.Node{}).Name
	}
	if !s.listens() {
		f.Address = s.Addresses[0]
		if !s.Single {
			f.Connections = len(s.Addresses)
		}
	}
	if s.TLS.Enabled() {
		f.Security = "TLS, certificates of both sides"
	}
	if s.Originator != 0 {
		f.Originator = fmt.Sprintf("%d in requests", s.Originator)
	}
	cas := map[uint16]bool{}
	counters := 0
	for i := range points {
		p := &points[i]
		if p.From == nil || p.From.Connector != id {
			continue
		}
		if src, ok := p.From.End.(*Source); ok {
			cas[uint16(src.CA)] = true
			counters += stateSource(&f, src, p.Type)
		}
	}
	stateCommands(&f, id, commands, cas)
	f.CAs = slices.Sorted(maps.Keys(cas))
	s.stateSystem(&f, counters)
	return f
}

// stateSource states what is taken for a point, and returns how many counters that are.
func stateSource(f *interop.Facts, src *Source, of point.Type) (counters int) {
	for i := range 256 {
		if t := asdu.TypeID(i); src.takes(t, of) {
			for c := asdu.Cause(1); c < 64; c++ {
				answer := c.Interrogated() && t.Untagged().Permits(c, asdu.Monitor) // with or without time tag
				if monitors(c) && (answer || t.Permits(c, asdu.Monitor)) {
					f.Cause(t, c)
				}
			}
		}
	}
	if src.family() == total || src.family() == noFamily && of == point.Counter {
		counters = 1
	}
	return counters
}

// takes reports whether objects of a type may be values of the point, which is of
// another type. Those that only IEC 60870-5-101 has are taken, but not to be agreed on,
// unless the point names one.
func (s *Source) takes(t asdu.TypeID, of point.Type) bool {
	f := familyOf[t]
	switch {
	case f == noFamily || !f.has(s.part()) || !t.In104() && t != s.As.TypeID:
		return false
	case s.family() != noFamily:
		return f == s.family()
	default:
		return s.part() != whole || f.suits(of)
	}
}

// suits reports whether the family is one that a point of a type is for, where the point
// does not say it.
func (f family) suits(of point.Type) bool {
	switch of {
	case point.Single:
		return f == single
	case point.Double:
		return f == double || f == protection
	case point.Step:
		return f == step
	case point.Bits:
		return f == bitstring || f == packed || f == start || f == output
	case point.Counter:
		return f == total
	case point.Int, point.Float:
		return f == normalized || f == scaled || f == float
	default:
		return true
	}
}

// stateCommands states the commands that are given.
func stateCommands(f *interop.Facts, id string, commands []connector.CommandKeys, cas map[uint16]bool) {
	for i := range commands {
		c := &commands[i]
		if c.To == nil || c.To.Connector != id {
			continue
		}
		e, ok := c.To.End.(*Executor)
		if !ok {
			continue
		}
		cas[uint16(e.CA)] = true
		f.Use(e.As.TypeID, !e.Select, e.Select, e.Terminates)
		switch e.As.Untagged() {
		case asdu.C_SC_NA_1, asdu.C_DC_NA_1, asdu.C_RC_NA_1:
			f.Qualifiers = append(f.Qualifiers, c.Qualifiers...)
		}
	}
	slices.Sort(f.Qualifiers)
	f.Qualifiers = slices.Compact(f.Qualifiers)
}

// stateSystem states what is asked for.
func (s *Settings) stateSystem(f *interop.Facts, counters int) {
	refused := []asdu.Cause{asdu.UnknownType, asdu.UnknownCause, asdu.UnknownCA, asdu.UnknownIOA}
	asks := func(t asdu.TypeID, causes ...asdu.Cause) { f.Cause(t, append(causes, refused...)...) }
	f.Cause(asdu.M_EI_NA_1, asdu.Initialised)
	asks(asdu.C_IC_NA_1, asdu.Activation, asdu.ActivationCon, asdu.ActivationTerm)
	if s.Clock != 0 {
		asks(asdu.C_CS_NA_1, asdu.Activation, asdu.ActivationCon)
	}
	if counters > 0 {
		f.CounterModes = "A"
	}
	if s.Counters == 0 {
		return
	}
	asks(asdu.C_CI_NA_1, asdu.Activation, asdu.ActivationCon, asdu.ActivationTerm)
	f.CounterModes, f.Freezes = "AB", []uint8{freezeNone}
	switch s.CounterFreeze {
	case "freeze":
		f.CounterModes, f.Freezes = "ACD", append(f.Freezes, freezeOnly)
	case "reset":
		f.CounterModes, f.Freezes = "ACD", append(f.Freezes, freezeWithReset)
	}
	if s.CounterGroup != 0 {
		f.CounterGroups[s.CounterGroup] = max(1, counters)
	}
}
