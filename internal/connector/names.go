package connector

import (
	"cmp"
	"slices"
	"sync"

	"busbar/internal/point"
)

// Addressed is implemented by the ends of commands that have an address, in the same
// number as those of points: see [Spec.Address] and [Spec.Key].
type Addressed interface{ Place() uint64 }

// Names tells what stands at an address of a connector.
type Names struct {
	m *Manager
	i *instance
}

// Names returns the names of a connector; of one that there is not, nothing is known.
func (m *Manager) Names(id string) Names { return Names{m, m.instance(id)} }

// Point returns the id of a point at an address; empty: there is none.
func (n Names) Point(address uint64) string {
	if n.i == nil {
		return ""
	}
	p, ok := n.i.placed.Load().find(address)
	if !ok {
		p, ok = n.i.sink.keyed(address)
	}
	if !ok {
		return ""
	}
	return n.m.img.ID(p)
}

// Command returns the id of a command at an address; empty: there is none.
func (n Names) Command(address uint64) string {
	if n.i == nil {
		return ""
	}
	return n.m.router.at(n.i, address)
}

// at returns the command that has an address at a connector.
func (r *router) at(i *instance, address uint64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.endsOf(i.config.ID).list {
		if a, ok := e.End.(Addressed); ok && a.Place() == address {
			return e.Command
		}
	}
	for id, c := range r.commands {
		if a, ok := c.To.End.(Addressed); ok && c.executor == i && a.Place() == address {
			return id
		}
	}
	return ""
}

// keyed returns the first point that readings with a key are for.
func (s *sink) keyed(key uint64) (point.Index, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.sources == nil {
		return point.None, false
	}
	points := s.sources.Keyed(key)
	if len(points) == 0 {
		return point.None, false
	}
	return points[0], true
}

// places finds targets by their address. It is put in order when somebody asks.
type places struct {
	targets []Target
	once    sync.Once
	order   []uint32 // of targets, by address
}

func (p *places) find(address uint64) (point.Index, bool) {
	if p == nil {
		return point.None, false
	}
	p.once.Do(func() {
		p.order = make([]uint32, len(p.targets))
		for i := range p.order {
			p.order[i] = uint32(i)
		}
		slices.SortFunc(p.order, func(a, b uint32) int { return cmp.Compare(p.targets[a].Address, p.targets[b].Address) })
	})
	at, ok := slices.BinarySearchFunc(p.order, address, func(i uint32, a uint64) int { return cmp.Compare(p.targets[i].Address, a) })
	if !ok {
		return point.None, false
	}
	return p.targets[p.order[at]].Point, true
}
