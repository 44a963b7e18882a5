package iec104

import (
	"busbar/iec104/asdu"
)

// ParameterSession may be implemented by a [Session] whose station has parameters of
// measured values. Without, their types are unknown: cause 44. Its methods are called
// as those of a session are. Parameters that belong to a group are reported in the
// answer to its interrogation, as items of their type, P_ME_NA_1 … P_ME_NC_1.
type ParameterSession interface {
	// HasParameters reports whether the station has parameters of a type, P_ME_NA_1 …
	// P_ME_NC_1 or, for activation, P_AC_NA_1.
	HasParameters(t asdu.TypeID) bool

	// LoadParameter takes a parameter and returns it as it is now: the answer to the
	// controlling station, with POP in the qualifier if it is not in operation until
	// it is activated, and LPC if it was changed locally. Common address, object
	// address, type and kind (KPA) are those of the request. The verdict is Accepted,
	// Refused or UnknownObject.
	LoadParameter(p Parameter) (loaded Parameter, v Verdict)

	// ActivateParameter activates, with qpa 1, the parameters loaded before, then ioa
	// is 0; with 2 that of the object; with 3 the cyclic transmission of the object;
	// or undoes it. The verdict is as that of LoadParameter.
	ActivateParameter(ca uint16, ioa uint32, qpa uint8, deactivate bool) Verdict
}

// QPM beside the kind of the parameter.
const (
	// ParameterLPC tells that a parameter was changed locally.
	ParameterLPC uint8 = 0x40
	// ParameterPOP tells that a parameter is not in operation.
	ParameterPOP uint8 = 0x80
)

// parameterType reports whether t loads or activates parameters.
func parameterType(t asdu.TypeID) bool { return parameterValue(t) || t == asdu.P_AC_NA_1 }

// hasParameters reports whether the station has parameters of the type.
func (c *ServerConn) hasParameters(t asdu.TypeID) bool {
	s, some := c.session.(ParameterSession)
	return some && s.HasParameters(t)
}

// parameter serves a request for parameters. Under test conditions nothing is loaded.
func (c *ServerConn) parameter(a *asdu.ASDU, o asdu.Object) {
	s, some := c.session.(ParameterSession)
	if a.Test || !some {
		c.confirm(a.Octets(), false)
		return
	}
	if a.Type == asdu.P_AC_NA_1 {
		c.verdict(a.Octets(), c.activate(s, a, o))
		return
	}
	p := Parameter{CA: a.CA, IOA: o.IOA, Type: a.Type, Value: o.Value, Qualifier: o.Qualifier}
	loaded, v := s.LoadParameter(p)
	b := a.Octets()
	if v == Accepted {
		o.Value, o.Qualifier = loaded.Value, loaded.Qualifier&^maskKPA|p.Qualifier&maskKPA
		own, err := asdu.Append(nil, c.link.p.Sizes, a.Header, []asdu.Object{o})
		if err != nil {
			c.unencodable(err)
			v = Refused
		} else {
			b = own
		}
	}
	c.verdict(b, v)
}

// activate has a parameter activated, if the qualifier is one.
func (c *ServerConn) activate(s ParameterSession, a *asdu.ASDU, o asdu.Object) Verdict {
	const all, cyclic = 1, 3
	switch qpa := o.Qualifier; {
	case qpa < all || qpa > cyclic:
		return Refused
	case (qpa == all) != (o.IOA == 0):
		return UnknownObject
	default:
		return s.ActivateParameter(a.CA, o.IOA, qpa, a.Cause == asdu.Deactivation)
	}
}

// verdict confirms a request, or answers that its object is not known.
func (c *ServerConn) verdict(b []byte, v Verdict) {
	if v == UnknownObject {
		c.mirror(b, asdu.UnknownIOA)
		return
	}
	c.confirm(b, v == Accepted)
}
