package plant

import (
	"cmp"
	"slices"
)

// check has the kinds look at their connectors together with all ends.
func (d *decoding) check(root *Node) {
	ends := d.ends()
	find := d.finder(root)
	for i := range d.plant.Connectors {
		c := &d.plant.Connectors[i]
		entry := d.connectors[c.ID]
		if !entry.used {
			d.warn(Key("connectors", c.ID), entry.field, "is not used by any point")
		}
		cross := Cross{Plant: d.plant, Connector: c, Ends: ends[c.ID], find: find}
		entry.kind.Check(&cross)
		d.problems = append(d.problems, d.located(cross.problems, find)...)
		d.warnings = append(d.warnings, d.located(cross.warnings, find)...)
	}
}

// ends returns the ends that were decoded without a fault, by connector, in
// order of the file.
func (d *decoding) ends() map[string][]End {
	ends := map[string][]End{}
	for _, id := range d.points {
		i, _ := slices.BinarySearchFunc(d.plant.Points, id, func(p Point, id string) int { return cmp.Compare(p.ID, id) })
		p := &d.plant.Points[i]
		if p.From != nil && p.From.End != nil {
			ends[p.From.Connector] = append(ends[p.From.Connector], End{p, -1})
		}
		for k := range p.To {
			if t := &p.To[k]; t.End != nil {
				ends[t.Connector] = append(ends[t.Connector], End{p, k})
			}
		}
	}
	return ends
}

// finder returns a function that finds the position of a path from the root.
// It makes an index of the points when it is first called, because a search
// for each of many problems would take too long.
func (d *decoding) finder(root *Node) func(path string) (line, col int32) {
	whole := &Field{Line: root.Line, Col: root.Col, Value: root}
	var points map[string]*Field
	return func(path string) (line, col int32) {
		t := parsePath(path)
		if len(t) < 2 || t[0].key != "points" {
			return whole.find(t)
		}
		if points == nil {
			all := root.Get("points").Fields
			points = make(map[string]*Field, len(all))
			for i := range all {
				points[all[i].Key] = &all[i]
			}
		}
		if f := points[t[1].key]; f != nil {
			return f.find(t[2:])
		}
		return root.Line, root.Col
	}
}

func (d *decoding) located(found []located, find func(string) (line, col int32)) []Problem {
	problems := make([]Problem, len(found))
	for i, l := range found {
		line, col := find(l.path)
		problems[i] = Problem{Line: int(line), Col: int(col), Path: l.path, Text: d.secrets.hide(l.text)}
	}
	return problems
}
