package connector

import (
	"slices"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// known is what is kept of a point of the plant in force. The plant itself is
// ten times as large, and nobody else needs it.
type known struct {
	id     string
	end    any // of its source; nil: it has none
	index  point.Index
	source point.Source // number of the connector
	typ    point.Type
}

// remember returns what is kept of the points of a change.
func (m *Manager) remember(c *change) []known {
	points := make([]known, len(c.plant.Points))
	for n := range points {
		p := &c.plant.Points[n]
		points[n] = known{id: p.ID, index: c.indexes[n], typ: p.Type}
		if p.From != nil {
			points[n].end, points[n].source = p.From.End, m.sources[p.From.Connector]
		}
	}
	return points
}

// nameOf returns the id of a point, empty if the plant does not have it.
func (m *Manager) nameOf(p point.Index) string {
	m.view.RLock()
	defer m.view.RUnlock()
	if n := slices.IndexFunc(m.points, func(k known) bool { return k.index == p }); n >= 0 {
		return m.points[n].id
	}
	return ""
}

// definitions defines the points of p, whose gates stay as they are.
func definitions(p *plant.Plant) []image.Definition {
	defs := make([]image.Definition, len(p.Points))
	for i := range p.Points {
		defs[i] = image.Definition{ID: p.Points[i].ID, Type: p.Points[i].Type}
	}
	return defs
}

// gated defines the points of a change with the gates that its targets want.
func (c *change) gated() []image.Definition {
	defs := definitions(c.plant)
	total := 0
	for i := range c.plant.Points {
		total += len(c.plant.Points[i].To)
	}
	gates := make([]Gate, 0, total)
	for i := range c.plant.Points {
		p, first := &c.plant.Points[i], len(gates)
		for n := range p.To {
			gates = append(gates, gateOf(p, &p.To[n], c.instances[p.To[n].Connector].kind))
		}
		defs[i].Gates = gates[first:len(gates):len(gates)]
	}
	return defs
}

// oldDefinitions defines the points of the plant in force.
func (m *Manager) oldDefinitions() []image.Definition {
	defs := make([]image.Definition, len(m.points))
	for i, k := range m.points {
		defs[i] = image.Definition{ID: k.id, Type: k.typ}
	}
	return defs
}

// bothDefinitions defines the points of p, in order, and after them those that
// only the plant in force has. Points of both have the type that is in force, so
// that they keep their state until p is.
func (m *Manager) bothDefinitions(p *plant.Plant) []image.Definition {
	defs := definitions(p)
	at := 0
	for _, k := range m.points {
		for at < len(p.Points) && p.Points[at].ID < k.id {
			at++
		}
		if at < len(p.Points) && p.Points[at].ID == k.id {
			defs[at].Type = k.typ
			continue
		}
		defs = append(defs, image.Definition{ID: k.id, Type: k.typ})
	}
	return defs
}
