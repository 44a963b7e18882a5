package connector

import (
	"context"

	"busbar/internal/point"
)

// Take implements [Readings].
func (s *sink) Take(ctx context.Context, readings []Reading, committed func(error)) error {
	now := s.clock.now()
	buffer := s.buffers.Get().(*[]point.Update)
	defer s.buffers.Put(buffer)

	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		if committed != nil {
			committed(ErrStopped)
		}
		return ErrStopped
	}
	updates, outcome := s.sources.Take((*buffer)[:0], readings, point.InstantOf(now))
	*buffer = updates
	defer clear(updates)
	return s.publish(ctx, now, updates, &outcome, committed)
}

// Missing implements [Readings].
func (s *sink) Missing(keys []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ending.Load() {
		return
	}
	r := s.ledger.requalifier()
	for _, key := range keys {
		for _, p := range s.sources.Keyed(key) {
			s.miss(&r, p)
		}
	}
	s.settle(&r)
}

// miss makes a point not topical of which there should have been news.
func (s *sink) miss(r *requalifier, p point.Index) {
	at, marks := s.table.of(p).get()
	if at == 0 {
		return
	}
	state, _ := s.img.State(p)
	rule := freshRule{counter: state.Value.Type() == point.Counter}
	// NT of a restart was no event: what happens now is one. That it is the
	// source's own is not noted, so that its return alone does not clear it.
	c := requality{point: p, set: rule.away(), marks: marks&markStale | markAway, force: marks&markRestored != 0}
	r.add(c)
}
