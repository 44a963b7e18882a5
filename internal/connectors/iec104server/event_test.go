package iec104server

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// brief prints events as "type ca/ioa value quality".
func brief(events []iec104.Event) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, fmt.Sprintf("%s %d/%d %s %d", e.Type, e.CA, e.IOA, shown(e.Type, &e.Object), e.Quality))
	}
	return out
}

func briefItems(items []iec104.Item) []string {
	out := []string{}
	for _, e := range items {
		out = append(out, fmt.Sprintf("%s %d %s %d", e.Type, e.IOA, shown(e.Type, &e.Object), e.Quality))
	}
	return out
}

func shown(as asdu.TypeID, o *asdu.Object) string {
	if forms[as].family == float {
		return fmt.Sprint(o.Float())
	}
	return fmt.Sprint(o.Int())
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEventsAreSentInOrderWithTheSourceTime(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{
		at(1, 225, 100, asdu.M_ME_TF_1, point.Float),
		at(2, 225, 200, asdu.M_DP_TB_1, point.Double),
		at(3, 226, 1, asdu.M_SP_NA_1, point.Single),
	})
	s := r.join().settle()
	r.publish(news(1, point.FloatValue(23.5)), news(2, point.DoubleValue(point.DoubleOn)))
	r.publish(news(3, point.SingleValue(true)), news(1, point.FloatValue(24)))
	events := take(s, 10)
	expect(t, brief(events),
		"M_ME_TF_1 225/100 23.5 0", "M_DP_TB_1 225/200 2 0", "M_SP_NA_1 226/1 1 0", "M_ME_TF_1 225/100 24 0")
	for _, e := range events {
		if e.Cause != asdu.Spontaneous {
			t.Errorf("cause %v, want spontaneous", e.Cause)
		}
	}
	if got, _ := events[0].Time.Date(nil); !got.Equal(epoch) {
		t.Errorf("time tag %v, want %v", got, epoch)
	}
	if events[2].Time != 0 {
		t.Errorf("M_SP_NA_1 has a time tag")
	}
}

func TestDeadBandHoldsBackEventsNotValues(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NC_1, point.Float, deadband(0.5))})
	s := r.join().settle()
	for _, v := range []float64{10, 10.5, 10.2, 10.6} {
		r.publish(news(1, point.FloatValue(v)))
	}
	expect(t, brief(take(s, 10)), "M_ME_NC_1 1/1 10 0", "M_ME_NC_1 1/1 10.6 0")
	r.publish(news(1, point.FloatValue(10.9)))
	expect(t, brief(take(s, 10)))
	expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), "M_ME_NC_1 1 10.9 0")
	if n := r.figure(func(f figures) uint64 { return f.suppressed }); n != 3 {
		t.Errorf("%d changes counted as suppressed, want 3", n)
	}
}

func TestQualityChangeIsAnEventInsideTheDeadBand(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NC_1, point.Float, deadband(5))})
	s := r.join().settle()
	r.publish(news(1, point.FloatValue(10)))
	old := news(1, point.FloatValue(10))
	old.Quality = point.NotTopical
	r.publish(old)
	expect(t, brief(take(s, 10)), "M_ME_NC_1 1/1 10 0", fmt.Sprintf("M_ME_NC_1 1/1 10 %d", asdu.NT))
}

func TestEventsAreEvaluatedWithoutAStation(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NC_1, point.Float, deadband(1))})
	r.publish(news(1, point.FloatValue(10)))
	s := r.join().settle()
	r.publish(news(1, point.FloatValue(10.5)))
	expect(t, brief(take(s, 10)))
	r.publish(news(1, point.FloatValue(11.5)))
	expect(t, brief(take(s, 10)), "M_ME_NC_1 1/1 11.5 0")
}

func TestLateChange(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_ME_TF_1, point.Float),
		at(2, 1, 2, asdu.M_ME_NC_1, point.Float, ofPoint(1)),
	})
	s := r.join().settle()
	r.publish(news(1, point.FloatValue(20)))
	take(s, 10)
	late := news(1, point.FloatValue(15))
	late.Time -= point.Instant(time.Hour)
	late.Flags = point.Late
	r.publish(late)
	events := take(s, 10)
	expect(t, brief(events), "M_ME_TF_1 1/1 15 0")
	if got, _ := events[0].Time.Date(nil); !got.Equal(epoch.Add(-time.Hour)) {
		t.Errorf("time tag %v, want that of the late change", got)
	}
	expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), "M_ME_NC_1 1 20 0", "M_ME_NC_1 2 20 0")
	r.publish(news(1, point.FloatValue(20)))
	expect(t, brief(take(s, 10)))
}

func TestSnapshotIsNoEvent(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NC_1, point.Float)}, news(1, point.FloatValue(7)))
	s := r.join().settle()
	r.publish(news(1, point.FloatValue(7)))
	expect(t, brief(take(s, 10)))
	expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), "M_ME_NC_1 1 7 0")
}

func TestSnapshotAfterAGapIsAnEventWhereItDiffers(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NC_1, point.Float), at(2, 1, 2, asdu.M_ME_NC_1, point.Float)})
	s := r.join().settle()
	r.publish(news(1, point.FloatValue(1)), news(2, point.FloatValue(2)))
	take(s, 10)
	a, b := news(1, point.FloatValue(1)), news(2, point.FloatValue(3))
	a.Snapshot, b.Snapshot = true, true
	r.apply(&connector.Batch{Changes: []connector.Change{a, b}, Gap: 5, Seq: r.seq + 7})
	expect(t, brief(take(s, 10)), "M_ME_NC_1 1/2 3 0")
	if n := r.figure(func(f figures) uint64 { return f.gaps }); n != 5 {
		t.Errorf("%d lost changes counted, want 5", n)
	}
}

func TestRestoredValueIsShownWithoutAnEvent(t *testing.T) {
	stale := func() connector.Change {
		c := news(1, point.FloatValue(5))
		c.Quality = point.NotTopical
		return c
	}
	prepare := func(t *testing.T) (*rig, *session) {
		r := newRig(t)
		r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NC_1, point.Float)}, stale())
		return r, r.join().settle()
	}
	t.Run("clearing that nobody saw is no event", func(t *testing.T) {
		r, s := prepare(t)
		r.publish(news(1, point.FloatValue(5)))
		expect(t, brief(take(s, 10)))
	})
	t.Run("clearing that was seen is an event", func(t *testing.T) {
		r, s := prepare(t)
		expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), fmt.Sprintf("M_ME_NC_1 1 5 %d", asdu.NT))
		r.publish(news(1, point.FloatValue(5)))
		expect(t, brief(take(s, 10)), "M_ME_NC_1 1/1 5 0")
	})
	t.Run("another value is an event", func(t *testing.T) {
		r, s := prepare(t)
		r.publish(news(1, point.FloatValue(6)))
		expect(t, brief(take(s, 10)), "M_ME_NC_1 1/1 6 0")
	})
	resumed := func() connector.Change {
		c := news(1, point.FloatValue(5))
		c.Flags = point.Restored
		return c
	}
	t.Run("clearing by the host that nobody saw is no event", func(t *testing.T) {
		r, s := prepare(t)
		r.publish(resumed())
		expect(t, brief(take(s, 10)))
		expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), "M_ME_NC_1 1 5 0")
		r.publish(news(1, point.FloatValue(5)))
		expect(t, brief(take(s, 10)))
	})
	t.Run("clearing by the host that was seen is an event", func(t *testing.T) {
		r, s := prepare(t)
		expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), fmt.Sprintf("M_ME_NC_1 1 5 %d", asdu.NT))
		r.publish(resumed())
		expect(t, brief(take(s, 10)), "M_ME_NC_1 1/1 5 0")
	})
	t.Run("restored later", func(t *testing.T) {
		r, s := prepare(t)
		r.publish(news(1, point.FloatValue(6)))
		take(s, 10)
		c := stale()
		c.Value, c.Flags = point.FloatValue(6), point.Restored
		r.publish(c)
		expect(t, brief(take(s, 10)))
		expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), fmt.Sprintf("M_ME_NC_1 1 6 %d", asdu.NT))
	})
}

func TestChangeDetectionMarksWhatChanged(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_PS_NA_1, point.Bits)}, news(1, point.BitsValue(0b0011)))
	s := r.join().settle()
	r.publish(news(1, point.BitsValue(0b0110)))
	events := take(s, 10)
	if len(events) != 1 || events[0].Value != 0b0110|0b0101<<16 {
		t.Fatalf("events %+v, want states 0110 and changes 0101", events)
	}
	items := collect(t, s, s.Interrogate(1, 20))
	if len(items) != 1 || items[0].Value != 0b0110 {
		t.Errorf("interrogated %+v, want states 0110 without changes", items)
	}
}

func TestTypeWithoutQualityIsNotSentWhileBad(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_ND_1, point.Float)})
	s := r.join().settle()
	bad := news(1, point.FloatValue(0.5))
	bad.Quality = point.Invalid
	r.publish(news(1, point.FloatValue(0.25)), bad)
	expect(t, brief(take(s, 10)), "M_ME_ND_1 1/1 8192 0")
	expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))))
	if _, ok := s.Read(1, 1); ok {
		t.Error("a bad value is read as a type without quality")
	}
	r.publish(news(1, point.FloatValue(1.5))) // clamped by the conversion
	expect(t, brief(take(s, 10)))
	expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))))
	r.publish(news(1, point.FloatValue(0.5)))
	expect(t, brief(take(s, 10)), "M_ME_ND_1 1/1 16384 0")
	expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), "M_ME_ND_1 1 16384 0")
}

func TestFullBufferDropsTheOldestNotTaken(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Buffer.Events = 3 })
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)})
	slow, fast := r.join().settle(), r.join().settle()
	r.publish(news(1, point.IntValue(1)), news(1, point.IntValue(2)))
	expect(t, brief(take(slow, 1)), "M_ME_NB_1 1/1 1 0")
	for i := int64(3); i <= 6; i++ {
		r.publish(news(1, point.IntValue(i)))
		take(fast, 10)
	}
	expect(t, brief(take(slow, 10)), "M_ME_NB_1 1/1 4 0", "M_ME_NB_1 1/1 5 0", "M_ME_NB_1 1/1 6 0")
	if slow.queue.lost() != 2 || fast.queue.lost() != 0 {
		t.Errorf("dropped %d and %d, want 2 of the slow one", slow.queue.lost(), fast.queue.lost())
	}
}

func TestEventsThatEverybodyHasReadAreForgotten(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)})
	publish := func(n int) {
		for i := range n {
			r.publish(news(1, point.IntValue(int64(i%2))))
		}
	}
	publish(3 * chunkSize)
	if n := len(r.events.chains[measuredClass].chunks); n > 1 {
		t.Errorf("%d chunks are kept for nobody", n)
	}
	s := r.join().settle()
	publish(3 * chunkSize)
	if n := len(r.events.chains[measuredClass].chunks); n < 3 {
		t.Errorf("%d chunks are kept for a station that has not read, want 3 or more", n)
	}
	for len(take(s, 1000)) > 0 {
	}
	publish(1)
	if n := len(r.events.chains[measuredClass].chunks); n > 1 {
		t.Errorf("%d chunks are kept after all were read", n)
	}
	s.Closed(nil)
	publish(2 * chunkSize)
	if n := len(r.events.chains[measuredClass].chunks); n < 2 {
		t.Errorf("%d chunks are kept for a station that has left, want 2 or more", n)
	}
	r.pass(unusedFor)
	r.expire(r.now())
	publish(1)
	if n := len(r.events.chains[measuredClass].chunks); n > 1 {
		t.Errorf("%d chunks are kept for a group that was dropped", n)
	}
}

func TestStoppedTransferKeepsItsPlace(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)})
	s := r.join().settle()
	s.Started(false)
	r.publish(news(1, point.IntValue(5)))
	s.Started(true)
	expect(t, brief(take(s, 10)), "M_ME_NB_1 1/1 5 0")
}

func TestEveryStationIsWoken(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)})
	s := r.join().settle()
	r.publish(news(1, point.IntValue(5)))
	if s.conn.(*fakeConn).wakes.Load() == 0 {
		t.Error("the connection was not woken")
	}
}

// values of every type of point, for properties that hold for all of them.
func sampleValues(typ point.Type) []point.Value {
	switch typ {
	case point.Single:
		return []point.Value{point.SingleValue(false), point.SingleValue(true)}
	case point.Double:
		return []point.Value{point.DoubleValue(0), point.DoubleValue(1), point.DoubleValue(2), point.DoubleValue(3)}
	case point.Step:
		return []point.Value{point.StepValue(-64, false), point.StepValue(63, true), point.StepValue(0, false)}
	case point.Bits:
		return []point.Value{point.BitsValue(0), point.BitsValue(math.MaxUint32), point.BitsValue(0x1234)}
	case point.Int:
		return []point.Value{point.IntValue(0), point.IntValue(1), point.IntValue(-70), point.IntValue(1 << 40)}
	case point.Counter:
		return []point.Value{point.CounterValue(1), point.CounterValue(1 << 33), point.CounterValue(-1)}
	default:
		return []point.Value{
			point.FloatValue(0), point.FloatValue(-0.75), point.FloatValue(1e300), point.FloatValue(math.NaN()), point.FloatValue(42.42),
		}
	}
}

func TestWhatIsSpontaneousIsWhatIsInterrogated(t *testing.T) {
	for typ := point.Single; typ < point.Text; typ++ {
		for i := range forms {
			as := asdu.TypeID(i)
			f := forms[as].family
			if conversions[typ][f] == refused || !f.interrogated() && f != total {
				continue
			}
			r := newRig(t)
			r.targets([]connector.Target{at(1, 1, 1, as, typ, func(c *connector.Target, _ *Target) {
				c.Convert = connector.Linear{Scale: 0.5, Offset: 3, Low: -10, High: 90}
			})})
			s := r.join().settle()
			for _, v := range sampleValues(typ) {
				for _, q := range []point.Quality{0, point.NotTopical, point.Substituted | point.Overflow, point.Invalid} {
					c := news(1, v)
					c.Quality = q
					r.publish(c)
					events := take(s, 2)
					var items []iec104.Item
					if f == total {
						items = collect(t, s, s.Counters(1, 5, 0))
					} else {
						items = collect(t, s, s.Interrogate(1, 20))
					}
					if f == bare && len(items) == 0 && len(events) == 0 {
						continue
					}
					if len(events) != 1 || len(items) != 1 {
						t.Fatalf("%s as %s: %d events and %d items of %v, want one each", typ, as, len(events), len(items), v)
					}
					e, o := events[0].Object, items[0].Object
					e.Time = 0
					if f == packed {
						e.Value &= 0xffff // change detection is of events only
					}
					if diff := cmp.Diff(e, o); diff != "" || items[0].Type != forms[as].untagged {
						t.Errorf("%s as %s: value %v quality %v (-event +interrogated)\n%s", typ, as, v, q, diff)
					}
				}
			}
		}
	}
}
