package image

import (
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"

	"busbar/internal/mapping"
	"busbar/internal/point"
)

// Move is a change of the targets of a point.
type Move struct {
	// Seq: changes up to here were published before it.
	Seq uint64
	// Before is, for each target from then on, the place that it had, −1: it is new.
	Before []int8
	// Gone are the keys of the targets that ended with it, by the place that they
	// had; 0 for those that went on.
	Gone []uint64

	number uint8 // of the layout that it leads to
}

// Moves are, by point, the changes of targets after which not every target stands
// where it stood, in order.
type Moves map[point.Index][]Move

// Place returns for which of the present targets of a point a change is an event
// that was published with events. gone, if not nil, is called with the key of each target for
// which it was one and that is no more.
func (m Moves) Place(p point.Index, seq, events uint64, gone func(key uint64)) uint64 {
	for i := range m[p] {
		if events == 0 {
			break
		}
		if move := &m[p][i]; seq <= move.Seq {
			if gone != nil {
				move.tell(events, gone)
			}
			events = move.events(events)
		}
	}
	return events
}

// events returns where the bits of a change from before the move stand after it.
func (m *Move) events(events uint64) (moved uint64) {
	for place, before := range m.Before {
		if before >= 0 {
			moved |= events >> before & 1 << place
		}
	}
	return moved
}

func (m *Move) tell(events uint64, gone func(key uint64)) {
	for ; events != 0; events &= events - 1 {
		if place := bits.TrailingZeros64(events); place < len(m.Gone) && m.Gone[place] != 0 {
			gone(m.Gone[place])
		}
	}
}

// gates returns where the gates of a point stand now whose order was that of the
// layout with a number.
func (m Moves) gates(p point.Index, number uint8, states []mapping.GateState) []mapping.GateState {
	for i := range m[p] {
		move := &m[p][i]
		if int8(move.number-number) <= 0 {
			continue // was made before
		}
		moved := make([]mapping.GateState, len(move.Before))
		for place, before := range move.Before {
			if before >= 0 && int(before) < len(states) {
				moved[place] = states[before]
			}
		}
		states = moved
	}
	return states
}

// layouts are the keys of the targets of points, in order.
type layouts struct {
	first  []uint32 // by point: its first key; one more than there are points
	keys   []uint64
	number []uint8 // by point: counts its layouts, modulo 256; 0: it has none yet
}

// of returns the keys of the targets of a point.
func (l *layouts) of(p point.Index) []uint64 {
	if int(p)+1 >= len(l.first) {
		return nil
	}
	return l.keys[l.first[p]:l.first[p+1]:l.first[p+1]]
}

// numberOf returns the number of the layout of a point.
func (l *layouts) numberOf(p point.Index) uint8 {
	if int(p) >= len(l.number) {
		return 0
	}
	return l.number[p]
}

// newLayouts returns layouts of so many points, with the keys that keys returns.
func newLayouts(points int, number []uint8, keys func(point.Index) []uint64) layouts {
	l := layouts{first: make([]uint32, points+1), number: number}
	for p := range points {
		l.first[p+1] = l.first[p] + uint32(len(keys(point.Index(p))))
	}
	l.keys = make([]uint64, 0, l.first[points])
	for p := range points {
		l.keys = append(l.keys, keys(point.Index(p))...)
	}
	return l
}

// layout is a new order of the targets of a point.
type layout struct {
	number uint8
	seq    uint64 // of the newest change before it
	keys   []uint64
	before []int8 // nil: all stand where they stood
}

// move returns what became of the targets whose keys were old; false if all stand
// where they stood.
func (l *layout) move(old []uint64) (Move, bool) {
	m := Move{Seq: l.seq, Before: make([]int8, len(l.keys)), Gone: slices.Clone(old), number: l.number}
	same := len(l.keys) >= len(old)
	for i := range m.Before {
		m.Before[i] = int8(i)
		if l.before != nil && i < len(l.before) {
			m.Before[i] = l.before[i]
		}
		if at := m.Before[i]; at >= 0 && int(at) < len(old) {
			m.Gone[at] = 0
		}
		same = same && (i >= len(old) || int(m.Before[i]) == i)
	}
	return m, !same
}

// arrange takes up in which order the targets of points are from now on.
func (m *Memory) arrange(defs []Definition, indices []point.Index) {
	fresh := make(map[point.Index][]uint64)
	number := append(m.layouts.number, make([]uint8, len(m.cells)-len(m.layouts.number))...)
	cloned := false
	for i := range defs {
		d, p := &defs[i], indices[i]
		old := m.layouts.of(p)
		if d.Keys == nil || slices.Equal(d.Keys, old) {
			continue
		}
		if number[p]++; number[p] == 0 {
			number[p] = 1
		}
		l := layout{number: number[p], seq: m.log.next - 1, keys: d.Keys, before: d.Before}
		fresh[p] = l.keys
		if m.keeper != nil {
			m.keeper.arrange(p, l)
		}
		move, moved := l.move(old)
		if !moved {
			continue
		}
		if !cloned { // followers have the other one
			m.moves, cloned = maps.Clone(m.moves), true
		}
		m.moves[p] = append(slices.Clip(m.moves[p]), move)
	}
	if len(fresh) == 0 {
		return
	}
	old := m.layouts
	m.layouts = newLayouts(len(m.cells), number, func(p point.Index) []uint64 {
		if keys, ok := fresh[p]; ok {
			return keys
		}
		return old.of(p)
	})
}

// Keys implements [Image].
func (m *Memory) Keys(p point.Index) []uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.layouts.of(p)
}

// Moves implements [Image].
func (m *Memory) Moves() Moves {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.moves
}

// The payload of a layout, which the journal keeps among the definitions:
//
//	0  3
//	1  its number
//	2  sequence number of the newest change before it
//	10 number of targets
//	11 keys, 8 octets each
//	.. places that the targets had, one octet each; missing where all stand where they stood
const (
	kindLayout = 3
	layoutHead = 11
)

func appendLayout(b []byte, l layout) []byte {
	b = append(b, kindLayout, l.number)
	b = binary.LittleEndian.AppendUint64(b, l.seq)
	b = append(b, byte(len(l.keys)))
	for _, key := range l.keys {
		b = binary.LittleEndian.AppendUint64(b, key)
	}
	for _, place := range l.before {
		b = append(b, byte(place))
	}
	return b
}

// parseLayout is the reverse of appendLayout. It is false if b is no layout.
func parseLayout(b []byte) (l layout, ok bool) {
	if len(b) < layoutHead || b[0] != kindLayout || b[10] > MaxGates {
		return l, false
	}
	n := int(b[10])
	rest := b[layoutHead:]
	if len(rest) != 8*n && len(rest) != 9*n {
		return l, false
	}
	l = layout{number: b[1], seq: binary.LittleEndian.Uint64(b[2:]), keys: make([]uint64, n)}
	for i := range l.keys {
		l.keys[i] = binary.LittleEndian.Uint64(rest[8*i:])
	}
	for _, place := range rest[8*n:] {
		if int8(place) < -1 || int8(place) >= MaxGates {
			return l, false
		}
		l.before = append(l.before, int8(place))
	}
	return l, true
}
