package iec104server

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// named makes the settings have groups.
func named(groups map[string]Group) func(*Settings) {
	return func(s *Settings) { s.Groups = groups }
}

// clients returns a group of addresses.
func clients(active string, addresses ...string) Group {
	g := Group{Active: active, Clients: Allow{Given: true}}
	for _, a := range addresses {
		g.Clients.Prefixes = append(g.Clients.Prefixes, netip.MustParsePrefix(a))
	}
	return g
}

// pair is a group of two addresses of which one is active.
func pair() func(*Settings) {
	return named(map[string]Group{"scada": clients("", "10.9.0.1/32", "10.9.0.2/32")})
}

var (
	addressA = netip.MustParseAddr("10.9.0.1")
	addressB = netip.MustParseAddr("10.9.0.2")
)

// ints publishes values of point 1.
func (r *rig) ints(values ...int64) {
	for _, v := range values {
		r.publish(news(1, point.IntValue(v)))
	}
}

// values returns the values of the next events.
func values(s *session, n int) []int {
	got := []int{}
	for _, e := range take(s, n) {
		got = append(got, int(e.Int()))
	}
	return got
}

func (s *session) wants(t *testing.T, want ...int) {
	t.Helper()
	if got := values(s, 1000); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func oneInt() []connector.Target {
	return []connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)}
}

func superseded(s *session) bool {
	var le *iec104.LinkError
	return errors.As(s.conn.(*fakeConn).closed, &le) && le.Reason == iec104.Superseded
}

func TestE097SecondConnectionOfAGroupTakesOver(t *testing.T) {
	r := newRig(t, pair())
	r.targets(oneInt())
	a := r.joinFrom(addressA).settle()
	b := r.open(addressB)
	r.ints(1, 2, 3, 4, 5)
	if got := values(a, 4); !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Fatalf("events %v", got)
	}
	a.Confirm(1)
	b.Started(true)
	if !superseded(a) {
		t.Errorf("the old connection is closed with %v, want superseded", a.conn.(*fakeConn).closed)
	}
	a.Confirm(3) // too late: they may have been sent on the new one already
	a.wants(t)
	events := take(b, 10)
	if cas := initialisations(events); len(cas) != 1 {
		t.Errorf("end of initialisation of %v for the new connection, want 1", cas)
	}
	if got := fmt.Sprint(brief(events[1:])); got != fmt.Sprint([]string{
		"M_ME_NB_1 1/1 2 0", "M_ME_NB_1 1/1 3 0", "M_ME_NB_1 1/1 4 0", "M_ME_NB_1 1/1 5 0",
	}) {
		t.Errorf("events %v, want those that were not acknowledged first", got)
	}
	b.Confirm(5)
	a.Closed(nil)
	r.ints(6)
	b.wants(t, 6)
}

func TestPlannedSwitchLeavesTheOldConnectionOpen(t *testing.T) {
	r := newRig(t, pair())
	r.targets(oneInt())
	a, b := r.joinFrom(addressA).settle(), r.open(addressB)
	r.ints(1, 2, 3)
	values(a, 3)
	a.conn.(*fakeConn).unsent = 2 // of these only the first was sent
	a.Started(false)
	a.Confirm(1)
	b.Started(true)
	b.settle().queue.wants(t, 0)
	if a.conn.(*fakeConn).closed != nil {
		t.Errorf("the standby connection is closed: %v", a.conn.(*fakeConn).closed)
	}
	// And back.
	r.ints(4)
	b.Started(false)
	a.Started(true)
	a.wants(t, 4)
}

// wants checks how many events are not confirmed.
func (q *queue) wants(t *testing.T, want uint64) {
	t.Helper()
	if n := q.pending(&q.owner.station.events); n != want {
		t.Errorf("%d events are not confirmed, want %d", n, want)
	}
}

func TestStopGivesBackWhatWasNotSent(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	s := r.join().settle()
	r.ints(1, 2, 3, 4)
	values(s, 3)
	s.conn.(*fakeConn).unsent = 2
	s.Started(false)
	s.Confirm(1)
	s.Started(true)
	s.wants(t, 2, 3, 4)
}

func TestE098UnconfirmedEventsAreSentAgainInTheOldOrder(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_TE_1, point.Int), at(2, 1, 2, asdu.M_SP_TB_1, point.Single)})
	s := r.join().settle()
	var changes []connector.Change
	for i := range 6 {
		c := news(uint32(1+i%2), point.IntValue(int64(i)))
		if i%2 == 1 {
			c = news(2, point.SingleValue(i%4 == 1))
		}
		c.Time += point.Instant(time.Duration(i) * time.Second)
		changes = append(changes, c)
	}
	r.publish(changes...)
	all := take(s, 10)
	s.Confirm(2)
	s.Closed(nil)
	// A second break in the middle of it changes nothing.
	s = r.joinFrom(s.peer)
	take(s, 2)
	s.Closed(nil)
	s = r.joinFrom(s.peer)
	i := s.Interrogate(1, 20)
	if n, done := i.Next(make([]iec104.Item, 9)); n != 0 || done {
		t.Error("an interrogation overtakes the events that are sent again")
	}
	again := take(s, 10)
	if fmt.Sprint(again) != fmt.Sprint(all[2:]) {
		t.Errorf("sent again %v, want %v", again, all[2:])
	}
	s.Confirm(4)
	s.queue.wants(t, 0)
}

func TestDisconnectedCentreGetsAllInOrderWithTheirTimes(t *testing.T) {
	r := newRig(t)
	r.targets(manyTargets(50))
	s := r.join()
	peer := s.settle().peer
	s.Closed(nil)
	const n = 5000
	for i := range n {
		c := news(uint32(i%50), point.FloatValue(float64(i)))
		c.Time = point.InstantOf(epoch.Add(time.Duration(i) * time.Millisecond))
		r.publish(c)
	}
	r.pass(unusedFor - time.Hour)
	r.expire(r.now())
	s = r.joinFrom(peer)
	for i := 0; i < n; {
		events := take(s, 64)
		if len(events) == 0 {
			t.Fatalf("%d events, want %d", i, n)
		}
		for _, e := range events {
			tag, ok := e.Time.Date(nil)
			if e.Float() != float32(i) || !ok || !tag.Equal(epoch.Add(time.Duration(i)*time.Millisecond)) {
				t.Fatalf("event %d is %v of %v", i, e.Float(), tag)
			}
			i++
		}
		s.Confirm(len(events))
	}
	s.wants(t)
	if got := s.queue.position(&r.events, r.applied, false); got != (connector.Position{n, n, n}) {
		t.Errorf("place %v, want %d in all", got, n)
	}
}

func TestE099FullBufferKeepsTheNewestAndStatusLongest(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Buffer.Events = 6 })
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_ME_NB_1, point.Int), at(2, 1, 2, asdu.M_SP_NA_1, point.Single), at(3, 1, 3, asdu.M_IT_NA_1, point.Counter),
	})
	s := r.join().settle()
	peer := s.peer
	s.Closed(nil)
	single := func(on bool) { r.publish(news(2, point.SingleValue(on))) }
	single(true)
	r.ints(1, 2, 3, 4, 5, 6)
	r.publish(news(3, point.CounterValue(100)), news(3, point.CounterValue(101)))
	single(false)
	// Status 2, counters 2, measured values 6 of which the oldest 4 do not fit.
	group := r.groups[groupKey{peer: peer}]
	if want := [classes]uint64{0, 0, 4}; group.dropped != want {
		t.Errorf("dropped %v, want %v", group.dropped, want)
	}
	for range 2 {
		single(true)
		single(false)
	}
	if want := [classes]uint64{0, 2, 6}; group.dropped != want {
		t.Errorf("dropped %v, want %v", group.dropped, want)
	}
	single(true)
	r.ints(7) // the newest measured value, but status outlives it
	if want := [classes]uint64{1, 2, 7}; group.dropped != want {
		t.Errorf("dropped %v, want %v", group.dropped, want)
	}
	s = r.joinFrom(peer)
	expect(t, brief(take(s, 20)), "M_SP_NA_1 1/2 0 0", "M_SP_NA_1 1/2 1 0", "M_SP_NA_1 1/2 0 0", "M_SP_NA_1 1/2 1 0",
		"M_SP_NA_1 1/2 0 0", "M_SP_NA_1 1/2 1 0")
	expect(t, briefItems(collect(t, s, s.Interrogate(1, 20))), "M_SP_NA_1 2 1 0", "M_ME_NB_1 1 7 0")
	if n := r.figure(func(f figures) uint64 { return f.dropped }); n != 10 {
		t.Errorf("%d events counted as dropped, want 10", n)
	}
}

func TestFullBufferDropsNothingThatWasTaken(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Buffer.Events = 3 })
	r.targets(oneInt())
	s := r.join().settle()
	r.ints(1, 2, 3)
	values(s, 2)
	r.ints(4, 5, 6, 7)
	s.Closed(nil)
	r.ints(8)
	r.joinFrom(s.peer).wants(t, 1, 2, 6, 7, 8)
}

func TestGroupsDoNotInfluenceEachOther(t *testing.T) {
	r := newRig(t, named(map[string]Group{"a": clients("", "10.9.0.1/32"), "b": clients("one", "10.9.0.2/32")}),
		func(s *Settings) { s.Buffer.Events = 100 })
	r.targets(oneInt())
	a, b := r.joinFrom(addressA).settle(), r.joinFrom(addressB).settle()
	for i := range 1000 {
		r.ints(int64(i))
		b.wants(t, i)
		b.Confirm(1)
	}
	if got := values(a, 200); len(got) != 100 || got[0] != 900 {
		t.Errorf("%d events from %d, want the last 100", len(got), got[0])
	}
	if a.queue.lost() != 900 || b.queue.lost() != 0 {
		t.Errorf("dropped %d and %d, want 900 of the slow group", a.queue.lost(), b.queue.lost())
	}
	a.Closed(nil)
	r.ints(5000)
	b.wants(t, 5000)
	if superseded(a) || superseded(b) {
		t.Error("a connection of another group is closed")
	}
}

func TestNewGroupBeginsNow(t *testing.T) {
	r := newRig(t, pair())
	r.targets(oneInt())
	r.ints(1)
	standby := r.open(addressA)
	r.ints(2)
	standby.Started(true)
	standby.settle()
	r.ints(3)
	standby.wants(t, 3)
}

func TestAllConnectionsOfAGroupActive(t *testing.T) {
	r := newRig(t, named(map[string]Group{"psi": clients("all", "10.9.0.0/16")}))
	r.targets(oneInt())
	a, b := r.joinFrom(addressA).settle(), r.joinFrom(addressB).settle()
	r.ints(1, 2)
	a.wants(t, 1, 2)
	b.wants(t, 1, 2)
	if superseded(a) || superseded(b) {
		t.Error("a connection is closed although all may be active")
	}
	b.Confirm(1)
	b.Closed(nil)
	r.ints(3)
	a.wants(t, 3)
	r.joinFrom(addressB).wants(t, 2, 3)
}

func TestAddressInNoGroup(t *testing.T) {
	r := newRig(t, pair())
	if newSession(r.station, &fakeConn{}, caller{peer: netip.MustParseAddr("10.9.0.3")}, nil) != nil {
		t.Error("an address that is in no group is served")
	}
	r = newRig(t, named(map[string]Group{"a": clients("", "10.9.0.1/32"), "rest": {Clients: Allow{Given: true}, Active: "all"}}))
	s := newSession(r.station, &fakeConn{}, caller{peer: netip.MustParseAddr("10.9.0.3")}, nil)
	if s == nil || s.key.String() != "rest 10.9.0.3" {
		t.Errorf("session %+v, want it in the group for all others", s)
	}
}

func TestUnusedGroupIsDropped(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	s := r.join().settle()
	r.ints(1, 2)
	s.Closed(nil)
	r.pass(unusedFor)
	other := r.join() // in use, however long
	r.expire(r.now())
	if len(r.groups) != 1 || len(r.queues) != 1 {
		t.Errorf("%d groups, want that in use", len(r.groups))
	}
	if f := r.total(); f.expired != 1 || f.abandoned != 2 {
		t.Errorf("%d groups and %d events counted as dropped, want 1 and 2", f.expired, f.abandoned)
	}
	again := r.joinFrom(s.peer).settle()
	r.ints(3)
	again.wants(t, 3)
	other.settle()
}

func TestGroupsAreBounded(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	for range maxGroups + 10 {
		r.join().Closed(nil)
		r.pass(time.Second)
	}
	if len(r.groups) != maxGroups {
		t.Errorf("%d groups, want %d", len(r.groups), maxGroups)
	}
	last := r.joinFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}))
	if last.queue == nil || r.groups[last.key] != last.queue {
		t.Error("there is no room for a group in the place of one that is unused")
	}
}

func TestSwitchesInQuickSuccessionAreNamed(t *testing.T) {
	var log strings.Builder
	r := newRig(t, pair())
	r.log = textLog(&log)
	r.targets(oneInt())
	a, b := r.joinFrom(addressA), r.open(addressB)
	b.Started(true)
	if got := log.String(); !strings.Contains(got, "level=INFO") || !strings.Contains(got, "group=scada from=10.9.0.1 to=10.9.0.2") {
		t.Errorf("log %q, want the switch", got)
	}
	a.Closed(nil)
	log.Reset()
	r.joinFrom(addressA)
	if got := log.String(); !strings.Contains(got, "level=WARN") {
		t.Errorf("log %q, want a warning that two stations take the group from each other", got)
	}
}
