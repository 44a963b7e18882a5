package iec104server

import (
	"fmt"
	"sync"
	"time"

	"busbar/iec104/asdu"
)

// noticeable is the difference of clocks that the operator is told.
const noticeable = time.Second

// masterClock is what the last clock synchronisation showed.
type masterClock struct {
	mu     sync.Mutex
	known  bool
	offset time.Duration // of the controlling station's clock to that of this machine
	far    bool          // the offset is noticeable, and was logged
}

// set notes an offset and reports whether it became noticeable or ceased to be so.
func (c *masterClock) set(offset time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	far := offset.Abs() >= noticeable
	changed := far != c.far
	c.known, c.offset, c.far = true, offset, far
	return changed
}

// get returns the last offset; false: there was no synchronisation.
func (c *masterClock) get() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset, c.known
}

// Clock implements [iec104.Session]. The time is compared with the clock of this
// machine, which is never set.
func (s *session) Clock(_ uint16, t asdu.Time) bool {
	st := s.station
	theirs, possible := t.Date(st.settings.Time.Location)
	if !possible {
		return false
	}
	offset := theirs.Sub(st.now())
	st.book.Synchronised(s.conn.ID(), offset)
	if !st.clock.set(offset) {
		return true
	}
	if offset.Abs() < noticeable {
		st.log.Info("clock of controlling station agrees again", "peer", s.caller.String(), "offset", offset)
		st.face.setClock("")
		return true
	}
	st.log.Warn("clock of controlling station differs", "peer", s.caller.String(), "offset", offset)
	st.face.setClock(fmt.Sprintf("clock of controlling station %s differs by %s", s.caller, offset.Round(time.Millisecond)))
	return true
}
