package iec104

import (
	"math"

	"busbar/iec104/apci"
)

// flush writes everything that is due, many frames at a time. The lock is held
// on entry and return but not while writing. If another goroutine is writing,
// flush returns at once and that one does the work.
func (l *link) flush() {
	if l.writing || l.ended {
		return
	}
	l.writing = true
	for !l.ended {
		l.clock = l.now()
		n := l.compose()
		if n == 0 {
			l.workAhead()
			break
		}
		l.timers.write = l.clock
		l.arm()
		out := l.out[:n]
		l.mu.Unlock()
		_, err := l.conn.Write(out)
		l.mu.Lock()
		l.timers.write = 0
		l.count.Writes++
		if err != nil {
			l.end(ioError(err))
		}
	}
	l.writing = false
	if l.out != nil {
		outBuffers.Put((*[outSize]byte)(l.out[:outSize]))
		l.out = nil
	}
	if l.leaving && !l.handing {
		l.end(l.err)
	}
	if l.ended {
		l.over.Broadcast()
	}
}

// compose puts what is due into out and returns its length: U frames first,
// then I frames as the window and the buffer allow, and an S frame if received
// frames are still to be acknowledged.
func (l *link) compose() int {
	if l.out == nil {
		l.out = outBuffers.Get().(*[outSize]byte)[:]
	}
	out := l.out[:0]
	if n := min(len(l.control), outSize/2/apci.HeaderLen*apci.HeaderLen); n > 0 {
		out = append(out, l.control[:n]...)
		l.control = append(l.control[:0], l.control[n:]...)
		if len(l.control) == 0 && cap(l.control) > 256 {
			l.control = nil
		}
	}
	if l.state == started {
		out = l.user.urgent(out)
		out = l.sendAhead(out)
		if l.ahead.frames == 0 && !l.leaving {
			out = l.user.fill(out)
		}
	}
	if l.owed > 0 && (l.owed >= l.p.W || l.ackNow) {
		out = l.appendS(out)
	}
	l.count.SentOctets += uint64(len(out))
	if l.trace != nil {
		l.traceSent(out)
	}
	if l.tap != nil && len(out) > 0 {
		l.tap(true, out)
	}
	return len(out)
}

// room reports whether another I frame may be appended to out: fewer than k
// are outstanding and a frame of full length fits.
func (l *link) room(out []byte) bool {
	if l.ahead.working {
		return l.ahead.frames < min(l.p.K, maxAhead) && len(out)+apci.MaxLen <= outSize
	}
	return l.win.outstanding() < l.p.K && len(out)+apci.MaxLen <= outSize
}

// place completes the I frame at the end of out, which begins at octet at: its
// ASDU follows the place left for the header. events is the number of events
// in it; answer tells that there are none, see [link.withdraw].
func (l *link) place(out []byte, at, events int, answer bool) {
	events += l.skipped
	l.skipped = 0
	if l.ahead.working {
		l.skipped = max(0, events-math.MaxUint16) // the rest goes with the next
		l.ahead.note(out[at:], events-l.skipped, answer)
		return
	}
	l.number(out[at:], events)
}

// number makes an I frame the next one to be sent.
func (l *link) number(frame []byte, events int) {
	apci.PutI(frame, len(frame)-apci.HeaderLen, l.win.vs, l.nr)
	l.events += uint64(events)
	l.win.push(flight{sent: l.clock, events: l.events})
	l.acknowledged()
	l.count.SentI++
}

// skip notes events that are never sent: they are confirmed with those before
// them.
func (l *link) skip(events int) {
	l.skipped += events
	l.settleAll()
}

// settleAll tells the application that all events have arrived if nothing is
// under way any more, also those skipped since the last frame.
func (l *link) settleAll() {
	if l.win.outstanding() == 0 && l.ahead.frames == 0 {
		l.events += uint64(l.skipped)
		l.skipped = 0
		l.settle(l.events)
	}
}

// acknowledged notes that a frame with N(R) is on its way.
func (l *link) acknowledged() {
	l.owed = 0
	l.ackNow = false
}

func (l *link) appendS(out []byte) []byte {
	l.acknowledged()
	l.count.SentS++
	return apci.AppendS(out, l.nr)
}

// sendU makes a U frame due.
func (l *link) sendU(f apci.Function) {
	l.control = apci.AppendU(l.control, f)
	l.count.SentU++
}

func (l *link) traceSent(out []byte) {
	for len(out) > 0 {
		n := int(out[1]) + 2
		l.trace(true, out[:n])
		out = out[n:]
	}
}
