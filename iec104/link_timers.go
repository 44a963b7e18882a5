package iec104

import (
	"math"
	"time"
)

// never is later than every deadline.
const never = time.Duration(math.MaxInt64)

// timers holds the times that deadlines are counted from, all since the
// connection began. One timer serves them: it is set to the earliest deadline,
// moved when an earlier one arises, and otherwise looks again when it fires.
type timers struct {
	timer    *time.Timer
	armed    time.Duration // when the timer fires
	received time.Duration // the last frame, for t3
	owed     time.Duration // the first I frame not acknowledged, for t2
	start    time.Duration // STARTDT act sent, for t1; 0: none
	stopAct  time.Duration // STOPDT act sent
	test     time.Duration // TESTFR act sent
	partial  time.Duration // first octet of an incomplete frame
	write    time.Duration // a write began
	leaveBy  time.Duration // end of the linger time
}

func (t *timers) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// deadline returns when the earliest time-out is due.
func (l *link) deadline() time.Duration {
	t := &l.timers
	d := never
	if t.test == 0 {
		d = t.received + l.p.T3
	}
	if l.owed > 0 {
		d = min(d, t.owed+l.p.T2)
	}
	if l.win.outstanding() > 0 {
		d = min(d, l.win.oldest()+l.p.T1)
	}
	for _, since := range [...]time.Duration{t.start, t.stopAct, t.test, t.partial, t.write} {
		if since != 0 {
			d = min(d, since+l.p.T1)
		}
	}
	if t.leaveBy != 0 {
		d = min(d, t.leaveBy)
	}
	return d
}

// arm sees to it that the timer fires no later than the earliest deadline.
func (l *link) arm() {
	if l.ended {
		return
	}
	t := &l.timers
	d := l.deadline()
	switch {
	case t.timer == nil:
		t.armed = d
		t.timer = time.AfterFunc(d-l.now(), l.tick)
	case d < t.armed:
		t.armed = d
		t.timer.Reset(d - l.now())
	}
}

// tick acts on the deadlines that have passed and sets the timer anew.
func (l *link) tick() {
	l.mu.Lock()
	defer l.unlock()
	if l.ended {
		return
	}
	now := l.now()
	l.timers.armed = never
	if err := l.expired(now); err != nil {
		l.end(err)
		return
	}
	t := &l.timers
	if t.test == 0 && now >= t.received+l.p.T3 {
		l.testAct(now)
		l.signal()
	}
	if l.owed > 0 && now >= t.owed+l.p.T2 {
		l.ackNow = true
		l.signal()
		// Until it is written the acknowledgement is not due again.
		t.owed = now
	}
	l.arm()
}

// expired returns the reason to close the connection, if a deadline of t1 or
// the linger time has passed.
func (l *link) expired(now time.Duration) error {
	t := &l.timers
	late := func(since time.Duration) bool { return since != 0 && now >= since+l.p.T1 }
	switch {
	case t.leaveBy != 0 && now >= t.leaveBy:
		return l.err
	case l.win.outstanding() > 0 && now >= l.win.oldest()+l.p.T1:
		return violation(NoAck, "i frame %d after t1 of %v, %d outstanding", l.win.ack, l.p.T1, l.win.outstanding())
	case late(t.start):
		return violation(NoStartCon, "t1 of %v", l.p.T1)
	case late(t.stopAct):
		return violation(NoStopCon, "t1 of %v", l.p.T1)
	case late(t.test):
		return violation(NoTestCon, "t1 of %v", l.p.T1)
	case late(t.partial):
		return violation(Incomplete, "t1 of %v", l.p.T1)
	case late(t.write):
		return violation(WriteStalled, "t1 of %v", l.p.T1)
	default:
		return nil
	}
}
