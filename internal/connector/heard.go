package connector

import (
	"sync/atomic"

	"busbar/internal/point"
)

// heard is what freshness remembers of one point: the tick of the last update
// from its source, 0: never, below zero: in an earlier process; and in its lowest bits,
// which no tick needs, the marks.
type heard struct{ word atomic.Int64 }

// The marks of a point. An update clears them.
const (
	markAway     uint32 = 1 << iota // found out of reach: NT was set, or had been before
	markAdded                       // the NT was set for that reason and goes with it
	markStale                       // found too old
	markRestored                    // NT was set because the process began: the journal does not have it, and it was no event
	markWill                        // its source said that it is gone: there is no hold time
	markOwed                        // the image does not have the NT yet

	markBits = iota
	allMarks = 1<<markBits - 1
)

func (h *heard) update(t tick) { h.word.Store(int64(t) &^ allMarks) }

// get returns what is remembered.
func (h *heard) get() (at tick, marks uint32) {
	w := h.word.Load()
	return tick(w &^ allMarks), uint32(w & allMarks)
}

func (h *heard) marks() uint32 { return uint32(h.word.Load() & allMarks) }

// mark sets the marks. As all that follows it is called while there is no update.
func (h *heard) mark(marks uint32) { h.word.Store(h.word.Load()&^allMarks | int64(marks)) }

// since sets the time of the last update.
func (h *heard) since(t tick) { h.word.Store(int64(t)&^allMarks | h.word.Load()&allMarks) }

// reset makes the point never heard.
func (h *heard) reset() { h.word.Store(0) }

// heardTable holds what is remembered of all points, by index. It grows while
// every sink is locked.
type heardTable struct{ points []heard }

func (t *heardTable) of(p point.Index) *heard { return &t.points[p] }

// grow makes room for n points.
func (t *heardTable) grow(n int) {
	if n <= len(t.points) {
		return
	}
	points := make([]heard, n)
	for i := range t.points {
		points[i].word.Store(t.points[i].word.Load())
	}
	t.points = points
}
