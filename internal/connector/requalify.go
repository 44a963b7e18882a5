package connector

import (
	"context"

	"busbar/internal/image"
	"busbar/internal/point"
)

// requalifyBatch is how many changes of quality are published at once.
const requalifyBatch = 512

// requality is a change of the quality of a point by the host.
type requality struct {
	point      point.Index
	set, unset point.Quality
	marks      uint32      // of the point, once the image has taken the change
	changed    uint32      // further marks where the quality was another
	flags      point.Flags // point.Restored, or none
	force      bool        // a change even if the quality is the same
}

// requalifier publishes changes of quality. Those that the image refuses leave
// the marks of their points as they are, so that they are found again. It is used
// while no update of the points is under way.
type requalifier struct {
	img     image.Image
	table   *heardTable
	batch   []point.Update
	of      []requality // of the updates in batch
	refused []requality
	err     error // of the image; from then on everything counts as refused
}

func newRequalifier(img image.Image, table *heardTable) requalifier {
	return requalifier{img: img, table: table}
}

func (r *requalifier) add(c requality) {
	if r.err != nil {
		r.refused = append(r.refused, c)
		return
	}
	state, ok := r.img.State(c.point)
	q := state.Quality&^c.unset | c.set
	if !ok || q == state.Quality && !c.force {
		r.table.of(c.point).marks.Store(c.marks)
		return
	}
	if q != state.Quality {
		c.marks |= c.changed
	}
	r.of = append(r.of, c)
	r.batch = append(r.batch, point.Update{
		Point: c.point, Quality: q, TimeQuality: state.TimeQuality, Flags: point.KeepValue | c.flags, // arrival is that of the value
	})
	if len(r.batch) == requalifyBatch {
		r.flush()
	}
}

// flush publishes what was added. The changes come from the host itself, so
// nobody waits for them to be on disk.
func (r *requalifier) flush() {
	if len(r.batch) == 0 {
		return
	}
	if r.err = r.img.Publish(context.Background(), r.batch, nil); r.err != nil {
		r.refused = append(r.refused, r.of...)
	} else {
		for i := range r.of {
			r.table.of(r.of[i].point).marks.Store(r.of[i].marks)
		}
	}
	r.batch, r.of = r.batch[:0], r.of[:0]
}
