package connector

import (
	"context"
	"math"

	"busbar/internal/image"
	"busbar/internal/point"
)

// feedback watches for the result of one order at its feedback point.
type feedback struct {
	img       image.Image
	point     point.Index
	order     point.Value
	before    point.Value // of the point when the order was given
	tolerance float64
}

func newFeedback(img image.Image, c *command, order point.Value) *feedback {
	s, _ := img.State(c.feedback)
	return &feedback{img: img, point: c.feedback, order: order, before: s.Value, tolerance: c.tolerance}
}

// watch follows the image from now on. The channel gets a token when the point
// shows what was ordered, and is closed when ctx has ended.
func (f *feedback) watch(ctx context.Context) <-chan struct{} {
	seen := make(chan struct{}, 1)
	follower := f.img.Follow(image.Every)
	go func() {
		defer close(seen)
		defer follower.Close()
		changes := make([]image.Change, feedBatch)
		for {
			n, gap, err := follower.Next(ctx, changes)
			if err != nil {
				return // ctx has ended, or the image: then nothing can be seen any more
			}
			if gap > 0 && f.shown() || f.among(changes[:n]) {
				seen <- struct{}{}
				<-ctx.Done()
				return
			}
		}
	}()
	return seen
}

// among reports whether one of the changes shows what was ordered.
func (f *feedback) among(changes []image.Change) bool {
	for i := range changes {
		u := &changes[i].Update
		if u.Point == f.point && u.Flags&(point.Late|point.Restored) == 0 && u.Quality.Good() && f.reached(u.Value) {
			return true
		}
	}
	return false
}

// shown reports whether the point shows now what was ordered.
func (f *feedback) shown() bool {
	s, ok := f.img.State(f.point)
	return ok && s.Quality.Good() && f.reached(s.Value)
}

// reached reports whether a value of the point is the result of the order.
func (f *feedback) reached(v point.Value) bool {
	switch f.order.Type() {
	case point.Single, point.Double:
		return state(v) == state(f.order)
	case point.Step:
		return f.moved(v)
	case point.Bits:
		return v.Equal(f.order)
	}
	want, _ := f.order.Number()
	got, ok := v.Number()
	return ok && math.Abs(got-want) <= max(f.tolerance, 1e-6*math.Abs(want))
}

// moved reports whether a step position has moved the way that was ordered, and
// has arrived.
func (f *feedback) moved(v point.Value) bool {
	if f.before.Type() != point.Step || v.Type() != point.Step {
		return false
	}
	direction, _ := f.order.Step()
	before, _ := f.before.Step()
	now, transient := v.Step()
	return !transient && (now-before)*direction > 0
}

// state returns the state of a single or double point as that of a double point.
func state(v point.Value) point.DoubleState {
	switch {
	case v.Type() == point.Double:
		return v.Double()
	case v.Type() != point.Single:
		return point.Indeterminate
	case v.Single():
		return point.DoubleOn
	default:
		return point.DoubleOff
	}
}
