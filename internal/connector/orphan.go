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
		for at < len(m.plant.Points) && m.plant.Points[at].ID < p.ID {
			at++
		}
		if at == len(m.plant.Points) {
			break
		}
		if o := &m.plant.Points[at]; o.ID == p.ID && (o.Type != p.Type || !m.sameSource(c, o.From, p.From)) {
			index := c.indexes[n]
			m.table.of(index).reset()
			batch = requalify(m.img, batch, index, ruleOf(p, 0).away(), 0, m.clock.now())
		}
	}
	if len(batch) == 0 {
		return
	}
	if err := m.img.Publish(context.Background(), batch, nil); err != nil {
		m.log.Error("quality of points without their source is not kept", "points", len(batch), "error", err)
	}
}

// sameSource reports whether two sources give the same readings.
func (m *Manager) sameSource(c *change, a, b *plant.Source) bool {
	if a == nil || b == nil {
		return a == b
	}
	was, is := m.instances[a.Connector], c.instances[b.Connector]
	return a.Connector == b.Connector && was.kind.name == is.kind.name &&
		is.kind.spec.sourceKey(a.End) == is.kind.spec.sourceKey(b.End)
}
