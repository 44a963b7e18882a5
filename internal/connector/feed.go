package connector

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"busbar/internal/image"
	"busbar/internal/point"
)

// feedBatch is how many changes a feed takes from the change log at once.
const feedBatch = 512

// stride is how many changes a feed passes over at most before it tells how far
// it has come.
const stride = 4096

// feed implements Feed: a follower of the image, filtered to the points that
// have targets at one connector.
type feed struct {
	img   image.Image
	name  string        // of the connector
	key   uint32        // of the connector
	left  atomic.Bool   // the connector should have stopped long ago
	saved atomic.Bool   // cursors were, since Next has looked
	gone  atomic.Uint64 // events that were for targets which are no more

	mu      sync.Mutex
	targets []Target           // the newest set
	moves   image.Moves        // up to it
	begin   uint64             // newest change when there were targets again after there were none
	version uint64             // of targets
	wake    context.CancelFunc // interrupts a waiting Next; nil: none waits

	// Of the goroutine that calls Next.
	seen      uint64 // version that was delivered, 0: none yet
	start     uint64 // begin of that version
	delivered uint64 // sequence number up to which all was delivered in this process
	told      uint64 // of delivered, what the connector knows
	catchUp   uint64 // sequence number of the newest snapshot; that it is reached is told
	follower  image.Follower
	adopted   image.Moves              // up to the targets that were delivered
	held      int                      // changes in raw that came before the targets they may be for
	heldGap   uint64                   // before them
	types     []point.Type             // by point: its type if it has a target, ownType if it is own, otherwise 0
	had       bitset                   // targets that were delivered
	owners    map[point.Index]TargetID // of own points that were delivered
	skip      []uint64                 // by point: changes up to here are in the snapshot; nil: none are
	skipTo    uint64                   // beyond this sequence number skip is of no use
	raw       []image.Change
	out       []Change
	wait      context.Context // ends with parent, or by wake
	parent    context.Context
}

func newFeed(img image.Image, connector string) *feed {
	return &feed{img: img, name: connector, key: connectorKey(connector), version: 1}
}

// set replaces the targets; Next delivers them before any later change. moves are
// those that led to them.
func (f *feed) set(targets []Target, moves image.Moves) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.targets) == 0 {
		f.begin = f.img.Seq()
	}
	f.targets, f.moves = targets, moves
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
	f.types, f.skip, f.had, f.owners = nil, nil, nil, nil
	f.held, f.heldGap = 0, 0
	if f.follower != nil {
		f.follower.Close()
		f.follower = nil
	}
}

// open begins to follow: at the hindmost cursor of the connector, without one
// where an earlier run has ended, otherwise where its targets were set, so that what happens
// while it starts is not missed. No change up to the sequence number at is delivered.
func (f *feed) open() (follower image.Follower, at uint64) {
	var from Position
	first := true
	for _, pos := range f.places() {
		for c := range pos {
			if first || pos[c] < from[c] {
				from[c] = pos[c]
			}
		}
		first = false
	}
	if !first {
		return f.img.Resume(from), slices.Min(from[:])
	}
	f.delivered = max(f.delivered, f.start)
	return f.img.Resume(image.At(f.delivered)), f.delivered
}

// Next implements [Feed].
func (f *feed) Next(ctx context.Context) (Batch, error) {
	if f.saved.Load() && f.seen > 0 && f.delivered >= f.catchUp && !f.left.Load() {
		f.saved.Store(false)
		f.img.DropCursor(f.name + "/" + image.LostCursor)
	}
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
			f.told = batch.Seq
			return batch, nil
		}
	}
}

// news returns the context to wait with, and the targets if they are new.
func (f *feed) news(ctx context.Context) (wait context.Context, targets []Target, news bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	news = f.seen != f.version
	f.seen, f.adopted, f.start = f.version, f.moves, f.begin
	if f.wait == nil || f.parent != ctx || f.wait.Err() != nil {
		if f.wake != nil {
			f.wake()
		}
		f.parent = ctx
		f.wait, f.wake = context.WithCancel(ctx)
	}
	return f.wait, f.targets, news
}

// adopt makes targets the current set, with a snapshot of the points that have
// a new target or another type.
func (f *feed) adopt(targets []Target) Batch {
	old, at := f.types, f.delivered
	if len(targets) == 0 {
		f.close()
	} else if f.follower == nil {
		f.follower, at = f.open()
	}
	f.types = make([]point.Type, span(targets))
	f.out = f.out[:0]
	var have bitset
	for i := range targets {
		p, typ, id := targets[i].Point, targets[i].Type, uint32(targets[i].ID)
		if f.types[p] == 0 && (int(p) >= len(old) || old[p] != typ) || !f.had.has(id) {
			f.snapshot(p)
		}
		f.types[p] = typ
		have.add(id)
	}
	f.had = have
	f.adoptOwn(targets)
	f.skipTo, f.told = f.img.Seq(), f.delivered
	f.catchUp = f.skipTo
	if f.skipTo <= at {
		f.skip = nil // there is nothing to skip
	}
	return Batch{Targets: &targets, Changes: f.take(), Seq: f.delivered}
}

// ownType stands for the type of an own point, which its name tells.
const ownType = point.Text + 1

// adoptOwn adds the own points of targets, with a snapshot of those that belong
// to another target than before.
func (f *feed) adoptOwn(targets []Target) {
	owners := make(map[point.Index]TargetID)
	for i := range targets {
		t := &targets[i]
		for _, p := range t.Own {
			if p == point.None {
				continue
			}
			if before, ok := f.owners[p]; !ok || before != t.ID {
				f.snapshot(p)
			}
			f.types[p] = ownType
			owners[p] = t.ID
		}
	}
	f.owners = owners
}

// span returns one more than the highest point of the targets.
func span(targets []Target) int {
	n := 0
	for i := range targets {
		n = max(n, int(targets[i].Point)+1)
		for _, p := range targets[i].Own {
			if p != point.None {
				n = max(n, int(p)+1)
			}
		}
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
	if n := len(f.out); n > 0 && f.out[n-1].Point == p {
		return // of another of its targets
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
	n, gap, err := f.read(ctx)
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
		f.pass(&f.raw[i])
	}
	if n > 0 {
		f.delivered = f.raw[n-1].Seq
	}
	caughtUp := f.told < f.catchUp && f.catchUp <= f.delivered
	if len(f.out) == 0 && gap == 0 && f.delivered-f.told < stride && !caughtUp {
		return Batch{}, false, nil
	}
	return Batch{Changes: f.take(), Gap: gap, Seq: f.delivered}, true, nil
}

// read returns how many changes there are in raw. Without any, those that have come
// wait for targets that have come meanwhile: they may be events of these.
func (f *feed) read(ctx context.Context) (n int, gap uint64, err error) {
	if f.raw == nil {
		f.raw = make([]image.Change, feedBatch)
	}
	if f.held == 0 && f.heldGap == 0 {
		if f.held, f.heldGap, err = f.follower.Next(ctx, f.raw); err != nil {
			return 0, 0, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen != f.version {
		return 0, 0, nil
	}
	n, gap = f.held, f.heldGap
	f.held, f.heldGap = 0, 0
	return n, gap, nil
}

// place returns for which of the present targets a change is an event.
func (f *feed) place(c *image.Change) uint64 {
	if c.Events == 0 || len(f.adopted) == 0 {
		return c.Events
	}
	return f.adopted.Place(c.Point, c.Seq, c.Events, func(key uint64) {
		if uint32(key>>32) == f.key {
			f.gone.Add(1)
		}
	})
}

// pass takes a change if it is of a point with a target, of the type that the
// point has now. Of what is in the snapshot already only events are of use.
func (f *feed) pass(c *image.Change) {
	events := f.place(c)
	if int(c.Point) >= len(f.types) || f.types[c.Point] == 0 {
		return
	}
	if typ, want := c.Value.Type(), f.types[c.Point]; typ != 0 && typ != want && want != ownType {
		return
	}
	past := int(c.Point) < len(f.skip) && c.Seq <= f.skip[c.Point]
	if past && events == 0 {
		return
	}
	f.out = append(f.out, Change{Seq: c.Seq, Events: events, Past: past, Update: c.Update})
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

// leave ends what the connector has to say about its cursors: they may be those of
// another instance by now.
func (f *feed) leave() { f.left.Store(true) }

// SaveCursor implements [Feed].
func (f *feed) SaveCursor(name string, pos Position) error {
	if f.left.Load() {
		return ErrStopped
	}
	f.saved.Store(true)
	return f.img.SaveCursor(f.name+"/"+name, pos)
}

// DropCursor implements [Feed].
func (f *feed) DropCursor(name string) {
	if !f.left.Load() {
		f.img.DropCursor(f.name + "/" + name)
	}
}

// Cursors implements [Feed].
func (f *feed) Cursors() map[string]Position {
	own := f.places()
	delete(own, image.LostCursor)
	return own
}

// Lost implements [Feed].
func (f *feed) Lost() (Position, bool) {
	pos, lost := f.places()[image.LostCursor]
	return pos, lost
}

// places returns the cursors of the connector, also that of lost ones.
func (f *feed) places() map[string]Position {
	own := make(map[string]Position)
	for name, pos := range f.img.Cursors() {
		if rest, ok := strings.CutPrefix(name, f.name+"/"); ok {
			own[rest] = pos
		}
	}
	return own
}

// bitset is a set of small numbers.
type bitset []uint64

func (b *bitset) add(n uint32) {
	for int(n/64) >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bitset) has(n uint32) bool {
	return int(n/64) < len(b) && b[n/64]>>(n%64)&1 != 0
}
