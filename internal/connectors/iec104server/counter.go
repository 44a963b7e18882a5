package iec104server

import (
	"errors"
	"iter"
	"time"

	"busbar/iec104"
	"busbar/internal/point"
)

// counter is what a row of an integrated total has beside its running count.
// Counters are frozen and reset under the lock of the station.
type counter struct {
	row      uint32
	frozen   bool
	once     bool   // it was frozen once only
	sequence uint8  // of the last freeze, modulo 32
	awaited  uint8  // freezes that will be events but have not come back from the image
	passed   uint32 // multiples of 2³² in the count at the last freeze or reset
	offset   uint64 // the count at the last reset
	copy     sample // what was frozen
	first    uint64 // number of the change of the first freeze; 0: not known any more, or not yet
	own      [ownPoints]point.Index
	seen     [ownPoints]uint64 // numbers of the changes that it was restored from
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

// earlier returns the count as it was with the change seq, which came before the
// first freeze. Of several resets since only the newest is known: there was one at most.
func (c *counter) earlier(s sample, seq uint64) sample {
	if seq > c.seen[ownOffset] {
		s.bits -= c.offset
	}
	s.sequence = 0
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

// reading returns a sample of a row as it is sent, which the change seq has brought: of an
// integrated total, the count since its last reset.
func (st *station) reading(at uint32, s sample, seq uint64) sample {
	i := st.table.byTotal.get(at)
	if i == absent {
		return s
	}
	c := &st.table.counters[i]
	if seq < c.first {
		return c.earlier(s, seq)
	}
	return c.running(s)
}

// sendsChanges reports whether changes of a row are events. What is sent of a
// counter is the same spontaneously and in answers: once there are frozen
// copies, those. The change has the number seq.
func (st *station) sendsChanges(at uint32, r *rule, seq uint64) bool {
	if r.family != total {
		return true
	}
	c := &st.table.counters[st.table.byTotal.get(at)]
	return r.spontaneous && r.freeze == 0 && (!c.frozen || seq < c.first)
}

// errNotKept is why counters are not frozen where nobody keeps the copies.
var errNotKept = errors.New("the process image does not keep frozen counters")

// freeze does what a counter interrogation asks for with some counters, at a time
// of the clock of this machine. The copies are there at once; those that are sent
// spontaneously become events when they come back from the image. If it does not
// accept them nothing is frozen. The caller holds mu.
func (st *station) freeze(which iter.Seq[uint32], frz uint8, at time.Time) error {
	now, timeQ := point.InstantOf(at), st.ownTime(at)
	var batch []point.Update
	var fresh []counter
	for i := range which {
		c := st.table.counters[i]
		if c.own[ownFrozen] == c.own[ownOffset] {
			return errNotKept
		}
		current := &st.table.rows[c.row].current
		if frz != resetOnly {
			c.freeze(current, now, timeQ)
			batch = append(batch, c.frozenUpdate())
			if st.table.rules[st.table.rows[c.row].rule].spontaneous {
				c.awaited = max(c.awaited, c.awaited+1)
			}
		}
		if frz != freezeOnly {
			c.offset, c.passed = current.bits, 0
			batch = append(batch, c.offsetUpdate(now))
		}
		fresh = append(fresh, c)
	}
	if len(batch) == 0 {
		return nil
	}
	if err := st.publishOwn(batch); err != nil {
		return err
	}
	next := 0
	for i := range which {
		st.table.counters[i] = fresh[next]
		next++
	}
	if frz != resetOnly {
		st.figures.freezes += uint64(len(fresh))
	}
	return nil
}

// freeze makes a copy of the running count.
func (c *counter) freeze(current *sample, now point.Instant, timeQ point.TimeQuality) {
	c.copy = c.running(*current)
	c.sequence = (c.sequence + 1) & sequenceMask
	c.copy.time, c.copy.timeQ, c.copy.sequence = now, timeQ, c.sequence
	passed := uint32(c.copy.bits >> 32)
	if c.frozen && passed != c.passed {
		c.copy.quality |= point.Carry
	}
	c.once = !c.frozen
	c.frozen, c.passed = true, passed
}

// takeOverCounters copies what was frozen, and how far events were sent, of the
// counters that stay. It returns those that have other own points than before.
// The caller holds mu.
func (t *table) takeOverCounters(old *table) (moved []uint32) {
	for i := range t.counters {
		c := &t.counters[i]
		r := &t.rows[c.row]
		at := old.byTarget.get(uint32(r.current.target))
		if at == absent {
			continue
		}
		r.sent = old.rows[at].sent
		if was := old.byTotal.get(at); was != absent {
			row, own := c.row, c.own
			*c = old.counters[was]
			if c.row = row; c.own != own {
				c.own, c.awaited = own, 0
				moved = append(moved, uint32(i))
			}
		}
	}
	return moved
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
	if err := st.freeze(st.table.totals(sector, rqt), frz, st.now()); err != nil {
		st.log.Warn("counters not frozen", "peer", s.caller.String(), "ca", ca, "rqt", rqt, "frz", frz, "error", err)
		return nil
	}
	st.rouse()
	return nothing{}
}

// totals yields the counters of a sector that a request asks for.
func (t *table) totals(s *sector, rqt uint8) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := s.lowTotal; i < s.endTotal; i++ {
			if t.inGroup(&t.counters[i], rqt) && !yield(i) {
				return
			}
		}
	}
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
		case n == len(dst) || c.awaited > 0 || a.waits(r, &t.rules[r.rule]):
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
