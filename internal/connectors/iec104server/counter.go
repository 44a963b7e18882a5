package iec104server

import (
	"busbar/iec104"
	"busbar/internal/point"
)

// counter is what a row of an integrated total has beside its running count.
// Counters are frozen and reset under the lock of the station.
type counter struct {
	row      uint32
	frozen   bool
	sequence uint8  // of the last freeze, modulo 32
	passed   uint32 // multiples of 2³² in the count at the last freeze or reset
	offset   uint64 // the count at the last reset
	copy     sample // what was frozen, without its sequence number
}

// The qualifier FRZ of a counter interrogation.
const (
	readOnly    = 0
	freezeOnly  = 1
	freezeReset = 2
	resetOnly   = 3
)

// generalCounters is the qualifier RQT that asks for all counters.
const generalCounters = 5

// running returns the count since the last reset.
func (c *counter) running(s sample) sample {
	s.bits -= c.offset
	s.sequence = c.sequence
	return s
}

// answer returns what a counter is read as: the running count until the first
// freeze, from then on the frozen copy.
func (c *counter) answer(s sample) sample {
	if c.frozen {
		return c.copy
	}
	return c.running(s)
}

// reading returns a sample of a row as it is sent: of an integrated total, the
// count since its last reset.
func (st *station) reading(at uint32, s sample) sample {
	if i := st.table.byTotal.get(at); i != absent {
		return st.table.counters[i].running(s)
	}
	return s
}

// sendsChanges reports whether changes of a row are events. What is sent of a
// counter is the same spontaneously and in answers: once there are frozen
// copies, those.
func (st *station) sendsChanges(at uint32, r *rule) bool {
	if r.family != total {
		return true
	}
	return r.spontaneous && r.freeze == 0 && !st.table.counters[st.table.byTotal.get(at)].frozen
}

// freeze does what a counter interrogation asks for with a counter, at the
// instant now. A copy that is sent spontaneously becomes an event. The caller
// holds mu.
func (st *station) freeze(c *counter, frz uint8, now point.Instant) {
	t := st.table
	r := &t.rows[c.row]
	if frz != resetOnly {
		c.sequence = (c.sequence + 1) & 31
		c.copy = c.running(r.current)
		c.copy.time, c.copy.timeQ = now, 0
		passed := uint32(c.copy.bits >> 32)
		if c.frozen && passed != c.passed {
			c.copy.quality |= point.Carry
		}
		c.frozen, c.passed = true, passed
		st.figures.freezes++
		if t.rules[r.rule].spontaneous {
			st.append(r, c.copy, st.applied)
		}
	}
	if frz == freezeReset || frz == resetOnly {
		c.offset, c.passed = r.current.bits, 0
	}
}

// takeOverCounters copies what was frozen, and how far events were sent, of the
// counters that stay. The caller holds mu.
func (t *table) takeOverCounters(old *table) {
	for i := range t.counters {
		c := &t.counters[i]
		r := &t.rows[c.row]
		at := old.byTarget.get(uint32(r.current.target))
		if at == absent {
			continue
		}
		r.sent = old.rows[at].sent
		if was := old.byTotal.get(at); was != absent {
			row := c.row
			*c = old.counters[was]
			c.row = row
		}
	}
}

// Counters implements [iec104.Session].
func (s *session) Counters(ca uint16, rqt, frz uint8) iec104.Interrogation {
	st := s.station
	st.mu.Lock()
	defer st.mu.Unlock()
	sector, ok := st.table.sector(ca)
	if !ok || frz > resetOnly {
		return nil
	}
	switch {
	case rqt == generalCounters: // also of an address without counters: it has none to send
	case rqt >= 1 && rqt <= 4 && sector.totals>>rqt&1 != 0:
	default:
		return nil
	}
	if frz == readOnly {
		return &counterAnswer{answer: newAnswer(s), ca: ca, rqt: rqt}
	}
	now := point.InstantOf(st.now())
	for i := sector.lowTotal; i < sector.endTotal; i++ {
		if c := &st.table.counters[i]; st.table.inGroup(c, rqt) {
			st.freeze(c, frz, now)
		}
	}
	st.rouse()
	return nothing{}
}

func (t *table) inGroup(c *counter, rqt uint8) bool {
	return rqt == generalCounters || t.rules[t.rows[c.row].rule].total == rqt
}

// nothing is the answer to a request that asks for no data.
type nothing struct{}

// Next implements [iec104.Interrogation].
func (nothing) Next([]iec104.Item) (n int, done bool) { return 0, true }

// counterAnswer yields the readings of the counters of one common address.
type counterAnswer struct {
	answer
	ca  uint16
	rqt uint8
	key uint64 // of the next counter
}

// Next implements [iec104.Interrogation].
func (a *counterAnswer) Next(dst []iec104.Item) (n int, done bool) {
	st := a.s.station
	st.mu.RLock()
	defer st.mu.RUnlock()
	t := st.table
	sector, ok := t.sector(a.ca)
	if !ok {
		return 0, true
	}
	if !a.look() {
		return 0, false
	}
	for i := t.seekCounter(sector, a.key); i < sector.endTotal; i++ {
		c := &t.counters[i]
		r := &t.rows[c.row]
		a.key = r.key
		switch {
		case !t.inGroup(c, a.rqt):
			continue
		case n == len(dst) || a.waits(r, &t.rules[r.rule]):
			return n, false
		}
		reading := c.answer(r.current)
		if a.encode(&dst[n], &reading, r, &t.rules[r.rule]) {
			n++
		}
	}
	return n, true
}

// seekCounter returns the first counter of a sector whose key is not less than key.
func (t *table) seekCounter(s *sector, key uint64) uint32 {
	low, high := s.lowTotal, s.endTotal
	for low < high {
		if mid := (low + high) / 2; t.rows[t.counters[mid].row].key < key {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
