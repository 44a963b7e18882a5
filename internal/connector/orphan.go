package connector

import (
	"context"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// orphan makes points not topical whose value came from another source than
// they have now, or that have none any more: nobody knows whether it still
// holds. They wait for the first update of the new source.
func (m *Manager) orphan(c *change) {
	var batch []point.Update
	at := 0
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		for at < len(m.points) && m.points[at].id < p.ID {
			at++
		}
		if at == len(m.points) {
			break
		}
		if old := &m.points[at]; old.id == p.ID && (old.typ != p.Type || !m.sameSource(c, old, p.From)) {
			m.table.of(old.index).reset()
			batch = requalify(m.img, batch, old.index, ruleOf(p, 0).away(), 0, m.clock.now())
		}
	}
	if len(batch) == 0 {
		return
	}
	if err := m.img.Publish(context.Background(), batch, nil); err != nil {
		m.log.Error("quality of points without their source is not kept", "points", len(batch), "error", err)
	}
}

// sameSource reports whether a point has the readings that it had before.
func (m *Manager) sameSource(c *change, old *known, from *plant.Source) bool {
	if old.end == nil || from == nil {
		return old.end == nil && from == nil
	}
	was, is := m.instances[from.Connector], c.instances[from.Connector]
	return old.source == m.sources[from.Connector] && was.kind.name == is.kind.name &&
		is.kind.spec.sourceKey(old.end) == is.kind.spec.sourceKey(from.End)
}
