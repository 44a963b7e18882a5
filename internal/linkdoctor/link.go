package linkdoctor

import (
	"sync"
	"time"

	"busbar/iec104/apci"
)

// link is what is known of one connection. Its frames come one after the other.
type link struct {
	doctor *Doctor
	opened time.Time

	// Of those who hand in frames, without the lock.
	window window
	debt   debt

	mu      sync.Mutex
	acks    acks
	peer    *peer
	started time.Time // data transfer; zero: it is stopped
	tests   tests
	starts  uint64 // STARTDT while started
	control control
	station stationView
	clock   clockView
}

// frame looks at one frame.
func (l *link) frame(sent bool, b []byte) {
	switch {
	case len(b) < apci.HeaderLen:
	case b[2]&1 == 0 && sent:
		l.sentI(b)
	case b[2]&1 == 0:
		l.receivedI(b)
	case b[2]&3 == 3:
		l.function(sent, apci.Function(b[2]))
	case sent:
		l.debt = debt{}
	default:
		l.acknowledged(number(b[4:]), time.Now())
	}
}

// number returns N(S) or N(R) of two octets.
func number(b []byte) apci.Seq { return apci.Seq(uint16(b[0])|uint16(b[1])<<8) >> 1 }

// passes looks at an I frame that is sent with process information: this is the
// way of every event. It is false for all other frames.
func (l *link) passes(b []byte) bool {
	if len(b) < apci.HeaderLen+minASDU || b[2]&1 != 0 {
		return false
	}
	asdu := b[apci.HeaderLen:]
	if asdu[0] >= firstSystem || asdu[0] >= firstCommand && asdu[0] <= lastCommand || asdu[causeAt]&causeMask >= 44 {
		return false
	}
	l.debt = debt{}
	l.window.sent(number(b[2:]), l.doctor)
	return true
}

// sentI looks at another I frame that is sent.
func (l *link) sentI(b []byte) {
	l.debt = debt{}
	l.window.sent(number(b[2:]), l.doctor)
	l.exchanged(b[apci.HeaderLen:], true, time.Now())
}

// What of an ASDU is looked at on the quick way.
const (
	minASDU      = 4
	causeAt      = 2
	causeMask    = 0x3F
	firstCommand = 45
	lastCommand  = 69
	firstSystem  = 100
)

func (l *link) receivedI(b []byte) {
	asdu := b[apci.HeaderLen:]
	l.debt.frames++
	if l.doctor.role == Controlling && number(b[4:]) == l.window.ack && monitors(asdu) && !l.station.due(l.doctor.thorough) {
		return
	}
	now := time.Now()
	if l.debt.since.IsZero() {
		l.debt.since = now
	}
	l.acknowledged(number(b[4:]), now)
	l.exchanged(asdu, false, now)
}

// monitors reports whether an ASDU is of the great number that stations send:
// no answer but to an interrogation, and no refusal.
func monitors(asdu []byte) bool {
	return len(asdu) >= minASDU && asdu[0] < firstCommand && asdu[causeAt]&causeMask < 44
}

// function looks at a U frame.
func (l *link) function(sent bool, f apci.Function) {
	now := time.Now()
	switch f {
	case apci.StartDTCon:
		if l.started.IsZero() {
			l.started = now
			l.begin()
		}
	case apci.StopDTCon:
		l.started = time.Time{}
	case apci.StartDTAct, apci.StopDTAct:
		l.changes(sent, f, now)
	default:
		l.tested(sent, f, now)
	}
}

// changes looks at STARTDT act and STOPDT act.
func (l *link) changes(sent bool, f apci.Function, now time.Time) {
	switch {
	case sent:
	case l.doctor.role == Controlling:
		l.note(StationStarts, 1, now, func(n uint64) words {
			return words{seen: "the station has sent " + f.String() + " " + times(n), wanted: "the other side set up as controlled station"}
		})
	case f == apci.StartDTAct && !l.started.IsZero():
		if l.starts++; l.starts >= 2 {
			l.note(StartRepeated, 1, now, func(uint64) words {
				return words{
					seen:   "STARTDT was sent " + times(l.starts) + " on this connection while data transfer was started",
					wanted: "the controlling station to wait for STARTDT con, or its supervision of it longer than " + seconds(l.doctor.p.T1),
				}
			})
		}
	}
}

// note notes a finding about the other side of this connection.
func (l *link) note(id ID, n uint64, now time.Time, say func(total uint64) words) {
	l.doctor.note(l.peer, id, n, now, say)
}

// review looks for what shows in the course of time, and hands on what was
// only counted.
func (l *link) review(now time.Time) {
	l.reviewWindow(now)
	l.reviewStation(now)
	l.reviewClock(now)
	if l.doctor.role == Controlled && !l.started.IsZero() && l.control.interrogations == 0 && now.Sub(l.started) >= giPatience {
		since := now.Sub(l.started)
		l.noteOnce(&l.control.toldNoGI, GINever, now, func(uint64) words {
			return words{
				seen:   "data transfer was started " + since.Round(time.Second).String() + " ago, and no general interrogation was asked for",
				wanted: "a general interrogation after each connect, set in the controlling station: otherwise it has only what changes",
			}
		})
	}
}

// giPatience is how long after the start an interrogation may be asked for.
const giPatience = time.Minute

// noteOnce notes something that lasts as one finding of count 1 per connection,
// and goes on telling it.
func (l *link) noteOnce(told *bool, id ID, now time.Time, say func(total uint64) words) {
	var n uint64
	if !*told {
		n = 1
	}
	*told = true
	l.note(id, n, now, say)
}
