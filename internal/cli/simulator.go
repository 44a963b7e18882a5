package cli

import (
	"context"
	"fmt"
	"time"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// simulator changes the points of a simulated station.
type simulator struct {
	img    *image.Memory
	points []simulated
	next   int // the point that changes next
	round  int // how often all points have changed
	batch  []point.Update

	quality point.Quality // of all values
}

type simulated struct {
	index point.Index
	typ   point.Type
}

// simulatorTick is how often changes are published; a batch holds those of a tick.
const simulatorTick = 2 * time.Millisecond

// newSimulator defines the points in the image.
func newSimulator(img *image.Memory, points []plant.Point, quality point.Quality) *simulator {
	defs := make([]image.Definition, len(points))
	for i := range points {
		defs[i] = image.Definition{ID: points[i].ID, Type: points[i].Type}
	}
	s := &simulator{img: img, points: make([]simulated, len(defs)), quality: quality}
	for i, index := range img.Define(defs) {
		s.points[i] = simulated{index: index, typ: defs[i].Type}
	}
	return s
}

// release returns the first n points, and leaves them to others.
func (s *simulator) release(n int) []simulated {
	released := s.points[:n]
	s.points = s.points[n:]
	return released
}

// first gives every point its first value.
func (s *simulator) first(ctx context.Context) error {
	for left := len(s.points); left > 0; {
		n := min(left, 10_000)
		if err := s.publish(ctx, n); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// run changes rate points a second until ctx ends.
func (s *simulator) run(ctx context.Context, rate float64) error {
	if rate == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(simulatorTick)
	defer tick.Stop()
	start, done := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		due := int(rate * time.Since(start).Seconds())
		if behind := due - done; behind > int(rate) { // the machine is too slow: do not try to catch up
			done = due - int(rate)
		}
		if due > done {
			if err := s.publish(ctx, due-done); err != nil {
				return err
			}
			done = due
		}
	}
}

// publish changes the next n points.
func (s *simulator) publish(ctx context.Context, n int) error {
	s.batch = s.batch[:0]
	now := point.InstantOf(time.Now())
	for range n {
		p := s.points[s.next]
		s.batch = append(s.batch, point.Update{Point: p.index, Value: s.value(p.typ), Quality: s.quality, Time: now, Arrival: now})
		if s.next++; s.next == len(s.points) {
			s.next = 0
			s.round++
		}
	}
	if err := s.img.Publish(ctx, s.batch, nil); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return nil
}

// value returns a value that differs from the one of the round before.
func (s *simulator) value(t point.Type) point.Value {
	n := s.round + s.next
	switch t {
	case point.Single:
		return point.SingleValue(s.round%2 == 1)
	case point.Double:
		return point.DoubleValue(point.DoubleState(1 + s.round%2))
	case point.Step:
		return point.StepValue(n%(point.StepMax-point.StepMin+1)+point.StepMin, false)
	case point.Bits:
		return point.BitsValue(uint32(n) * 2654435761)
	case point.Counter:
		return point.CounterValue(int64(s.round)*10 + int64(s.next))
	default:
		return point.FloatValue(float64(n%1000) + 0.5)
	}
}
