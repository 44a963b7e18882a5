package api

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// many is an API with many points, that nobody can reach.
type many struct {
	api    *api
	image  *image.Memory
	points []point.Index
}

func newMany(b *testing.B, points int) *many {
	b.Helper()
	kinds, err := connector.NewRegistry()
	if err != nil {
		b.Fatal(err)
	}
	m := &many{image: image.New(image.Options{})}
	b.Cleanup(m.image.Close)
	p := &plant.Plant{}
	for i := range points {
		p.Points = append(p.Points, plant.Point{ID: fmt.Sprintf("ons%04d/t1/value-%d", i/100, i), Type: point.Float})
	}
	manager := connector.NewManager(slog.New(slog.DiscardHandler), m.image, kinds, time.Now)
	if err := manager.Apply(b.Context(), p); err != nil {
		b.Fatal(err)
	}
	if m.api, err = build(Deps{Manager: manager, Image: m.image}); err != nil {
		b.Fatal(err)
	}
	m.points = manager.Catalog().Points
	return m
}

// BenchmarkPageOfValues takes a page of a hundred out of a million points.
func BenchmarkPageOfValues(b *testing.B) {
	m := newMany(b, 1_000_000)
	for _, c := range []struct {
		name  string
		input valuesInput
	}{
		{"by id, somewhere", valuesInput{ValueFilter: ValueFilter{Prefix: "ons7"}}},
		{"by time, all looked at", valuesInput{Sort: "-time"}},
		{"search that finds nothing", valuesInput{ValueFilter: ValueFilter{Search: "nowhere"}}},
		{"quality that nothing has", valuesInput{ValueFilter: ValueFilter{Quality: []string{"substituted"}}}},
	} {
		c.input.Limit = 100
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.api.listValues(b.Context(), &c.input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTwentyStreamsOfValues publishes 2,000 changes a second and tells them to 20
// clients every 250 ms, but for what the network costs.
func BenchmarkTwentyStreamsOfValues(b *testing.B) {
	v := newMany(b, 20_000)
	watches := make([]*valueWatch, 20)
	for i := range watches {
		ctx, cancel := context.WithCancelCause(b.Context())
		watches[i] = &valueWatch{a: v.api, in: &valueStreamInput{}, stream: &stream{ctx: ctx, cancel: cancel, frames: make(chan []byte, 1024)}}
		if err := watches[i].reset(b.Context(), "begun"); err != nil {
			b.Fatal(err)
		}
	}
	batch := make([]point.Update, 500) // in 250 ms, that is, 2,000 a second
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := range batch {
			n++
			batch[i] = point.Update{Point: v.points[n%len(v.points)], Value: point.FloatValue(float64(n)), Time: point.Instant(n), Arrival: point.Instant(n)}
		}
		if err := v.image.Publish(b.Context(), batch, nil); err != nil {
			b.Fatal(err)
		}
		for _, w := range watches {
			if err := w.tick(b.Context()); err != nil {
				b.Fatal(err)
			}
			for len(w.stream.frames) > 0 {
				<-w.stream.frames
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(250*time.Millisecond)*100, "%of-one-core")
}
