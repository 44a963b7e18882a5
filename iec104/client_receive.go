package iec104

import (
	"errors"
	"fmt"
	"slices"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// receive implements user: it hands each ASDU to the handler, without the lock,
// and then to the requests that wait for it.
func (c *clientConn) receive(frames []byte) (n int, err error) {
	l := &c.link
	var counts Counters
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.count.Tolerated += counts.Tolerated
		l.count.Discarded += counts.Discarded
		if c.receipts != nil {
			n = 0
			c.release(0)
		}
	}()
	c.taken()
	for frame, rest := nextI(frames); frame != nil && !c.quit.Load(); frame, rest = nextI(rest) {
		if err = c.take(frame, &counts); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// take handles one I frame. An ASDU that is malformed or of an unknown type is
// discarded; one that is too short for its type may be an answer all the same.
func (c *clientConn) take(frame []byte, counts *Counters) error {
	var a asdu.ASDU
	err := a.Parse(frame[apci.HeaderLen:], c.link.p.Sizes)
	usable := a.Type.Known()
	if err != nil {
		usable = usable && (errors.Is(err, asdu.ErrSurplus) || errors.Is(err, asdu.ErrCount) || errors.Is(err, asdu.ErrSequence))
		if c.client.opt.strict {
			return &LinkError{Reason: BadASDU, Err: err}
		}
		if usable {
			counts.Tolerated++
		}
	}
	switch {
	case c.receipts != nil:
		if seq := c.receipts.next(usable); usable {
			c.client.opt.receipts(a, Receipt{c, seq})
		}
	case usable:
		c.client.opt.handler(a)
	}
	answered := false
	switch {
	case usable && fileType(a.Type):
		c.takeFile(&a)
	case c.asking.Load() || a.Type.Command() || a.Type == asdu.M_EI_NA_1:
		answered = c.answer(&a, frame, usable)
	}
	switch {
	case usable:
	case answered:
		counts.Tolerated++
	default:
		counts.Discarded++
	}
	return nil
}

// takeFile hands an ASDU of file transfer to the transfer that is running.
func (c *clientConn) takeFile(a *asdu.ASDU) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.putFile(a)
}

// answer looks for the request that an ASDU answers, and reports whether there
// is one.
func (c *clientConn) answer(a *asdu.ASDU, frame []byte, whole bool) bool {
	l := &c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.Type == asdu.M_EI_NA_1 && whole {
		f, _, _ := apci.Parse(frame) // it was parsed before
		c.restarted(a.CA, f.NR)
		return false
	}
	if len(c.overdue) > 0 {
		c.expire(l.now())
	}
	only := len(c.calls) == 1 && len(c.overdue) == 0
	for _, w := range c.calls {
		if !w.take(a, whole, only) {
			continue
		}
		w.heard = l.now()
		if w.cancelled {
			c.cancel(w)
		}
		return true
	}
	for i, w := range c.overdue {
		if w.take(a, whole, false) {
			if w.answered() {
				c.overdue = slices.Delete(c.overdue, i, i+1)
			}
			break
		}
	}
	if whole && a.Type.Command() && !a.Cause.Interrogated() && a.Cause != asdu.Request {
		l.count.Ignored++ // an answer too late, or to another station's request
	}
	return false
}

// restarted gives up the requests that a station had received before it
// restarted, as its end of initialisation tells: nr is that of the frame.
// Those that it had not, it will answer.
func (c *clientConn) restarted(ca uint16, nr apci.Seq) {
	lost := func(w *call) bool {
		return w.sent && w.ns.Next().Distance(nr) < apci.Modulus/2 && (w.header.CA == ca || w.global)
	}
	for _, w := range c.calls {
		if lost(w) {
			w.restarted(ca)
		}
	}
	c.overdue = slices.DeleteFunc(c.overdue, lost)
	if f := &c.files; f.box != nil && f.ca == ca {
		c.stopFiles(fmt.Errorf("%w: common address %d", ErrRestarted, ca))
	}
}

// cancel ends the requests that the deactivation d was for.
func (c *clientConn) cancel(d *call) {
	for _, w := range c.calls {
		if w != d && w.header.Type == d.header.Type && w.header.CA == d.header.CA && w.object.IOA == d.object.IOA && w.object.Select == d.object.Select &&
			(w.header.Type != asdu.C_IC_NA_1 || w.object.Qualifier == d.object.Qualifier) {
			w.end(ErrCancelled)
		}
	}
}
