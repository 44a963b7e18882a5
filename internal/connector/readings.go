package connector

import (
	"context"
	"slices"
	"time"

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
	return s.publish(ctx, now, s.news(updates, now), &outcome, committed)
}

// news leaves out updates that repeat what the image has, but notes that their points
// were heard of.
func (s *sink) news(updates []point.Update, now time.Time) []point.Update {
	if !slices.ContainsFunc(updates, func(u point.Update) bool { return u.Flags&point.Repeated != 0 }) {
		return updates
	}
	kept := updates[:0]
	for i := range updates {
		u := updates[i]
		repeated := u.Flags&point.Repeated != 0
		u.Flags &^= point.Repeated
		if repeated && u.Flags&point.KeepValue == 0 && s.has(&u) && !slices.ContainsFunc(kept, func(k point.Update) bool { return k.Point == u.Point }) {
			s.table.of(u.Point).update(s.clock.tickOf(now))
			continue
		}
		kept = append(kept, u)
	}
	return kept
}

// has reports whether the image has the value of an update from the source, with its quality.
func (s *sink) has(u *point.Update) bool {
	state, ok := s.img.Beneath(u.Point)
	return ok && state.Value.Equal(u.Value) && state.Quality == u.Quality
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
	state, _ := s.img.Beneath(p)
	rule := freshRule{counter: state.Value.Type() == point.Counter}
	// NT of a restart was no event: what happens now is one. That it is the
	// source's own is not noted, so that its return alone does not clear it.
	c := requality{point: p, set: rule.away(), marks: marks&markStale | markAway, force: marks&markRestored != 0}
	r.add(c)
}
