package plant

import (
	"runtime"
	"sort"
	"sync"
)

// outline is a plant file that is parsed but for its points. They are nearly
// all of a large file and a syntax tree is ten times as large as its text, so
// they are parsed in parts, which are given up when they are decoded.
type outline struct {
	root  *Node  // without parts the whole file; with them its points have no fields
	parts []part // of the points, in order
	// parse returns the points of a part, which lie in the arena, and what is
	// wrong with their syntax.
	parse func(*arena, part) ([]Field, Problems)

	kept map[int][]Field // parts that are asked for again
}

// part is the text of some points, one after the other.
type part struct {
	text      string
	line, col int32 // where it begins
	first     int   // number of its first point in the file, from 0
	points    int
}

// partSize is how long a part is at least, in octets, but for the last one.
const partSize = 128 << 10

// parsed is a part that is ready to be decoded.
type parsed struct {
	arena    *arena
	points   []Field
	problems Problems
}

// each calls decode for every point, in order; what it gets is valid until it
// returns. Parts are parsed ahead, as many as there are processors. If there is a
// fault of syntax, each returns what is wrong with the first part that has one.
func (o *outline) each(decode func(*Field)) Problems {
	ahead := min(runtime.GOMAXPROCS(0), len(o.parts))
	arenas := make(chan *arena, ahead+1)
	for range cap(arenas) {
		arenas <- &arena{}
	}
	order := make(chan chan parsed, ahead)
	stop := make(chan struct{})
	var work sync.WaitGroup
	defer work.Wait()
	defer close(stop)
	work.Go(func() {
		defer close(order)
		for _, p := range o.parts {
			ready := make(chan parsed, 1)
			select {
			case order <- ready:
			case <-stop:
				return
			}
			a := <-arenas // there is one for each place in order, and one that is decoded
			work.Go(func() {
				points, problems := o.parse(a, p)
				ready <- parsed{a, points, problems}
			})
		}
	})
	for ready := range order {
		p := <-ready
		if len(p.problems) > 0 {
			return p.problems
		}
		for i := range p.points {
			decode(&p.points[i])
		}
		p.arena.reset()
		arenas <- p.arena
	}
	return nil
}

// count returns how many points there are.
func (o *outline) count() int {
	if n := len(o.parts); n > 0 {
		return o.parts[n-1].first + o.parts[n-1].points
	}
	if points := o.root.Get("points"); points != nil {
		return len(points.Fields)
	}
	return 0
}

// point returns the point with a number. It parses its part again, and keeps it.
func (o *outline) point(number int) *Field {
	if len(o.parts) == 0 {
		return &o.root.Get("points").Fields[number]
	}
	i := sort.Search(len(o.parts), func(i int) bool { return o.parts[i].first > number }) - 1
	points, ok := o.kept[i]
	if !ok {
		points, _ = o.parse(&arena{}, o.parts[i]) // it had no fault before
		if o.kept == nil {
			o.kept = make(map[int][]Field)
		}
		o.kept[i] = points
	}
	return &points[number-o.parts[i].first]
}
