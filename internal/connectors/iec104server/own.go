package iec104server

import (
	"fmt"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// What is frozen of a counter, and its offset, are own points of its target, so
// that they outlast the process, and a frozen copy has its place in the change log
// among the events. An update of the first is a freeze:
//
//   - Value, Quality: the copy. ElapsedInvalid, which counters do not have, marks
//     what is only kept and is no event: the target has another address than before.
//   - Time: the instant of the freeze. It counts as substituted, so that the image
//     takes no freeze for late, whatever becomes of the clock.
//   - TimeQuality: beside the two bits of the time the sequence number, in bits 2
//     to 6, and in bit 7 whether it was the first freeze of the counter.
//   - Arrival: twice the number of the change of the first freeze, and one. A time stands for
//     one that is not known, or is this one.
//
// An update of the second is a reset: its value is the count at that moment.
const (
	ownFrozen = iota
	ownOffset
	ownPoints

	keptOnly                        = point.ElapsedInvalid
	firstFreeze   point.TimeQuality = 0x80
	sequenceMask                    = 31
	sequencePlace                   = 2
)

// own declares the own points of a target.
func own(t Target) (names [ownPoints]connector.OwnPoint) {
	if forms[t.As.TypeID].family != total {
		return names
	}
	names[ownFrozen] = connector.OwnPoint{Name: fmt.Sprintf("%d.%d.frozen", t.CA, t.IOA), Type: point.Counter}
	names[ownOffset] = connector.OwnPoint{Name: fmt.Sprintf("%d.%d.offset", t.CA, t.IOA), Type: point.Counter}
	return names
}

// frozenUpdate returns the update that tells the newest copy of a counter.
func (c *counter) frozenUpdate() point.Update {
	u := point.Update{
		Point: c.own[ownFrozen], Value: point.CounterValue(int64(c.copy.bits)), Time: c.copy.time, Arrival: c.copy.time,
		Quality:     c.copy.quality &^ keptOnly,
		TimeQuality: c.copy.timeQ&point.TimeInvalid | point.TimeSubstituted | point.TimeQuality(c.sequence)<<sequencePlace,
	}
	if c.once {
		u.TimeQuality |= firstFreeze
	}
	if c.first > 0 {
		u.Arrival = point.Instant(c.first<<1 | 1)
	}
	return u
}

// firstOf returns the number of the change of the first freeze that a freeze tells,
// 0 if it does not.
func firstOf(c *connector.Change) uint64 {
	first := uint64(c.Arrival) >> 1
	switch {
	case c.Arrival != c.Time && c.Arrival&1 == 1 && first < c.Seq:
		return first
	case c.TimeQuality&firstFreeze != 0:
		return c.Seq
	default:
		return 0
	}
}

// offsetUpdate returns the update that tells the offset of a counter.
func (c *counter) offsetUpdate(now point.Instant) point.Update {
	return point.Update{
		Point: c.own[ownOffset], Value: point.CounterValue(int64(c.offset)), Time: now, Arrival: now,
		TimeQuality: point.TimeSubstituted,
	}
}

// frozenSample returns the frozen copy that an update tells.
func frozenSample(t connector.TargetID, u *point.Update) sample {
	s := sampleOf(t, u)
	s.quality &^= keptOnly
	s.timeQ &= point.TimeInvalid
	s.sequence = uint8(u.TimeQuality>>sequencePlace) & sequenceMask
	return s
}

// restoreOwn takes the state of an own point, as a snapshot has it.
func (t *table) restoreOwn(c *connector.Change) {
	at := t.byOwn.get(uint32(c.Point))
	if at == absent || c.Value.Type() == 0 {
		return
	}
	k := &t.counters[at/ownPoints]
	switch at % ownPoints {
	case ownFrozen:
		k.copy = frozenSample(t.rows[k.row].current.target, &c.Update)
		k.sequence, k.frozen = k.copy.sequence, true
		k.once, k.first = c.TimeQuality&firstFreeze != 0, firstOf(c)
	case ownOffset:
		k.offset = uint64(c.Value.Int())
	}
	k.seen[at%ownPoints] = c.Seq
	if k.passed = uint32(k.copy.bits >> 32); k.seen[ownOffset] > k.seen[ownFrozen] {
		k.passed = 0
	}
}

// ownChange takes a change of an own point: a freeze is an event now. What
// became of the counter is known since it was frozen.
func (st *station) ownChange(c *connector.Change) {
	t := st.table
	at := t.byOwn.get(uint32(c.Point))
	if at == absent || at%ownPoints != ownFrozen || c.Snapshot || c.Flags&point.Restored != 0 || c.Seq <= st.applied ||
		c.Quality&keptOnly != 0 {
		return
	}
	k := &t.counters[at/ownPoints]
	k.awaited = max(k.awaited, 1) - 1
	if c.TimeQuality&firstFreeze != 0 {
		k.first = firstOf(c)
	}
	if r := &t.rows[k.row]; c.Events&1 != 0 && t.rules[r.rule].spontaneous {
		st.append(r, frozenSample(r.current.target, &c.Update), c.Seq, c.Seq < st.restored)
	}
}

// keepOwn publishes what is known of counters whose own points have others than
// before. The caller holds mu.
func (st *station) keepOwn(moved []uint32) {
	var batch []point.Update
	now := point.InstantOf(st.now())
	for _, i := range moved {
		c := &st.table.counters[i]
		frozen, offset := c.frozenUpdate(), c.offsetUpdate(now)
		frozen.Quality |= keptOnly
		switch {
		case c.own[ownFrozen] == c.own[ownOffset]:
		case !c.frozen:
			batch = append(batch, offset)
		case c.passed == 0: // the reset may have been the last
			batch = append(batch, frozen, offset)
		default:
			batch = append(batch, offset, frozen)
		}
	}
	if len(batch) == 0 {
		return
	}
	if err := st.publishOwn(batch); err != nil {
		st.log.Warn("frozen counters are not kept under their new address", "counters", len(moved), "error", err)
	}
}
