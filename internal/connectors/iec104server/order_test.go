package iec104server

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// watcher is a controlling station that checks the order of what it gets. The
// value of every point only grows.
type watcher struct {
	t        *testing.T
	s        *session
	events   [points]int64 // the value of the last event
	seen     [points]int64 // the last value by any way
	gi       iec104.Interrogation
	answered map[uint32]int
	began    [points]int64 // value of the newest event when the interrogation was confirmed
	got      int
}

const points = 24

func (w *watcher) event(e *iec104.Event) {
	p, v := e.IOA, int64(e.Int())
	if v != w.events[p]+1 {
		w.t.Fatalf("point %d: event %d follows event %d", p, v, w.events[p])
	}
	if v < w.seen[p] {
		w.t.Fatalf("point %d: event %d was overtaken by the interrogated value %d", p, v, w.seen[p])
	}
	w.events[p], w.seen[p] = v, v
	w.got++
}

func (w *watcher) item(o *iec104.Item) {
	p, v := o.IOA, int64(o.Int())
	w.answered[p]++
	for q := range uint32(points) {
		if w.events[q] < w.began[q] {
			w.t.Fatalf("data are sent before event %d of point %d, which waited when the interrogation was confirmed", w.began[q], q)
		}
	}
	if v < w.seen[p] {
		w.t.Fatalf("point %d: interrogated value %d after %d", p, v, w.seen[p])
	}
	w.seen[p] = v
}

func (w *watcher) takeEvents(n int) {
	for _, e := range take(w.s, n) {
		w.event(&e)
	}
}

func (w *watcher) interrogate(current *[points]int64) {
	if w.gi == nil {
		w.gi = w.s.Interrogate(1, 20)
		w.answered = map[uint32]int{}
		w.began = *current
	}
}

func (w *watcher) answer(n int) {
	if w.gi == nil {
		return
	}
	buf := make([]iec104.Item, n)
	n, done := w.gi.Next(buf)
	for i := range buf[:n] {
		w.item(&buf[i])
	}
	if done {
		w.complete()
	}
}

func (w *watcher) complete() {
	for p := range uint32(points) {
		if w.answered[p] != 1 && p > 0 {
			w.t.Fatalf("point %d was answered %d times in one interrogation", p, w.answered[p])
		}
	}
	w.gi = nil
}

func orderTargets() []connector.Target {
	var targets []connector.Target
	for p := uint32(1); p < points; p++ {
		as := asdu.M_ME_NB_1
		if p%3 == 0 {
			as = asdu.M_ME_TE_1
		}
		targets = append(targets, at(p, 1, p, as, point.Int))
	}
	return targets
}

func TestNoValueOvertakesAnOlderEvent(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := newRig(t)
		targets := orderTargets()
		r.targets(targets)
		var current [points]int64
		watchers := make([]*watcher, 3)
		for i := range watchers {
			watchers[i] = &watcher{t: t, s: r.join().settle()}
		}
		for range 600 {
			w := watchers[rnd.IntN(len(watchers))]
			switch rnd.IntN(6) {
			case 0, 1:
				p := 1 + rnd.IntN(points-1)
				current[p]++
				r.publish(news(uint32(p), point.IntValue(current[p])))
			case 2:
				w.takeEvents(1 + rnd.IntN(4))
			case 3:
				w.interrogate(&current)
			case 4:
				w.answer(1 + rnd.IntN(9))
			case 5:
				if rnd.IntN(20) == 0 {
					r.targets(targets) // a table in which everything is as before
				}
			}
		}
		total := 0
		for _, v := range current {
			total += int(v)
		}
		for _, w := range watchers {
			w.takeEvents(1000)
			for w.gi != nil {
				w.answer(50)
			}
			if w.got != total {
				t.Fatalf("seed %d: %d events received of %d", seed, w.got, total)
			}
		}
	}
}

func TestStationsOfDifferentSpeedGetEveryEventInOrder(t *testing.T) {
	const updates = 20_000
	r := newRig(t)
	r.targets(orderTargets())
	var stations sync.WaitGroup
	watchers := make([]*watcher, 6)
	for i := range watchers {
		w := &watcher{t: t, s: r.join().settle()}
		watchers[i] = w
		stations.Go(func() {
			var none [points]int64
			for w.got < updates && !t.Failed() {
				w.takeEvents(1 + 13*i)
				w.interrogate(&none)
				w.answer(5 + i)
				runtime.Gosched()
			}
			for w.gi != nil && !t.Failed() {
				w.answer(50)
			}
		})
	}
	var current [points]int64
	for i := range updates {
		p := 1 + i%(points-1)
		current[p]++
		r.publish(news(uint32(p), point.IntValue(current[p])))
		if i%4096 == 0 {
			r.targets(orderTargets())
		}
	}
	stations.Wait()
}
