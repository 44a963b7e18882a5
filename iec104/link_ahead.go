package iec104

import (
	"encoding/binary"
	"time"
)

// maxAhead is how many I frames are made ahead at most.
const maxAhead = 64

// ahead holds I frames that were made while the window was closed, so that
// they need only be numbered when it opens. Until then their control fields
// hold the number of events in them, and whether they are of an answer.
type ahead struct {
	buf     []byte // from the pool of the link, nil if there are none
	from    int    // of the first frame in buf
	frames  int
	working bool // frames are being made
}

// note completes a frame that is not yet numbered.
func (a *ahead) note(frame []byte, events int, answer bool) {
	frame[0] = 0x68
	frame[1] = byte(len(frame) - 2)
	binary.LittleEndian.PutUint16(frame[2:], uint16(events))
	frame[4] = 0
	if answer {
		frame[4] = 1
	}
	a.frames++
}

// release gives the memory back.
func (a *ahead) release() {
	if a.buf != nil {
		outBuffers.Put((*[outSize]byte)(a.buf[:outSize]))
	}
	*a = ahead{}
}

// quickly is how soon a peer must acknowledge for answers to be made ahead. An
// event that comes meanwhile waits behind them, so they must be gone soon.
const quickly = time.Millisecond

// quick reports whether the peer acknowledged that soon when it last did.
func (l *link) quick() bool { return l.delay > 0 && l.delay <= quickly }

// workAhead makes I frames while the window is closed. Frames that could still
// grow are left for later.
func (l *link) workAhead() {
	a := &l.ahead
	if l.state != started || l.leaving || l.ended || l.win.outstanding() < l.p.K {
		return
	}
	if a.buf == nil {
		a.buf = outBuffers.Get().(*[outSize]byte)[:0]
	}
	if a.from > 0 {
		a.buf = a.buf[:copy(a.buf, a.buf[a.from:])]
		a.from = 0
	}
	a.working = true
	a.buf = l.user.fill(a.buf)
	a.working = false
	if a.frames == 0 {
		a.release()
	}
}

// sendAhead appends the frames made ahead to out, as the window allows.
func (l *link) sendAhead(out []byte) []byte {
	a := &l.ahead
	for a.frames > 0 && l.room(out) {
		frame := a.buf[a.from:]
		frame = frame[:int(frame[1])+2]
		a.from += len(frame)
		a.frames--
		at := len(out)
		out = append(out, frame...)
		l.number(out[at:], int(binary.LittleEndian.Uint16(frame[2:])))
	}
	if a.frames == 0 && a.buf != nil {
		a.release()
	}
	return out
}

// discard drops all frames made ahead and returns how many events were in them
// or left out behind them.
func (l *link) discard() int {
	a := &l.ahead
	n := l.skipped
	l.skipped = 0
	for at := a.from; at < len(a.buf); at += int(a.buf[at+1]) + 2 {
		n += int(binary.LittleEndian.Uint16(a.buf[at+2:]))
	}
	a.release()
	return n
}

// withdraw drops the frames made ahead that are of an answer. The events that
// were left out in front of them are confirmed with those to come.
func (l *link) withdraw() {
	a := &l.ahead
	kept := 0
	for at := a.from; at < len(a.buf); {
		frame := a.buf[at : at+int(a.buf[at+1])+2]
		at += len(frame)
		if frame[4] != 0 {
			l.skipped += int(binary.LittleEndian.Uint16(frame[2:]))
			a.frames--
			continue
		}
		kept += copy(a.buf[kept:], frame)
	}
	if a.buf != nil {
		a.buf, a.from = a.buf[:kept], 0
	}
}
