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
		st.apply(&b)
	}
}

// apply takes a batch of the feed, the first of a run or a later one. It is called by
// one goroutine.
func (st *station) apply(b *connector.Batch) {
	changes := b.Changes
	if b.Targets != nil {
		changes = st.setTargets(*b.Targets, changes)
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
		if last := &changes[n-1]; !last.Snapshot {
			st.applied = max(st.applied, last.Seq)
		}
		full := st.settle()
		sessions := st.sessions
		st.mu.Unlock()
		st.warn(full)
		wake(sessions)
		changes = changes[n:]
	}
	st.mu.Lock()
	st.applied = max(st.applied, b.Seq)
	st.mu.Unlock()
}

// setTargets puts a new table in the place of the old one. The values that the
// changes begin with, as a snapshot, go into it before anybody sees it; it
// returns the changes after them. Nobody but the caller changes values, so that
// the table is built without a lock; counters are frozen by others and are taken
// over under it.
func (st *station) setTargets(targets []connector.Target, changes []connector.Change) []connector.Change {
	t := newTable(targets, st.settings.tagged())
	t.takeOver(st.table)
	for len(changes) > 0 && changes[0].Snapshot {
		t.snapshot(&changes[0])
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
		r.current, r.sent = was.current, was.sent
	}
}

// snapshot sets the current value of a point without an event: the controlling
// stations learn it by interrogation.
func (t *table) snapshot(c *connector.Change) {
	for at := t.byPoint.get(uint32(c.Point)); at != absent; at = t.rows[at].next {
		r := &t.rows[at]
		r.set(c)
		if c.Value.Type() != 0 {
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
		event := c.Events>>r.place&1 != 0
		switch {
		case c.Past || c.Flags&point.Late != 0:
			if event && c.Seq > st.applied && st.sendsChanges(at, rule) {
				st.figures.late += lateOne(c)
				st.append(r, st.reading(at, sampleOf(r.current.target, &c.Update)), c.Seq)
			}
		case c.Flags&point.Restored != 0:
			r.set(c)
			r.current.kind |= restored
		default:
			st.update(at, r, c, event, caused)
		}
	}
}

// lateOne is 1 for a late change.
func lateOne(c *connector.Change) uint64 {
	if c.Flags&point.Late != 0 {
		return 1
	}
	return 0
}

// update makes a change the current value of a row, and an event if it is one,
// which a command may have caused.
func (st *station) update(at uint32, r *row, c *connector.Change, event, caused bool) {
	was, seq := r.current, c.Seq
	if c.Snapshot {
		seq = st.applied
	}
	sample := r.set(c)
	if c.Snapshot || was.kind&restored != 0 && st.shown.Load() {
		// What a controlling station was shown, without an event, holds no more.
		event = event || !was.same(&r.current)
	}
	if caused {
		sample.timeQ |= returned
	}
	if event && st.sendsChanges(at, &st.table.rules[r.rule]) {
		st.append(r, st.reading(at, sample), seq)
	} else {
		st.figures.suppressed++
	}
}

// append makes an event of a sample of a row, which the change with a sequence
// number has brought.
func (st *station) append(r *row, s sample, seq uint64) {
	rule := &st.table.rules[r.rule]
	s.kind |= kind(rule.class) << classShift
	if rule.latest {
		st.events.newest.put(event{s, seq}, st.queues)
	} else {
		st.events.chains[rule.class].append(event{s, seq})
	}
	st.events.next = max(st.events.next, seq+1)
	r.sent = seq + 1
	st.figures.events++
}
