package iec104

import (
	"errors"
	"slices"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// receive implements user.
func (c *ServerConn) receive(frames []byte) (n int, err error) {
	for frame, rest := nextI(frames); frame != nil && err == nil; frame, rest = nextI(rest) {
		if err = c.serveASDU(frame[apci.HeaderLen:]); err == nil {
			n++
		}
	}
	return n, err
}

// serveASDU takes an ASDU in control direction, checks it in the order of the
// standard's negative answers and has it served.
func (c *ServerConn) serveASDU(b []byte) error {
	c.link.count.Requests++
	if waiting := c.requests.waiting() + c.pending + c.filesWaiting(); c.responses.octets() > maxResponses || waiting > maxRequests {
		return violation(TooManyRequests, "%d octets of confirmations and %d answers wait", c.responses.octets(), waiting)
	}
	a, err := asdu.Parse(b, c.link.p.Sizes)
	if err != nil && !errors.Is(err, asdu.ErrCount) && !errors.Is(err, asdu.ErrSequence) {
		return &LinkError{Reason: BadASDU, Err: err}
	}
	switch a.Cause {
	case asdu.ActivationCon, asdu.DeactivationCon, asdu.ActivationTerm,
		asdu.UnknownType, asdu.UnknownCause, asdu.UnknownCA, asdu.UnknownIOA:
		// An answer is never answered: no loops.
		c.link.count.Ignored++
		return nil
	}
	if a.SQ && err == nil {
		c.link.count.Tolerated++
	}
	if cause := c.unknown(&a); cause != 0 {
		c.mirror(b, cause)
		return nil
	}
	if err != nil {
		// Several objects where the type has one: none is executed. A read is
		// not confirmed: no object of the station has such an address.
		if a.Type == asdu.C_RD_NA_1 || fileType(a.Type) {
			c.mirror(b, asdu.UnknownIOA)
		} else {
			c.confirm(b, false)
		}
		return nil
	}
	if fileType(a.Type) {
		c.serveFile(&a)
		return nil
	}
	var objs [1]asdu.Object
	c.execute(&a, a.AppendObjects(objs[:0])[0])
	return nil
}

// unknown returns the cause 44 … 47 that an ASDU is to be refused with, or 0.
// Unknown addresses of points are found later.
func (c *ServerConn) unknown(a *asdu.ASDU) asdu.Cause {
	switch {
	case !c.implements(a.Type):
		return asdu.UnknownType
	case !a.Type.Permits(a.Cause, asdu.Control) && !(a.Type == asdu.C_CI_NA_1 && a.Cause == asdu.Deactivation):
		return asdu.UnknownCause
	case !c.addressed(a):
		return asdu.UnknownCA
	case system(a.Type) && firstIOA(a, c.link.p.Sizes) != 0:
		return asdu.UnknownIOA
	default:
		return 0
	}
}

// implements reports whether the server knows the type in control direction.
func (c *ServerConn) implements(t asdu.TypeID) bool {
	if processCommand(t) {
		s, some := c.session.(CommandTypes)
		return !some || s.HasCommands(t)
	}
	switch {
	case fileType(t):
		return t != asdu.F_DR_TA_1 && c.filesOf() != nil
	case parameterType(t):
		return c.hasParameters(t)
	}
	return system(t) && (t != asdu.C_TS_NA_1 || c.srv.cfg.Test104) || t == asdu.C_RD_NA_1
}

// processCommand reports whether t is a command to the process.
func processCommand(t asdu.TypeID) bool {
	return t >= asdu.C_SC_NA_1 && t <= asdu.C_BO_NA_1 || t >= asdu.C_SC_TA_1 && t <= asdu.C_BO_TA_1
}

// system reports whether t is served under object address 0.
func system(t asdu.TypeID) bool {
	switch t {
	case asdu.C_IC_NA_1, asdu.C_CI_NA_1, asdu.C_CS_NA_1, asdu.C_TS_NA_1, asdu.C_RP_NA_1, asdu.C_TS_TA_1:
		return true
	default:
		return false
	}
}

// toAll reports whether t may be sent to all stations.
func toAll(t asdu.TypeID) bool {
	switch t {
	case asdu.C_IC_NA_1, asdu.C_CI_NA_1, asdu.C_CS_NA_1, asdu.C_RP_NA_1:
		return true
	default:
		return false
	}
}

// addressed reports whether the common address is one of the station's, or
// that of all where the type permits it.
func (c *ServerConn) addressed(a *asdu.ASDU) bool {
	if c.global(a.CA) {
		return toAll(a.Type)
	}
	_, own := slices.BinarySearch(c.session.Addresses(), a.CA)
	return own && a.CA != 0
}

// global reports whether ca means all stations.
func (c *ServerConn) global(ca uint16) bool {
	if c.link.p.Sizes.CA == 1 {
		return ca == 255
	}
	return ca == asdu.GlobalCA
}

// firstIOA returns the object address of the first object.
func firstIOA(a *asdu.ASDU, s asdu.Sizes) (ioa uint32) {
	at := 2 + int(s.COT) + int(s.CA)
	for i, o := range a.Octets()[at : at+int(s.IOA)] {
		ioa |= uint32(o) << (8 * i)
	}
	return ioa
}

// execute serves a request whose type, cause, common address and number of
// objects are in order.
func (c *ServerConn) execute(a *asdu.ASDU, o asdu.Object) {
	b := a.Octets()
	switch {
	case a.Negative && a.Type != asdu.C_RD_NA_1:
		// P/N has no meaning in a request: it is not executed.
		c.confirm(b, false)
	case processCommand(a.Type):
		c.command(a, o)
	case parameterType(a.Type):
		c.parameter(a, o)
	case a.Type == asdu.C_RD_NA_1:
		c.read(a, o)
	case a.Type == asdu.C_TS_NA_1, a.Type == asdu.C_TS_TA_1:
		c.confirm(b, true)
	default:
		if !c.global(a.CA) {
			c.serveSystem(a, o, a.CA, false)
			return
		}
		for _, ca := range c.session.Addresses() {
			c.serveSystem(a, o, ca, true)
		}
	}
}

// serveSystem serves an interrogation, clock synchronisation or reset for one
// common address.
func (c *ServerConn) serveSystem(a *asdu.ASDU, o asdu.Object, ca uint16, broadcast bool) {
	b := a.Octets()
	if broadcast {
		b = c.as(b, ca)
	}
	switch a.Type {
	case asdu.C_IC_NA_1, asdu.C_CI_NA_1:
		c.interrogate(a, b, o.Qualifier, ca, broadcast)
	case asdu.C_CS_NA_1:
		c.confirm(b, c.clock(a, o, ca))
	case asdu.C_RP_NA_1:
		// A request under test conditions must not operate anything.
		c.confirm(b, !a.Test && c.session.Reset(ca, o.Qualifier))
	}
}

// clock hands on a time that is possible, valid and not a test.
func (c *ServerConn) clock(a *asdu.ASDU, o asdu.Object, ca uint16) bool {
	if _, possible := o.Time.Date(nil); !possible || o.Time.Invalid() || a.Test {
		return false
	}
	return c.session.Clock(ca, o.Time)
}

// command hands on a command. One with the test bit never operates anything.
func (c *ServerConn) command(a *asdu.ASDU, o asdu.Object) {
	b := a.Octets()
	if a.Test {
		c.confirm(b, false)
		return
	}
	deactivate := a.Cause == asdu.Deactivation
	answer := c.newAnswer(b, !deactivate && !o.Select)
	verdict := c.session.Command(Command{Object: o, CA: a.CA, OA: a.OA, Type: a.Type, Deactivate: deactivate, Answer: answer})
	if verdict == Pending {
		c.pending++
		return
	}
	answer.spend()
	switch verdict {
	case Accepted:
		c.confirm(b, true)
		// The end is told of what was executed, not of a selection or a cancel.
		if !deactivate && !o.Select {
			c.terminate(b)
		}
	case Refused:
		c.confirm(b, false)
	case Discarded:
		c.link.count.Ignored++
	default:
		c.mirror(b, asdu.UnknownIOA)
	}
}
