package image

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"busbar/internal/point"
)

// TestNamesAreAMap adds, finds and removes ids at random and compares with a map.
func TestNamesAreAMap(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	var n names
	want := map[string]point.Index{}
	for range 200 {
		defs := make([]Definition, rnd.IntN(20))
		for i := range defs {
			defs[i].ID = fmt.Sprintf("p%d", rnd.IntN(500))
		}
		n.reserve(len(defs), 4*len(defs))
		for _, d := range defs {
			if _, known := n.find(d.ID); !known {
				want[d.ID] = point.Index(len(n.ends))
				n.add(d.ID)
			}
		}
		switch rnd.IntN(10) {
		case 0:
			stays := make([]bool, len(n.ends))
			for id, p := range want {
				if stays[p] = rnd.IntN(3) > 0; !stays[p] {
					delete(want, id)
				}
			}
			n.keep(stays)
		case 1: // the id of a point goes to another, as when a journal is read
			n.reserve(2, 4)
			n.addNone()
			for id, old := range want {
				want[id] = point.Index(len(n.ends))
				n.add(id)
				stays := make([]bool, len(n.ends))
				for p := range stays {
					stays[p] = p != int(old)
				}
				n.keep(stays)
				break
			}
		}
		if n.used != len(want) {
			t.Fatalf("%d ids, want %d", n.used, len(want))
		}
		for i := range 500 {
			id := fmt.Sprintf("p%d", i)
			p, ok := n.find(id)
			if at, known := want[id]; ok != known || ok && (p != at || string(n.id(p)) != id) {
				t.Fatalf("find(%s) = %d, %t, want %d, %t", id, p, ok, at, known)
			}
		}
	}
}
