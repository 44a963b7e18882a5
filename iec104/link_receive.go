package iec104

import (
	"errors"

	"busbar/iec104/apci"
)

const (
	readSize    = 512      // of the read buffer of an idle connection
	maxReadSize = 64 << 10 // of one under load
	// ackSlack is how many frames beyond w may be taken from the read buffer
	// before they are acknowledged together.
	ackSlack = 64
	// maxFresh is how many I frames are handed to the user together at most, so
	// that a slow one is acknowledged what it has done.
	maxFresh = 8
	// directFrames is up to how many frames may be outstanding for the reader to
	// write itself: so few always fit into the buffers of the system.
	directFrames = 64
)

// read takes frames from the connection until it ends.
func (l *link) read() {
	buf := make([]byte, readSize)
	held, small := 0, 0
	for {
		n, err := l.conn.Read(buf[held:])
		if n > 0 {
			full := held+n == len(buf)
			held += n
			used, ok := l.take(buf[:held])
			l.user.taken()
			if !ok {
				return
			}
			held = copy(buf, buf[used:held])
			if n < len(buf)/8 {
				small++
			} else {
				small = 0
			}
			buf, small = resize(buf, held, full, small)
		}
		if err != nil {
			l.mu.Lock()
			l.end(ioError(err))
			l.unlock()
			return
		}
	}
}

// resize lets the read buffer grow while reads fill it, and shrink after a
// series of small ones.
func resize(buf []byte, held int, full bool, small int) ([]byte, int) {
	size := len(buf)
	switch {
	case full && size < maxReadSize:
		size *= 2
	case small >= 64 && size > readSize:
		size, small = readSize, 0
	default:
		return buf, small
	}
	grown := make([]byte, size)
	copy(grown, buf[:held])
	return grown, small
}

// take handles the whole frames at the beginning of b and returns how many
// octets they have. It is false when the connection is over.
func (l *link) take(b []byte) (used int, ok bool) {
	l.mu.Lock()
	defer l.unlock()
	l.clock = l.now()
	from := 0  // of the frames that were not handed on
	shown := 0 // of b to the tap
	for !l.ended && !l.leaving {
		if n := l.takeNext(b[used:]); n > 0 {
			if l.fresh == 1 {
				from = used
			}
			used += n
			continue
		}
		f, n, err := apci.Parse(b[used:])
		if l.fresh == maxFresh || l.fresh > 0 && (n == 0 || f.Format == apci.FormatU) {
			shown = l.show(b, shown, used) // before what is sent because of it
			if err := l.handOn(b[from:used]); err != nil {
				l.refuse(err)
			}
			continue
		}
		if err != nil {
			shown = l.show(b, l.show(b, shown, used), min(len(b), used+apci.MaxLen))
			l.refuse(frameError(err))
			break
		}
		if n == 0 {
			break
		}
		if l.trace != nil {
			l.trace(false, b[used:used+n])
		}
		if l.fresh == 0 {
			from = used
		}
		l.timers.received = l.clock
		l.timers.partial = 0
		l.count.ReceivedOctets += uint64(n)
		if err := l.receive(f); err != nil {
			shown = l.show(b, shown, used+n)
			if before := l.handOn(b[from:used]); before != nil {
				err = before
			}
			l.refuse(err)
			break
		}
		used += n
	}
	if used < len(b) && l.timers.partial == 0 {
		l.timers.partial = l.clock
	}
	l.show(b, shown, used)
	if !l.ended {
		l.send()
		l.arm()
	}
	return used, !l.ended && !l.leaving
}

// show shows the octets of b from from to to the tap, and returns how far it has
// seen them.
func (l *link) show(b []byte, from, to int) int {
	if l.tap != nil && from < to {
		l.tap(false, b[from:to])
	}
	return max(from, to)
}

// takeNext takes an I frame at the beginning of b if it is the next one, which
// acknowledges nothing new, and returns how many octets it has. It is the quick
// way of what most frames are; 0: the frame has to go the other way.
func (l *link) takeNext(b []byte) int {
	ns, nr, n := apci.ParseI(b)
	if n == 0 || ns != l.vr || nr != l.win.ack || l.fresh == maxFresh || l.state != started || l.trace != nil {
		return 0
	}
	l.vr = l.vr.Next()
	l.fresh++
	l.timers.received = l.clock
	l.timers.partial = 0
	l.count.ReceivedI++
	l.count.ReceivedOctets += uint64(n)
	return n
}

// handOn has the user take the I frames among frames, and owes the peer their
// acknowledgement.
func (l *link) handOn(frames []byte) error {
	if l.fresh == 0 {
		return nil
	}
	l.fresh = 0
	l.handing = true
	n, err := l.user.receive(frames)
	l.handing = false
	if n > 0 {
		if l.owed == 0 {
			l.timers.owed = l.clock
		}
		l.owed += n
		l.nr = l.nr.Add(n)
		if l.state == stopping {
			l.ackNow = true // the peer withholds its confirmation until then
		}
	}
	if err == nil && l.owed >= l.p.W+ackSlack {
		l.send()
	}
	return err
}

// nextI returns the first I frame in frames, which were parsed before, and those
// behind it; nil if there is none.
func nextI(frames []byte) (frame, rest []byte) {
	for len(frames) > 0 {
		n := int(frames[1]) + 2
		frame, frames = frames[:n:n], frames[n:]
		if frame[2]&1 == 0 {
			return frame, frames
		}
	}
	return nil, nil
}

// send writes what is due, or has the writer do it where the reader might have
// to wait for the peer.
func (l *link) send() {
	if l.direct && l.win.outstanding() <= directFrames {
		l.flush()
		return
	}
	l.signal()
}

// refuse ends data transfer because of a violation by the peer. Answers to
// what came before it are still written.
func (l *link) refuse(err error) {
	l.state = stopped
	l.leave(err)
}

// frameError returns the reason behind an error of the frame parser.
func frameError(err error) *LinkError {
	r := BadStart
	switch {
	case errors.Is(err, apci.ErrLength):
		r = BadLength
	case errors.Is(err, apci.ErrControlLength):
		r = BadControlLength
	case errors.Is(err, apci.ErrFunction):
		r = BadFunction
	}
	return &LinkError{Reason: r, Err: err}
}

// receive handles one frame.
func (l *link) receive(f apci.Frame) error {
	if f.Reserved {
		l.count.Tolerated++
	}
	switch f.Format {
	case apci.FormatI:
		l.count.ReceivedI++
		return l.receiveI(f)
	case apci.FormatS:
		l.count.ReceivedS++
		if l.state == stopped && l.controlled {
			return violation(NotStarted, "s frame while stopped")
		}
		return l.acknowledge(f.NR)
	default:
		l.count.ReceivedU++
		return l.receiveU(f.Function)
	}
}

func (l *link) receiveI(f apci.Frame) error {
	if l.state == stopped || l.state == starting || l.state == stopping && l.controlled {
		return violation(NotStarted, "i frame while %s", l.state)
	}
	if f.NS != l.vr {
		return violation(BadSendNumber, "n(s) %d, want %d", f.NS, l.vr)
	}
	if err := l.acknowledge(f.NR); err != nil {
		return err
	}
	l.vr = l.vr.Next()
	l.fresh++
	return nil
}

// acknowledge takes a received N(R).
func (l *link) acknowledge(nr apci.Seq) error {
	if !nr.Acknowledges(l.win.ack, l.win.vs) {
		return violation(BadAck, "n(r) %d, want %d to %d", nr, l.win.ack, l.win.vs)
	}
	if nr == l.win.ack {
		return nil
	}
	newest := l.win.acknowledge(nr)
	l.delay = l.clock - newest.sent + 1
	l.settle(newest.events)
	l.settleAll()
	if l.stopHeld && l.win.outstanding() == 0 {
		l.confirmStop()
	}
	return nil
}

// settle tells the application which events have arrived.
func (l *link) settle(events uint64) {
	if n := int(events - l.settled); n > 0 {
		l.settled = events
		l.count.ConfirmedEvents += uint64(n)
		l.user.confirmed(n)
	}
}

// String returns the state in words.
func (t transfer) String() string {
	return [...]string{"stopped", "pending started", "started", "pending stopped"}[t]
}
