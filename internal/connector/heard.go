package connector

import (
	"sync/atomic"

	"busbar/internal/point"
)

// heard is what freshness remembers of one point.
type heard struct {
	at    atomic.Int64 // tick of the last update from its source, 0: never; below zero: in an earlier process
	marks atomic.Uint32
}

// The marks of a point. An update clears them.
const (
	markAway     uint32 = 1 << iota // found out of reach: NT was set, or had been before
	markAdded                       // the NT was set for that reason and goes with it
	markStale                       // found too old
	markRestored                    // NT was set because the process began: the journal does not have it, and it was no event
	markWill                        // its source said that it is gone: there is no hold time
	markOwed                        // the image does not have the NT yet
)

func (h *heard) update(t tick) {
	h.at.Store(int64(t))
	if h.marks.Load() != 0 {
		h.marks.Store(0)
	}
}

// reset makes the point never heard.
func (h *heard) reset() {
	h.at.Store(0)
	h.marks.Store(0)
}

// heardTable holds what is remembered of all points, by index. It grows while
// every sink is locked.
type heardTable struct{ points []heard }

func (t *heardTable) of(p point.Index) *heard { return &t.points[p] }

// grow makes room for n points.
func (t *heardTable) grow(n int) {
	if n <= len(t.points) {
		return
	}
	points := make([]heard, n+n/4)
	for i := range t.points {
		points[i].at.Store(t.points[i].at.Load())
		points[i].marks.Store(t.points[i].marks.Load())
	}
	t.points = points
}
