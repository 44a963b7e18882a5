package iec104server

import (
	"context"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// applyBatch is how many changes are applied before sessions get their turn.
const applyBatch = 512

// follow applies what the feed delivers until it fails.
func (st *station) follow(ctx context.Context, feed connector.Feed) error {
	for {
		b, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		st.apply(&b, false)
	}
}

// apply takes a batch of the feed, the first of a run or a later one. It is called by
// one goroutine.
func (st *station) apply(b *connector.Batch, first bool) {
	changes := b.Changes
	if b.Targets != nil {
		changes = st.setTargets(*b.Targets, changes, first)
	}
	if b.Gap > 0 {
		st.mu.Lock()
		st.figures.gaps += b.Gap
		st.mu.Unlock()
	}
	for len(changes) > 0 {
		n := min(len(changes), applyBatch)
		st.mu.Lock()
		for i := range changes[:n] {
			st.change(&changes[i])
		}
		full := st.settle()
		sessions := st.sessions
		st.mu.Unlock()
		st.warn(full)
		wake(sessions)
		changes = changes[n:]
	}
}

// setTargets puts a new table in the place of the old one. The values that the
// changes begin with, as a snapshot, go into it before anybody sees it; it
// returns the changes after them. Nobody but the caller changes values, so that
// the table is built without a lock; counters are frozen by others and are taken
// over under it.
func (st *station) setTargets(targets []connector.Target, changes []connector.Change, first bool) []connector.Change {
	t := newTable(targets, st.settings.tagged())
	t.takeOver(st.table)
	for len(changes) > 0 && changes[0].Snapshot {
		t.snapshot(&changes[0], first)
		changes = changes[1:]
	}
	st.mu.Lock()
	t.takeOverCounters(st.table)
	st.table = t
	st.figures.removed += st.events.newest.purge(t, st.queues)
	st.mu.Unlock()
	st.rouse()
	return changes
}

// takeOver copies the values of the targets that stay.
func (t *table) takeOver(old *table) {
	for i := range t.rows {
		r := &t.rows[i]
		at := old.byTarget.get(uint32(r.current.target))
		if at == absent {
			continue
		}
		was := &old.rows[at]
		r.current, r.gate, r.sent = was.current, was.gate, was.sent
	}
}

// snapshot sets the current value of a point without an event. settled: the
// controlling stations learn it by interrogation, so that it counts as their
// last event.
func (t *table) snapshot(c *connector.Change, settled bool) {
	for at := t.byPoint.get(uint32(c.Point)); at != absent; at = t.rows[at].next {
		r := &t.rows[at]
		r.set(c)
		if settled && c.Value.Type() != 0 {
			r.gate.Set(c.Value, c.Quality&^point.NotTopical)
			r.current.kind |= restored
		}
	}
}

// set makes a change the current value and returns it as the event that it would
// be: one of bits tells which have changed.
func (r *row) set(c *connector.Change) sample {
	before := r.current.bits
	r.current = sampleOf(r.current.target, &c.Update)
	event := r.current
	if c.Value.Type() == point.Bits {
		event.bits |= (before ^ event.bits) << 32
	}
	return event
}

// change applies one change to all targets of its point.
func (st *station) change(c *connector.Change) {
	t := st.table
	caused := st.desk.returns(c.Point)
	if caused {
		defer st.desk.returned(c.Point)
	}
	for at := t.byPoint.get(uint32(c.Point)); at != absent; at = t.rows[at].next {
		r := &t.rows[at]
		rule := &t.rules[r.rule]
		switch {
		case c.Flags&point.Late != 0:
			if rule.tagged() && !rule.latest && st.sendsChanges(at, rule) {
				late := sampleOf(r.current.target, &c.Update)
				st.figures.late++
				st.append(r, st.reading(at, late))
			}
		case c.Flags&point.Restored != 0:
			r.set(c)
			r.current.kind |= restored
		default:
			st.update(at, r, rule, c, caused)
		}
	}
}

// update makes a change the current value of a row, and an event if it is one,
// which a command may have caused.
func (st *station) update(at uint32, r *row, rule *rule, c *connector.Change, caused bool) {
	if r.current.kind&restored != 0 && st.shown.Load() {
		// A controlling station may have seen that it is not topical.
		r.gate.Set(r.current.value(), r.current.quality)
	}
	event := r.set(c)
	if caused {
		event.timeQ |= returned
	}
	if rule.gate.Event(&r.gate, c.Value, c.Quality) && st.sendsChanges(at, rule) {
		st.append(r, st.reading(at, event))
	} else {
		st.figures.suppressed++
	}
}

// append makes an event of a sample of a row.
func (st *station) append(r *row, s sample) {
	rule := &st.table.rules[r.rule]
	if rule.latest {
		s.kind |= kind(rule.class) << classShift
		st.events.newest.put(event{s, st.events.next}, st.queues)
		st.events.next++
	} else {
		st.events.append(s, rule.class)
	}
	r.sent = st.events.next
	st.figures.events++
}
