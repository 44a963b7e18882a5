package plant

// check has the kinds look at their connectors together with all ends.
func (d *decoding) check(o *outline) {
	ends, commands := d.ends(), d.commandEnds()
	find := d.finder(o)
	for i := range d.plant.Connectors {
		c := &d.plant.Connectors[i]
		entry := d.connectors[c.ID]
		if !entry.used {
			d.warn(Key("connectors", c.ID), entry.field, "is not used by any point or command")
		}
		cross := Cross{Plant: d.plant, Connector: c, Ends: ends[c.ID], Commands: commands[c.ID], find: find}
		entry.kind.Check(&cross)
		d.problems = append(d.problems, d.located(cross.problems, find)...)
		d.warnings = append(d.warnings, d.located(cross.warnings, find)...)
	}
}

// ends returns the ends that were decoded without a fault, by connector, in
// order of the file.
func (d *decoding) ends() map[string][]End {
	count := map[string]int{}
	for i := range d.plant.Points {
		d.plant.Points[i].sound(func(connector string, _ int) { count[connector]++ })
	}
	ends := make(map[string][]End, len(count))
	for connector, n := range count {
		ends[connector] = make([]End, 0, n)
	}
	for p := range d.inFile() {
		p.sound(func(connector string, place int) {
			ends[connector] = append(ends[connector], End{Point: p, Place: place})
		})
	}
	return ends
}

// sound calls f for every end that was decoded without a fault.
func (p *Point) sound(f func(connector string, place int)) {
	if p.From != nil && p.From.End != nil {
		f(p.From.Connector, -1)
	}
	for i := range p.To {
		if t := &p.To[i]; t.End != nil {
			f(t.Connector, i)
		}
	}
}

// commandEnds is ends for those of commands, which are still in order of the file.
func (d *decoding) commandEnds() map[string][]End {
	ends := map[string][]End{}
	for i := range d.plant.Commands {
		c := &d.plant.Commands[i]
		for k := range c.From {
			if r := &c.From[k]; r.End != nil {
				ends[r.Connector] = append(ends[r.Connector], End{Command: c, Place: k})
			}
		}
		if c.To != nil && c.To.End != nil {
			ends[c.To.Connector] = append(ends[c.To.Connector], End{Command: c, Place: -1})
		}
	}
	return ends
}

// finder returns a function that finds the position of a path from the root.
// It makes an index of commands when it is first asked for one, because a
// search for each of many problems would take too long.
func (d *decoding) finder(o *outline) func(path string) (line, col int32) {
	root := o.root
	whole := &Field{Line: root.Line, Col: root.Col, Value: root}
	var commands map[string]*Field
	return func(path string) (line, col int32) {
		t := parsePath(path)
		if len(t) < 2 {
			return whole.find(t)
		}
		var f *Field
		switch t[0].key {
		case "points":
			if i, ok := d.search(t[1].key); ok {
				f = o.point(int(d.numbers[i]))
			}
		case "commands":
			if commands == nil {
				commands = index(root.Get("commands").Fields)
			}
			f = commands[t[1].key]
		default:
			return whole.find(t)
		}
		if f == nil {
			return root.Line, root.Col
		}
		return f.find(t[2:])
	}
}

func index(fields []Field) map[string]*Field {
	byKey := make(map[string]*Field, len(fields))
	for i := range fields {
		byKey[fields[i].Key] = &fields[i]
	}
	return byKey
}

func (d *decoding) located(found []located, find func(string) (line, col int32)) []Problem {
	problems := make([]Problem, len(found))
	for i, l := range found {
		line, col := find(l.path)
		problems[i] = Problem{Line: int(line), Col: int(col), Path: l.path, Text: d.secrets.hide(l.text)}
	}
	return problems
}
