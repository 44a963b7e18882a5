package iec104server

import (
	"fmt"
	"runtime"
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func manyTargets(n uint32) []connector.Target {
	targets := make([]connector.Target, n)
	for i := range n {
		targets[i] = at(i, uint16(1+i/10_000), i%10_000+1, asdu.M_ME_TF_1, point.Float)
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
	r.targets(targets)
	perTarget := float64(heap()-before) / n
	s := r.join().settle()
	before = heap()
	changes := make([]connector.Change, 500)
	for i := range events / len(changes) {
		for j := range changes {
			changes[j] = news(uint32(i*len(changes)+j)%n, point.FloatValue(float64(i)))
		}
		r.publish(changes...)
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
		r.apply(&connector.Batch{Changes: changes}, false)
		if n := s.Next(dst); n != len(changes) {
			t.Fatalf("%d events, want %d", n, len(changes))
		}
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
				r.apply(&connector.Batch{Changes: changes}, false)
				for _, s := range sessions {
					for s.Next(dst) == len(dst) {
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
		r.setTargets(targets, nil, false)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6/1e3, "s/million")
}
