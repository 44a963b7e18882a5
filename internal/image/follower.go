package image

import (
	"context"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"busbar/internal/point"
)

// stride is how many changes a follower copies at most while it holds the lock
// of the image.
const stride = 512

// waiter lets a follower wait for the image.
type waiter struct {
	waiting atomic.Bool   // set by the follower under the lock of the image, when it has seen everything
	wake    chan struct{} // one token at most
	done    chan struct{} // closed with the follower
	once    sync.Once
}

func newWaiter() *waiter {
	return &waiter{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// wakeUp wakes the follower if it waits. The image calls it under its lock.
func (w *waiter) wakeUp() {
	if w.waiting.Load() {
		w.waiting.Store(false)
		select {
		case w.wake <- struct{}{}:
		default: // a token of an earlier wait that was given up
		}
	}
}

func (w *waiter) stop() { w.once.Do(func() { close(w.done) }) }

// ended returns why there is nothing more to deliver, if that is so.
func (w *waiter) ended(ctx context.Context) error {
	select {
	case <-w.done:
		return ErrClosed
	default:
		return ctx.Err()
	}
}

// wait waits for news or the end; which of them is left to ended.
func (w *waiter) wait(ctx context.Context) {
	select {
	case <-w.wake:
	case <-w.done:
	case <-ctx.Done():
	}
}

// reader is a follower, to the loop of Next.
type reader interface {
	// read copies what there is; drained tells that nothing is left. If it has
	// copied nothing and nothing is left, the waiter is set to waiting.
	read(dst []Change) (n int, gap uint64, drained bool, err error)
}

// next is the loop of Next: read until there is something, wait in between.
func (w *waiter) next(ctx context.Context, r reader, dst []Change) (n int, gap uint64, err error) {
	for {
		if err := w.ended(ctx); err != nil {
			return 0, 0, err
		}
		n, gap, drained, err := r.read(dst)
		if err != nil {
			return 0, 0, err
		}
		if n > 0 || gap > 0 || len(dst) == 0 {
			return n, gap, nil
		}
		if drained {
			w.wait(ctx)
		}
	}
}

// Follow implements [Image].
func (m *Memory) Follow(mode Mode) Follower {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := newWaiter()
	if m.closed {
		w.stop()
	}
	if mode == Latest {
		f := &latestFollower{waiter: w, image: m}
		for p := range m.cells {
			f.mark(point.Index(p))
		}
		m.latest = append(m.latest, f)
		return f
	}
	f := &everyFollower{waiter: w, image: m, cursor: m.log.next, past: newPast(m, Position{})}
	m.every = append(m.every, f)
	return f
}

// Changed implements [Image].
func (m *Memory) Changed(after uint64, dst []point.Index) (points []point.Index, upTo uint64, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if after+1 < m.log.first || after >= m.log.next {
		return dst, after, false
	}
	upTo = min(after+stride, m.log.next-1)
	for seq := after + 1; seq <= upTo; seq++ {
		if u := m.log.at(seq); u.Flags&point.Beneath == 0 {
			dst = append(dst, u.Point)
		}
	}
	return dst, upTo, true
}

// Resume implements [Image].
func (m *Memory) Resume(from Position) Follower {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := newWaiter()
	if m.closed {
		w.stop()
	}
	first := min(from[point.ClassStatus], from[point.ClassCounter], from[point.ClassMeasured]) + 1
	f := &everyFollower{waiter: w, image: m, cursor: min(first, m.log.next), from: from, past: newPast(m, from)}
	m.every = append(m.every, f)
	return f
}

// everyFollower reads the change log by its cursor.
type everyFollower struct {
	*waiter
	image  *Memory
	cursor uint64 // sequence number of the next change to deliver
	from   Position
	past   *past // nil: what is not in the log is lost
	inPast bool  // past was read last
}

// Next implements [Follower].
func (f *everyFollower) Next(ctx context.Context, dst []Change) (int, uint64, error) {
	return f.next(ctx, f, dst)
}

func (f *everyFollower) read(dst []Change) (n int, gap uint64, drained bool, err error) {
	n, gap, drained, inRing := f.readLog(dst)
	if !inRing {
		f.inPast = true
		return f.past.read(f, dst)
	}
	if f.inPast {
		f.inPast = false
		f.past.close()
	}
	return n, gap, drained, nil
}

// readLog is read as far as the log holds what follows; otherwise it is false.
func (f *everyFollower) readLog(dst []Change) (n int, gap uint64, drained, ok bool) {
	m := f.image
	m.mu.RLock()
	defer m.mu.RUnlock()
	if f.cursor < m.log.first && f.past != nil {
		return 0, 0, false, false
	}
	if f.cursor < m.log.first {
		gap = m.log.first - f.cursor
		f.cursor = m.log.first
	}
	end := min(m.log.next, f.cursor+stride)
	for ; f.cursor < end && n < len(dst); f.cursor++ {
		u := m.log.at(f.cursor)
		if m.typeOf(u.Point) != u.Value.Type() || u.Flags&point.Beneath != 0 {
			continue // of a point that was removed, or was another; or not to be seen
		}
		if f.cursor <= f.from[u.Value.Type().Class()] {
			continue
		}
		dst[n].Seq, dst[n].Events, dst[n].Update = f.cursor, u.events, u.Update
		n++
	}
	drained = f.cursor == m.log.next
	if drained && n == 0 && gap == 0 {
		f.waiting.Store(true)
	}
	return n, gap, drained, true
}

// Close implements [Follower].
func (f *everyFollower) Close() {
	m := f.image
	m.mu.Lock()
	f.stop()
	if i := slices.Index(m.every, f); i >= 0 {
		m.every = slices.Delete(m.every, i, i+1)
	}
	m.mu.Unlock()
	if f.past != nil {
		f.past.close()
	}
}

// latestFollower delivers the states that are marked, going round by index, so
// that a point that changes all the time does not hold up the others. It takes
// one bit per point.
type latestFollower struct {
	*waiter
	image  *Memory
	marks  []uint64 // a bit per point
	marked int      // bits set
	cursor int      // index of the point to look at next
}

// mark notes that the state of a point is news. The image calls it under its lock.
func (f *latestFollower) mark(p point.Index) {
	word, bit := int(p/64), uint64(1)<<(p%64)
	for word >= len(f.marks) {
		f.marks = append(f.marks, 0)
	}
	if f.marks[word]&bit == 0 {
		f.marks[word] |= bit
		f.marked++
	}
}

// Next implements [Follower].
func (f *latestFollower) Next(ctx context.Context, dst []Change) (int, uint64, error) {
	return f.next(ctx, f, dst)
}

func (f *latestFollower) read(dst []Change) (n int, gap uint64, drained bool, err error) {
	m := f.image
	m.mu.Lock()
	defer m.mu.Unlock()
	for n < min(len(dst), stride) && f.marked > 0 {
		p := f.unmark()
		if m.typeOf(p) == 0 {
			continue // removed
		}
		s := m.state(p)
		dst[n] = Change{Seq: s.Seq, Update: point.Update{
			Value: s.Value, Time: s.Time, Arrival: s.Arrival, Point: p,
			Source: s.Source, Quality: s.Quality, TimeQuality: s.TimeQuality,
		}}
		n++
	}
	drained = f.marked == 0
	if drained && n == 0 {
		f.waiting.Store(true)
	}
	return n, 0, drained, nil
}

// unmark clears the next mark from the cursor on, of which there is one.
func (f *latestFollower) unmark() point.Index {
	for {
		word := f.cursor / 64
		if word >= len(f.marks) {
			f.cursor = 0
			continue
		}
		ahead := f.marks[word] >> (f.cursor % 64) << (f.cursor % 64)
		if ahead == 0 {
			f.cursor = (word + 1) * 64
			continue
		}
		bit := bits.TrailingZeros64(ahead)
		f.marks[word] &^= 1 << bit
		f.marked--
		f.cursor = word*64 + bit + 1
		return point.Index(word*64 + bit)
	}
}

// Close implements [Follower].
func (f *latestFollower) Close() {
	m := f.image
	m.mu.Lock()
	defer m.mu.Unlock()
	f.stop()
	if i := slices.Index(m.latest, f); i >= 0 {
		m.latest = slices.Delete(m.latest, i, i+1)
	}
}
