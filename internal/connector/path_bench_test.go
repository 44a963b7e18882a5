package connector

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/plant"
)

// benchHost returns a manager whose connector "s" feeds points, and "t" takes
// them. Every message holds values of perMessage points.
func benchHost(b *testing.B, messages, perMessage int) (s Sink, f Feed, payloads []Message) {
	b.Helper()
	fs := &fakes{made: make(map[string][]*fake), run: runUp}
	registry, err := NewRegistry(fs.kind("fake"))
	if err != nil {
		b.Fatal(err)
	}
	img := image.New(image.Options{})
	m := NewManager(slog.New(slog.DiscardHandler), img, registry, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		img.Close()
	})
	var points []plant.Point
	for n := range messages {
		topic := fmt.Sprintf("site/%d/values", n)
		body := `{"timestamp":"2026-01-15T10:30:00.123Z","data":{`
		for v := range perMessage {
			points = append(points, pointOf(fmt.Sprintf("p%06d/%03d", n, v), "s", to("t", n*perMessage+v+1), func(p *plant.Point) {
				p.From.End = &fakeSource{Topic: topic}
				p.From.Value, p.From.Time = fmt.Sprintf("data.v%d", v), "timestamp"
			}))
			if v > 0 {
				body += ","
			}
			body += fmt.Sprintf(`"v%d":%d.5`, v, v)
		}
		payloads = append(payloads, Message{Selector: topic, Payload: []byte(body + "}}")})
	}
	if err := m.Apply(ctx, plantOf(sAndT(), points...)); err != nil {
		b.Fatal(err)
	}
	<-fs.last("t").started // from then on the feed is the caller's
	return fs.last("s").env.Sink, fs.last("t").env.Feed, payloads
}

// BenchmarkMessageToFeed is the whole way of the host: Deliver parses a message,
// makes updates, publishes them, and the feed of a target connector hands the
// changes out.
func BenchmarkMessageToFeed(b *testing.B) {
	for _, perMessage := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("values=%d", perMessage), func(b *testing.B) {
			s, f, payloads := benchHost(b, 1000, perMessage)
			ctx := b.Context()
			if _, err := f.Next(ctx); err != nil {
				b.Fatal(err)
			}
			kept := func(err error) {
				if err != nil {
					b.Error(err)
				}
			}
			b.ReportAllocs()
			values := 0
			for i := 0; b.Loop(); i++ {
				if err := s.Deliver(ctx, payloads[i%len(payloads)], kept); err != nil {
					b.Fatal(err)
				}
				for left := perMessage; left > 0; {
					batch, err := f.Next(ctx)
					if err != nil {
						b.Fatal(err)
					}
					left -= len(batch.Changes)
				}
				values += perMessage
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(values), "ns/value")
		})
	}
}

// BenchmarkApply changes one point of a large plant.
func BenchmarkApply(b *testing.B) {
	fs := &fakes{made: make(map[string][]*fake), run: runUp}
	registry, err := NewRegistry(fs.kind("fake"))
	if err != nil {
		b.Fatal(err)
	}
	img := image.New(image.Options{})
	defer img.Close()
	m := NewManager(slog.New(slog.DiscardHandler), img, registry, time.Now)
	defer func() {
		if err := m.stop(); err != nil {
			b.Error(err)
		}
	}()
	points := make([]plant.Point, 100_000)
	for i := range points {
		points[i] = pointOf(fmt.Sprintf("p%06d", i), "s", to("t", i+1))
	}
	plants := [2]*plant.Plant{plantOf(sAndT(), points...)}
	points[5] = pointOf("p000005", "s", to("t", 500_000))
	plants[1] = plantOf(sAndT(), points...)
	for i := 0; b.Loop(); i++ {
		if err := m.Apply(b.Context(), plants[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}
