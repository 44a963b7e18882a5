package connector

import (
	"slices"
	"strings"

	"busbar/internal/image"
	"busbar/internal/point"
)

// Catalog is the points of a plant, in order of their ids. It does not change.
type Catalog struct {
	Points []point.Index
	Types  []point.Type // of Points
	// Version counts the plants of the process.
	Version uint64
}

// Find returns the place of a point; it is that of the next one if there is no point with this id.
func (c *Catalog) Find(img image.Image, id string) (at int, ok bool) {
	return slices.BinarySearchFunc(c.Points, id, func(p point.Index, id string) int { return strings.Compare(img.ID(p), id) })
}

// Catalog returns the points of the plant in force. It is made once for each plant, when
// somebody asks for it; a million points take about a second then.
func (m *Manager) Catalog() *Catalog {
	m.view.RLock()
	points, now := m.points, m.changes
	m.view.RUnlock()
	m.listing.Lock()
	defer m.listing.Unlock()
	if m.catalog == nil || m.catalog.Version < now {
		m.catalog = m.makeCatalog(points)
		m.catalog.Version = now
	}
	return m.catalog
}

func (m *Manager) makeCatalog(points []known) *Catalog {
	type named struct {
		id    string
		index point.Index
	}
	list := make([]named, 0, len(points))
	for p, k := range points {
		if k.typ != 0 {
			list = append(list, named{m.img.ID(point.Index(p)), point.Index(p)})
		}
	}
	slices.SortFunc(list, func(a, b named) int { return strings.Compare(a.id, b.id) })
	c := &Catalog{Points: make([]point.Index, len(list)), Types: make([]point.Type, len(list))}
	for i := range list {
		c.Points[i], c.Types[i] = list[i].index, points[list[i].index].typ
	}
	return c
}

// Find returns the point with an id, and its type; false if the plant in force does not have it.
func (m *Manager) Find(id string) (point.Index, point.Type, bool) {
	p, ok := m.img.Lookup(id)
	if !ok {
		return 0, 0, false
	}
	k, ok := m.known(p)
	return p, k.typ, ok
}

// Joined returns which points come from a connector or go to it, as a function of
// their index; false if there is no such connector.
func (m *Manager) Joined(id string) (has func(point.Index) bool, ok bool) {
	i := m.instance(id)
	if i == nil {
		return nil, false
	}
	var points bitset
	i.sink.mu.RLock()
	for n := range i.sink.groups {
		for _, p := range i.sink.groups[n].points {
			points.add(uint32(p))
		}
	}
	i.sink.mu.RUnlock()
	if placed := i.placed.Load(); placed != nil {
		for n := range placed.targets {
			points.add(uint32(placed.targets[n].Point))
		}
	}
	return func(p point.Index) bool { return points.has(uint32(p)) }, true
}
