package connector

import (
	"context"
	"sync"

	"busbar/internal/image"
	"busbar/internal/point"
)

// feedBatch is how many changes a feed takes from the change log at once.
const feedBatch = 512

// feed implements Feed: a follower of the image, filtered to the points that
// have targets at one connector.
type feed struct {
	img image.Image

	mu      sync.Mutex
	targets []Target           // the newest set
	version uint64             // of targets
	wake    context.CancelFunc // interrupts a waiting Next; nil: none waits

	// Of the goroutine that calls Next.
	seen     uint64 // version that was delivered, 0: none yet
	follower image.Follower
	types    []point.Type // by point: its type if it has a target, otherwise 0
	skip     []uint64     // by point: changes up to here are in the snapshot; nil: none are
	skipTo   uint64       // beyond this sequence number skip is of no use
	raw      []image.Change
	out      []Change
	wait     context.Context // ends with parent, or by wake
	parent   context.Context
}

func newFeed(img image.Image) *feed {
	return &feed{img: img, version: 1}
}

// set replaces the targets; Next delivers them before any later change.
func (f *feed) set(targets []Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.targets = targets
	f.version++
	if f.wake != nil {
		f.wake()
	}
}

// restart lets the next run of the connector begin with a snapshot. It is
// called while no goroutine is in Next.
func (f *feed) restart() {
	f.seen = 0
	f.close()
}

// close releases the follower; all points are new when it is opened again.
func (f *feed) close() {
	f.types, f.skip = nil, nil
	if f.follower != nil {
		f.follower.Close()
		f.follower = nil
	}
}

// Next implements [Feed].
func (f *feed) Next(ctx context.Context) (Batch, error) {
	for {
		wait, targets, news := f.news(ctx)
		if err := ctx.Err(); err != nil {
			return Batch{}, err
		}
		if news {
			return f.adopt(targets), nil
		}
		batch, ok, err := f.follow(wait)
		if err != nil && wait.Err() == nil {
			return Batch{}, err
		}
		if ok {
			return batch, nil
		}
	}
}

// news returns the context to wait with, and the targets if they are new.
func (f *feed) news(ctx context.Context) (wait context.Context, targets []Target, news bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	news = f.seen != f.version
	f.seen = f.version
	if f.wait == nil || f.parent != ctx || f.wait.Err() != nil {
		if f.wake != nil {
			f.wake()
		}
		f.parent = ctx
		f.wait, f.wake = context.WithCancel(ctx)
	}
	return f.wait, f.targets, news
}

// adopt makes targets the current set. A point whose type has changed is new.
func (f *feed) adopt(targets []Target) Batch {
	old := f.types
	if len(targets) == 0 {
		f.close()
	} else if f.follower == nil {
		f.follower = f.img.Follow(image.Every)
	}
	f.types = make([]point.Type, span(targets))
	f.out = f.out[:0]
	for i := range targets {
		p, typ := targets[i].Point, targets[i].Type
		if f.types[p] == 0 && (int(p) >= len(old) || old[p] != typ) {
			f.snapshot(p)
		}
		f.types[p] = typ
	}
	f.skipTo = f.img.Seq()
	return Batch{Targets: &targets, Changes: f.take()}
}

// span returns one more than the highest point of the targets.
func span(targets []Target) int {
	n := 0
	for i := range targets {
		n = max(n, int(targets[i].Point)+1)
	}
	return n
}

// snapshot appends the current state of a point. Changes that are in it already
// are skipped when the follower comes to them.
func (f *feed) snapshot(p point.Index) {
	s, ok := f.img.State(p)
	if !ok {
		return
	}
	if int(p) >= len(f.skip) {
		f.skip = append(f.skip, make([]uint64, max(int(p)+1, len(f.types))-len(f.skip))...)
	}
	f.skip[p] = s.Seq
	f.out = append(f.out, Change{Seq: s.Seq, Snapshot: true, Update: point.Update{
		Value: s.Value, Time: s.Time, Arrival: s.Arrival, Point: p,
		Source: s.Source, Quality: s.Quality, TimeQuality: s.TimeQuality,
	}})
}

// follow waits for changes; ok is false if none of them is for this connector.
func (f *feed) follow(ctx context.Context) (b Batch, ok bool, err error) {
	if f.follower == nil {
		<-ctx.Done()
		return Batch{}, false, ctx.Err()
	}
	if f.raw == nil {
		f.raw = make([]image.Change, feedBatch)
	}
	n, gap, err := f.follower.Next(ctx, f.raw)
	if err != nil {
		return Batch{}, false, err
	}
	f.out = f.out[:0]
	if gap > 0 {
		f.resync()
	}
	if f.skip != nil && n > 0 && f.raw[0].Seq > f.skipTo {
		f.skip = nil
	}
	for i := range f.raw[:n] {
		if c := &f.raw[i]; f.wants(c) {
			f.out = append(f.out, Change{Seq: c.Seq, Update: c.Update})
		}
	}
	if len(f.out) == 0 && gap == 0 {
		return Batch{}, false, nil
	}
	return Batch{Changes: f.take(), Gap: gap}, true, nil
}

// wants reports whether a change is of a point with a target, of the type that
// the point has now, and not in the snapshot already.
func (f *feed) wants(c *image.Change) bool {
	if int(c.Point) >= len(f.types) || f.types[c.Point] == 0 {
		return false
	}
	if typ := c.Value.Type(); typ != 0 && typ != f.types[c.Point] {
		return false
	}
	return int(c.Point) >= len(f.skip) || c.Seq > f.skip[c.Point]
}

// resync puts the current state of every point before the changes that follow a
// gap, so that no point keeps a state from before it.
func (f *feed) resync() {
	for p, typ := range f.types {
		if typ != 0 {
			f.snapshot(point.Index(p))
		}
	}
	f.skipTo = f.img.Seq()
}

// take returns the collected changes. A large snapshot is not kept for reuse.
func (f *feed) take() []Change {
	out := f.out
	if cap(out) > 4*feedBatch {
		f.out = nil
	}
	return out
}
