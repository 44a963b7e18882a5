package iec104server

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// readings prints counters as "ioa value #sequence quality".
func readings(items []iec104.Item) []string {
	out := []string{}
	for _, i := range items {
		out = append(out, fmt.Sprintf("%d %d #%d %d", i.IOA, i.Int(), i.Sequence, i.Quality))
	}
	return out
}

func TestCounterInterrogation(t *testing.T) {
	r := newRig(t)
	silent := Counter{Group: 1}
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_IT_TB_1, point.Counter, totals(silent)),
		at(2, 1, 2, asdu.M_IT_NA_1, point.Counter, totals(Counter{Group: 2})),
		at(3, 1, 3, asdu.M_IT_NA_1, point.Counter, totals(Counter{})),
		at(4, 2, 1, asdu.M_ME_NA_1, point.Float),
	})
	s := r.join().settle()
	count := func(p uint32, v int64) { r.publish(news(p, point.CounterValue(v))) }
	read := func(rqt uint8) []string { t.Helper(); return readings(collect(t, s, s.Counters(1, rqt, 0))) }
	count(1, 100)
	count(2, 200)
	expect(t, read(5), "1 100 #0 0", "2 200 #0 0", fmt.Sprintf("3 0 #0 %d", asdu.IV))

	// Frozen copies stay until the next freeze.
	if items := collect(t, s, s.Counters(1, 5, freezeOnly)); len(items) != 0 {
		t.Errorf("a freeze is answered with %d objects, want none", len(items))
	}
	count(1, 110)
	expect(t, read(5), "1 100 #1 0", "2 200 #1 0", fmt.Sprintf("3 0 #1 %d", asdu.IV))

	// Freeze with reset: the copy is not reset, the running count is.
	collect(t, s, s.Counters(1, 1, freezeReset))
	count(1, 115)
	expect(t, read(1), "1 110 #2 0")
	expect(t, read(2), "2 200 #1 0")
	collect(t, s, s.Counters(1, 1, freezeOnly))
	expect(t, read(1), "1 5 #3 0")

	// Reset alone leaves the copy and its number.
	collect(t, s, s.Counters(1, 1, resetOnly))
	expect(t, read(1), "1 5 #3 0")
	count(1, 116)
	collect(t, s, s.Counters(1, 1, freezeOnly))
	expect(t, read(1), "1 1 #4 0")

	expect(t, brief(take(s, 10)))
	for _, refused := range [][3]uint8{{1, 0, 0}, {1, 3, 0}, {1, 6, 0}, {2, 1, 0}, {3, 5, 0}, {1, 4, freezeOnly}} {
		if s.Counters(uint16(refused[0]), refused[1], refused[2]) != nil {
			t.Errorf("ca %d rqt %d frz %d is not refused", refused[0], refused[1], refused[2])
		}
	}
}

// A request to all stations is not refused because one of them has no counters.
func TestAddressWithoutCountersAnswersWithNone(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_ME_NC_1, point.Float),
		at(2, 2, 1, asdu.M_IT_NA_1, point.Counter, totals(Counter{})),
		at(3, 3, 1, asdu.M_ME_NC_1, point.Float),
	})
	s := r.join().settle()
	for _, ca := range []uint16{1, 3} {
		for frz := uint8(readOnly); frz <= resetOnly; frz++ {
			if items := collect(t, s, s.Counters(ca, generalCounters, frz)); len(items) != 0 {
				t.Errorf("ca %d frz %d is answered with %d objects, want none", ca, frz, len(items))
			}
		}
	}
	expect(t, readings(collect(t, s, s.Counters(2, generalCounters, 0))), fmt.Sprintf("1 0 #0 %d", asdu.IV))
}

func TestSequenceNumberOfAReadingIsModulo32(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_IT_NA_1, point.Counter, totals(Counter{}))})
	s := r.join().settle()
	for range 33 {
		collect(t, s, s.Counters(1, 5, freezeOnly))
	}
	if items := collect(t, s, s.Counters(1, 5, 0)); items[0].Sequence != 1 {
		t.Errorf("sequence number %d after 33 freezes, want 1", items[0].Sequence)
	}
}

func TestCarryTellsThatACounterOverflowed(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_IT_NA_1, point.Counter, totals(Counter{}))})
	s := r.join().settle()
	freeze := func(v int64, frz uint8) asdu.Quality {
		r.publish(news(1, point.CounterValue(v)))
		collect(t, s, s.Counters(1, 5, frz))
		return collect(t, s, s.Counters(1, 5, 0))[0].Quality
	}
	for _, tt := range []struct {
		v    int64
		frz  uint8
		want asdu.Quality
	}{
		{1<<32 - 1, freezeOnly, 0},
		{1<<32 + 5, freezeOnly, asdu.CY},
		{1<<32 + 9, freezeReset, 0},
		{1<<32 + 19, freezeOnly, 0}, // 10 since the reset
		{1<<33 + 19, freezeOnly, asdu.CY},
	} {
		if got := freeze(tt.v, tt.frz); got != tt.want {
			t.Errorf("quality %b at %d, want %b", got, tt.v, tt.want)
		}
	}
}

func TestSpontaneousCounter(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_IT_TB_1, point.Counter)})
	s := r.join().settle()
	r.publish(news(1, point.CounterValue(10)))
	expect(t, brief(take(s, 10)), "M_IT_TB_1 1/1 10 0")
	r.pass(time.Minute)
	collect(t, s, s.Counters(1, 5, freezeReset))
	r.publish(news(1, point.CounterValue(12)))
	events := take(s, 10)
	expect(t, brief(events), "M_IT_TB_1 1/1 10 0") // the frozen copy, and no running count after it
	if events[0].Sequence != 1 || events[0].Cause != asdu.Spontaneous {
		t.Errorf("sequence %d cause %v, want 1 spontaneous", events[0].Sequence, events[0].Cause)
	}
	if got, _ := events[0].Time.Date(nil); !got.Equal(epoch.Add(time.Minute)) {
		t.Errorf("time tag %v, want that of the freeze", got)
	}
}

func TestCountersOutlastAChangeOfTheTable(t *testing.T) {
	r := newRig(t)
	target := at(1, 1, 1, asdu.M_IT_NA_1, point.Counter, totals(Counter{}))
	r.targets([]connector.Target{target})
	s := r.join().settle()
	r.publish(news(1, point.CounterValue(50)))
	collect(t, s, s.Counters(1, 5, freezeReset))
	moved := at(1, 3, 7, asdu.M_IT_NA_1, point.Counter, totals(Counter{}))
	r.targets([]connector.Target{at(9, 1, 1, asdu.M_SP_NA_1, point.Single), moved})
	expect(t, readings(collect(t, s, s.Counters(3, 5, 0))), "7 50 #1 0")
	r.publish(news(1, point.CounterValue(53)))
	collect(t, s, s.Counters(3, 5, freezeOnly))
	expect(t, readings(collect(t, s, s.Counters(3, 5, 0))), "7 3 #2 0")
}

// clocked runs a station with its scheduler in virtual time, which begins at
// midnight UTC.
func clocked(t *testing.T, zone *time.Location, f func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *Settings) { s.Time = Zone{Location: zone} })
		r.station.now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.keepTime(ctx) }()
		f(r)
		cancel()
		<-done
	})
}

func TestLocalFreezeIsAlignedToTheClock(t *testing.T) {
	clocked(t, time.UTC, func(r *rig) {
		time.Sleep(7*time.Minute + 10*time.Second)
		r.targets([]connector.Target{
			at(1, 1, 1, asdu.M_IT_TB_1, point.Counter, totals(Counter{Spontaneous: true, Freeze: 15 * time.Minute})),
			at(2, 1, 2, asdu.M_IT_TB_1, point.Counter, totals(Counter{Freeze: 15 * time.Minute})),
		})
		s := r.join().settle()
		r.publish(news(1, point.CounterValue(10)), news(2, point.CounterValue(20)))
		time.Sleep(time.Minute)
		synctest.Wait()
		expect(t, brief(take(s, 10)))
		time.Sleep(7 * time.Minute)
		synctest.Wait()
		r.publish(news(1, point.CounterValue(11)))
		events := take(s, 10)
		expect(t, brief(events), "M_IT_TB_1 1/1 10 0")
		if got, _ := events[0].Time.Date(nil); got.Minute() != 15 || got.Second() != 0 || got.Nanosecond() != 0 {
			t.Errorf("frozen at %v, want the full quarter of an hour", got)
		}
		expect(t, readings(collect(t, s, s.Counters(1, 5, 0))), "1 10 #1 0", "2 20 #1 0")
		time.Sleep(time.Hour)
		synctest.Wait()
		r.publish()
		if n := len(take(s, 10)); n != 4 {
			t.Errorf("%d freezes in an hour, want 4", n)
		}
	})
}

func TestDailyFreezeFollowsTheZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ now, period, want string }{
		{"2026-01-15T22:59:59Z", "24h", "2026-01-14T23:00:00Z"},
		{"2026-01-15T23:00:00Z", "24h", "2026-01-15T23:00:00Z"},
		{"2026-07-15T22:00:01Z", "24h", "2026-07-15T22:00:00Z"},
		{"2026-10-25T00:31:00Z", "15m", "2026-10-25T00:30:00Z"},
		{"2026-10-25T01:31:00Z", "15m", "2026-10-25T01:30:00Z"},
		{"2026-03-29T01:00:30Z", "1h", "2026-03-29T01:00:00Z"},
	} {
		now, err1 := time.Parse(time.RFC3339, tt.now)
		period, err2 := time.ParseDuration(tt.period)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if got := lastEnd(now, period, berlin).UTC().Format(time.RFC3339); got != tt.want {
			t.Errorf("last end of %s before %s is %s, want %s", tt.period, tt.now, got, tt.want)
		}
	}
}

func TestCyclicAndBackgroundAreSpreadOverThePeriod(t *testing.T) {
	clocked(t, time.UTC, func(r *rig) {
		var targets []connector.Target
		var values []connector.Change
		for i := uint32(1); i <= 100; i++ {
			targets = append(targets, at(i, 1, i, asdu.M_ME_TF_1, point.Float, end(func(e *Target) { e.Cyclic = 10 * time.Second })))
			values = append(values, news(i, point.FloatValue(float64(i))))
		}
		targets = append(targets, at(500, 1, 500, asdu.M_SP_TB_1, point.Single, end(func(e *Target) { e.Background = time.Minute })))
		r.targets(targets, values...)
		s := r.join().settle()
		got := map[uint32]int{}
		buf := make([]iec104.Event, 16)
		s.Background(buf) // it begins with the first time it is asked
		most := 0
		for range 600 { // a minute
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			n := s.Background(buf)
			most = max(most, n)
			for _, e := range buf[:n] {
				got[e.IOA]++
				want := iec104.Event{CA: 1, Type: asdu.M_ME_NC_1, Cause: asdu.Cyclic}
				if e.IOA == 500 {
					want.Type, want.Cause = asdu.M_SP_NA_1, asdu.Background
				}
				if e.CA != want.CA || e.Type != want.Type || e.Cause != want.Cause || e.Time != 0 {
					t.Fatalf("object %+v, want %s %s without time", e, want.Type, want.Cause)
				}
			}
		}
		woken := s.conn.(*fakeConn).wakes.Load()
		for i := uint32(1); i <= 100; i++ {
			if got[i] != 6 {
				t.Errorf("address %d was sent %d times in a minute, want 6", i, got[i])
			}
		}
		if got[500] != 1 {
			t.Errorf("background scan sent %d times in a minute, want 1", got[500])
		}
		if most > 2 {
			t.Errorf("%d objects at once, want 1 or 2 in a tenth of a second", most)
		}
		if woken < 500 {
			t.Errorf("the connection was woken %d times in a minute, want 600 or so", woken)
		}
	})
}

func TestMissedCyclicTransmissionIsNotRepeated(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NC_1, point.Float, end(func(e *Target) { e.Cyclic = time.Second }))},
		news(1, point.FloatValue(1)))
	s := r.join().settle()
	buf := make([]iec104.Event, 16)
	if n := s.Background(buf); n != 0 {
		t.Errorf("%d objects at the start, want none", n)
	}
	r.pass(time.Hour)
	if n := s.Background(buf); n != 1 {
		t.Errorf("%d objects after an hour, want 1", n)
	}
	r.pass(-30 * time.Minute)
	s.Background(buf)
	r.pass(time.Second)
	if n := s.Background(buf); n != 1 {
		t.Errorf("%d objects a period after the clock was set back, want 1", n)
	}
}

func TestCyclicValueDoesNotOvertakeItsEvent(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NC_1, point.Float, end(func(e *Target) { e.Cyclic = time.Second }))})
	s := r.join().settle()
	buf := make([]iec104.Event, 16)
	s.Background(buf)
	r.pass(time.Second)
	r.publish(news(1, point.FloatValue(1)))
	if n := s.Background(buf); n != 0 {
		t.Errorf("%d objects while the event waits, want none", n)
	}
	expect(t, brief(take(s, 10)), "M_ME_NC_1 1/1 1 0")
}
