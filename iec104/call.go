package iec104

import (
	"fmt"
	"slices"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// call is a request that waits for its answer. What follows the channel is
// guarded by the lock of the link.
type call struct {
	header    asdu.Header // of the request
	object    asdu.Object
	data      asdu.Cause // of the data of the answer, 0: none
	ends      bool       // the answer ends with a termination
	global    bool       // to all common addresses
	known     []uint16   // of a request to all: who must answer; nil: not known
	confirmed func()     // is called when the request is confirmed; may be nil
	session   session    // that it has to be sent in, and then that it was sent in
	news      chan struct{}

	sent      bool
	ns        apci.Seq        // of its frame
	heard     time.Duration   // the last part of the answer, or the request itself, on the clock of the link
	until     time.Duration   // given up: an answer may come until then
	open      map[uint16]bool // stations that have confirmed: not yet done
	accepted  bool            // one has confirmed positively
	cancelled bool            // a deactivation that was confirmed
	over      bool            // nothing more comes, because of fault
	fault     error           // the first refusal, or why nothing more comes
	result    Result
	reading   *Reading
}

// session is one data transfer on one connection; without a connection it is
// any.
type session struct {
	conn     *clientConn
	transfer int // number of the data transfer on the connection
}

// Result tells what an answer consisted of; the objects went to the handler.
type Result struct {
	Stations []uint16 // common addresses that completed their answer, in that order
	Missing  []uint16 // of [WithStations]: those of which a request to all got no complete answer
	Objects  int      // information objects of the answer
}

// Reading is the answer to a read, or to a parameter.
type Reading struct {
	Header asdu.Header
	Object asdu.Object
}

// same reports whether two calls may not run at the same time: they are of one
// type for one object of one station. An interrogation has a station as a whole.
func (w *call) same(v *call) bool {
	return w.header.Type == v.header.Type && w.header.Cause == v.header.Cause && w.object.IOA == v.object.IOA &&
		(w.header.CA == v.header.CA || w.global || v.global)
}

// alike reports whether an answer to w could be taken for one to v.
func (w *call) alike(v *call) bool { return w.same(v) && w.reflects(&v.object) }

// take looks whether an ASDU belongs to the answer. One that is cut short is
// recognised by its header if only one request is open.
func (w *call) take(a *asdu.ASDU, whole, only bool) bool {
	switch {
	case a.OA != 0 && w.header.OA != 0 && a.OA != w.header.OA, !w.sent || w.over, a.CA != w.header.CA && !w.global:
		return false
	case a.Type == w.header.Type:
		if whole && !w.mirrors(a) || !whole && !only || !w.takeReply(a) {
			return false
		}
		w.tell()
		return true
	case whole && w.data != 0 && a.Cause == w.data:
		return w.takeData(a)
	default:
		return false
	}
}

// tell has the waiting goroutine look at the call.
func (w *call) tell() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// end gives a call up.
func (w *call) end(err error) {
	if !w.over {
		w.over, w.fault = true, err
		w.tell()
	}
}

// restarted gives up the answer of one station.
func (w *call) restarted(ca uint16) {
	err := fmt.Errorf("%w: common address %d", ErrRestarted, ca)
	if !w.global {
		w.end(err)
		return
	}
	if w.open[ca] || !w.heardOf(ca) {
		w.open[ca] = false
		w.blame(err)
		w.tell()
	}
}

func (w *call) heardOf(ca uint16) bool {
	_, known := w.open[ca]
	return known
}

// blame notes the first thing that went wrong.
func (w *call) blame(err error) {
	if w.fault == nil {
		w.fault = err
	}
}

// mirrors reports whether an answer has the address and contents of the request.
func (w *call) mirrors(a *asdu.ASDU) bool {
	var objs [1]asdu.Object
	if a.Count() != 1 {
		return false
	}
	o := &a.AppendObjects(objs[:0])[0]
	return o.IOA == w.object.IOA && w.reflects(o)
}

// reflects reports whether o has the contents of the request, as far as a
// station mirrors them. The time is not compared: stations may set it.
func (w *call) reflects(o *asdu.Object) bool {
	switch t := w.header.Type; {
	case parameterValue(t):
		return (o.Qualifier^w.object.Qualifier)&maskKPA == 0 // POP and LPC are the station's
	case t == asdu.C_TS_TA_1, processCommand(t):
		return o.Value == w.object.Value && o.Qualifier == w.object.Qualifier && o.Select == w.object.Select
	default:
		return o.Qualifier == w.object.Qualifier
	}
}

// takeReply takes a confirmation, termination or refusal. Each comes once, and
// a termination after a confirmation only: what does not fit is the end of an
// earlier request.
func (w *call) takeReply(a *asdu.ASDU) bool {
	con := asdu.ActivationCon
	if w.header.Cause == asdu.Deactivation {
		con = asdu.DeactivationCon
	}
	open, begun := w.open[a.CA]
	switch {
	case begun && !open:
		return false
	case a.Cause.Unknown(),
		a.Negative && (a.Cause == con && !begun || a.Cause == asdu.ActivationTerm && open):
		w.open[a.CA] = false
		w.blame(&NegativeError{Type: a.Type, CA: a.CA, IOA: w.object.IOA, Cause: a.Cause})
	case a.Cause == con && w.header.Cause != asdu.Request && !begun:
		w.open[a.CA], w.accepted = w.ends, true
		if parameterValue(a.Type) {
			w.reading = &Reading{Header: a.Header, Object: w.object}
			if objs := a.AppendObjects(nil); len(objs) > 0 { // none in an answer that is too short
				w.reading.Object = objs[0]
			}
		}
		w.cancelled = con == asdu.DeactivationCon
	case a.Cause == asdu.ActivationTerm && open:
		w.open[a.CA] = false
	default:
		return false
	}
	if !w.open[a.CA] && !a.Negative && !a.Cause.Unknown() {
		w.result.Stations = append(w.result.Stations, a.CA)
	}
	return true
}

// takeData takes a part of the data asked for.
func (w *call) takeData(a *asdu.ASDU) bool {
	if w.header.Type != asdu.C_RD_NA_1 {
		w.result.Objects += a.Count()
		return true
	}
	for _, o := range a.AppendObjects(nil) {
		if o.IOA == w.object.IOA {
			o.Data = slices.Clone(o.Data)
			w.reading = &Reading{Header: a.Header, Object: o}
			w.tell()
			return true
		}
	}
	return false
}

// answered reports whether the station has begun to answer in a way that an
// answer to a later request could not be taken for.
func (w *call) answered() bool { return len(w.open) > 0 || w.reading != nil || w.over }
