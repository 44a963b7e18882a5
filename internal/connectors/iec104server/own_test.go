package iec104server

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func counterOnly(c Counter) []connector.Target {
	return []connector.Target{at(1, 1, 1, asdu.M_IT_TB_1, point.Counter, totals(c))}
}

func (r *rig) count(v int64) { r.publish(news(1, point.CounterValue(v))) }

// read returns what a counter interrogation reads.
func (r *rig) read(t *testing.T, s *session) []string {
	t.Helper()
	return readings(collect(t, s, s.Counters(1, generalCounters, readOnly)))
}

// asks sends a counter interrogation that freezes or resets.
func (s *session) asks(t *testing.T, frz uint8) {
	t.Helper()
	if items := collect(t, s, s.Counters(1, generalCounters, frz)); len(items) != 0 {
		t.Errorf("%d objects, want none", len(items))
	}
}

func TestFrozenCountersOutlastTheProcess(t *testing.T) {
	r := newRig(t)
	r.targets(counterOnly(Counter{}))
	s := r.join().settle()
	r.count(1<<32 + 10)
	s.asks(t, freezeReset)
	s.asks(t, freezeOnly)
	r.count(1<<32 + 17)
	s.asks(t, freezeOnly)
	r.count(1<<32 + 20)
	r.save()
	r.restart()
	s = r.joinFrom(s.peer).settled(t)
	expect(t, r.read(t, s), "1 7 #3 0")
	s.asks(t, freezeOnly)
	expect(t, r.read(t, s), "1 10 #4 0")
	s.asks(t, resetOnly)
	r.restart()
	s = r.joinFrom(s.peer).settled(t)
	expect(t, r.read(t, s), "1 10 #4 0")
	r.count(1<<32 + 25)
	s.asks(t, freezeOnly)
	expect(t, r.read(t, s), "1 5 #5 0")
}

func TestCarryOverARestart(t *testing.T) {
	for _, tt := range []struct {
		name  string
		frz   uint8 // after a first freeze at 2³²+5
		count int64
		want  asdu.Quality
	}{
		{"no multiple is passed", readOnly, 1<<32 + 9, 0},
		{"a multiple is passed", readOnly, 1<<33 + 9, asdu.CY},
		{"none is passed since the reset", resetOnly, 1<<32 + 9, 0},
		{"one is passed since the reset", resetOnly, 1<<33 + 9, asdu.CY},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.targets(counterOnly(Counter{}))
			s := r.join().settle()
			r.count(1<<32 + 5)
			s.asks(t, freezeOnly)
			if tt.frz != readOnly {
				s.asks(t, tt.frz)
			}
			r.restart()
			s = r.joinFrom(s.peer).settled(t)
			r.count(tt.count)
			s.asks(t, freezeOnly)
			if got := collect(t, s, s.Counters(1, 5, 0))[0].Quality; got != tt.want {
				t.Errorf("quality %b, want %b", got, tt.want)
			}
		})
	}
}

func TestUnconfirmedFreezesAreSentAgainInOrder(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_IT_TB_1, point.Counter), at(2, 1, 2, asdu.M_ME_NB_1, point.Int)})
	s := r.join().settle()
	var want []string
	freeze := func(n int64) {
		r.count(n)
		r.pass(time.Minute)
		s.asks(t, freezeOnly)
		r.publish(news(2, point.IntValue(n)))
	}
	r.count(5) // an event: there is no frozen copy yet
	freeze(10)
	freeze(20)
	all := take(s, 100)
	want = brief(all)
	expect(t, want, "M_IT_TB_1 1/1 5 0", "M_IT_TB_1 1/1 10 0", "M_IT_TB_1 1/1 10 0", "M_ME_NB_1 1/2 10 0", "M_IT_TB_1 1/1 20 0", "M_ME_NB_1 1/2 20 0")
	r.save()
	r.restart()
	s = r.joinFrom(s.peer).settled(t)
	again := take(s, 100)
	if fmt.Sprint(again) != fmt.Sprint(all) {
		t.Errorf("sent again\n%v, want\n%v", again, all)
	}
	if again[4].Sequence != 2 {
		t.Errorf("sequence number %d, want 2", again[4].Sequence)
	}
}

func TestRunningCountsBeforeTheFirstFreezeAreSentAgain(t *testing.T) {
	r := newRig(t)
	r.targets(counterOnly(Counter{Spontaneous: true}))
	s := r.join().settle()
	r.count(5)
	r.count(6)
	s.asks(t, freezeOnly)
	r.count(7)
	want := brief(take(s, 10))
	expect(t, want, "M_IT_TB_1 1/1 5 0", "M_IT_TB_1 1/1 6 0", "M_IT_TB_1 1/1 6 0")
	r.save()
	r.restart()
	expect(t, brief(take(r.joinFrom(s.peer).settled(t), 10)), want...)
}

func TestRunningCountsOfBeforeAResetAreSentAgainAsTheyWere(t *testing.T) {
	r := newRig(t)
	r.targets(counterOnly(Counter{Spontaneous: true}))
	s := r.join().settle()
	r.count(5)
	s.asks(t, freezeReset)
	for n := range 3 {
		r.count(int64(10 * (n + 1)))
		s.asks(t, freezeOnly)
	}
	r.count(31) // the freeze has come back
	want := brief(take(s, 10))
	expect(t, want, "M_IT_TB_1 1/1 5 0", "M_IT_TB_1 1/1 5 0", "M_IT_TB_1 1/1 5 0", "M_IT_TB_1 1/1 15 0", "M_IT_TB_1 1/1 25 0")
	r.save()
	for range 2 {
		r.restart()
		s = r.joinFrom(s.peer).settled(t)
		expect(t, brief(take(s, 10)), want...)
	}
	s.Confirm(5)
	r.count(40)
	s.asks(t, freezeOnly)
	r.count(41)
	expect(t, brief(take(s, 10)), "M_IT_TB_1 1/1 35 0")
}

func TestReadingDoesNotOvertakeTheFreezeThatIsOnItsWay(t *testing.T) {
	r := newRig(t)
	r.targets(counterOnly(Counter{Spontaneous: true}))
	s := r.join().settle()
	r.count(8)
	take(s, 10)
	s.asks(t, freezeOnly)
	answer := s.Counters(1, generalCounters, readOnly)
	buf := make([]iec104.Item, 9)
	if n, done := answer.Next(buf); n != 0 || done {
		t.Error("the reading is sent before its freeze has come back")
	}
	r.publish()
	if n, done := answer.Next(buf); n != 0 || done {
		t.Error("the reading is sent before the event of its freeze")
	}
	expect(t, brief(take(s, 10)), "M_IT_TB_1 1/1 8 0")
	expect(t, readings(collect(t, s, answer)), "1 8 #1 0")
}

func TestFreezeThatIsNotKeptIsRefused(t *testing.T) {
	r := newRig(t)
	r.targets(counterOnly(Counter{Spontaneous: true}))
	s := r.join().settle()
	r.count(8)
	take(s, 10)
	r.refuses = errors.New("disk full")
	for frz := uint8(freezeOnly); frz <= resetOnly; frz++ {
		if s.Counters(1, generalCounters, frz) != nil {
			t.Errorf("frz %d is confirmed although it is not kept", frz)
		}
	}
	expect(t, r.read(t, s), "1 8 #0 0")
	r.refuses = nil
	r.count(9)
	expect(t, brief(take(s, 10)), "M_IT_TB_1 1/1 9 0")
}

func TestMissedLocalFreezeIsCounted(t *testing.T) {
	clocked(t, time.UTC, func(r *rig) {
		time.Sleep(time.Minute)
		r.targets(counterOnly(Counter{Freeze: 15 * time.Minute}))
		r.mu.Lock()
		r.refuses = errors.New("disk full")
		r.mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := r.figure(func(f figures) uint64 { return f.missed }); n != 4 {
			t.Errorf("%d freezes counted as missed, want 4", n)
		}
	})
}

func TestCounterWithAnotherAddressIsKept(t *testing.T) {
	r := newRig(t)
	r.targets(counterOnly(Counter{Spontaneous: true}))
	s := r.join().settle()
	r.count(50)
	s.asks(t, freezeReset)
	r.count(53)
	take(s, 10)
	s.Confirm(10)
	r.targets([]connector.Target{at(1, 1, 7, asdu.M_IT_NA_1, point.Counter)})
	r.publish()
	expect(t, brief(take(s, 10)))
	r.save()
	r.restart()
	s = r.joinFrom(s.peer).settled(t)
	expect(t, brief(take(s, 10)))
	expect(t, r.read(t, s), "7 50 #1 0")
	s.asks(t, freezeOnly)
	r.publish()
	expect(t, brief(take(s, 10)), "M_IT_NA_1 1/7 3 0")
	expect(t, r.read(t, s), "7 3 #2 0")
}

func TestClockThatWasSetBackFreezesAllTheSame(t *testing.T) {
	r := newRig(t)
	r.targets(counterOnly(Counter{}))
	s := r.join().settle()
	r.count(5)
	s.asks(t, freezeOnly)
	r.pass(-time.Hour)
	r.count(6)
	s.asks(t, freezeOnly)
	for _, u := range r.kept {
		if u.TimeQuality&point.TimeSubstituted == 0 {
			t.Error("the freeze could be taken for late")
		}
	}
	r.restart()
	expect(t, r.read(t, r.joinFrom(s.peer).settled(t)), "1 6 #2 0")
}
