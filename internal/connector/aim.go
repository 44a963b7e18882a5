package connector

import (
	"fmt"
	"reflect"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// targetKey is a point, and a place in its `to`.
type targetKey struct {
	point point.Index
	place uint8
}

// placed is a target at its place.
type placed struct {
	id  TargetID // 0: none yet
	key uint64
}

// sharing takes a target end apart into its address and what it shares with
// ends before it; nil: it does not.
type sharing func(target any) (address uint64, rest any)

// aimed are the targets of one connector.
type aimed struct {
	kind  Kind
	key   uint32 // of the connector
	share sharing
	rules map[Rule]*Rule
	list  []Target
}

func newAimed(id string, kind Kind, targets int) *aimed {
	return &aimed{kind: kind, key: connectorKey(id), share: kind.spec.sharing(), rules: make(map[Rule]*Rule), list: make([]Target, 0, targets)}
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
		sets[id] = newAimed(id, c.instances[id].kind, n)
	}
	if err := m.identify(c, sets); err != nil {
		return err
	}
	ids := c.ids
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		for place := range p.To {
			set := sets[p.To[place].Connector]
			set.add(ids[0], c.indexes[n], p, uint8(place), c.ownOf(set.kind, &p.To[place]))
			ids = ids[1:]
		}
	}
	c.targets = make(map[string][]Target, len(sets))
	for id, set := range sets {
		c.targets[id] = set.list
	}
	return nil
}

// identify gives every target its id and key, and notes which gates move. A target is
// the one of its point that had its connector and address before, wherever it stands in
// `to`; if there is none, the one at its place that only has another address now. What was
// before is what an earlier process has left, when there is no plant in force yet.
func (m *Manager) identify(c *change, sets map[string]*aimed) error {
	c.lastID = m.lastID
	c.moved = make(map[point.Index][]int8)
	old := m.placed()
	var was, now []placed
	for n := range c.plant.Points {
		was, now = was[:0], now[:0]
		for place, key := range m.img.Keys(c.indexes[n]) {
			was = append(was, placed{id: old[targetKey{c.indexes[n], uint8(place)}], key: key})
		}
		for place := range c.plant.Points[n].To {
			t := &c.plant.Points[n].To[place]
			key, err := sets[t.Connector].keyOf(t.End)
			if err != nil {
				return fmt.Errorf("point %s: %w", c.plant.Points[n].ID, err)
			}
			now = append(now, placed{key: key})
			c.keys = append(c.keys, key)
		}
		if before, moved := claim(was, now); moved {
			c.moved[c.indexes[n]] = before
		}
		for i := range now {
			if now[i].id == 0 {
				c.lastID++
				now[i].id = c.lastID
			}
			c.ids = append(c.ids, now[i].id)
		}
	}
	return nil
}

// claim gives targets of a point the ids that they had. moved says that it had
// targets, and they do not all stand where they stood: before has the place that
// each had, −1 of those that are new.
func claim(was, now []placed) (before []int8, moved bool) {
	if len(was) == 0 {
		return nil, false
	}
	before = make([]int8, len(now))
	taken := make([]bool, len(was))
	take := func(n, at int) {
		now[n].id, before[n], taken[at] = was[at].id, int8(at), true
	}
	same := func(n, at int) bool { return was[at].key == now[n].key }
	for n := range now {
		if before[n] = -1; n < len(was) && same(n, n) {
			take(n, n)
		}
	}
	for n := range now {
		for at := 0; at < len(was) && before[n] < 0; at++ {
			if !taken[at] && same(n, at) {
				take(n, at)
			}
		}
	}
	for n := range now {
		if before[n] < 0 && n < len(was) && !taken[n] && sameConnector(was[n].key, now[n].key) {
			take(n, n)
		}
		moved = moved || n < len(was) && int(before[n]) != n
	}
	return before, moved
}

// placed returns the targets in force.
func (m *Manager) placed() map[targetKey]TargetID {
	all := make(map[targetKey]TargetID)
	for _, i := range m.instances {
		for n := range i.targets {
			t := &i.targets[n]
			all[targetKey{t.Point, t.Place}] = t.ID
		}
	}
	return all
}

// keyOf returns the key of a target: of its address, or of its end if its kind has
// none.
func (a *aimed) keyOf(target any) (uint64, error) {
	if a.share == nil {
		return keyOf(a.key, 0, target)
	}
	address, _ := a.share(target)
	return keyOf(a.key, address, nil)
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
