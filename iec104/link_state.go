package iec104

import (
	"time"

	"busbar/iec104/apci"
)

// receiveU handles link control.
func (l *link) receiveU(f apci.Function) error {
	switch f {
	case apci.TestFRAct:
		l.sendU(apci.TestFRCon)
	case apci.TestFRCon:
		if l.timers.test == 0 {
			l.count.Ignored++
			return nil
		}
		l.trip = l.clock - l.timers.test + 1
		l.timers.test = 0
		l.user.tested()
	case apci.StartDTAct, apci.StopDTAct:
		// Only the controlling station starts and stops data transfer.
		if !l.controlled {
			l.count.Ignored++
			return nil
		}
		if f == apci.StartDTAct {
			l.startRequested()
		} else {
			l.stopRequested()
		}
	case apci.StartDTCon:
		if l.state != starting {
			l.count.Ignored++
			return nil
		}
		l.timers.start = 0
		l.transfer(started)
	case apci.StopDTCon:
		if l.controlled || l.state != stopping {
			l.count.Ignored++
			return nil
		}
		l.timers.stopAct = 0
		l.transfer(stopped)
	}
	if len(l.control) > maxControl {
		return violation(TooManyRequests, "%d octets of link control wait to be sent", len(l.control))
	}
	return nil
}

// transfer changes the state and tells the user when data transfer starts and
// when it stops.
func (l *link) transfer(s transfer) {
	was := l.state
	l.state = s
	if (s == started) != (was == started) || s == stopped && was != stopped {
		l.user.transferred(s == started)
	}
}

// startRequested handles STARTDT act in the controlled station: it is
// confirmed in every state, and nothing is reset if data transfer runs.
func (l *link) startRequested() {
	l.sendU(apci.StartDTCon)
	l.stopHeld = false
	l.transfer(started)
}

// stopRequested handles STOPDT act in the controlled station. What was
// received is acknowledged first; the confirmation waits until the peer has
// acknowledged all own I frames.
func (l *link) stopRequested() {
	if l.owed > 0 {
		l.control = l.appendS(l.control)
	}
	switch l.state {
	case started:
		l.transfer(stopping)
		l.stopHeld = true
		if l.win.outstanding() == 0 {
			l.confirmStop()
		}
	case stopped:
		l.sendU(apci.StopDTCon)
	}
}

func (l *link) confirmStop() {
	l.stopHeld = false
	l.sendU(apci.StopDTCon)
	l.transfer(stopped)
}

// startAct asks the controlled station to start data transfer.
func (l *link) startAct() {
	l.sendU(apci.StartDTAct)
	l.timers.start = l.now()
	l.state = starting
	l.arm()
}

// stopAct asks the controlled station to stop data transfer, after
// acknowledging what was received from it.
func (l *link) stopAct() {
	if l.owed > 0 {
		l.control = l.appendS(l.control)
	}
	l.sendU(apci.StopDTAct)
	l.timers.stopAct = l.now()
	l.transfer(stopping)
	l.arm()
}

// testAct tests the link.
func (l *link) testAct(now time.Duration) {
	l.sendU(apci.TestFRAct)
	l.timers.test = now
}

// probe tests the link now, unless a test is running. It never blocks and may be
// called with any lock held.
func (l *link) probe() {
	time.AfterFunc(0, func() {
		l.mu.Lock()
		defer l.unlock()
		if l.ended || l.leaving || l.timers.test != 0 {
			return
		}
		l.testAct(l.now())
		l.arm()
		l.signal()
	})
}
