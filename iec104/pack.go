package iec104

import (
	"fmt"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// packEvents appends an I frame with the next n events, which are of one type,
// cause and common address.
func (c *ServerConn) packEvents(out []byte, n int) []byte {
	w := c.work
	events := w.events[w.from : w.from+n]
	w.from += n
	confirmed := n
	if w.background {
		confirmed = 0
	}
	first := &events[0]
	at := len(out)
	out, ok := c.beginASDU(out, asdu.Header{Type: first.Type, Cause: first.Cause, Test: first.Test, CA: first.CA, SQ: first.Type == asdu.F_DR_TA_1})
	if !ok {
		c.link.skip(confirmed)
		return out
	}
	p, sent := &c.srv.packing[first.Type], 0
	for i := range events {
		if out, ok = c.appendObject(out, p, first.Type, &events[i].Object); ok {
			sent++
		}
	}
	if out, ok = c.endASDU(out, at, sent); !ok {
		c.link.skip(confirmed)
		return out
	}
	c.link.place(out, at, confirmed, false)
	c.link.count.SentEvents += uint64(sent)
	return out
}

// sendItems appends an I frame with the next n objects of an answer, which are
// of one type, and have consecutive addresses with sq.
func (c *ServerConn) sendItems(out []byte, n int, sq bool) []byte {
	st := &c.work.items
	items := st.staged()[:n]
	h := st.header
	h.Type, h.SQ = items[0].Type, sq
	at := len(out)
	out, ok := c.beginASDU(out, h)
	if !ok {
		st.from += n
		return out
	}
	sent := 0
	if sq {
		out, n, sent = c.appendSequence(out, items)
	} else {
		p := &c.srv.packing[h.Type]
		for i := range items {
			if out, ok = c.appendObject(out, p, h.Type, &items[i].Object); ok {
				sent++
			}
		}
	}
	st.from += n
	if out, ok = c.endASDU(out, at, sent); ok {
		c.link.place(out, at, 0, true)
		c.link.count.SentItems += uint64(sent)
	}
	return out
}

// appendObject appends an object with its address; false if it cannot be
// encoded.
func (c *ServerConn) appendObject(out []byte, p *packing, t asdu.TypeID, o *asdu.Object) ([]byte, bool) {
	if n := len(out); p.object > 0 && cap(out)-n >= p.object && p.encoder.PutObject(out[n:n+p.object], o) {
		return out[:n+p.object], true
	}
	out, err := asdu.AppendObject(out, c.link.p.Sizes, t, o)
	if err != nil {
		c.unencodable(err)
	}
	return out, err == nil
}

// appendSequence appends items with consecutive addresses. It ends at one that
// cannot be encoded, and returns how many it took and how many it appended.
func (c *ServerConn) appendSequence(out []byte, items []Item) (_ []byte, took, sent int) {
	t := items[0].Type
	p := &c.srv.packing[t]
	out, ok := c.appendObject(out, p, t, &items[0].Object)
	if !ok {
		return out, 1, 0
	}
	for i := 1; i < len(items); i++ {
		n, o := len(out), &items[i].Object
		if cap(out)-n >= p.element && p.encoder.PutElement(out[n:n+p.element], o) {
			out = out[:n+p.element]
			continue
		}
		_, err := asdu.AppendElement(nil, t, o)
		c.unencodable(err)
		return out, i + 1, i
	}
	return out, len(items), len(items)
}

// beginASDU appends the place for the header of an I frame and the header of
// its ASDU; false: the ASDU cannot be.
func (c *ServerConn) beginASDU(out []byte, h asdu.Header) ([]byte, bool) {
	w := c.work
	if w.octets == nil || w.header != h {
		var room [apci.HeaderLen]byte
		octets, err := asdu.AppendHeader(append(w.octets[:0], room[:]...), c.link.p.Sizes, h)
		if err != nil {
			w.octets = nil
			c.unencodable(err)
			return out, false
		}
		w.header, w.octets = h, octets
	}
	return append(out, w.octets...), true
}

// endASDU sets the number of objects in the ASDU of the I frame at octet at;
// false: there is none, and out is as it was before the frame.
func (c *ServerConn) endASDU(out []byte, at, sent int) ([]byte, bool) {
	if sent == 0 {
		return out[:at], false
	}
	if n := len(out) - at - apci.HeaderLen; n > c.link.maxASDU {
		c.unencodable(fmt.Errorf("iec104: asdu of %d octets, most is %d", n, c.link.maxASDU))
		return out[:at], false
	}
	asdu.SetCount(out[at+apci.HeaderLen:], sent)
	return out, true
}

// plan returns how many of the staged items go into the next ASDU, and whether
// with consecutive addresses. Unless the items are all there will be for now
// (final), it returns 0 where further ones could make a full ASDU.
func (c *ServerConn) plan(final bool) (n int, sq bool) {
	items := c.work.items.staged()
	if len(items) == 0 {
		return 0, false
	}
	t := items[0].Type
	single, serial := int(c.srv.packing[t].single), int(c.srv.packing[t].serial)
	if serial > 1 {
		run := consecutive(items[:min(len(items), serial)])
		whole := run == len(items)
		switch {
		case run == serial:
			return serial, true
		case whole && !final:
			return 0, false
		case run >= single, run > 1 && (whole || items[run].Type != t):
			return run, true
		}
	}
	n = scattered(items, single, serial > 1)
	if n == len(items) && n < single && !final {
		return 0, false
	}
	return n, false
}

// consecutive returns how many items at the beginning have the same type and
// consecutive addresses.
func consecutive(items []Item) int {
	n, t, first := 1, items[0].Type, items[0].IOA
	for n < len(items) && items[n].Type == t && items[n].IOA == first+uint32(n) {
		n++
	}
	return n
}

// scattered returns how many items at the beginning, at most most, have the
// same type. It ends before a run of consecutive addresses that is worth an
// ASDU of its own.
func scattered(items []Item, most int, runs bool) int {
	n := 0
	for n < most && n < len(items) && items[n].Type == items[0].Type {
		run := 1
		if runs {
			run = consecutive(items[n:min(len(items), n+most)])
		}
		if n > 0 && run > 1 && run >= most {
			break
		}
		n += run
	}
	return min(n, most)
}
