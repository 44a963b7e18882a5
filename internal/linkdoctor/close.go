package linkdoctor

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"busbar/iec104"
)

const (
	// flapTime is within what manyEnds connections of one side have to end.
	flapTime = 10 * time.Minute
	manyEnds = 5
	// takeTime is within what manyTakes have to happen.
	takeTime  = 5 * time.Minute
	manyTakes = 3
	// owedLong is how long a frame was not acknowledged that may have made the
	// other side close.
	owedLong = time.Second
	manyCuts = 2
)

// Closed tells that a connection has ended, and why: a [iec104.LinkError].
func (d *Doctor) Closed(conn uint64, reason error) {
	l := d.forget(conn)
	if l == nil {
		return
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.review(now)
	why := iec104.ClosedLocally
	if e, ok := errors.AsType[*iec104.LinkError](reason); ok {
		why = e.Reason
	}
	if why != iec104.ClosedLocally {
		l.abandon(now)
	}
	l.ended(why, reason, now)
	switch why {
	case iec104.ClosedLocally:
	case iec104.Superseded:
		l.superseded(reason, now)
	default:
		l.broken(why, now)
	}
}

// ended tells why a connection ended, where that says what does not fit.
func (l *link) ended(why iec104.Reason, reason error, now time.Time) {
	p := &l.doctor.p
	id, seen, wanted := ID(""), "", ""
	switch why {
	case iec104.BadStart, iec104.BadLength, iec104.BadControlLength, iec104.BadFunction, iec104.Incomplete:
		id, seen = BrokenFrames, "what was received is not IEC 60870-5-104"
		wanted = "the right port and protocol at the other side, and TLS at both sides or at none"
	case iec104.BadASDU:
		l.malformed(reason, now)
	case iec104.NotStarted:
		id, seen, wanted = FramesUnstarted, "I or S frames came before data transfer was started", "STARTDT before them"
	case iec104.BadSendNumber, iec104.BadAck:
		id, seen, wanted = SequenceError, "sequence numbers did not fit", "nothing between the two sides that drops, repeats or joins frames; one master per connection"
	case iec104.NoAck:
		id, seen = AckTimeout, fmt.Sprintf("%d frames were not acknowledged within t1, %s", max(1, l.window.outstanding()), seconds(p.T1))
		wanted = fmt.Sprintf("t2 of the other side less than t1 here, and its w at most %d", max(1, p.K*2/3))
	case iec104.NoStartCon, iec104.NoStopCon:
		id, seen, wanted = StartUnconfirmed, why.String()+" within t1, "+seconds(p.T1), "the other side to confirm at once; it may serve another master"
	case iec104.NoTestCon:
		id, seen, wanted = TestUnanswered, "a test frame was not confirmed within t1, "+seconds(p.T1), "the line checked: the other side or what is between has gone without a sign; t3 shorter than the time-out of firewalls"
	case iec104.WriteStalled:
		id, seen, wanted = WriteStalled, "the other side did not read for t1, "+seconds(p.T1), "the other side relieved: fewer events, larger dead bands"
	case iec104.ClosedByPeer:
		l.cutOff(now)
	}
	if id == "" {
		return
	}
	example := ""
	if reason != nil {
		example = reason.Error()
	}
	l.note(id, 1, now, func(n uint64) words {
		return words{seen: fmt.Sprintf("%s (%s)", seen, times(n)), wanted: wanted, example: example}
	})
}

// cutOff looks whether the other side has closed because it was not acknowledged.
func (l *link) cutOff(now time.Time) {
	owed := now.Sub(l.debt.since)
	if l.debt.frames == 0 || l.debt.since.IsZero() || owed < owedLong {
		return
	}
	frames := l.debt.frames
	l.doctor.mu.Lock()
	l.peer.cutOff++
	n := l.peer.cutOff
	l.doctor.mu.Unlock()
	if n < manyCuts {
		return
	}
	l.note(PeerT1, 1, now, func(uint64) words {
		return words{
			seen: fmt.Sprintf("the other side closed %s while it waited for an acknowledgement, the last time of %d frames for %s; t2 here is %s",
				times(uint64(n)), frames, seconds(owed), seconds(l.doctor.p.T2)),
			wanted: "t2 here less than t1 of the other side, or w here smaller",
		}
	})
}

// recent drops the times that are too old and adds one.
func recent(list []time.Time, now time.Time, within time.Duration) []time.Time {
	list = slices.DeleteFunc(list, func(t time.Time) bool { return now.Sub(t) > within })
	if len(list) > 1000 {
		list = list[1:]
	}
	return append(list, now)
}

// broken looks whether connections of the other side break again and again.
func (l *link) broken(why iec104.Reason, now time.Time) {
	lived := now.Sub(l.opened)
	l.doctor.mu.Lock()
	l.peer.ended = recent(l.peer.ended, now, flapTime)
	n := len(l.peer.ended)
	l.doctor.mu.Unlock()
	if n < manyEnds {
		return
	}
	l.note(Flapping, 1, now, func(uint64) words {
		return words{
			seen:   fmt.Sprintf("%d connections ended within %s, the last after %s: %s", n, flapTime, seconds(lived), why),
			wanted: "what the other findings say; otherwise a look at the line and at the log of the other side",
		}
	})
}

// superseded looks whether two stations take data transfer from each other.
func (l *link) superseded(reason error, now time.Time) {
	l.doctor.mu.Lock()
	l.peer.taken = recent(l.peer.taken, now, takeTime)
	n := len(l.peer.taken)
	l.doctor.mu.Unlock()
	if n < manyTakes {
		return
	}
	l.note(Takeover, 1, now, func(uint64) words {
		return words{
			seen:    fmt.Sprintf("data transfer was taken over by another connection of the redundancy group %d times within %s", n, takeTime),
			wanted:  "a group of its own for each controlling station, or active: all; only one of a pair may send STARTDT",
			example: reason.Error(),
		}
	})
}
