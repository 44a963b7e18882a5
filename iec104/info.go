package iec104

import (
	"time"
)

// ConnInfo describes a connection: an open one, or as it was when it ended.
type ConnInfo struct {
	ID            uint64
	Peer          string    // address and port
	State         string    // "stopped", "pending started", "started", "pending stopped"
	Since         time.Time // of the connection
	StateSince    time.Time // of the state
	VS, VR        uint16    // next send and receive sequence numbers
	Acknowledged  uint16    // the oldest own frame not acknowledged, or VS
	Outstanding   int       // own frames not acknowledged, at most K
	Owed          int       // received frames not yet acknowledged
	Answers       int       // requests in work or waiting
	QueuedOctets  int       // of confirmations waiting for the window
	Testing       bool      // TESTFR act was sent and is not confirmed
	Timers        Timers
	RoundTrip     time.Duration     // from TESTFR act to its confirmation, when it last came; 0: none yet
	Interrogation InterrogationInfo // the last general or group interrogation
	Counters
}

// Timers are how long it is until the times of a connection run out; 0: they do not
// run.
type Timers struct {
	T1 time.Duration // the connection is closed unless an acknowledgement or confirmation comes
	T2 time.Duration // an acknowledgement is sent
	T3 time.Duration // the link is tested
}

// InterrogationInfo describes an interrogation, C_IC_NA_1.
type InterrogationInfo struct {
	CA        uint16
	Qualifier uint8     // 20 is the general one
	Begun     time.Time // zero: there was none
	Took      time.Duration
	Objects   int    // information objects of the answer so far
	Result    string // "running", "completed", "refused", "cancelled", "broken off", or the error of the request
}

// The results of an interrogation.
const (
	resultRunning   = "running"
	resultCompleted = "completed"
	resultRefused   = "refused"
	resultCancelled = "cancelled"
	resultBroken    = "broken off"
)

// end notes how an interrogation has ended that is running.
func (i *InterrogationInfo) end(result string, objects int) {
	if i.Result == resultRunning {
		i.Took, i.Result, i.Objects = time.Since(i.Begun), result, objects
	}
}

// describe fills in what the link knows. The lock is held.
func (l *link) describe(i *ConnInfo) {
	i.State = l.state.String()
	i.VS, i.VR, i.Acknowledged = uint16(l.win.vs), uint16(l.vr), uint16(l.win.ack)
	i.Outstanding, i.Owed = l.win.outstanding(), l.owed
	i.Testing, i.RoundTrip, i.Counters = l.timers.test != 0, l.trip, l.count
	if !l.ended {
		i.Timers = l.remaining()
	}
	if g := &i.Interrogation; g.Result == resultRunning {
		g.Took = time.Since(g.Begun)
	}
}

// remaining returns how long it is until the timers run out.
func (l *link) remaining() (r Timers) {
	t, now := &l.timers, l.now()
	if l.owed > 0 {
		r.T2 = max(1, t.owed+l.p.T2-now)
	}
	if t.test == 0 && t.received != 0 {
		r.T3 = max(1, t.received+l.p.T3-now)
	}
	first := never
	if l.win.outstanding() > 0 {
		first = l.win.oldest()
	}
	for _, since := range [...]time.Duration{t.start, t.stopAct, t.test, t.partial, t.write} {
		if since != 0 {
			first = min(first, since)
		}
	}
	if first != never {
		r.T1 = max(1, first+l.p.T1-now)
	}
	return r
}
