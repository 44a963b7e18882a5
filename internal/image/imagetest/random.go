package imagetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// side is what is known of a point, from its source, an operator or both.
type side struct {
	value       point.Value // the zero Value: it was never received
	quality     point.Quality
	time        point.Instant
	timeQuality point.TimeQuality
}

// plain is a point as the documentation of overlays tells it, without anything for speed: one
// value of the source, one that is frozen, one that was entered.
type plain struct {
	typ           point.Type
	under, frozen side
	entered       side
	sub, blk      *image.Mark
	restored      bool          // the quality is not kept beyond the process
	kept          point.Quality // what is kept
	public        bool          // a quality that is not kept was told
	gate          mapping.GateState
}

func newPlain(t point.Type) *plain {
	const never = point.Invalid | point.NotTopical
	return &plain{typ: t, under: side{quality: never}, kept: never}
}

// shown is what must be told of the point.
func (p *plain) shown() side {
	s := p.under
	switch {
	case p.sub != nil:
		s = p.entered
	case p.blk != nil:
		s = p.frozen
	}
	if p.blk != nil {
		s.quality |= point.Blocked
	}
	if p.blk != nil && s.value.Type() == 0 {
		s.value = point.Restore(p.typ, 0, false, "") // a point that is blocked has a state
	}
	return s
}

// seeds is how many histories of each image are looked at.
const seeds = 12

func overlaysAtRandom(t *testing.T, im image.Image) {
	for seed := range uint64(seeds) {
		overlaysInAnyOrder(t, im, nil, seed)
	}
}

func overlaysAtRandomKept(t *testing.T, l *lives) {
	for seed := range uint64(seeds) {
		overlaysInAnyOrder(t, l, func() image.Image { l.again(t); return l }, seed)
	}
}

// random drives an image and the plain points with the same things that happen.
type random struct {
	*rand.Rand
	im     image.Image
	gate   mapping.Gate
	defs   []image.Definition
	points []*plain
	at     []point.Index
	now    point.Instant
	every  image.Follower
	latest image.Follower
	seen   map[point.Index]image.Change // newest of latest
	want   []told
}

var randomTypes = []point.Type{point.Float, point.Int, point.Counter, point.Step, point.Double, point.Single, point.Text}

// overlaysInAnyOrder compares an image with plain points while everything happens to them, in any order.
// again, if not nil, opens the image in another process.
func overlaysInAnyOrder(t *testing.T, im image.Image, again func() image.Image, seed uint64) {
	r := &random{Rand: rand.New(rand.NewPCG(seed, 1)), im: im, gate: mapping.Gate{Deadband: 2, Late: seed%2 == 0}, now: noon}
	for i := range 4 {
		typ := randomTypes[r.IntN(len(randomTypes))]
		r.defs = append(r.defs, image.Definition{ID: fmt.Sprintf("%d/%d", seed, i), Type: typ, Gates: []mapping.Gate{r.gate}, Keys: []uint64{uint64(i + 1)}})
		r.points = append(r.points, newPlain(typ))
	}
	r.open()
	for step := 0; step < 250 && !t.Failed(); step++ {
		i := r.IntN(len(r.points))
		r.now += point.Instant(time.Second)
		switch n := r.IntN(40); {
		case n < 18:
			r.update(t, i)
		case n < 36:
			r.operate(t, i)
		case n == 36:
			r.retype(i)
		case n == 37 && again != nil:
			r.close()
			r.im = again()
			r.reopened()
			r.open()
		}
		r.check(t)
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
	r.close()
}

func (r *random) open() {
	r.at = r.im.Define(r.defs)
	r.every, r.latest, r.seen = r.im.Follow(image.Every), r.im.Follow(image.Latest), map[point.Index]image.Change{}
}

func (r *random) close() {
	r.every.Close()
	r.latest.Close()
}

// retype makes a point one of another type, or removes it and brings it back.
func (r *random) retype(i int) {
	typ := randomTypes[r.IntN(len(randomTypes))]
	if typ == r.defs[i].Type {
		r.im.Define(append(append([]image.Definition{}, r.defs[:i]...), r.defs[i+1:]...))
	}
	r.defs[i].Type = typ
	r.at = r.im.Define(r.defs)
	r.points[i] = newPlain(typ)
}

// reopened is what another process knows.
func (r *random) reopened() {
	for _, p := range r.points {
		p.under.quality, p.restored, p.public = p.kept, false, false
	}
}

func (r *random) value(t point.Type) point.Value {
	switch n := r.IntN(4); t {
	case point.Single:
		return point.SingleValue(n&1 != 0)
	case point.Double:
		return point.DoubleValue(point.DoubleState(n))
	case point.Step:
		return point.StepValue(n, n == 3)
	case point.Int:
		return point.IntValue(int64(n))
	case point.Counter:
		return point.CounterValue(int64(n))
	case point.Text:
		return point.TextValue(fmt.Sprint("text ", n))
	default:
		return point.FloatValue(float64(n))
	}
}

// update lets the source of a point, or the host, say something.
func (r *random) update(t *testing.T, i int) {
	p := r.points[i]
	u := point.Update{Point: r.at[i], Value: r.value(p.typ), Time: r.now, Arrival: r.now, Quality: point.Quality(r.IntN(8)/7) * point.Invalid}
	switch r.IntN(9) {
	case 0:
		u.Time -= point.Instant(5 * time.Second)
	case 1:
		u.TimeQuality = point.TimeSubstituted
	case 2, 3:
		u = point.Update{Point: u.Point, Quality: p.under.quality ^ point.NotTopical, TimeQuality: p.under.timeQuality, Flags: point.KeepValue}
	case 4:
		u = point.Update{Point: u.Point, Quality: p.under.quality ^ point.NotTopical, TimeQuality: p.under.timeQuality, Flags: point.KeepValue | point.Restored}
	case 5:
		u.Flags = point.Retained
		u.Time -= point.Instant(r.IntN(3)) * point.Instant(time.Second)
		u.TimeQuality = point.TimeQuality(r.IntN(2)) * point.TimeSubstituted
	}
	publish(t, r.im, u)
	p.take(r, u)
}

// take is what the documentation says of an update.
func (p *plain) take(r *random, u point.Update) {
	known := p.under.value.Type() != 0
	own := (u.TimeQuality|p.under.timeQuality)&point.TimeSubstituted == 0
	switch {
	case u.Flags&point.KeepValue != 0:
		if !known {
			return
		}
		u.Value, u.Time = p.under.value, p.under.time
	case u.Flags&point.Retained != 0 && known:
		if u.TimeQuality&point.TimeSubstituted != 0 && p.under.quality&point.NotTopical == 0 ||
			u.TimeQuality&point.TimeSubstituted == 0 && u.Time <= p.under.time {
			return
		}
	}
	over := p.sub != nil || p.blk != nil
	if known && own && u.Time < p.under.time {
		if !over {
			r.tell(u.Value, u.Quality, p.gateLate(r))
		}
		return
	}
	p.under = side{u.Value, u.Quality, u.Time, u.TimeQuality}
	restored := u.Flags&point.Restored != 0
	if restored && !over && p.public {
		p.public, restored = false, false
	}
	if !restored {
		p.kept = u.Quality
	}
	switch {
	case over:
	case restored:
		r.tell(u.Value, u.Quality, 0)
	default:
		r.tell(u.Value, u.Quality, p.event(r, u.Value, u.Quality))
	}
}

func (p *plain) gateLate(r *random) uint64 {
	if r.gate.Late {
		return 1
	}
	return 0
}

func (p *plain) event(r *random, v point.Value, q point.Quality) uint64 {
	if r.gate.Event(&p.gate, v, q) {
		return 1
	}
	return 0
}

func (r *random) tell(v point.Value, q point.Quality, events uint64) {
	n, _ := v.Number()
	r.want = append(r.want, told{n, q, events})
}

// operate lets an operator do something.
func (r *random) operate(t *testing.T, i int) {
	p, at := r.points[i], r.at[i]
	mark := image.Mark{Author: "operator", Time: r.now}
	before := *p
	switch r.IntN(5) {
	case 0, 1:
		q := point.Quality(r.IntN(4)/3) * point.NotTopical
		s := image.Substitution{Mark: mark, Value: r.value(p.typ), Quality: q}
		if err := r.im.Substitute(t.Context(), at, s); err != nil {
			t.Errorf("Substitute: %v", err)
		}
		p.sub, p.entered = &mark, side{s.Value, q | point.Substituted, r.now, 0}
	case 2:
		if err := r.im.Block(t.Context(), at, mark); err != nil {
			t.Errorf("Block: %v", err)
		}
		if p.blk != nil {
			return
		}
		p.blk, p.frozen = &mark, p.under
	default:
		what := []point.Quality{point.Substituted, point.Blocked, point.Substituted | point.Blocked}[r.IntN(3)]
		release(t, r.im, at, what)
		if what&point.Substituted != 0 {
			p.sub = nil
		}
		if what&point.Blocked != 0 {
			p.blk = nil
		}
		if p.sub == before.sub && p.blk == before.blk {
			return
		}
	}
	s := p.shown()
	if p.sub == nil && p.blk == nil {
		if p.kept != s.quality {
			p.public = true
		}
		p.kept = s.quality
	}
	if s.value.Type() == 0 {
		s.value = point.Restore(p.typ, 0, false, "")
	}
	r.tell(s.value, s.quality, p.event(r, s.value, s.quality))
}

// check compares all that the image tells with the plain points.
func (r *random) check(t *testing.T) {
	t.Helper()
	var got []told
	drain(t, r.every, func(c image.Change) {
		v, _ := c.Value.Number()
		got = append(got, told{v, c.Quality, c.Events})
	})
	equal(t, "changes", len(r.want), len(got))
	for i := range min(len(r.want), len(got)) {
		if got[i] != r.want[i] {
			t.Errorf("change %v, want %v", got[i], r.want[i])
		}
	}
	r.want = nil
	drain(t, r.latest, func(c image.Change) { r.seen[c.Point] = c })
	var sum image.Overlaid
	for i, p := range r.points {
		want, s := p.shown(), state(t, r.im, r.at[i])
		if !s.Value.Equal(want.value) || s.Quality != want.quality {
			t.Errorf("point %d shows %v %s, want %v %s", i, s.Value, s.Quality, want.value, want.quality)
		}
		if u := beneath(t, r.im, r.at[i]); !u.Value.Equal(p.under.value) || u.Quality != p.under.quality || u.Time != p.under.time || u.TimeQuality != p.under.timeQuality {
			t.Errorf("beneath point %d lies %+v, want %+v", i, u, p.under)
		}
		if c := r.seen[r.at[i]]; c.Quality != s.Quality || c.Value.Type() != 0 && s.Value.Type() != 0 && !c.Value.Equal(s.Value) || c.Seq != s.Seq {
			t.Errorf("point %d was told as %v %s of change %d, its state is %v %s of %d", i, c.Value, c.Quality, c.Seq, s.Value, s.Quality, s.Seq)
		}
		o, _ := r.im.Overlay(r.at[i])
		equal(t, "who has substituted", p.sub, o.Substituted)
		equal(t, "who has blocked", p.blk, o.Blocked)
		if p.sub != nil {
			sum.Substituted++
		}
		if p.blk != nil {
			sum.Blocked++
		}
	}
	sum.Dropped = r.im.Overlaid().Dropped
	equal(t, "overlays", sum, r.im.Overlaid())
}

// drain reads what a follower has.
func drain(t *testing.T, f image.Follower, take func(image.Change)) {
	t.Helper()
	dst := make([]image.Change, 16)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		n, gap, err := f.Next(ctx, dst)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if err != nil || gap != 0 {
			t.Fatalf("Next: gap %d, error %v", gap, err)
		}
		for _, c := range dst[:n] {
			take(c)
		}
	}
}
