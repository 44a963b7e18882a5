package image_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// BenchmarkPublishFollow publishes into the image and follows every change from
// another goroutine, both on one core; a second follower in mode Latest takes
// states now and then. One operation is one update that was also followed.
func BenchmarkPublishFollow(b *testing.B) {
	for _, points := range []int{1000, 1_000_000} {
		defs := make([]image.Definition, points)
		for i := range defs {
			defs[i] = image.Definition{ID: fmt.Sprintf("ons%04d/t1/value-%d", i/100, i), Type: point.Float}
		}
		for _, size := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("points=%d/batch=%d", points, size), func(b *testing.B) {
				publishFollow(b, defs, size, false)
			})
		}
		b.Run(fmt.Sprintf("points=%d/batch=10/with-latest", points), func(b *testing.B) {
			publishFollow(b, defs, 10, true)
		})
	}
}

// lead is how far the publisher may be ahead of the follower: both share a core,
// and a time slice is enough to fill the change log.
const lead = image.DefaultLog / 2

func publishFollow(b *testing.B, defs []image.Definition, size int, withLatest bool) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := image.New(image.Options{})
	p := m.Define(defs)
	var every, latest atomic.Int64
	var followers sync.WaitGroup
	count(b, &followers, m.Follow(image.Every), &every)
	if withLatest {
		count(b, &followers, m.Follow(image.Latest), &latest)
	}
	batch := make([]point.Update, size)
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for ; sent < b.N; sent += size {
		for i := range batch {
			at := point.Instant(sent + i)
			batch[i] = point.Update{Point: p[uint64(at)*7919%uint64(len(p))], Value: point.FloatValue(float64(at)), Time: at, Arrival: at}
		}
		if err := m.Publish(ctx, batch, nil); err != nil {
			b.Fatal(err)
		}
		for int64(sent)-every.Load() > lead {
			runtime.Gosched()
		}
	}
	for every.Load() < int64(sent) {
		runtime.Gosched()
	}
	b.StopTimer()
	m.Close()
	followers.Wait()
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds()/1e6, "M/s")
}

// count counts what the follower gets until it is closed.
func count(b *testing.B, wg *sync.WaitGroup, f image.Follower, received *atomic.Int64) {
	wg.Go(func() {
		dst := make([]image.Change, 1024)
		for {
			n, gap, err := f.Next(context.Background(), dst)
			if errors.Is(err, image.ErrClosed) {
				return
			}
			if err != nil || gap > 0 {
				b.Errorf("Next: gap %d, error %v", gap, err)
			}
			received.Add(int64(n) + int64(gap))
		}
	})
}

// BenchmarkMemoryPerPoint reports what an image of a million points holds, with
// the index of ids but without the ids themselves, which the plant holds too.
func BenchmarkMemoryPerPoint(b *testing.B) {
	const points = 1_000_000
	defs := make([]image.Definition, points)
	for i := range defs {
		defs[i] = image.Definition{ID: fmt.Sprintf("ons%04d/t1/value-%d", i/100, i), Type: point.Float}
	}
	batch := make([]point.Update, points)
	for b.Loop() {
		before := heap()
		m := image.New(image.Options{Log: 1})
		for i, p := range m.Define(defs) {
			batch[i] = point.Update{Point: p, Value: point.FloatValue(1)}
		}
		if err := m.Publish(b.Context(), batch, nil); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/points, "B/point")
		m.Close()
		runtime.KeepAlive(m)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// BenchmarkPublishKept is BenchmarkPublishFollow with a journal: published and
// followed, and committed at the end. Every change is an event.
func BenchmarkPublishKept(b *testing.B) {
	const points = 1000
	defs := make([]image.Definition, points)
	for i := range defs {
		defs[i] = image.Definition{ID: fmt.Sprintf("ons%04d/t1/value-%d", i/100, i), Type: point.Float, Gates: []mapping.Gate{{}}}
	}
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("memory/batch=%d", size), func(b *testing.B) {
			m := image.New(image.Options{})
			defer m.Close()
			publishKept(b, m, defs, size)
		})
		b.Run(fmt.Sprintf("journal/batch=%d", size), func(b *testing.B) {
			fs, err := journal.NewDisk(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			e := mustOpen(b, fs, image.Options{Preallocate: true})
			defer mustClose(b, e)
			publishKept(b, e, defs, size)
		})
	}
}

func publishKept(b *testing.B, im image.Image, defs []image.Definition, size int) {
	p := im.Define(defs)
	f := im.Follow(image.Every)
	var followers sync.WaitGroup
	var received, committed atomic.Int64
	count(b, &followers, f, &received)
	batch := make([]point.Update, size)
	kept := func(err error) {
		if err != nil {
			b.Error(err)
		}
		committed.Add(int64(size))
	}
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for ; sent < b.N; sent += size {
		for i := range batch {
			at := point.Instant(sent + i)
			batch[i] = point.Update{Point: p[uint64(at)*7919%uint64(len(p))], Value: point.FloatValue(float64(at)), Time: at, Arrival: at}
		}
		if err := im.Publish(b.Context(), batch, kept); err != nil {
			b.Fatal(err)
		}
		for int64(sent)-received.Load() > lead {
			runtime.Gosched()
		}
	}
	for received.Load() < int64(sent) || committed.Load() < int64(sent) {
		runtime.Gosched()
	}
	b.StopTimer()
	f.Close()
	followers.Wait()
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds()/1e6, "M/s")
}

// BenchmarkOpen opens an image of a million points, with a checkpoint of all of them,
// and with a million records after it.
func BenchmarkOpen(b *testing.B) {
	const points = 1_000_000
	defs := make([]image.Definition, points)
	for i := range defs {
		defs[i] = image.Definition{ID: fmt.Sprintf("ons%04d/t1/value-%d", i/100, i), Type: point.Float, Gates: []mapping.Gate{{}}}
	}
	for _, clean := range []bool{true, false} {
		b.Run(fmt.Sprintf("clean=%t", clean), func(b *testing.B) {
			dir := b.TempDir()
			fs, err := journal.NewDisk(dir)
			if err != nil {
				b.Fatal(err)
			}
			e := mustOpen(b, fs, image.Options{})
			p := e.Define(defs)
			batch := make([]point.Update, 1000)
			for at := 0; at < points; at += len(batch) {
				for i := range batch {
					batch[i] = point.Update{Point: p[at+i], Value: point.FloatValue(1), Time: 1, Arrival: 1}
				}
				if err := e.Publish(b.Context(), batch, nil); err != nil {
					b.Fatal(err)
				}
			}
			opened := dir
			if clean {
				mustClose(b, e)
			} else {
				opened = killedCopy(b, e, dir)
				mustClose(b, e)
			}
			disk, err := journal.NewDisk(opened)
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for b.Loop() {
				e := mustOpen(b, disk, image.Options{})
				b.StopTimer()
				if e.Seq() != points {
					b.Fatalf("newest change %d", e.Seq())
				}
				e.Abandon()
				b.StartTimer()
			}
		})
	}
}

// killedCopy returns a copy of a directory as a kill would leave it now.
func killedCopy(b *testing.B, e *image.Embedded, dir string) string {
	done := make(chan error, 1)
	if err := e.Publish(b.Context(), nil, func(err error) { done <- err }); err != nil {
		b.Fatal(err)
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	to := b.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		b.Fatal(err)
	}
	return to
}
