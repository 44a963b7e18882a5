package iec104server

import (
	"busbar/iec104"
	"busbar/iec104/asdu"
)

// answer is what the answers to a request have in common: events that were
// waiting when it was confirmed go first, and a value never overtakes an older
// event of the same point.
type answer struct {
	s     *session
	after uint64          // number of the next event when the request was confirmed
	heads [classes]uint64 // of each class the number of the next event to take
}

func newAnswer(s *session) answer {
	return answer{s: s, after: s.station.events.next, heads: [classes]uint64{none, none, none}}
}

// look sees which events have not been taken, and reports whether those that were
// waiting have. It is called before a scan, under the lock of the station.
func (a *answer) look() bool {
	q, st := a.s.queue, a.s.station
	if q == nil || a.s.held {
		return q == nil
	}
	a.heads = q.heads(&st.events)
	first := min(a.heads[statusClass], a.heads[counterClass], a.heads[measuredClass])
	if !st.settings.byClass() {
		// Nothing goes before an older event of another class.
		a.heads = [classes]uint64{first, first, first}
	}
	return q.again.len() == 0 && first >= a.after
}

// waits reports whether an event of the row was not taken yet.
func (a *answer) waits(r *row, rule *rule) bool { return r.sent > a.heads[rule.class] }

// encode fills an item with a sample of a row.
func (a *answer) encode(dst *iec104.Item, s *sample, r *row, rule *rule) bool {
	dst.Type = rule.answer
	return a.s.enc.encode(&dst.Object, rule.answer, r.ioa(), s, rule)
}

// Interrogate implements [iec104.Session].
func (s *session) Interrogate(ca uint16, qoi uint8) iec104.Interrogation {
	st := s.station
	st.mu.RLock()
	defer st.mu.RUnlock()
	sector, ok := st.table.sector(ca)
	if !ok && !st.desk.commands(ca) {
		return nil
	}
	i := &interrogation{answer: newAnswer(s), ca: ca}
	switch {
	case qoi == uint8(asdu.InterrogatedGeneral):
	case qoi > uint8(asdu.InterrogatedGeneral) && qoi <= uint8(asdu.InterrogatedGroup16):
		i.group = 1 << (qoi - uint8(asdu.InterrogatedGroup1))
		if !ok || sector.groups&i.group == 0 {
			return nil
		}
	default:
		return nil
	}
	st.shown.Store(true)
	return i
}

// interrogation yields the values of one common address, all or those of a group,
// in order of type and address. It has a place in the table and no copy of it,
// so that its size does not depend on that of the table.
type interrogation struct {
	answer
	ca    uint16
	group Groups // 0: all

	table *table // that at and high belong to
	at    uint32 // the next row
	high  uint32
	key   uint64 // of the next row, to find it in another table
}

// scanLimit is how many rows are looked at before others get the lock.
const scanLimit = 4096

// Next implements [iec104.Interrogation].
func (i *interrogation) Next(dst []iec104.Item) (n int, done bool) {
	for {
		n, more := i.scan(dst)
		switch more {
		case finished:
			return n, true
		case blocked, full:
			return n, false
		case paused:
			if n > 0 {
				return n, false
			}
		}
	}
}

// progress is why a scan ended.
type progress uint8

const (
	finished progress = iota // there are no more rows
	full                     // dst is
	blocked                  // an event has to go first
	paused                   // enough rows were looked at
)

func (i *interrogation) scan(dst []iec104.Item) (n int, why progress) {
	st := i.s.station
	st.mu.RLock()
	defer st.mu.RUnlock()
	i.seek(st.table)
	if !i.look() {
		return 0, blocked
	}
	t := i.table
	for limit := min(i.at+scanLimit, i.high); i.at < limit; i.at++ {
		r := &t.rows[i.at]
		rule := &t.rules[r.rule]
		if !rule.family.interrogated() || i.group != 0 && rule.groups&i.group == 0 {
			continue
		}
		i.key = r.key
		if n == len(dst) {
			return n, full
		}
		if i.waits(r, rule) {
			return n, blocked
		}
		if i.encode(&dst[n], &r.current, r, rule) {
			n++
		}
	}
	if i.at >= i.high {
		return n, finished
	}
	i.key = t.rows[i.at].key
	return n, paused
}

// seek finds the place in the table again if it was replaced.
func (i *interrogation) seek(t *table) {
	if i.table == t {
		return
	}
	i.table, i.at, i.high = t, 0, 0
	if s, ok := t.sector(i.ca); ok {
		i.high = s.high
		i.at = t.seek(s.low, s.high, i.key)
	}
}

// Read implements [iec104.Session]. The value is that of now, also if an event of
// the point still waits.
func (s *session) Read(ca uint16, ioa uint32) (iec104.Item, bool) {
	st := s.station
	st.mu.RLock()
	defer st.mu.RUnlock()
	r, ok := st.table.find(ca, ioa)
	if !ok {
		return iec104.Item{}, false
	}
	st.shown.Store(true)
	rule := &st.table.rules[r.rule]
	item := iec104.Item{Type: rule.answer}
	ok = s.enc.encode(&item.Object, rule.answer, r.ioa(), &r.current, rule)
	return item, ok
}
