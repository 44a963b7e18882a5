package iec104

import (
	"bytes"
	"slices"
	"time"

	"busbar/iec104/asdu"
)

// maxRequests is how many interrogations and reads may wait on one connection
// before it is given up. A request to all common addresses may exceed it once.
const maxRequests = 4096

// request is an interrogation or a read that is being answered or waits for
// its turn.
type request struct {
	asdu   []byte        // as received, with the own common address
	answer Interrogation // nil: not begun
	ca     uint16
	cause  asdu.Cause // of the data
	oa     uint8
	qual   uint8
	typ    asdu.TypeID
	ioa    uint32 // of a read
	test   bool
	done   bool // answer has nothing more

	objects int // of the answer so far
}

// originator returns the originator address of the answer to a request.
func (c *ServerConn) originator(a *asdu.ASDU) uint8 {
	if c.srv.cfg.NoOriginator {
		return 0
	}
	return a.OA
}

// header returns the header of the data, without type and number.
func (r *request) header() asdu.Header {
	return asdu.Header{Cause: r.cause, CA: r.ca, OA: r.oa, Test: r.test}
}

// requests are what waits for an answer. Interrogations are answered one after
// the other; reads do not wait for them. Staged items and answers made ahead
// are always those of the first interrogation.
type requests struct {
	list  []request
	reads []request
}

// objects returns how many objects the answer to an interrogation has so far.
func (r *requests) objects(i *InterrogationInfo) int {
	if at := r.find(asdu.C_IC_NA_1, i.CA, i.Qualifier); at >= 0 {
		return r.list[at].objects
	}
	return i.Objects
}

func (r *requests) waiting() int { return len(r.list) + len(r.reads) }

// without removes an element and gives up an empty list.
func without(list []request, i int) []request {
	if len(list) == 1 {
		return nil
	}
	return slices.Delete(list, i, i+1)
}

// find returns the place of the interrogation with the same type, common
// address and qualifier, or −1.
func (r *requests) find(t asdu.TypeID, ca uint16, qual uint8) int {
	for i := range r.list {
		if q := &r.list[i]; q.typ == t && q.ca == ca && q.qual == qual {
			return i
		}
	}
	return -1
}

// interrogate serves a general, group or counter interrogation, or its
// cancellation, for one common address.
func (c *ServerConn) interrogate(a *asdu.ASDU, b []byte, qual uint8, ca uint16, broadcast bool) {
	running := c.requests.find(a.Type, ca, qual)
	if a.Cause == asdu.Deactivation {
		if running >= 0 {
			c.cancel(running)
		}
		c.confirm(b, running >= 0)
		return
	}
	cause := dataCause(a.Type, qual)
	if running >= 0 || cause == 0 || a.Test && asdu.C_CI_NA_1 == a.Type && qual>>6 != 0 {
		c.confirm(b, false)
		return
	}
	r := request{asdu: bytes.Clone(b), ca: ca, cause: cause, oa: c.originator(a), qual: qual, typ: a.Type, test: a.Test}
	// Of a request to all, each address begins its cycle when it is its turn.
	if !broadcast {
		begun := c.begin(&r)
		c.confirm(b, begun)
		if !begun {
			return
		}
	}
	c.requests.list = append(c.requests.list, r)
}

// dataCause returns the cause of the data that answer an interrogation, 0 if
// the standard has no such qualifier.
func dataCause(t asdu.TypeID, qual uint8) asdu.Cause {
	if t == asdu.C_IC_NA_1 {
		if qual >= 20 && qual <= 36 {
			return asdu.Cause(qual)
		}
		return 0
	}
	switch rqt := qual & 0x3F; rqt {
	case 5:
		return asdu.CounterGeneral
	case 1, 2, 3, 4:
		return asdu.CounterGeneral + asdu.Cause(rqt)
	default:
		return 0
	}
}

// begin asks the application for the answer; it is false if the application
// refuses.
func (c *ServerConn) begin(r *request) bool {
	if r.typ == asdu.C_IC_NA_1 {
		r.answer = c.session.Interrogate(r.ca, r.qual)
		if c.asked.Result != resultRunning {
			c.asked = InterrogationInfo{CA: r.ca, Qualifier: r.qual, Begun: time.Now(), Result: resultRunning}
			if r.answer == nil {
				c.asked.end(resultRefused, 0)
			}
		}
	} else {
		r.answer = c.session.Counters(r.ca, r.qual&0x3F, r.qual>>6)
	}
	return r.answer != nil
}

// cancel drops an interrogation. What was read for it is not sent.
func (c *ServerConn) cancel(i int) {
	c.ended(&c.requests.list[i], resultCancelled)
	if i == 0 {
		if c.work != nil {
			c.work.items.clear()
		}
		c.link.withdraw()
	}
	c.requests.list = without(c.requests.list, i)
}

// ended notes how an interrogation has ended.
func (c *ServerConn) ended(r *request, result string) {
	if r.typ == asdu.C_IC_NA_1 && r.ca == c.asked.CA && r.qual == c.asked.Qualifier {
		c.asked.end(result, r.objects)
	}
}

// read serves a read command: at once an unknown address, the value in its turn.
func (c *ServerConn) read(a *asdu.ASDU, o asdu.Object) {
	if _, ok := c.session.Read(a.CA, o.IOA); !ok {
		c.mirror(a.Octets(), asdu.UnknownIOA)
		return
	}
	c.requests.reads = append(c.requests.reads, request{
		asdu: bytes.Clone(a.Octets()), ca: a.CA, ioa: o.IOA, cause: asdu.Request, oa: c.originator(a), typ: a.Type, test: a.Test,
	})
}
