package connector

import (
	"busbar/internal/plant"
	"busbar/internal/point"
)

// orphan makes points not topical whose value came from another source than
// they have now, or that have none any more: nobody knows whether it still
// holds. They wait for the first update of the new source.
func (m *Manager) orphan(c *change) {
	r := m.ledger.requalifier()
	for n, index := range c.indexes {
		p := &c.plant.Points[n]
		if old, ok := m.had(index); ok && (old.typ != p.Type || !m.sameSource(c, old, p.From)) {
			h := m.table.of(index)
			unseen := h.marks()&markRestored != 0
			h.reset()
			r.add(requality{point: index, set: ruleOf(p, 0).away(), force: unseen})
		}
	}
	m.settle(&r)
}

// sameSource reports whether a point has the readings that it had before.
func (m *Manager) sameSource(c *change, old known, from *plant.Source) bool {
	if old.end == noEnd || from == nil {
		return old.end == noEnd && from == nil
	}
	was, is := m.instances[from.Connector], c.instances[from.Connector]
	return old.source == m.sources[from.Connector] && was.kind.name == is.kind.name &&
		is.kind.spec.sourceKey(was.sink.ends.list[old.end]) == is.kind.spec.sourceKey(from.End)
}

// restore makes the points with a source not topical that have kept a value from
// before the process began, until there is news of them. That is no event, since the
// values may well hold; their age counts from their arrival.
func (m *Manager) restore(c *change) {
	r := m.ledger.requalifier()
	now := m.clock.tick()
	for n := range c.plant.Points {
		p, index := &c.plant.Points[n], c.indexes[n]
		if p.From == nil {
			continue
		}
		state, ok := m.img.Beneath(index)
		if !ok || state.Value.Type() == 0 {
			continue
		}
		m.table.of(index).since(min(now, m.clock.before(state.Arrival.Time())))
		away := ruleOf(p, 0).away()
		if state.Quality&away == 0 {
			r.add(requality{point: index, set: away, marks: markRestored | markAdded, flags: point.Restored})
		}
	}
	m.settle(&r)
}

// settle ends changes of quality that belong to a change of the plant.
func (m *Manager) settle(r *requalifier) {
	r.close()
	if r.err != nil {
		m.log.Warn("quality of points is not kept, tried again every second", "points", len(r.owing), "error", r.err)
	}
}

// pay publishes what the image has refused or lost. It is called every second.
func (m *Manager) pay() {
	if !m.ledger.owes() || !m.apply.TryLock() {
		return // what has to wait while the plant is changed is tried again
	}
	defer m.apply.Unlock()
	for _, i := range m.list() {
		i.sink.mu.Lock()
		defer i.sink.mu.Unlock()
	}
	m.ledger.pay()
}
