package connector

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"busbar/internal/mapping"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// collector gathers what a plant makes of the sink of one connector.
type collector struct {
	inputs []mapping.Input
	points []*plant.Point // by input
	rules  map[freshRule][]point.Index
	ends   []any        // distinct
	keys   map[any]bool // of ends
}

// compile makes the intake of every connector.
func (m *Manager) compile(c *change) error {
	collectors := make(map[string]*collector)
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		if p.From == nil {
			continue
		}
		i := c.instances[p.From.Connector]
		if i == nil {
			return fmt.Errorf("point %s: there is no connector %q", p.ID, p.From.Connector)
		}
		col := collectors[p.From.Connector]
		if col == nil {
			col = &collector{rules: make(map[freshRule][]point.Index), keys: make(map[any]bool)}
			collectors[p.From.Connector] = col
		}
		col.add(p, c.indexes[n], i.kind)
	}
	c.intakes = make(map[string]intake)
	var errs []error
	for id := range c.instances {
		in, err := m.intake(id, collectors[id])
		errs = append(errs, err)
		c.intakes[id] = in
	}
	return errors.Join(errs...)
}

func (col *collector) add(p *plant.Point, index point.Index, kind Kind) {
	col.inputs = append(col.inputs, inputOf(p, index, kind))
	col.points = append(col.points, p)
	if key := kind.spec.sourceKey(p.From.End); !col.keys[key] {
		col.keys[key] = true
		col.ends = append(col.ends, p.From.End)
	}
	rule := ruleOf(p, kind.Hold())
	col.rules[rule] = append(col.rules[rule], index)
}

// intake compiles what was collected for one connector, nil for nothing.
func (m *Manager) intake(id string, col *collector) (intake, error) {
	source, err := m.sourceOf(id)
	if err != nil {
		return intake{}, err
	}
	if col == nil {
		col = &collector{}
	}
	sources, problems := mapping.Compile(col.inputs, mapping.Options{Source: source})
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("point %s: from: %s: %s", col.points[p.Input].ID, p.Path, p.Text))
	}
	groups := make([]freshGroup, 0, len(col.rules))
	for rule, points := range col.rules {
		groups = append(groups, freshGroup{freshRule: rule, points: slices.Clip(points)})
	}
	slices.SortFunc(groups, func(a, b freshGroup) int { return cmp.Compare(a.hold, b.hold) })
	return intake{sources: sources, groups: groups, ends: endSet{list: slices.Clip(col.ends)}}, errors.Join(errs...)
}

// sourceOf returns the number of a connector as the source of updates. It stays
// with the id for the life of the process.
func (m *Manager) sourceOf(id string) (point.Source, error) {
	if s, ok := m.sources[id]; ok {
		return s, nil
	}
	s := point.Source(len(m.sources) + 1)
	if s == 0 {
		return 0, fmt.Errorf("connector %s: this process has seen %d connectors and cannot number more", id, len(m.sources))
	}
	m.sources[id] = s
	return s, nil
}
