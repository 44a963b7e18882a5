package iec104server

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// twoGroups has a group for each of two addresses.
func twoGroups() func(*Settings) {
	return named(map[string]Group{"a": clients("one", "10.9.0.1/32"), "b": clients("one", "10.9.0.2/32")})
}

// threeClasses is a target of each class.
func threeClasses() []connector.Target {
	return []connector.Target{
		at(1, 1, 1, asdu.M_ME_NB_1, point.Int), at(2, 1, 2, asdu.M_SP_NA_1, point.Single),
		at(3, 1, 3, asdu.M_IT_NA_1, point.Counter),
	}
}

// round publishes an event of each class.
func (r *rig) round(n int64) {
	r.publish(news(2, point.SingleValue(n%2 == 1)), news(3, point.CounterValue(n)), news(1, point.IntValue(n)))
}

func TestRestartGoesOnWhereEachGroupHasConfirmed(t *testing.T) {
	r := newRig(t, twoGroups())
	r.targets(threeClasses())
	a, b := r.joinFrom(addressA).settle(), r.joinFrom(addressB).settle()
	r.round(1)
	r.round(2)
	take(a, 10)
	a.Confirm(4) // the second counter and measured value are not confirmed
	take(b, 10)
	b.Confirm(1)
	r.save()
	r.restart()
	expect(t, brief(take(r.joinFrom(addressA).settled(t), 10)), "M_IT_NA_1 1/3 2 0", "M_ME_NB_1 1/1 2 0")
	expect(t, brief(take(r.joinFrom(addressB).settled(t), 10)), "M_IT_NA_1 1/3 1 0", "M_ME_NB_1 1/1 1 0",
		"M_SP_NA_1 1/2 0 0", "M_IT_NA_1 1/3 2 0", "M_ME_NB_1 1/1 2 0")
	expect(t, briefItems(collect(t, r.sessions[0], r.sessions[0].Interrogate(1, 20))), "M_SP_NA_1 2 0 0", "M_ME_NB_1 1 2 0")
}

// settled takes the end of initialisation only.
func (s *session) settled(t *testing.T) *session {
	t.Helper()
	if events := take(s, 1); len(events) != 1 || events[0].Type != asdu.M_EI_NA_1 {
		t.Fatalf("%v, want the end of initialisation", events)
	}
	s.Confirm(1)
	return s
}

func TestRestartWithPriority(t *testing.T) {
	r := newRig(t, twoGroups(), func(s *Settings) { s.Priority = "status" })
	r.targets(threeClasses())
	a, b := r.joinFrom(addressA).settle(), r.joinFrom(addressB).settle()
	for n := range int64(5) {
		r.round(n)
	}
	take(a, 9) // all status and counters
	a.Confirm(6)
	take(b, 100)
	b.Confirm(100)
	r.save()
	want := map[string]connector.Position{"a": {15, 4, 2}, "b": {15, 15, 15}}
	if got := r.feed.Cursors(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("places %v, want %v", got, want)
	}
	r.restart()
	expect(t, brief(take(r.joinFrom(addressB).settled(t), 100)))
	a = r.joinFrom(addressA).settled(t)
	if got := len(take(a, 100)); got != 9 { // 4 counters and 5 measured values
		t.Errorf("%d events, want 9", got)
	}
}

func TestCrashRepeatsWhatWasConfirmedSinceTheLastSave(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	s := r.join().settle()
	r.ints(1, 2)
	s.wants(t, 1, 2)
	s.Confirm(2)
	r.save()
	r.ints(3, 4, 5)
	s.wants(t, 3, 4, 5)
	s.Confirm(2)
	r.restart()
	r.ints(6)
	r.joinFrom(s.peer).settled(t).wants(t, 3, 4, 5, 6)
}

func TestNewGroupIsKnownOnDiskFromTheFirstEventOn(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	r.ints(1)
	s := r.join().settle() // no save follows
	r.ints(2)
	s.wants(t, 2)
	r.restart()
	r.joinFrom(s.peer).settled(t).wants(t, 2)
}

func TestLostPlacesBeginAtTheOldestEvents(t *testing.T) {
	r := newRig(t, twoGroups())
	r.targets(oneInt())
	a := r.joinFrom(addressA).settle()
	r.ints(1, 2, 3)
	a.wants(t, 1, 2, 3)
	a.Confirm(3)
	r.save()
	clear(r.feed.cursors)
	r.feed.lost = &connector.Position{1, 1, 1}
	r.restart()
	r.ints(4)
	r.save()
	r.feed.lost = nil
	r.joinFrom(addressA).settled(t).wants(t, 2, 3, 4)
	r.restart()
	r.joinFrom(addressB).settled(t).wants(t, 2, 3, 4)
}

func TestNamedGroupWaitsFromTheFirstApplicationOn(t *testing.T) {
	r := newRig(t, pair())
	r.targets(oneInt())
	r.ints(1, 2) // before there was a server
	r.feed.cursors["gone"] = connector.Position{1, 1, 1}
	r.restart()
	if f := r.figure(func(f figures) uint64 { return f.expired }); f != 1 {
		t.Errorf("%d groups counted as dropped, want 1", f)
	}
	r.ints(3, 4)
	r.save()
	if got := r.feed.Cursors(); fmt.Sprint(got) != fmt.Sprint(map[string]connector.Position{"scada": {4, 4, 2}}) {
		t.Errorf("places %v", got)
	}
	r.restart()
	r.ints(5)
	r.joinFrom(addressB).settled(t).wants(t, 3, 4, 5)
}

func TestGroupThatIsNewAfterARestartDoesNotGetWhatOthersMissed(t *testing.T) {
	r := newRig(t, named(map[string]Group{"a": clients("one", "10.9.0.1/32")}))
	r.targets(oneInt())
	a := r.joinFrom(addressA).settle()
	r.ints(1)
	a.Closed(nil)
	r.save()
	r.ints(2, 3)
	twoGroups()(&r.settings)
	r.restart()
	r.ints(4)
	r.joinFrom(addressB).settled(t).wants(t, 4)
	r.joinFrom(addressA).settled(t).wants(t, 1, 2, 3, 4)
}

func TestFailedRunNeitherLosesNorRepeats(t *testing.T) {
	r := newRig(t, pair())
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int), at(2, 1, 2, asdu.M_IT_TB_1, point.Counter)})
	s := r.joinFrom(addressA).settle()
	r.save()
	r.ints(1, 2, 3)
	s.wants(t, 1, 2, 3)
	s.Confirm(1)
	r.publish(news(2, point.CounterValue(7)))
	s.asks(t, freezeOnly) // comes back in the next run
	r.rerun(news(1, point.IntValue(4)), news(1, point.IntValue(5)))
	r.ints(6)
	s = r.joinFrom(addressA)
	s.wants(t, 2, 3, 7, 7, 4, 5, 6)
	s.Confirm(7)
	expect(t, r.read(t, s), "2 7 #1 0")
	r.rerun()
	r.joinFrom(addressA).wants(t)
}

func TestReplayAfterARestart(t *testing.T) {
	tests := []struct {
		name   string
		replay Replay
		want   []int
	}{
		{"all", Replay{}, []int{1, 2, 3, 4}}, {"latest", Replay{latest: true}, []int{4}},
		{"none", Replay{none: true}, []int{}}, {"those up to an age", Replay{age: 80 * time.Minute}, []int{3, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(s *Settings) { s.Replay = tt.replay })
			r.targets(oneInt())
			s := r.join().settle()
			for i := range 4 {
				c := news(1, point.IntValue(int64(i+1)))
				c.Time = point.InstantOf(r.now())
				r.publish(c)
				r.pass(30 * time.Minute)
				r.save()
			}
			r.restart()
			s = r.joinFrom(s.peer).settled(t)
			s.wants(t, tt.want...)
			r.ints(8, 9)
			s.wants(t, 8, 9)
			if n := r.figure(func(f figures) uint64 { return f.unreplayed }); n != uint64(4-len(tt.want)) {
				t.Errorf("%d events counted as not sent, want %d", n, 4-len(tt.want))
			}
		})
	}
}

func TestOverflowIsNotUndoneByARestart(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Buffer.Events = 6 })
	r.targets(threeClasses())
	s := r.join().settle()
	s.Closed(nil)
	for n := range int64(4) {
		r.round(n)
	}
	r.save()
	r.restart()
	r.publish(news(2, point.SingleValue(false)), news(2, point.SingleValue(true)))
	group := r.groups[groupKey{peer: s.peer}]
	if want := [classes]uint64{0, 2, 0}; group.dropped != want {
		t.Errorf("dropped after the restart %v, want %v", group.dropped, want)
	}
	expect(t, brief(take(r.joinFrom(s.peer).settled(t), 20)), "M_SP_NA_1 1/2 0 0", "M_SP_NA_1 1/2 1 0", "M_SP_NA_1 1/2 0 0",
		"M_SP_NA_1 1/2 1 0", "M_SP_NA_1 1/2 0 0", "M_SP_NA_1 1/2 1 0")
}

func TestKeepLatestOverARestart(t *testing.T) {
	r := newRig(t, twoGroups())
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int, latest), at(2, 1, 2, asdu.M_ME_NB_1, point.Int, latest)})
	a, b := r.joinFrom(addressA).settle(), r.joinFrom(addressB).settle()
	r.publish(news(1, point.IntValue(1)), news(2, point.IntValue(20)), news(1, point.IntValue(2)))
	b.wants(t, 20, 2)
	b.Confirm(2)
	a.wants(t, 20, 2)
	r.publish(news(2, point.IntValue(21)))
	r.save()
	r.restart()
	r.joinFrom(addressA).settled(t).wants(t, 2, 21)
	r.joinFrom(addressB).settled(t).wants(t, 21)
}

func TestTypesOfAnotherClassThanTheirPoint(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_SP_NA_1, point.Int), at(2, 1, 2, asdu.M_ME_NB_1, point.Single), at(3, 1, 3, asdu.M_SP_NA_1, point.Single)})
	s := r.join().settle()
	r.publish(news(1, point.IntValue(1)), news(2, point.SingleValue(true)), news(3, point.SingleValue(true)), news(1, point.IntValue(0)))
	take(s, 10)
	s.Confirm(1)
	r.save()
	if got := r.feed.Cursors()[s.key.cursor()]; got != (connector.Position{1, 4, 1}) {
		t.Errorf("place %v, want the hindmost of the classes", got)
	}
	r.restart()
	expect(t, brief(take(r.joinFrom(s.peer).settled(t), 10)), "M_ME_NB_1 1/2 1 0", "M_SP_NA_1 1/3 1 0", "M_SP_NA_1 1/1 0 0")
}

func TestPlacesMoveOnWithoutEvents(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	s := r.join().settle()
	r.apply(&connector.Batch{Seq: 4096})
	r.save()
	if got := r.feed.Cursors()[s.key.cursor()]; got != (connector.Position{4096, 4096, 4096}) {
		t.Errorf("place %v, want 4096", got)
	}
}

func TestPlacesOfDroppedGroupsAreGivenUp(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	r.ints(1)
	s := r.join().settle()
	s.Closed(nil)
	r.save()
	if n := len(r.feed.Cursors()); n != 1 {
		t.Fatalf("%d cursors, want 1", n)
	}
	r.pass(unusedFor)
	r.expire(r.now())
	r.save()
	if n := len(r.feed.Cursors()); n != 0 {
		t.Errorf("%d cursors, want none", n)
	}
}

func TestNamesOfCursors(t *testing.T) {
	for _, k := range []groupKey{{name: "scada"}, {peer: addressA}, {name: "psi", peer: addressB}, {peer: netip.MustParseAddr("2001:db8::1")}} {
		if got, ok := parseCursor(k.cursor()); !ok || got != k {
			t.Errorf("%q is the cursor of %v, want %v", k.cursor(), got, k)
		}
	}
	for _, bad := range []string{"", "@", "@x", "a@", "a@b"} {
		if k, ok := parseCursor(bad); ok {
			t.Errorf("%q is the cursor of %v", bad, k)
		}
	}
}

func TestCursorsOfOtherSettings(t *testing.T) {
	r := newRig(t, named(map[string]Group{"one": clients("one", "10.9.0.1/32"), "all": clients("all", "10.9.0.2/32")}))
	r.served = oneInt()
	for _, name := range []string{"one", "all@10.9.0.2", "all", "one@10.9.0.1", "all@10.9.0.1", "@10.9.0.1", "was", "%"} {
		r.feed.cursors[name] = connector.Position{}
	}
	r.restart()
	if len(r.groups) != 2 || len(r.feed.cursors) != 2 {
		t.Errorf("groups %v, cursors %v, want one and all@10.9.0.2", r.groups, r.feed.cursors)
	}
}
