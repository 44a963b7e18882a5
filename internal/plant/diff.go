package plant

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
)

// Changes are the differences between two plants, as ids in ascending order.
type Changes struct {
	Connectors ConnectorChanges
	Points     PointChanges
	Commands   CommandChanges
}

// ConnectorChanges are the differences between the connectors of two plants. A
// connector is in one of the lists at most.
type ConnectorChanges struct {
	Added   []string
	Removed []string
	Changed []string // kind or settings differ: it must be started anew
	Points  []string // only points or commands that come from it or go to it differ
}

// PointChanges are the differences between the points of two plants.
type PointChanges struct {
	Added   []string
	Removed []string
	Changed []string // anything but the id differs
}

// CommandChanges are the differences between the commands of two plants.
type CommandChanges struct {
	Added   []string
	Removed []string
	Changed []string // anything but the id differs
}

// None reports whether nothing differs.
func (c Changes) None() bool {
	return reflect.DeepEqual(c, Changes{})
}

// Diff returns what leads from one plant to another. Both are in order of id,
// as Decode returns them; nil is an empty plant.
func Diff(before, after *Plant) Changes {
	if before == nil {
		before = &Plant{}
	}
	if after == nil {
		after = &Plant{}
	}
	var c Changes
	touched := map[string]bool{}
	c.Connectors.Added, c.Connectors.Removed, c.Connectors.Changed = difference(before.Connectors, after.Connectors,
		func(c *Connector) string { return c.ID },
		func(a, b *Connector) bool { return a.Kind == b.Kind && reflect.DeepEqual(a.Settings, b.Settings) },
		func(*Connector) {})
	c.Points.Added, c.Points.Removed, c.Points.Changed = difference(before.Points, after.Points,
		func(p *Point) string { return p.ID },
		func(a, b *Point) bool { return reflect.DeepEqual(a, b) },
		func(p *Point) { p.touch(touched) })
	c.Commands.Added, c.Commands.Removed, c.Commands.Changed = difference(before.Commands, after.Commands,
		func(c *Command) string { return c.ID },
		func(a, b *Command) bool { return reflect.DeepEqual(a, b) },
		func(c *Command) { c.touch(touched) })
	for _, list := range [][]string{c.Connectors.Added, c.Connectors.Removed, c.Connectors.Changed} {
		for _, id := range list {
			delete(touched, id)
		}
	}
	c.Connectors.Points = slices.Sorted(maps.Keys(touched))
	return c
}

// touch notes the connectors of the point's ends.
func (p *Point) touch(connectors map[string]bool) {
	if p.From != nil {
		connectors[p.From.Connector] = true
	}
	for i := range p.To {
		connectors[p.To[i].Connector] = true
	}
}

// touch notes the connectors of the command's ends.
func (c *Command) touch(connectors map[string]bool) {
	for i := range c.From {
		connectors[c.From[i].Connector] = true
	}
	connectors[c.To.Connector] = true
}

// difference walks two lists in order of id side by side. Every entry that
// differs, before and after, is also handed to differs.
func difference[E any](before, after []E, id func(*E) string, equal func(a, b *E) bool, differs func(*E)) (added, removed, changed []string) {
	for len(before) > 0 || len(after) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = cmp.Compare(id(&before[0]), id(&after[0]))
		}
		switch {
		case order < 0:
			removed = append(removed, id(&before[0]))
			differs(&before[0])
		case order > 0:
			added = append(added, id(&after[0]))
			differs(&after[0])
		case !equal(&before[0], &after[0]):
			changed = append(changed, id(&after[0]))
			differs(&before[0])
			differs(&after[0])
		}
		if order <= 0 {
			before = before[1:]
		}
		if order >= 0 {
			after = after[1:]
		}
	}
	return added, removed, changed
}
