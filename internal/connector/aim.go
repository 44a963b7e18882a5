package connector

import (
	"fmt"
	"reflect"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// targetKey is what a TargetID stands for: a point, and a place in its `to`.
type targetKey struct {
	point point.Index
	place uint8
}

// aim makes the targets of every connector.
func (m *Manager) aim(c *change) error {
	c.targets = make(map[string][]Target)
	c.targetIDs = make(map[targetKey]TargetID)
	c.lastID = m.lastID
	count := make(map[string]int)
	for n := range c.plant.Points {
		for place := range c.plant.Points[n].To {
			count[c.plant.Points[n].To[place].Connector]++
		}
	}
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		for place := range p.To {
			t := &p.To[place]
			if c.instances[t.Connector] == nil {
				return fmt.Errorf("point %s: there is no connector %q", p.ID, t.Connector)
			}
			if c.targets[t.Connector] == nil {
				c.targets[t.Connector] = make([]Target, 0, count[t.Connector])
			}
			key := targetKey{c.indexes[n], uint8(place)}
			id, ok := m.targetIDs[key]
			if !ok {
				c.lastID++
				id = c.lastID
			}
			c.targetIDs[key] = id
			target := newTarget(id, c.indexes[n], p, t)
			target.Place = uint8(place)
			target.Own = c.ownOf(c.instances[t.Connector].kind, t)
			target.Gate = gateOf(p, t, c.instances[t.Connector].kind)
			c.targets[t.Connector] = append(c.targets[t.Connector], target)
		}
	}
	return nil
}

func newTarget(id TargetID, index point.Index, p *plant.Point, t *plant.Target) Target {
	target := Target{
		ID: id, Point: index, PointID: p.ID, Name: p.Name, Unit: p.Unit, Type: p.Type, End: t.End,
		Latest:  t.Latest,
		Convert: Linear{Scale: t.Scale, Offset: t.Offset},
	}
	if span := spanOf(p, t); span != nil {
		target.Convert.Low, target.Convert.High = span.Low, span.High
	}
	return target
}

// spanOf returns the range of a target, nil if it has none.
func spanOf(p *plant.Point, t *plant.Target) *plant.Range {
	if t.Range != nil {
		return t.Range
	}
	return p.Range
}

// gateOf returns what decides about the events of a target.
func gateOf(p *plant.Point, t *plant.Target, kind Kind) Gate {
	gate := Gate{OnUpdate: t.OnUpdate, Late: !t.Latest && kind.spec.tagged(t.End)}
	band := p.Deadband
	if t.Deadband != nil {
		band = *t.Deadband
	}
	gate.Deadband = band.Value
	if band.Percent { // then there is a range
		span := spanOf(p, t)
		gate.Deadband = band.Value / 100 * (span.High - span.Low)
	}
	return gate
}

// sameTargets reports whether a and b are alike, so that a connector need not
// be told.
func sameTargets(a, b []Target) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if !reflect.DeepEqual(x.End, y.End) {
			return false
		}
		x.End, y.End = nil, nil
		if x != y {
			return false
		}
	}
	return true
}
