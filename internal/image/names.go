package image

import (
	"hash/maphash"
	"math/bits"

	"busbar/internal/point"
)

// names are the ids of points, and find the point of an id. The ids lie one
// after the other in one text and the points in a hash table of numbers, because
// a map takes three times as much memory. No id is empty. The zero value is empty.
type names struct {
	text  []byte
	ends  []uint32 // by point: where its id ends in text
	slots []uint32 // one more than a point; 0: free. At most three quarters are in use
	used  int
	seed  maphash.Seed
}

// id returns the id of a point, nil if it has none.
func (n *names) id(p point.Index) []byte {
	if uint64(p) >= uint64(len(n.ends)) {
		return nil
	}
	begin := uint32(0)
	if p > 0 {
		begin = n.ends[p-1]
	}
	return n.text[begin:n.ends[p]]
}

// find returns the point with an id.
func (n *names) find(id string) (point.Index, bool) {
	if n.used == 0 {
		return 0, false
	}
	found := n.slots[n.slot(id)]
	return point.Index(found - 1), found > 0
}

// slot returns where an id is, or belongs.
func (n *names) slot(id string) uint64 {
	i := n.home(maphash.String(n.seed, id))
	for n.slots[i] > 0 && string(n.id(point.Index(n.slots[i]-1))) != id {
		i = n.after(i)
	}
	return i
}

// home returns where to begin to look for an id with a hash.
func (n *names) home(hash uint64) uint64 {
	i, _ := bits.Mul64(hash, uint64(len(n.slots)))
	return i
}

// after returns the slot after i.
func (n *names) after(i uint64) uint64 {
	if i++; i < uint64(len(n.slots)) {
		return i
	}
	return 0
}

// reserve makes room for more points, whose ids have so many octets in all.
func (n *names) reserve(points, octets int) {
	if size := (n.used+points)*4/3 + 1; size > len(n.slots) {
		n.rehash(size)
	}
	n.ends = grown(n.ends, points)
	n.text = grown(n.text, octets)
}

// grown returns s with room for n more, and no more than that if it is moved
// for it.
func grown[E any](s []E, n int) []E {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]E, 0, len(s)+n), s...)
}

func (n *names) rehash(size int) {
	n.slots, n.seed = make([]uint32, size), maphash.MakeSeed()
	for p := range n.ends {
		id := n.id(point.Index(p))
		if len(id) == 0 {
			continue
		}
		i := n.home(maphash.Bytes(n.seed, id))
		for n.slots[i] > 0 {
			i = n.after(i)
		}
		n.slots[i] = uint32(p) + 1
	}
}

// add gives the next point its id, for which there is room. If another point
// has it, find no longer leads there; keep is to remove its id.
func (n *names) add(id string) {
	slot := n.slot(id)
	if n.slots[slot] == 0 {
		n.used++
	}
	n.text = append(n.text, id...)
	n.ends = append(n.ends, uint32(len(n.text)))
	n.slots[slot] = uint32(len(n.ends))
}

// addNone leaves the next point without id.
func (n *names) addNone() { n.ends = append(n.ends, uint32(len(n.text))) }

// keep removes the ids of all other points.
func (n *names) keep(stays []bool) {
	text := make([]byte, 0, len(n.text))
	ends := make([]uint32, 0, len(n.ends))
	n.used = 0
	for p := range n.ends {
		if id := n.id(point.Index(p)); stays[p] && len(id) > 0 {
			text = append(text, id...)
			n.used++
		}
		ends = append(ends, uint32(len(text)))
	}
	n.text, n.ends = text, ends
	n.rehash(len(n.slots))
}
