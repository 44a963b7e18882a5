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
		st.gap(b)
	}
	for len(changes) > 0 {
		n := min(len(changes), applyBatch)
		st.mu.Lock()
		for i := range changes[:n] {
			st.change(st.doubt(&changes[i]))
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

// gap notes that changes were lost before a batch. What is lost of those that
// an earlier run has brought is no loss.
func (st *station) gap(b *connector.Batch) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if b.Seq > st.applied {
		st.figures.gaps += b.Gap
	}
	for i := range st.table.counters {
		st.table.counters[i].awaited = 0
	}
}

// setTargets puts a new table in the place of the old one. The values that the
// changes begin with, as a snapshot, go into it before anybody sees it; it
// returns the changes after them. Nobody but the caller changes values, so that
// the table is built without a lock; counters are frozen by others and are taken
// over under it.
func (st *station) setTargets(targets []connector.Target, changes []connector.Change) []connector.Change {
	t := newTable(targets, st.settings.tagged())
	t.takeOver(st.table)
	present := uint64(0)
	for len(changes) > 0 && changes[0].Snapshot {
		present = max(present, changes[0].Seq)
		t.snapshot(st.doubt(&changes[0]))
		changes = changes[1:]
	}
	st.mu.Lock()
	moved := t.takeOverCounters(st.table)
	st.table = t
	st.present = max(st.present, present)
	st.keepOwn(moved)
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
	t.restoreOwn(c)
	for at := t.byPoint.get(uint32(c.Point)); at != absent; at = t.rows[at].next {
		r := &t.rows[at]
		r.set(c)
		r.doubt(c)
	}
}

// doubt marks a current value that was set without an event to be one that the
// controlling stations may know otherwise, if its quality says so.
func (r *row) doubt(c *connector.Change) {
	if c.Value.Type() != 0 && c.Quality&(point.NotTopical|point.Invalid) != 0 {
		r.current.kind |= restored
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
	at := t.byPoint.get(uint32(c.Point))
	if at == absent {
		st.ownChange(c)
		return
	}
	caused := st.desk.returns(c.Point)
	if caused {
		defer st.desk.returned(c.Point)
	}
	for ; at != absent; at = t.rows[at].next {
		r := &t.rows[at]
		rule := &t.rules[r.rule]
		event := c.Events>>rule.place&1 != 0
		switch {
		case c.Past || c.Flags&point.Late != 0:
			if event && c.Seq > st.applied && st.sendsChanges(at, rule, c.Seq) {
				st.figures.late += lateOne(c)
				st.append(r, st.reading(at, sampleOf(r.current.target, &c.Update), c.Seq), c.Seq, c.Seq < st.restored)
			}
		case c.Flags&point.Restored != 0:
			st.requalify(at, r, c)
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

// requalify makes a change that is no news of the source the current value of a
// row. It is an event only if it takes back what a controlling station was shown.
func (st *station) requalify(at uint32, r *row, c *connector.Change) {
	was := r.current
	sample := r.set(c)
	r.doubt(c)
	if was.kind&restored != 0 && st.shown.Load() && !was.same(&r.current) && st.sendsChanges(at, &st.table.rules[r.rule], c.Seq) {
		st.append(r, st.reading(at, sample, c.Seq), c.Seq, false)
	}
}

// update makes a change the current value of a row, and an event if it is one,
// which a command may have caused.
func (st *station) update(at uint32, r *row, c *connector.Change, event, caused bool) {
	was, seq, again := r.current, c.Seq, c.Seq < st.restored
	if c.Snapshot {
		seq, again = st.applied, false
	}
	sample := r.set(c)
	if c.Snapshot || was.kind&restored != 0 && st.shown.Load() {
		// What a controlling station was shown, without an event, holds no more.
		event = event || !was.same(&r.current)
	}
	if caused {
		sample.timeQ |= returned
	}
	if event && st.sendsChanges(at, &st.table.rules[r.rule], seq) {
		st.append(r, st.reading(at, sample, seq), seq, again)
	} else {
		st.figures.suppressed++
	}
}

// append makes an event of a sample of a row, which the change with a sequence
// number has brought. again: before a restart some groups may have confirmed it.
func (st *station) append(r *row, s sample, seq uint64, again bool) {
	rule := &st.table.rules[r.rule]
	log := s.kind.typ().Class()
	s.kind |= kind(rule.class) << classShift
	st.events.holds[rule.class] |= 1 << log
	if rule.latest {
		st.events.newest.put(event{s, seq}, st.queues, again)
	} else {
		st.events.chains[rule.class].append(event{s, seq})
	}
	if again && !rule.latest {
		for _, q := range st.queues {
			q.pass(&st.events, rule.class, log, seq)
		}
	}
	st.events.next = max(st.events.next, seq+1)
	r.sent = seq + 1
	st.figures.events++
}
