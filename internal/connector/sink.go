package connector

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// sink implements Sink for one connector, over all its restarts.
type sink struct {
	log    *slog.Logger
	img    image.Image
	clock  clock
	table  *heardTable
	ledger *ledger
	counts *sinkCounts

	messages *Messages // nil: they are not kept
	buffers  sync.Pool // of *[]point.Update

	ending atomic.Bool // the connector is told to stop

	// mu is held for reading while a message is mapped and published, and for
	// writing by what must see no message half done: a change of the plant, and
	// a change of quality by the host.
	mu      sync.RWMutex
	closed  bool
	sources *mapping.Sources
	groups  []freshGroup // ascending by hold
	absence absence
	ends    endSet
	key     func(end any) any // equal for equal ends
}

func newSink(log *slog.Logger, l *ledger, c clock, counts *sinkCounts) *sink {
	s := &sink{log: log, img: l.img, clock: c, table: l.table, ledger: l, counts: counts}
	s.buffers.New = func() any { return new([]point.Update) }
	s.ends.changed = make(chan struct{})
	return s
}

// Deliver implements [Sink].
func (s *sink) Deliver(ctx context.Context, m Message, committed func(error)) error {
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
	updates, outcome := s.sources.Map((*buffer)[:0], m.Selector, m.Payload, point.InstantOf(now), m.Retained)
	*buffer = updates
	defer clear(updates) // texts are not kept alive by the pool
	err := s.publish(ctx, now, updates, &outcome, committed)
	s.messages.delivered(now, &m, len(updates), &outcome, err)
	return err
}

// publish publishes the updates that were made at a time.
func (s *sink) publish(ctx context.Context, now time.Time, updates []point.Update, outcome *mapping.Outcome, committed func(error)) error {
	s.counts.message(ctx, now, len(updates), outcome)
	if len(updates) == 0 {
		if committed != nil {
			committed(nil)
		}
		return nil
	}
	if err := s.img.Publish(ctx, updates, committed); err != nil {
		s.counts.refused.Add(1)
		return fmt.Errorf("publishing: %w", err)
	}
	s.heard(updates, s.clock.tickOf(now))
	return nil
}

// heard notes that there was news of points. A retained message is news only if
// the image took it.
func (s *sink) heard(updates []point.Update, at tick) {
	for i := range updates {
		u := &updates[i]
		if u.Flags&point.Retained != 0 {
			if state, _ := s.img.Beneath(u.Point); state.Arrival != u.Arrival {
				continue
			}
		}
		s.table.of(u.Point).update(at)
	}
}

// Sources implements [Sink].
func (s *sink) Sources() (ends []any, changed <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ends.list, s.ends.changed
}

// endSet is the set of distinct source ends of a connector.
type endSet struct {
	list    []any
	changed chan struct{}
}

// same reports whether both hold equal ends. A set in another order is another
// set: telling a connector in vain does no harm.
func (e *endSet) same(other *endSet, key func(end any) any) bool {
	return slices.EqualFunc(e.list, other.list, func(a, b any) bool { return key(a) == key(b) })
}

// intake is what a plant makes of a sink.
type intake struct {
	sources *mapping.Sources
	groups  []freshGroup
	ends    endSet
}

// adopt takes what a new plant makes of this sink. The caller holds mu.
func (s *sink) adopt(in intake) {
	s.sources, s.groups = in.sources, in.groups
	if s.ends.same(&in.ends, s.key) {
		return
	}
	in.ends.changed = make(chan struct{})
	close(s.ends.changed)
	s.ends = in.ends
}
