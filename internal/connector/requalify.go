package connector

import (
	"slices"
	"sync"

	"busbar/internal/point"
)

// requalifyBatch is how many changes of quality are published at once.
const requalifyBatch = 512

// requality is a change of the quality of a point by the host.
type requality struct {
	point      point.Index
	set, unset point.Quality
	marks      uint32      // of the point afterwards
	changed    uint32      // further marks if the quality was another
	flags      point.Flags // point.Restored, or none
	force      bool        // a change even if the quality is the same
}

// ledger holds changes of quality that the image has refused, of points with
// markOwed. Whatever takes that mark away makes them void; the last one of a
// point counts.
type ledger struct {
	*publisher
	table *heardTable

	dues sync.Mutex // guards owed
	owed []requality
}

// requalifier publishes changes of quality. It is used while no update of the
// points is under way.
type requalifier struct {
	*ledger
	batch []point.Update
	of    []requality // of the updates in batch
	owing []requality // refused
	err   error       // of the image; from then on everything counts as refused
}

func (l *ledger) requalifier() requalifier { return requalifier{ledger: l} }

func (r *requalifier) add(c requality) {
	state, ok := r.img.Beneath(c.point)
	q := state.Quality&^c.unset | c.set
	if !ok || q == state.Quality && !c.force {
		r.table.of(c.point).mark(c.marks)
		return
	}
	if q != state.Quality {
		c.marks |= c.changed
	}
	if r.err != nil {
		r.owe(&c)
		return
	}
	r.of = append(r.of, c)
	r.batch = append(r.batch, point.Update{
		Point: c.point, Quality: q, TimeQuality: state.TimeQuality, Flags: point.KeepValue | c.flags, // arrival is that of the value
	})
	if len(r.batch) == requalifyBatch {
		r.flush()
	}
}

// owe notes a change that the image has refused. Who takes back what he had set
// has set it still.
func (r *requalifier) owe(c *requality) {
	marks := c.marks | markOwed
	if c.unset != 0 {
		marks |= markAdded
	}
	r.table.of(c.point).mark(marks)
	r.owing = append(r.owing, *c)
}

func (r *requalifier) flush() {
	if len(r.batch) == 0 {
		return
	}
	r.err = r.publish(r.batch)
	for i := range r.of {
		if c := &r.of[i]; r.err != nil {
			r.owe(c)
		} else {
			r.table.of(c.point).mark(c.marks)
		}
	}
	r.batch, r.of = r.batch[:0], r.of[:0]
}

// close publishes what was added, and hands what is refused to the ledger.
func (r *requalifier) close() {
	r.flush()
	if len(r.owing) > 0 {
		r.dues.Lock()
		defer r.dues.Unlock()
		r.owed = append(r.owed, r.owing...)
	}
}

// pay publishes what is owed, and what the image has lost. No update of any
// point may be under way.
func (l *ledger) pay() {
	l.replay(func(p point.Index) bool { return l.table.of(p).marks()&markRestored != 0 })
	l.dues.Lock()
	owed := l.owed
	l.owed = nil
	l.dues.Unlock()
	r := l.requalifier()
	for i := len(owed) - 1; i >= 0; i-- { // the last one of a point counts
		c := owed[i]
		h := l.table.of(c.point)
		switch marks := h.marks(); {
		case marks&markOwed == 0:
		case r.err != nil:
			r.owing = append(r.owing, c)
		default:
			c.marks, c.changed = marks&^markOwed, 0
			h.mark(c.marks)
			r.add(c)
		}
	}
	slices.Reverse(r.owing)
	r.close()
}

// owes reports whether there is anything to pay.
func (l *ledger) owes() bool {
	l.dues.Lock()
	defer l.dues.Unlock()
	return len(l.owed) > 0 || l.hasLost()
}
