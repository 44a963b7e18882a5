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

// numbering returns the number of a source end, from 0: the same for equal
// ones, the next for one that was not there before.
type numbering func(source any) uint32

// collector gathers what a plant makes of the sink of one connector.
type collector struct {
	kind   Kind
	inputs []mapping.Input
	points []*plant.Point // by input
	rules  map[freshRule][]point.Index
	number numbering
	ends   []any // distinct, by number
}

// compile makes the intake of every connector.
func (m *Manager) compile(c *change) error {
	collectors, err := c.collectors()
	if err != nil {
		return err
	}
	c.sourceEnds = make([]uint32, len(c.plant.Points))
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		if p.From != nil {
			c.sourceEnds[n] = collectors[p.From.Connector].add(p, c.indexes[n])
		}
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

// collectors returns a collector for each connector that points come from.
func (c *change) collectors() (map[string]*collector, error) {
	count := make(map[string]int)
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		if p.From == nil {
			continue
		}
		if c.instances[p.From.Connector] == nil {
			return nil, fmt.Errorf("point %s: there is no connector %q", p.ID, p.From.Connector)
		}
		count[p.From.Connector]++
	}
	collectors := make(map[string]*collector, len(count))
	for id, n := range count {
		kind := c.instances[id].kind
		collectors[id] = &collector{
			kind: kind, inputs: make([]mapping.Input, 0, n), points: make([]*plant.Point, 0, n),
			rules: make(map[freshRule][]point.Index), number: kind.spec.numbering(),
		}
	}
	return collectors, nil
}

// add takes a point and returns the number of its source end.
func (col *collector) add(p *plant.Point, index point.Index) uint32 {
	col.inputs = append(col.inputs, inputOf(p, index, col.kind))
	col.points = append(col.points, p)
	number := col.number(p.From.End)
	if int(number) == len(col.ends) {
		col.ends = append(col.ends, p.From.End)
	}
	rule := ruleOf(p, col.kind.Hold())
	col.rules[rule] = append(col.rules[rule], index)
	return number
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
		groups = append(groups, freshGroup{freshRule: rule, points: slices.Clone(points)}) // without room for more
	}
	slices.SortFunc(groups, func(a, b freshGroup) int { return cmp.Compare(a.hold, b.hold) })
	return intake{sources: sources, groups: groups, ends: endSet{list: slices.Clone(col.ends)}}, errors.Join(errs...)
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
