package image

import (
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// gates decide which changes are events of which targets. The gates of a point
// lie together; equal ones share a rule.
type gates struct {
	first  []uint32 // by point: its first gate; one more than there are points
	states []mapping.GateState
	rule   []uint32 // by gate
	rules  []mapping.Gate
}

// span returns the gates of a point.
func (g *gates) span(p point.Index) (from, to uint32) {
	if int(p)+1 >= len(g.first) {
		return 0, 0
	}
	return g.first[p], g.first[p+1]
}

// decide returns the targets of a point for which a new state is an event.
func (g *gates) decide(p point.Index, v point.Value, q point.Quality) (events uint64) {
	from, to := g.span(p)
	for i := from; i < to; i++ {
		if g.rules[g.rule[i]].Event(&g.states[i], v, q) {
			events |= 1 << (i - from)
		}
	}
	return events
}

// late returns the targets of a point for which a late change is an event.
func (g *gates) late(p point.Index) (events uint64) {
	from, to := g.span(p)
	for i := from; i < to; i++ {
		if g.rules[g.rule[i]].Late {
			events |= 1 << (i - from)
		}
	}
	return events
}

// reset makes the gates of a point forget what they have seen.
func (g *gates) reset(p point.Index) {
	from, to := g.span(p)
	clear(g.states[from:to])
}

// define returns the gates of a new set of points, which remember what those
// at the same place of the same point have seen.
func (g *gates) define(defs []Definition, indices []point.Index, cells []cell) gates {
	given := make([][]mapping.Gate, len(cells))
	first, total := make([]uint32, len(cells)+1), uint32(0)
	moves := make(map[int][]int8)
	for i := range defs {
		given[indices[i]] = g.given(&defs[i], indices[i])
		if defs[i].Before != nil {
			moves[int(indices[i])] = defs[i].Before
		}
	}
	for p := range given {
		first[p] = total
		total += uint32(len(given[p]))
	}
	first[len(cells)] = total
	n := gates{first: first, states: make([]mapping.GateState, total), rule: make([]uint32, total)}
	numbers := make(map[mapping.Gate]uint32)
	for p, list := range given {
		from, to := g.span(point.Index(p))
		at := n.states[first[p]:first[p+1]]
		if before := moves[p]; before == nil {
			copy(at, g.states[from:to])
		} else {
			for i, place := range before[:min(len(before), len(at))] {
				if place >= 0 && uint32(place) < to-from {
					at[i] = g.states[from+uint32(place)]
				}
			}
		}
		for i, gate := range list {
			n.rule[first[p]+uint32(i)] = n.number(numbers, gate)
		}
	}
	return n
}

// given returns the gates that a definition gives a point, or leaves it.
func (g *gates) given(d *Definition, p point.Index) []mapping.Gate {
	if d.Gates != nil {
		return d.Gates[:min(len(d.Gates), MaxGates)]
	}
	from, to := g.span(p)
	if from == to {
		return nil
	}
	list := make([]mapping.Gate, 0, to-from)
	for _, r := range g.rule[from:to] {
		list = append(list, g.rules[r])
	}
	return list
}

// number returns the number of a rule.
func (g *gates) number(numbers map[mapping.Gate]uint32, gate mapping.Gate) uint32 {
	r, ok := numbers[gate]
	if !ok {
		r = uint32(len(g.rules))
		numbers[gate] = r
		g.rules = append(g.rules, gate)
	}
	return r
}

// recoveredGates returns gates of so many points, of which none is there yet.
// Those that are recovered take any change for an event until they are defined.
func recoveredGates(points int) gates {
	return gates{first: make([]uint32, points+1), rules: []mapping.Gate{{}}}
}

// recovered adds what the gates of a point remember. Points come in ascending order, and
// at the end comes seal.
func (g *gates) recovered(p point.Index, states []mapping.GateState) {
	g.first[p] = uint32(len(g.states))
	g.states = append(g.states, states...)
	g.rule = append(g.rule, make([]uint32, len(states))...)
	g.first[p+1] = uint32(len(g.states))
}

// seal gives the points between those that were recovered their place.
func (g *gates) seal() {
	for p := 1; p < len(g.first); p++ {
		g.first[p] = max(g.first[p], g.first[p-1])
	}
}

// extend gives points more gates.
func (g *gates) extend(more map[point.Index][]mapping.GateState) {
	if len(more) == 0 {
		return
	}
	old := *g
	*g = recoveredGates(len(old.first) - 1)
	for p := range point.Index(len(old.first) - 1) {
		from, to := old.span(p)
		g.recovered(p, append(old.states[from:to:to], more[p]...))
	}
	g.rules = old.rules
}
