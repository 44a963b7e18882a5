package iec104server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func manyTargets(n uint32) []connector.Target {
	targets := make([]connector.Target, n)
	for i := range n {
		targets[i] = at(i, uint16(1+i/10_000), i%10_000+1, asdu.M_ME_TF_1, point.Float)
		targets[i].Rule = targets[0].Rule
	}
	return targets
}

// heap returns the octets in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryPerTargetAndEvent(t *testing.T) {
	const n, events = 200_000, 500_000
	targets := manyTargets(n)
	r := newRig(t)
	before := heap()
	r.apply(&connector.Batch{Targets: &targets})
	perTarget := float64(heap()-before) / n
	s := r.join().settle()
	before = heap()
	changes := make([]connector.Change, 500)
	for i := range events / len(changes) {
		for j := range changes {
			changes[j] = news(uint32(i*len(changes)+j)%n, point.FloatValue(float64(i)))
		}
		r.happen(changes)
	}
	perEvent := float64(heap()-before) / events
	if perTarget > 100 {
		t.Errorf("%.1f octets per target, want at most 100", perTarget)
	}
	if perEvent > 48 {
		t.Errorf("%.1f octets per queued event, want at most 48", perEvent)
	}
	t.Logf("%.1f octets per target, %.1f octets per queued event", perTarget, perEvent)
	runtime.KeepAlive(targets)
	runtime.KeepAlive(s)
}

// happen applies changes that are events for the first target of their point.
func (r *rig) happen(changes []connector.Change) {
	for i := range changes {
		r.seq++
		changes[i].Seq, changes[i].Events = r.seq, 1
	}
	r.apply(&connector.Batch{Changes: changes, Seq: r.seq})
}

func TestHotPathsAllocateNothing(t *testing.T) {
	r := newRig(t)
	r.targets(manyTargets(1000))
	s := r.join().settle()
	changes := make([]connector.Change, 100)
	dst := make([]iec104.Event, 100)
	round := 0.0
	step := func() {
		round++
		for j := range changes {
			changes[j] = news(uint32(j), point.FloatValue(round))
		}
		r.happen(changes)
		if n := s.Next(dst); n != len(changes) {
			t.Fatalf("%d events, want %d", n, len(changes))
		}
		s.Confirm(len(changes))
	}
	for range chunkSize { // until the log has its spare chunk
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations per 100 events, want 0", n)
	}
	items := make([]iec104.Item, 100)
	i := s.Interrogate(1, 20)
	if n := testing.AllocsPerRun(5, func() { i.Next(items) }); n != 0 {
		t.Errorf("%v allocations per 100 objects of an interrogation, want 0", n)
	}
}

// BenchmarkEvents measures the way of a change from the feed through the log to
// the sessions, per event and session.
func BenchmarkEvents(b *testing.B) {
	for _, c := range []struct{ targets, sessions uint32 }{{1000, 1}, {1_000_000, 1}, {1000, 10}} {
		b.Run(fmt.Sprintf("targets=%d/sessions=%d", c.targets, c.sessions), func(b *testing.B) {
			r := newRig(b)
			r.targets(manyTargets(c.targets))
			var sessions []*session
			for range c.sessions {
				sessions = append(sessions, r.join().settle())
			}
			changes := make([]connector.Change, 512)
			dst := make([]iec104.Event, 64)
			next, round := uint32(0), 0.0
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += len(changes) {
				round++
				for j := range changes {
					changes[j] = news(next%c.targets, point.FloatValue(round))
					next += 7919
				}
				r.happen(changes)
				for _, s := range sessions {
					for n := len(dst); n == len(dst); {
						n = s.Next(dst)
						s.Confirm(n)
					}
				}
			}
		})
	}
}

func BenchmarkInterrogation(b *testing.B) {
	const n = 1_000_000
	targets := make([]connector.Target, n)
	for i := range uint32(n) {
		targets[i] = at(i, 1, i+1, asdu.M_ME_NC_1, point.Float)
		targets[i].Rule = targets[0].Rule
	}
	r := newRig(b)
	r.targets(targets)
	s := r.join().settle()
	items := make([]iec104.Item, 128)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		i := s.Interrogate(1, 20)
		for over := false; !over && done < b.N; {
			var got int
			got, over = i.Next(items)
			done += got
		}
	}
}

func BenchmarkNewTable(b *testing.B) {
	targets := manyTargets(1_000_000)
	r := newRig(b)
	b.ResetTimer()
	for b.Loop() {
		r.setTargets(targets, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6/1e3, "s/million")
}

// BenchmarkOverTCP measures whole stations on loopback: what a controlling station
// receives of a general interrogation, and of events with all of the host but
// the image.
func BenchmarkOverTCP(b *testing.B) {
	const n = 1_000_000
	run := func(b *testing.B, f func(r *running, c *iec104.Client, objects *atomic.Int64)) {
		r := &running{feed: newTestFeed(), done: make(chan error, 1), up: make(chan struct{}, 10)}
		s := defaults()
		s.Listen, s.Buffer.Events = "127.0.0.1:0", 10*n
		srv, err := newServer(s, connector.Env{ID: "scada", Log: slog.New(slog.DiscardHandler), Feed: r.feed, Report: r.report, Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		r.server = srv
		ctx, cancel := context.WithCancel(b.Context())
		go func() { r.done <- srv.Run(ctx) }()
		targets := make([]connector.Target, n)
		for i := range uint32(n) {
			targets[i] = at(i, 1, i+1, asdu.M_ME_TF_1, point.Float)
			targets[i].Rule = targets[0].Rule
		}
		r.feed.targets(targets...)
		<-r.up
		var objects atomic.Int64
		c, err := iec104.Dial(ctx, (*srv.addr.Load()).String(), iec104.Params{}, iec104.WithHandler(func(a asdu.ASDU) {
			if a.Type < asdu.M_EI_NA_1 {
				objects.Add(int64(a.N))
			}
		}))
		if err != nil {
			b.Fatal(err)
		}
		if err := c.StartDT(ctx); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		f(r, c, &objects)
		b.StopTimer()
		b.ReportMetric(float64(objects.Load())/b.Elapsed().Seconds(), "objects/s")
		cancel()
		<-r.done
	}
	b.Run("interrogation", func(b *testing.B) {
		run(b, func(_ *running, c *iec104.Client, _ *atomic.Int64) {
			for b.Loop() {
				if res, err := c.Interrogate(b.Context(), 1, 20); err != nil || res.Objects != n {
					b.Fatal(res, err)
				}
			}
		})
	})
	b.Run("events", func(b *testing.B) {
		run(b, func(r *running, _ *iec104.Client, objects *atomic.Int64) {
			const batch = 500
			const backlog = 500_000 // there always is one, and it fits into the buffer
			total := b.N/batch*batch + batch
			await := func(received int64) {
				for objects.Load() < received {
					runtime.Gosched()
				}
			}
			for sent := 0; sent < total; sent += batch {
				changes := make([]connector.Change, batch)
				for j := range changes {
					changes[j] = news(uint32(sent+j)%n, point.FloatValue(float64(sent)))
				}
				r.feed.publish(changes...)
				await(int64(sent - backlog))
			}
			await(int64(total))
		})
	})
}
