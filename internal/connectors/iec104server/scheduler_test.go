package iec104server

import (
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func wakes(s *session) int64 { return s.conn.(*fakeConn).wakes.Load() }

func TestSchedulerNoticesWhatIsNew(t *testing.T) {
	periodic := at(1, 1, 1, asdu.M_ME_NC_1, point.Float, end(func(e *Target) { e.Cyclic = time.Second }))
	other := at(2, 1, 2, asdu.M_ME_NC_1, point.Float)
	t.Run("a session", func(t *testing.T) {
		clocked(t, time.UTC, func(r *rig) {
			r.targets([]connector.Target{periodic})
			synctest.Wait() // nobody is there: it sleeps
			s := r.join()
			synctest.Wait()
			before := wakes(s)
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if n := wakes(s) - before; n < 3 {
				t.Errorf("woken %d times in 3 s, want once in each period", n)
			}
		})
	})
	t.Run("a period", func(t *testing.T) {
		clocked(t, time.UTC, func(r *rig) {
			r.targets([]connector.Target{other})
			s := r.join()
			synctest.Wait()
			r.targets([]connector.Target{other, periodic})
			synctest.Wait()
			before := wakes(s)
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if n := wakes(s) - before; n < 3 {
				t.Errorf("woken %d times in 3 s, want once in each period", n)
			}
		})
	})
	t.Run("no period, no wakes", func(t *testing.T) {
		clocked(t, time.UTC, func(r *rig) {
			r.targets([]connector.Target{other})
			s := r.join()
			synctest.Wait()
			before := wakes(s)
			time.Sleep(time.Hour)
			synctest.Wait()
			if n := wakes(s) - before; n > 60 {
				t.Errorf("woken %d times in an hour without need", n)
			}
		})
	})
}

func TestFreezeByOneStationReachesTheOthers(t *testing.T) {
	clocked(t, time.UTC, func(r *rig) {
		r.targets([]connector.Target{at(1, 1, 1, asdu.M_IT_NA_1, point.Counter)}, news(1, point.CounterValue(8)))
		a, b := r.join().settle(), r.join().settle()
		synctest.Wait()
		before := wakes(b)
		collect(t, a, a.Counters(1, 5, freezeOnly))
		r.publish()
		synctest.Wait()
		if wakes(b) == before {
			t.Error("the other station was not woken")
		}
		expect(t, brief(take(b, 10)), "M_IT_NA_1 1/1 8 0")
	})
}

func TestFreezeWhileATableIsBuilt(t *testing.T) {
	r := newRig(t)
	targets := []connector.Target{at(1, 1, 1, asdu.M_IT_NA_1, point.Counter)}
	r.targets(targets, news(1, point.CounterValue(8)))
	s := r.join().settle()
	next := newTable(targets, false)
	next.takeOver(r.table)
	answer := s.Counters(1, 5, 0)
	collect(t, s, s.Counters(1, 5, freezeOnly))
	next.takeOverCounters(r.table)
	r.table = next
	if n, done := answer.Next(make([]iec104.Item, 1)); n != 0 || done {
		t.Error("the reading is sent before the event of its freeze")
	}
	r.publish()
	expect(t, brief(take(s, 10)), "M_IT_NA_1 1/1 8 0")
	expect(t, readings(collect(t, s, answer)), "1 8 #1 0")
}

func TestBufferBoundsTheMemoryOfTheLog(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Buffer.Events = chunkSize })
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)})
	s := r.join().settle()
	for i := range 10 * chunkSize {
		r.publish(news(1, point.IntValue(int64(i))))
	}
	if n := len(r.events.chains[measuredClass].chunks); n > 3 {
		t.Errorf("%d chunks are kept for a connection that does not read, want 2 or 3", n)
	}
	if n := r.figure(func(f figures) uint64 { return f.dropped }); n != 9*chunkSize {
		t.Errorf("%d events counted as dropped before the connection reads, want %d", n, 9*chunkSize)
	}
	if events := take(s, 1); len(events) != 1 || events[0].Int() != 9*chunkSize&0x7fff && events[0].Int() != 9*chunkSize {
		t.Errorf("first event %+v, want the oldest that fits", events)
	}
}
