package iec104

import (
	"bytes"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// maxResponses is how many octets of confirmations may wait for the window
// before the connection is given up. An answer to all common addresses may
// exceed it once.
const maxResponses = 256 << 10

// responses are the confirmations that wait to be sent, in order: whole ASDUs,
// each behind an octet with its length.
type responses struct {
	queue []byte
	head  int
}

func (r *responses) octets() int { return len(r.queue) - r.head }

// add appends an ASDU and returns its place in the queue, to be changed.
func (r *responses) add(b []byte) []byte {
	if r.head > len(r.queue)/2 {
		r.queue = append(r.queue[:0], r.queue[r.head:]...)
		r.head = 0
	}
	r.queue = append(r.queue, byte(len(b)))
	r.queue = append(r.queue, b...)
	return r.queue[len(r.queue)-len(b):]
}

// next takes the oldest ASDU out.
func (r *responses) next() []byte {
	n := int(r.queue[r.head])
	b := r.queue[r.head+1 : r.head+1+n]
	r.head += 1 + n
	if r.head == len(r.queue) {
		r.head = 0
		r.queue = r.queue[:0]
		if cap(r.queue) > 4096 {
			r.queue = nil
		}
	}
	return b
}

// urgent implements user: it appends the confirmations that wait.
func (c *ServerConn) urgent(out []byte) []byte {
	c.takeLate()
	for c.responses.octets() > 0 && c.link.room(out) {
		out = c.sendRaw(out, c.responses.next())
	}
	return out
}

// oaAt is where the originator address is in an ASDU with a cause of two octets.
const oaAt = 3

// sendRaw appends an I frame with the ASDU b.
func (c *ServerConn) sendRaw(out, b []byte) []byte {
	at := len(out)
	var room [apci.HeaderLen]byte
	out = append(append(out, room[:]...), b...)
	if c.srv.cfg.NoOriginator && c.link.p.Sizes.COT == 2 {
		out[at+apci.HeaderLen+oaAt] = 0
	}
	c.link.place(out, at, 0, true)
	return out
}

// Mirrored answers are limited to protect the line: so many at once, and so
// many per second.
const (
	mirrorBurst = 1000
	mirrorRate  = 1000
)

// mirror answers an ASDU with cause 44 … 47: unchanged but for the cause, with
// P/N = 1 and T as received.
func (c *ServerConn) mirror(b []byte, cause asdu.Cause) {
	now := c.link.clock
	c.mirrors = min(mirrorBurst, c.mirrors+(now-c.mirrorsAt).Seconds()*mirrorRate)
	c.mirrorsAt = now
	if c.mirrors < 1 || len(b) > c.link.maxASDU {
		c.link.count.MirrorsSuppressed++
		return
	}
	c.mirrors--
	c.link.count.Mirrored++
	if c.srv.cfg.ConfirmUnknown && asdu.TypeID(b[0]).Permits(asdu.ActivationCon, asdu.Monitor) {
		c.confirm(b, false)
		return
	}
	asdu.SetCause(c.responses.add(b), cause, true)
}

// confirm answers a request with cause 7 or 9, depending on its cause.
func (c *ServerConn) confirm(b []byte, positive bool) {
	cause := asdu.ActivationCon
	if asdu.Cause(b[2]&0x3F) == asdu.Deactivation {
		cause = asdu.DeactivationCon
	}
	asdu.SetCause(c.responses.add(b), cause, !positive)
}

// terminate tells with cause 10 that what was requested has ended.
func (c *ServerConn) terminate(b []byte) {
	asdu.SetCause(c.responses.add(b), asdu.ActivationTerm, false)
}

// as returns a copy of a request with the common address ca: each station
// answers a request to all under its own.
func (c *ServerConn) as(b []byte, ca uint16) []byte {
	own := bytes.Clone(b)
	s := c.link.p.Sizes
	at := 2 + int(s.COT)
	own[at] = byte(ca)
	if s.CA == 2 {
		own[at+1] = byte(ca >> 8)
	}
	return own
}
