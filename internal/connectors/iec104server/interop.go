package iec104server

import (
	"maps"
	"slices"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/interop"
	"busbar/internal/linkprofile"
)

var _ interop.Describer = (*Settings)(nil)

// Interop implements [interop.Describer].
func (s *Settings) Interop(id string, points []connector.PointKeys, commands []connector.CommandKeys) interop.Facts {
	f := interop.Facts{
		Name: id, Role: interop.Controlled, Profile: string(s.Profile), Params: s.params(), Address: s.Listen, Connections: s.Connections,
		Answers: interop.Answers(s.Interrogation), MaxObjects: s.MaxObjects, Groups: map[int]int{}, CounterGroups: map[int]int{},
		Time: s.Time.Key(), SummerTime: s.SummerTime, Weekday: s.Weekday, CommandAge: s.CommandAge, Late: s.LateCommands,
		Queue: s.Buffer.Events, Originator: s.Originator, Unknown: s.UnknownRequests,
	}
	if s.Profile == "" {
		f.Profile = linkprofile.Of(&connector.Node{}).Name
	}
	if s.TLS.Enabled() {
		f.Security = "TLS, certificates of both sides"
	}
	cas := map[uint16]bool{}
	for i := range points {
		for _, to := range points[i].To {
			if t, ok := to.End.(*Target); ok && to.Connector == id {
				cas[uint16(t.CA)] = true
				s.stateTarget(&f, t)
			}
		}
	}
	feedback := s.stateCommands(&f, id, commands, cas)
	for i := range points {
		for _, to := range points[i].To {
			if t, ok := to.End.(*Target); ok && to.Connector == id && feedback[points[i].ID] && t.As.Permits(asdu.ReturnRemote, asdu.Monitor) {
				f.Cause(t.As.TypeID, asdu.ReturnRemote)
			}
		}
	}
	f.CAs = slices.Sorted(maps.Keys(cas))
	s.stateSystem(&f)
	return f
}

// stateTarget states what is sent of a target.
func (s *Settings) stateTarget(f *interop.Facts, t *Target) {
	family, answer := forms[t.As.TypeID].family, t.As.Untagged()
	if s.tagged() {
		answer = t.As.TypeID
	}
	if family != total || t.Counter.Spontaneous {
		f.Cause(t.As.TypeID, asdu.Spontaneous)
	}
	if t.Cyclic != 0 {
		f.Cause(t.As.Untagged(), asdu.Cyclic)
	}
	if t.Background != 0 {
		f.Cause(t.As.Untagged(), asdu.Background)
	}
	if family == total {
		s.stateCounter(f, t)
		return
	}
	if !family.interrogated() {
		return
	}
	f.Cause(answer, asdu.InterrogatedGeneral, asdu.Request)
	for g := 1; g <= 16; g++ {
		if t.Groups&(1<<(g-1)) != 0 {
			f.Groups[g]++
			f.Cause(answer, asdu.InterrogatedGeneral+asdu.Cause(g))
		}
	}
}

func (s *Settings) stateCounter(f *interop.Facts, t *Target) {
	f.Cause(t.As.TypeID, asdu.CounterGeneral)
	if g := t.Counter.Group; g != 0 {
		f.CounterGroups[int(g)]++
		f.Cause(t.As.TypeID, asdu.CounterGeneral+asdu.Cause(g))
	}
	switch local := t.Counter.Freeze != 0; {
	case local && t.Counter.Spontaneous:
		f.CounterModes += "A"
	case local:
		f.CounterModes += "B"
	case t.Counter.Spontaneous:
		f.CounterModes += "D"
	default:
		f.CounterModes += "C"
	}
}

// stateCommands states the commands that may be requested, and returns the points
// that show the results.
func (s *Settings) stateCommands(f *interop.Facts, id string, commands []connector.CommandKeys, cas map[uint16]bool) map[string]bool {
	feedback := map[string]bool{}
	for i := range commands {
		c := &commands[i]
		for _, from := range c.From {
			r, ok := from.End.(*Requester)
			if !ok || from.Connector != id {
				continue
			}
			cas[uint16(r.CA)] = true
			feedback[c.Feedback] = true
			terminated := s.Termination == linkprofile.Immediately || s.Termination == linkprofile.ByCommand && c.Terminate != 0
			f.Use(r.As.TypeID, from.Direct, from.Select, terminated)
			if r.As.Untagged() == asdu.C_SC_NA_1 || r.As.Untagged() == asdu.C_DC_NA_1 || r.As.Untagged() == asdu.C_RC_NA_1 {
				f.Qualifiers = append(f.Qualifiers, c.Qualifiers...)
			}
		}
	}
	slices.Sort(f.Qualifiers)
	f.Qualifiers = slices.Compact(f.Qualifiers)
	return feedback
}

// stateSystem states what every server answers.
func (s *Settings) stateSystem(f *interop.Facts) {
	unknown := []asdu.Cause{asdu.UnknownCause, asdu.UnknownCA, asdu.UnknownIOA}
	answers := func(t asdu.TypeID, causes ...asdu.Cause) { f.Cause(t, append(causes, unknown...)...) }
	if s.EndOfInit {
		f.Cause(asdu.M_EI_NA_1, asdu.Initialised)
	}
	answers(asdu.C_IC_NA_1, asdu.Activation, asdu.ActivationCon, asdu.Deactivation, asdu.DeactivationCon, asdu.ActivationTerm)
	if f.CounterModes != "" { // otherwise it is refused
		answers(asdu.C_CI_NA_1, asdu.Activation, asdu.ActivationCon, asdu.Deactivation, asdu.DeactivationCon, asdu.ActivationTerm)
	}
	answers(asdu.C_RD_NA_1, asdu.Request)
	answers(asdu.C_CS_NA_1, asdu.Activation, asdu.ActivationCon)
	answers(asdu.C_TS_TA_1, asdu.Activation, asdu.ActivationCon)
	if s.Reset == "confirm" {
		answers(asdu.C_RP_NA_1, asdu.Activation, asdu.ActivationCon)
	}
	if s.Test104 {
		answers(asdu.C_TS_NA_1, asdu.Activation, asdu.ActivationCon)
	}
}
