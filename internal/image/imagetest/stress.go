package imagetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"busbar/internal/image"
	"busbar/internal/point"
)

// The size of the stress test.
const (
	publishers = 4
	perSource  = 16     // points of each publisher
	rounds     = 20_000 // updates of each publisher
)

// stress publishes from many goroutines while others follow, read and
// redefine. Each publisher has its own points and counts up in each of them.
func stress(t *testing.T, im image.Image) {
	var ids []string
	for i := range publishers * perSource {
		ids = append(ids, fmt.Sprint("p", i))
	}
	points := floats(im, ids...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	var followers, writers sync.WaitGroup
	every, latest := im.Follow(image.Every), im.Follow(image.Latest)
	followers.Go(func() { followEvery(ctx, t, every) })
	newest := make(map[point.Index]float64)
	followers.Go(func() { followLatest(ctx, t, latest, newest) })
	done := make(chan struct{})
	followers.Go(func() { redefine(t, im, ids, points, done) })

	for w := range publishers {
		writers.Go(func() {
			for i := range rounds {
				u := float(points[w*perSource+i%perSource], float64(i/perSource), 0)
				u.TimeQuality = point.TimeSubstituted
				if err := im.Publish(ctx, []point.Update{u}, nil); err != nil {
					t.Errorf("Publish: %v", err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	if got := im.Seq(); got != publishers*rounds {
		t.Errorf("sequence number %d, want %d", got, publishers*rounds)
	}
	every.Close()
	latest.Close()
	followers.Wait()

	rest := im.Follow(image.Latest)
	defer rest.Close()
	for range points {
		dst := make([]image.Change, 1)
		if _, _, err := rest.Next(ctx, dst); err != nil {
			t.Fatalf("Next: %v", err)
		}
		if got := dst[0].Value.Float(); got != rounds/perSource-1 || newest[dst[0].Point] > got {
			t.Errorf("point %d ends with %v, followed to %v, want %d", dst[0].Point, got, newest[dst[0].Point], rounds/perSource-1)
		}
	}
}

// followEvery checks that numbers go up by one except across gaps, and values
// of each point without a gap by one.
func followEvery(ctx context.Context, t *testing.T, f image.Follower) {
	values := make(map[point.Index]float64)
	var last uint64
	dst := make([]image.Change, 100)
	for {
		n, gap, err := f.Next(ctx, dst)
		if err != nil {
			return
		}
		if gap > 0 {
			last += gap
			clear(values)
		}
		for _, c := range dst[:n] {
			if c.Seq != last+1 {
				t.Errorf("change %d after %d, gap %d", c.Seq, last, gap)
			}
			last = c.Seq
			if before, known := values[c.Point]; known && c.Value.Float() != before+1 {
				t.Errorf("point %d: %v after %v", c.Point, c.Value, before)
			}
			values[c.Point] = c.Value.Float()
		}
	}
}

// followLatest checks that values of each point only go up.
func followLatest(ctx context.Context, t *testing.T, f image.Follower, newest map[point.Index]float64) {
	dst := make([]image.Change, 10)
	for {
		n, gap, err := f.Next(ctx, dst)
		if err != nil {
			return
		}
		if gap > 0 {
			t.Errorf("gap of %d in mode Latest", gap)
		}
		for _, c := range dst[:n] {
			if c.Value.Type() == 0 {
				continue
			}
			if v := c.Value.Float(); v < newest[c.Point] {
				t.Errorf("point %d: %v after %v", c.Point, v, newest[c.Point])
			} else {
				newest[c.Point] = v
			}
		}
	}
}

// redefine adds and removes a point beside those that stay.
func redefine(t *testing.T, im image.Image, ids []string, points []point.Index, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		more := append(ids[:len(ids):len(ids)], fmt.Sprint("extra", i))
		got := floats(im, more...)
		for j, p := range points {
			if got[j] != p {
				t.Errorf("index of %s = %d, want %d", ids[j], got[j], p)
			}
		}
		if _, ok := im.State(got[len(ids)]); !ok {
			t.Errorf("extra point %d has no state", i)
		}
	}
}
