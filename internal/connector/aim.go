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

// sharing takes a target end apart into its address and what it shares with
// ends before it; nil: it does not.
type sharing func(target any) (address uint64, rest any)

// aimed are the targets of one connector.
type aimed struct {
	kind  Kind
	share sharing
	rules map[Rule]*Rule
	list  []Target
}

func newAimed(kind Kind, targets int) *aimed {
	return &aimed{kind: kind, share: kind.spec.sharing(), rules: make(map[Rule]*Rule), list: make([]Target, 0, targets)}
}

// aim makes the targets of every connector.
func (m *Manager) aim(c *change) error {
	count := make(map[string]int)
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		for place := range p.To {
			id := p.To[place].Connector
			if c.instances[id] == nil {
				return fmt.Errorf("point %s: there is no connector %q", p.ID, id)
			}
			count[id]++
		}
	}
	sets := make(map[string]*aimed, len(count))
	for id, n := range count {
		sets[id] = newAimed(c.instances[id].kind, n)
	}
	c.lastID = m.lastID
	ids := m.targetIDs()
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		for place := range p.To {
			id, ok := ids[targetKey{c.indexes[n], uint8(place)}]
			if !ok {
				c.lastID++
				id = c.lastID
			}
			set := sets[p.To[place].Connector]
			set.add(id, c.indexes[n], p, uint8(place), c.ownOf(set.kind, &p.To[place]))
		}
	}
	c.targets = make(map[string][]Target, len(sets))
	for id, set := range sets {
		c.targets[id] = set.list
	}
	return nil
}

// targetIDs returns the ids of the targets in force.
func (m *Manager) targetIDs() map[targetKey]TargetID {
	ids := make(map[targetKey]TargetID)
	for _, i := range m.instances {
		for n := range i.targets {
			t := &i.targets[n]
			ids[targetKey{t.Point, t.Place}] = t.ID
		}
	}
	return ids
}

// add adds a target.
func (a *aimed) add(id TargetID, index point.Index, p *plant.Point, place uint8, own [2]point.Index) {
	t := &p.To[place]
	rule := Rule{
		Type: p.Type, Place: place, Latest: t.Latest, End: t.End, Gate: gateOf(p, t, a.kind),
		Convert: Linear{Scale: t.Scale, Offset: t.Offset},
	}
	if span := spanOf(p, t); span != nil {
		rule.Convert.Low, rule.Convert.High = span.Low, span.High
	}
	var address uint64
	if a.share != nil {
		address, rule.End = a.share(t.End)
	}
	shared, ok := a.rules[rule]
	if !ok {
		shared = new(rule)
		a.rules[rule] = shared
	}
	a.list = append(a.list, Target{ID: id, Point: index, Address: address, Own: own, Rule: shared})
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
	var ruleA, ruleB *Rule // found alike
	for i := range a {
		x, y := &a[i], &b[i]
		if x.ID != y.ID || x.Point != y.Point || x.Address != y.Address || x.Own != y.Own {
			return false
		}
		if x.Rule != ruleA || y.Rule != ruleB {
			if !reflect.DeepEqual(x.Rule, y.Rule) {
				return false
			}
			ruleA, ruleB = x.Rule, y.Rule
		}
	}
	return true
}
