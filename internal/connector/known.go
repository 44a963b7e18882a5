package connector

import (
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// known is what is kept of a point of the plant in force. The plant itself is
// fifty times as large, and nobody else needs it.
type known struct {
	end    uint32       // number of its source end at the connector, noEnd: it has no source
	source point.Source // number of the connector
	typ    point.Type   // 0: there is no such point
}

const noEnd = 1<<32 - 1

// remember returns what is kept of the points of a change, by index.
func (m *Manager) remember(c *change) []known {
	points := make([]known, c.span())
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		k := known{end: noEnd, typ: p.Type}
		if p.From != nil {
			k.end, k.source = c.sourceEnds[n], m.sources[p.From.Connector]
		}
		points[c.indexes[n]] = k
	}
	return points
}

// span returns one more than the highest index of a point.
func (c *change) span() int {
	span := 0
	for _, index := range c.indexes {
		span = max(span, int(index)+1)
	}
	return span
}

// had returns what is kept of a point; false if it is not in the plant in force.
func (m *Manager) had(p point.Index) (known, bool) {
	if uint64(p) >= uint64(len(m.points)) {
		return known{}, false
	}
	return m.points[p], m.points[p].typ != 0
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
		defs[i].Gates, defs[i].Before = gates[first:len(gates):len(gates)], c.moved[c.indexes[i]]
		defs[i].Keys = c.keys[first:len(gates):len(gates)]
	}
	return defs
}

// oldDefinitions defines the points of the plant in force.
func (m *Manager) oldDefinitions() []image.Definition {
	var defs []image.Definition
	for p, k := range m.points {
		if k.typ != 0 {
			defs = append(defs, image.Definition{ID: m.img.ID(point.Index(p)), Type: k.typ})
		}
	}
	return defs
}

// bothDefinitions defines the points of p, in order, and after them those that
// only the plant in force has. Points of both have the type that is in force, so
// that they keep their state until p is.
func (m *Manager) bothDefinitions(p *plant.Plant) []image.Definition {
	defs := definitions(p)
	stays := make([]bool, len(m.points))
	for i := range defs {
		index, ok := m.img.Lookup(defs[i].ID)
		if !ok {
			continue
		}
		if old, ok := m.had(index); ok {
			defs[i].Type, stays[index] = old.typ, true
		}
	}
	for index, k := range m.points {
		if k.typ != 0 && !stays[index] {
			defs = append(defs, image.Definition{ID: m.img.ID(point.Index(index)), Type: k.typ})
		}
	}
	return defs
}
