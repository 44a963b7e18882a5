package iec104server

import (
	"fmt"
	"slices"
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func TestInterrogationHasTheTypesWithoutTimeTag(t *testing.T) {
	targets := []connector.Target{
		at(1, 1, 30, asdu.M_SP_TB_1, point.Single), at(2, 1, 20, asdu.M_DP_TB_1, point.Double),
		at(3, 1, 10, asdu.M_ME_TF_1, point.Float), at(4, 1, 5, asdu.M_SP_NA_1, point.Single),
		at(5, 1, 6, asdu.M_IT_TB_1, point.Counter), at(6, 1, 7, asdu.M_EP_TD_1, point.Double),
		at(7, 2, 8, asdu.M_BO_TB_1, point.Bits), at(8, 1, 9, asdu.M_ME_TF_1, point.Float),
	}
	bad := int(asdu.IV | asdu.NT)
	t.Run("untagged", func(t *testing.T) {
		r := newRig(t)
		r.targets(targets)
		s := r.join().settle()
		expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))),
			fmt.Sprintf("M_SP_NA_1 5 0 %d", bad), fmt.Sprintf("M_SP_NA_1 30 0 %d", bad), fmt.Sprintf("M_DP_NA_1 20 0 %d", bad),
			fmt.Sprintf("M_ME_NC_1 9 0 %d", bad), fmt.Sprintf("M_ME_NC_1 10 0 %d", bad))
		expect(t, briefItems(collect(t, s, s.Interrogate(2, 20))), fmt.Sprintf("M_BO_NA_1 8 0 %d", bad))
	})
	t.Run("tagged", func(t *testing.T) {
		r := newRig(t, func(s *Settings) { s.Interrogation = "tagged" })
		r.targets(targets, news(3, point.FloatValue(1)))
		s := r.join().settle()
		items := collect(t, s, s.Interrogate(1, 20))
		expect(t, briefItems(items),
			fmt.Sprintf("M_SP_NA_1 5 0 %d", bad), fmt.Sprintf("M_SP_TB_1 30 0 %d", bad), fmt.Sprintf("M_DP_TB_1 20 0 %d", bad),
			fmt.Sprintf("M_ME_TF_1 9 0 %d", bad), "M_ME_TF_1 10 1 0")
		if got, _ := items[4].Time.Date(nil); !got.Equal(epoch) {
			t.Errorf("time tag %v, want that of the value", got)
		}
	})
}

func TestInterrogationGroups(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_SP_NA_1, point.Single, end(func(e *Target) { e.Groups = 1 | 1<<15 })),
		at(2, 1, 2, asdu.M_SP_NA_1, point.Single, end(func(e *Target) { e.Groups = 1 << 15 })),
		at(3, 1, 3, asdu.M_SP_NA_1, point.Single),
		at(4, 2, 1, asdu.M_SP_NA_1, point.Single),
	})
	s := r.join().settle()
	for _, tt := range []struct {
		ca   uint16
		qoi  uint8
		want int // −1: refused
	}{{1, 20, 3}, {1, 21, 1}, {1, 36, 2}, {1, 22, -1}, {2, 21, -1}, {2, 20, 1}, {3, 20, -1}, {1, 0, -1}, {1, 19, -1}, {1, 37, -1}} {
		i := s.Interrogate(tt.ca, tt.qoi)
		if (i == nil) != (tt.want < 0) {
			t.Errorf("ca %d qoi %d: refused %v, want %v", tt.ca, tt.qoi, i == nil, tt.want < 0)
		} else if i != nil {
			if n := len(collect(t, s, i)); n != tt.want {
				t.Errorf("ca %d qoi %d: %d objects, want %d", tt.ca, tt.qoi, n, tt.want)
			}
		}
	}
}

func TestInterrogationOfASparseGroupEnds(t *testing.T) {
	const n = 3*scanLimit + 5
	targets := make([]connector.Target, n)
	for i := range uint32(n) {
		targets[i] = at(i, 1, i+1, asdu.M_ME_NC_1, point.Float)
	}
	targets[n-2] = at(n-2, 1, n-1, asdu.M_ME_NC_1, point.Float, end(func(e *Target) { e.Groups = 1 << 4 }))
	r := newRig(t)
	r.targets(targets)
	s := r.join().settle()
	buf := make([]iec104.Item, 4)
	got, done := s.Interrogate(1, 25).Next(buf)
	if got != 1 || !done || buf[0].IOA != n-1 {
		t.Errorf("%d objects, done %v, first address %d: want the only object of the group at once", got, done, buf[0].IOA)
	}
}

func TestInterrogationGoesOnWhileTheTableChanges(t *testing.T) {
	all := func(from, to uint32) []connector.Target {
		var targets []connector.Target
		for i := from; i < to; i++ {
			targets = append(targets, at(i, 1, i, asdu.M_ME_NC_1, point.Float))
		}
		return targets
	}
	r := newRig(t)
	r.targets(all(1, 101))
	s := r.join().settle()
	i := s.Interrogate(1, 20)
	buf := make([]iec104.Item, 50)
	if n, done := i.Next(buf); n != 50 || done {
		t.Fatalf("%d objects, done %v, want 50 of 100", n, done)
	}
	// Addresses 1 to 30 go, 101 to 120 come, and there is another common address before.
	r.targets(append(all(31, 121), at(500, 2, 1, asdu.M_ME_NC_1, point.Float)))
	rest := collect(t, s, i)
	if len(rest) != 70 || rest[0].IOA != 51 || rest[69].IOA != 120 {
		t.Errorf("%d further objects from %d, want 70 from 51 to 120", len(rest), rest[0].IOA)
	}
	i = s.Interrogate(1, 20)
	i.Next(buf)
	r.targets([]connector.Target{at(500, 2, 1, asdu.M_ME_NC_1, point.Float)})
	if n, done := i.Next(buf); n != 0 || !done {
		t.Errorf("%d objects, done %v, want an end when the common address was removed", n, done)
	}
}

func TestAnswersWaitForOlderEvents(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_ME_NB_1, point.Int), at(2, 1, 2, asdu.M_ME_NB_1, point.Int),
		at(3, 1, 3, asdu.M_IT_NA_1, point.Counter),
	})
	s := r.join().settle()
	r.publish(news(1, point.IntValue(1)))
	i := s.Interrogate(1, 20)
	buf := make([]iec104.Item, 8)
	if n, done := i.Next(buf); n != 0 || done {
		t.Errorf("%d objects, done %v, before the event that waited", n, done)
	}
	take(s, 8)
	r.publish(news(2, point.IntValue(7)))
	n, done := i.Next(buf)
	if n != 1 || done || buf[0].IOA != 1 {
		t.Errorf("%d objects, done %v: want the point without an event only", n, done)
	}
	take(s, 8)
	if n, done = i.Next(buf); n != 1 || !done || buf[0].Int() != 7 {
		t.Errorf("%d objects, done %v, want the last one after its event", n, done)
	}
	r.publish(news(3, point.CounterValue(9)))
	c := s.Counters(1, 5, 0)
	if n, done := c.Next(buf); n != 0 || done {
		t.Errorf("%d counters, done %v, before the event that waited", n, done)
	}
	take(s, 8)
	if n, done := c.Next(buf); n != 1 || !done {
		t.Errorf("%d counters, done %v, want one", n, done)
	}
}

func TestRead(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_ME_TF_1, point.Float), at(2, 1, 2, asdu.M_SP_NA_1, point.Single),
		at(3, 1, 3, asdu.M_IT_TB_1, point.Counter), at(4, 1, 4, asdu.M_EP_TD_1, point.Single),
	}, news(1, point.FloatValue(3)))
	s := r.join().settle()
	item, ok := s.Read(1, 1)
	if !ok || item.Type != asdu.M_ME_NC_1 || item.Float() != 3 {
		t.Errorf("read %+v %v, want M_ME_NC_1 3", item, ok)
	}
	if item, ok = s.Read(1, 2); !ok || item.Quality != asdu.IV|asdu.NT {
		t.Errorf("read %+v %v, want the value never received with IV and NT", item, ok)
	}
	for _, a := range [][2]uint32{{1, 3}, {1, 4}, {1, 5}, {2, 1}, {1, 0}} {
		if _, ok := s.Read(uint16(a[0]), a[1]); ok {
			t.Errorf("ca %d ioa %d can be read", a[0], a[1])
		}
	}
}

func TestLiveChangeOfTargets(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_ME_NB_1, point.Int), at(2, 1, 2, asdu.M_ME_NB_1, point.Int), at(3, 9, 3, asdu.M_ME_NB_1, point.Int),
	})
	s := r.join().settle()
	r.publish(news(1, point.IntValue(1)), news(2, point.IntValue(2)), news(3, point.IntValue(3)))
	// The first is removed, the second gets another address and type.
	r.targets([]connector.Target{at(2, 5, 20, asdu.M_ME_TF_1, point.Int), at(3, 9, 3, asdu.M_ME_NB_1, point.Int)})
	expect(t, brief(take(s, 10)), "M_ME_TF_1 5/20 2 0", "M_ME_NB_1 9/3 3 0")
	if n := r.figure(func(f figures) uint64 { return f.removed }); n != 1 {
		t.Errorf("%d events of removed targets counted, want 1", n)
	}
	if got, want := s.Addresses(), []uint16{5, 9}; !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
	expect(t, briefItems(collect(t, s, s.Interrogate(5, 20))), "M_ME_NC_1 20 2 0")
	r.publish(news(2, point.IntValue(2)))
	expect(t, brief(take(s, 10)))
}

func TestNewTargetOfAKnownPoint(t *testing.T) {
	r := newRig(t)
	second := at(2, 1, 2, asdu.M_ME_NB_1, point.Int, ofPoint(1))
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)})
	s := r.join().settle()
	r.publish(news(1, point.IntValue(4)))
	take(s, 10)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int), second})
	r.publish(news(1, point.IntValue(5)))
	events := brief(take(s, 10))
	slices.Sort(events)
	expect(t, events, "M_ME_NB_1 1/1 5 0", "M_ME_NB_1 1/2 5 0")
}
