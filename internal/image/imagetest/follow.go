package imagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/image"
	"busbar/internal/point"
)

func everyInOrder(t *testing.T, im image.Image) {
	p := floats(im, "a", "b")
	publish(t, im, float(p[0], 1, 0))
	f := im.Follow(image.Every)
	defer f.Close()
	var want []image.Change
	for i := range 100 {
		u := float(p[i%2], float64(i/4), time.Duration(i)) // equal values are changes too
		publish(t, im, u)
		want = append(want, image.Change{Seq: uint64(i + 2), Update: u})
	}
	var got []image.Change
	for len(got) < len(want) {
		got = append(got, next(t, f, 7)...)
	}
	equal(t, "changes", want, got)
	if n, gap, err := f.Next(t.Context(), nil); n != 0 || gap != 0 || err != nil {
		t.Errorf("Next into nothing = %d, %d, %v, want nothing", n, gap, err)
	}
	idle(t, f)
}

func everyFallsBehind(t *testing.T, im image.Image) {
	p := floats(im, "a")[0]
	f := im.Follow(image.Every)
	defer f.Close()
	const published = 100_000
	batch := make([]point.Update, 1000)
	for i := range published / len(batch) {
		for j := range batch {
			batch[j] = float(p, float64(i*len(batch)+j), 0)
		}
		publish(t, im, batch...)
	}
	dst := make([]image.Change, 1024)
	n, gap, err := f.Next(t.Context(), dst)
	if err != nil || gap >= published {
		t.Fatalf("Next: gap %d, error %v, want a gap of less than %d", gap, err, published)
	}
	last := gap
	for {
		for _, c := range dst[:n] {
			if c.Seq != last+1 || c.Value.Float() != float64(c.Seq-1) {
				t.Fatalf("change %d with value %v after %d", c.Seq, c.Value, last)
			}
			last = c.Seq
		}
		if last == published {
			break
		}
		if n, gap, err = f.Next(t.Context(), dst); err != nil || gap != 0 {
			t.Fatalf("Next: gap %d, error %v after the gap was reported", gap, err)
		}
	}
	idle(t, f)
}

func everySkipsRemoved(t *testing.T, im image.Image) {
	p := floats(im, "stays", "goes", "changes")
	f := im.Follow(image.Every)
	defer f.Close()
	publish(t, im, float(p[0], 1, 0), float(p[1], 2, 0), float(p[2], 3, 0), float(p[0], 4, 0))
	im.Define([]image.Definition{{ID: "stays", Type: point.Float}, {ID: "changes", Type: point.Int}})
	got := collect(t, f, 2)
	if got[0].Seq != 1 || got[1].Seq != 4 {
		t.Errorf("changes %d and %d, want 1 and 4", got[0].Seq, got[1].Seq)
	}
	idle(t, f)
	floats(im, "stays", "goes")
	idle(t, f)
}

func latestSnapshot(t *testing.T, im image.Image) {
	p := floats(im, "a", "b", "gone", "c")
	p = append(p[:2:2], floats(im, "a", "b", "c")[2])
	u := float(p[1], 5, 0)
	publish(t, im, u)
	f := im.Follow(image.Latest)
	defer f.Close()
	got := make(map[point.Index]image.Change)
	for _, c := range collect(t, f, 3) {
		got[c.Point] = c
	}
	never := point.Update{Quality: point.Invalid | point.NotTopical}
	want := make(map[point.Index]image.Change)
	for _, i := range p {
		never.Point = i
		want[i] = image.Change{Update: never}
	}
	want[p[1]] = image.Change{Seq: 1, Update: u}
	equal(t, "snapshot", want, got)
	idle(t, f)

	added := floats(im, "a", "b", "c", "d")[3]
	never.Point = added
	equal(t, "point defined later", []image.Change{{Update: never}}, next(t, f, 8))
	idle(t, f)
}

func latestCoalesces(t *testing.T, im image.Image) {
	const points, rounds = 200, 500 // together more than a log holds
	var ids []string
	for i := range points {
		ids = append(ids, fmt.Sprint(i))
	}
	p := floats(im, ids...)
	f := im.Follow(image.Latest)
	defer f.Close()
	collect(t, f, points)
	for round := range rounds {
		batch := make([]point.Update, points)
		for i := range batch {
			batch[i] = float(p[i], float64(round), time.Duration(round))
		}
		publish(t, im, batch...)
	}
	seen := make(map[point.Index]bool)
	for _, c := range collect(t, f, points) {
		if c.Value.Float() != rounds-1 || seen[c.Point] {
			t.Fatalf("point %d with value %v, want the newest of each point once", c.Point, c.Value)
		}
		seen[c.Point] = true
	}
	idle(t, f)
}

func latestIsFair(t *testing.T, im image.Image) {
	p := floats(im, "a", "b", "c")
	f := im.Follow(image.Latest)
	defer f.Close()
	counts := make(map[point.Index]int)
	for i := range 30 {
		publish(t, im, float(p[0], float64(i), time.Duration(i)), float(p[1], float64(i), time.Duration(i)), float(p[2], float64(i), time.Duration(i)))
		counts[next(t, f, 1)[0].Point]++
	}
	equal(t, "deliveries", map[point.Index]int{p[0]: 10, p[1]: 10, p[2]: 10}, counts)
}

func nextWaits(t *testing.T, im image.Image) {
	p := floats(im, "a")[0]
	for _, mode := range []image.Mode{image.Every, image.Latest} {
		f := im.Follow(mode)
		if mode == image.Latest {
			collect(t, f, 1)
		}
		for i := range 3 {
			got := make(chan image.Change)
			go func() {
				dst := make([]image.Change, 4)
				if n, _, err := f.Next(t.Context(), dst); n != 1 || err != nil {
					t.Errorf("Next = %d changes, error %v, want 1", n, err)
				}
				got <- dst[0]
			}()
			synctest.Wait()
			select {
			case c := <-got:
				t.Fatalf("Next returned %+v before anything was published", c)
			default:
			}
			u := float(p, float64(i), time.Duration(im.Seq()))
			publish(t, im, u)
			equal(t, "change", image.Change{Seq: im.Seq(), Update: u}, <-got)
		}
		f.Close()
	}
}

func nextEndsWithContext(t *testing.T, im image.Image) {
	p := floats(im, "a")[0]
	f := im.Follow(image.Every)
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, _, err := f.Next(ctx, make([]image.Change, 1))
		ended <- err
	}()
	synctest.Wait()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Next = %v, want %v", err, context.Canceled)
	}
	publish(t, im, float(p, 1, 0))
	if _, _, err := f.Next(ctx, make([]image.Change, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Next = %v with an ended context, want %v", err, context.Canceled)
	}
	if got := next(t, f, 4); len(got) != 1 {
		t.Errorf("%d changes after a Next that was given up, want 1", len(got))
	}
	idle(t, f)
}

func nextEndsWithClose(t *testing.T, im image.Image) {
	p := floats(im, "a")[0]
	for _, mode := range []image.Mode{image.Every, image.Latest} {
		f := im.Follow(mode)
		if mode == image.Latest {
			collect(t, f, 1)
		}
		ended := make(chan error)
		go func() {
			_, _, err := f.Next(t.Context(), make([]image.Change, 1))
			ended <- err
		}()
		synctest.Wait()
		f.Close()
		if err := <-ended; !errors.Is(err, image.ErrClosed) {
			t.Errorf("Next = %v, want %v", err, image.ErrClosed)
		}
		publish(t, im, float(p, 1, 0))
		if _, _, err := f.Next(t.Context(), make([]image.Change, 1)); !errors.Is(err, image.ErrClosed) {
			t.Errorf("Next = %v of a closed follower, want %v", err, image.ErrClosed)
		}
		f.Close()
	}
}

func slowFollower(t *testing.T, im image.Image) {
	p := floats(im, "a")[0]
	for _, mode := range []image.Mode{image.Every, image.Latest} {
		slow := im.Follow(mode)
		defer slow.Close()
	}
	f := im.Follow(image.Every)
	defer f.Close()
	start := time.Now()
	for i := range 20_000 {
		publish(t, im, float(p, float64(i), time.Duration(i)))
		if got := next(t, f, 1)[0].Value.Float(); got != float64(i) {
			t.Fatalf("value %v, want %d", got, i)
		}
	}
	if d := time.Since(start); d > 0 {
		t.Errorf("publishing waited for %v", d)
	}
}

func changed(t *testing.T, im image.Image) {
	p := floats(im, "a", "b")
	if got, upTo, ok := im.Changed(0, nil); len(got) > 0 || upTo != 0 || !ok {
		t.Errorf("of an empty image: %v, %d, %t", got, upTo, ok)
	}
	publish(t, im, float(p[0], 1, 0), float(p[1], 1, 0), float(p[0], 2, 1))
	substitute(t, im, p[0], 3, time.Minute)
	publish(t, im, float(p[0], 3, 2), float(p[1], 2, 1))
	got, upTo, ok := im.Changed(1, []point.Index{7})
	equal(t, "points", []point.Index{7, p[1], p[0], p[0], p[1]}, got)
	if upTo != im.Seq() || !ok {
		t.Errorf("up to %d, %t, want %d", upTo, ok, im.Seq())
	}
	if _, _, ok := im.Changed(im.Seq()+1, nil); ok {
		t.Error("there are changes that were never made")
	}
	for i := range 10_000 {
		publish(t, im, float(p[1], float64(i), time.Hour+time.Duration(i)))
	}
	if _, upTo, ok := im.Changed(im.Seq()-900, nil); !ok || upTo <= im.Seq()-900 {
		t.Errorf("of the last changes: up to %d, %t", upTo, ok)
	}
	if _, _, ok := im.Changed(1, nil); ok {
		t.Error("all changes are in memory")
	}
}
