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
	out, ok := c.beginASDU(out, asdu.Header{Type: first.Type, Cause: first.Cause, CA: first.CA})
	sent := 0
	for i := range events {
		if !ok {
			break
		}
		var err error
		if out, err = asdu.AppendObject(out, c.link.p.Sizes, first.Type, &events[i].Object); err != nil {
			c.unencodable(err)
			continue
		}
		sent++
	}
	if out, ok = c.endASDU(out, at, sent); !ok {
		c.link.skip(confirmed)
		return out
	}
	c.link.seal(out, at, confirmed)
	c.link.count.SentEvents += uint64(sent)
	return out
}

// sendItems appends an I frame with the next n objects of an answer, which are
// of one type, and have consecutive addresses with sq.
func (c *ServerConn) sendItems(out []byte, n int, sq bool) []byte {
	st := &c.work.items
	items := st.staged()[:n]
	st.from += n
	h := st.header
	h.Type, h.SQ = items[0].Type, sq
	at := len(out)
	out, ok := c.beginASDU(out, h)
	sent := 0
	for i := range items {
		if !ok {
			break
		}
		var err error
		if sq && sent > 0 {
			out, err = asdu.AppendElement(out, h.Type, &items[i].Object)
		} else {
			out, err = asdu.AppendObject(out, c.link.p.Sizes, h.Type, &items[i].Object)
		}
		if err != nil {
			c.unencodable(err)
			if sq && sent > 0 {
				st.from -= n - i - 1 // the addresses no longer follow each other
				break
			}
			continue
		}
		sent++
	}
	if out, ok = c.endASDU(out, at, sent); ok {
		c.link.seal(out, at, 0)
		c.link.count.SentItems += uint64(sent)
	}
	return out
}

// beginASDU appends the place for the header of an I frame and the header of
// its ASDU; false: the ASDU cannot be.
func (c *ServerConn) beginASDU(out []byte, h asdu.Header) ([]byte, bool) {
	at := len(out)
	var room [apci.HeaderLen]byte
	out, err := asdu.AppendHeader(append(out, room[:]...), c.link.p.Sizes, h)
	if err != nil {
		c.unencodable(err)
		return out[:at], false
	}
	return out, true
}

// endASDU sets the number of objects in the ASDU of the I frame at octet at;
// false: there is none, and out is as it was before the frame.
func (c *ServerConn) endASDU(out []byte, at, sent int) ([]byte, bool) {
	if sent == 0 {
		return out[:at], false
	}
	if n := len(out) - at - apci.HeaderLen; n > c.link.p.maxASDU() {
		c.unencodable(fmt.Errorf("iec104: asdu of %d octets, most is %d", n, c.link.p.maxASDU()))
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
	single, serial := max(1, int(c.srv.single[t])), int(c.srv.serial[t])
	if serial > 1 {
		run := consecutive(items)
		whole := run == len(items)
		switch {
		case run >= serial:
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
	n := 1
	for n < len(items) && items[n].Type == items[0].Type && items[n].IOA == items[0].IOA+uint32(n) {
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
			run = consecutive(items[n:])
		}
		if n > 0 && run > 1 && run >= most {
			break
		}
		n += run
	}
	return min(n, most)
}
