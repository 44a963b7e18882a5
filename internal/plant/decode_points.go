package plant

import (
	"iter"
	"slices"
	"strings"
)

// decodePoints decodes the points, whose field is f. It returns faults of syntax.
func (d *decoding) decodePoints(f *Field, o *outline) Problems {
	n := o.count()
	d.plant.Points, d.numbers = make([]Point, 0, n), make([]uint32, 0, n)
	if len(o.parts) == 0 {
		d.each(f, d.point)
		return nil
	}
	return o.each(d.point)
}

// sortPoints puts points in order of their id, and those with the same one in
// order of the file.
func (d *decoding) sortPoints() {
	points := d.plant.Points
	order := make([]uint32, len(points)) // order[i] is where the point for place i is
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return strings.Compare(points[a].ID, points[b].ID) })
	for i := range order {
		// Follow the circle of places from i; what was put right points to itself.
		first, number, at := points[i], d.numbers[i], uint32(i)
		for order[at] != uint32(i) {
			from := order[at]
			points[at], d.numbers[at] = points[from], d.numbers[from]
			order[at], at = at, from
		}
		points[at], d.numbers[at] = first, number
		order[at] = at
	}
}

// twice returns a problem for every point whose id occurred before.
func (d *decoding) twice(o *outline) Problems {
	var problems Problems
	first := 0
	for i := 1; i < len(d.plant.Points); i++ {
		id := d.plant.Points[i].ID
		if id != d.plant.Points[first].ID {
			first = i
			continue
		}
		f := o.point(int(d.numbers[i]))
		problems = append(problems, Problem{
			Line: int(f.Line), Col: int(f.Col), Path: Key("points", id), Text: occursTwice(o.point(int(d.numbers[first])).Line),
		})
	}
	return problems
}

// search returns the place of a point in the plant. They are in order.
func (d *decoding) search(id string) (int, bool) {
	return slices.BinarySearchFunc(d.plant.Points, id, func(p Point, id string) int { return strings.Compare(p.ID, id) })
}

// inFile yields the points in order of the file. They are sorted.
func (d *decoding) inFile() iter.Seq[*Point] {
	return func(yield func(*Point) bool) {
		places := make([]uint32, d.passed) // one more than the place of the point with a number; 0: it is none
		for i, number := range d.numbers {
			places[number] = uint32(i) + 1
		}
		for _, place := range places {
			if place > 0 && !yield(&d.plant.Points[place-1]) {
				return
			}
		}
	}
}
