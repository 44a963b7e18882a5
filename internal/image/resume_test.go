package image_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

const (
	mixed      = 30_000 // changes of the stress test
	mixedQuiet = point.Classes
)

// kindOf returns the class of change n of the stress test, mixedQuiet if it is no
// event.
func kindOf(n uint64) int { return int(n * 0x9e3779b97f4a7c15 >> 40 % (mixedQuiet + 1)) }

// mixedPoints defines a point of each class of which every change is an event, and one
// of which none is.
func mixedPoints(im image.Image) []point.Index {
	every := []mapping.Gate{{OnUpdate: true}}
	defs := make([]image.Definition, mixedQuiet+1)
	for c := range defs {
		defs[c] = image.Definition{ID: fmt.Sprint(c), Type: point.Float, Gates: every}
	}
	defs[point.ClassStatus].Type, defs[point.ClassCounter].Type = point.Single, point.Counter
	defs[mixedQuiet].Gates = []mapping.Gate{}
	return im.Define(defs)
}

func mixedChange(p []point.Index, n uint64) point.Update {
	u := point.Update{Point: p[kindOf(n)], Value: point.FloatValue(float64(n)), Time: point.Instant(n)}
	switch kindOf(n) {
	case int(point.ClassStatus):
		u.Value = point.SingleValue(n%2 == 0)
	case int(point.ClassCounter):
		u.Value = point.CounterValue(int64(n))
	}
	return u
}

// TestResumedFollowersSeeEachEventOnce has followers that resume at random places, far
// behind the log in memory and at its edge, while segments are begun and trimmed.
func TestResumedFollowersSeeEachEventOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	e := mustOpen(t, newMemFS(), image.Options{Log: 64, Segment: 4 << 10, Limit: 64 << 20})
	p := mixedPoints(e)
	var followers, trimmer sync.WaitGroup
	for i := range uint64(4) {
		r := &resumer{t: t, e: e, rnd: rand.New(rand.NewPCG(i, 3)), name: fmt.Sprint(i)}
		r.save()
		followers.Go(func() { r.run(ctx) })
	}
	stop := make(chan struct{})
	trimmer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := e.Checkpoint(); err != nil {
				t.Error(err)
			}
			e.Trim()
		}
	})
	rnd := rand.New(rand.NewPCG(1, 4))
	for n := uint64(0); n < mixed; {
		batch := make([]point.Update, 0, 20)
		for range min(1+rnd.Uint64N(20), mixed-n) {
			n++
			batch = append(batch, mixedChange(p, n))
		}
		if err := e.Publish(ctx, batch, nil); err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(8) == 0 {
			runtime.Gosched()
		}
	}
	followers.Wait()
	close(stop)
	trimmer.Wait()
	mustClose(t, e)
}

// resumer is a consumer that begins again and again.
type resumer struct {
	t    *testing.T
	e    *image.Embedded
	rnd  *rand.Rand
	name string
	from image.Position // its cursor: what comes after it is kept for it
}

func (r *resumer) save() {
	if err := r.e.SaveCursor(r.name, r.from); err != nil {
		r.t.Error(err)
	}
}

func (r *resumer) run(ctx context.Context) {
	for last := uint64(0); last < mixed && !r.t.Failed(); {
		pos := r.from
		newest := r.e.Seq()
		for c := range pos {
			if r.rnd.IntN(2) == 0 {
				pos[c] += r.rnd.Uint64N(min(newest-pos[c], 300) + 1)
			}
		}
		last = r.follow(ctx, pos, 1+r.rnd.IntN(3000))
		for c := range r.from {
			if last > r.from[c] && r.rnd.IntN(3) > 0 {
				r.from[c] += r.rnd.Uint64N(last - r.from[c] + 1)
			}
		}
		r.save()
	}
}

// follow reads so many events, or all, and returns the number of the last one.
func (r *resumer) follow(ctx context.Context, pos image.Position, count int) (last uint64) {
	f := r.e.Resume(pos)
	defer f.Close()
	last = min(pos[0], pos[1], pos[2])
	due, lost := r.due(last, pos), uint64(0)
	for dst := make([]image.Change, 1+r.rnd.IntN(700)); count > 0 && due <= mixed; {
		n, gap, err := f.Next(ctx, dst)
		if lost += gap; n > 0 && lost > quietBetween(last, dst[0].Seq) || err != nil {
			r.t.Errorf("from %v, %d to %d: gap %d, error %v", pos, last, dst[0].Seq, lost, err)
			return mixed
		}
		if n > 0 {
			lost = 0
		}
		for _, c := range dst[:n] {
			if c.Seq <= last || c.Seq > due || c.Seq < due && c.Events != 0 || (c.Events != 0) != (kindOf(c.Seq) != mixedQuiet) {
				r.t.Errorf("from %v: change %+v after %d, want event %d", pos, c, last, due)
				return mixed
			}
			if last = c.Seq; last == due {
				count--
				due = r.due(last, pos)
			}
		}
	}
	if due > mixed {
		return mixed
	}
	return last
}

// quietBetween returns how many changes are no events: no cursor keeps them.
func quietBetween(after, before uint64) (count uint64) {
	for n := after + 1; n < before; n++ {
		if kindOf(n) == mixedQuiet {
			count++
		}
	}
	return count
}

// due returns the first event after a change, from a position on.
func (r *resumer) due(after uint64, pos image.Position) uint64 {
	for n := after + 1; ; n++ {
		if c := kindOf(n); c != mixedQuiet && n > pos[c] {
			return n
		}
	}
}
