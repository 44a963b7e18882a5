package iec104server

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func latest(t *connector.Target, _ *Target) { t.Latest = true }

func TestReplay(t *testing.T) {
	tests := []struct {
		name   string
		replay Replay
		want   []int
		sent   uint64 // not
	}{
		{"all", Replay{}, []int{1, 2, 3, 4}, 0},
		{"latest", Replay{latest: true}, []int{4}, 3},
		{"none", Replay{none: true}, []int{}, 4},
		{"those up to an age", Replay{age: 80 * time.Minute}, []int{3, 4}, 2},
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
				if i == 0 {
					values(s, 1)
					s.Closed(nil)
				}
				r.pass(30 * time.Minute)
			}
			s = r.joinFrom(s.peer)
			r.pass(24 * time.Hour) // what matters is the age at STARTDT
			s.wants(t, tt.want...)
			r.ints(8, 9)
			s.wants(t, 8, 9)
			if n := r.figure(func(f figures) uint64 { return f.unreplayed }); n != tt.sent {
				t.Errorf("%d events counted as not sent after the break, want %d", n, tt.sent)
			}
		})
	}
}

func TestReplayIsOfBreaksOnly(t *testing.T) {
	r := newRig(t, pair(), func(s *Settings) { s.Replay = Replay{none: true} })
	r.targets(oneInt())
	a, b := r.joinFrom(addressA).settle(), r.open(addressB)
	r.ints(1, 2)
	a.Started(false)
	a.Started(true)
	a.wants(t, 1, 2)
	b.Started(true) // a switch-over is none
	b.settle()
	if len(r.groups) != 1 {
		t.Fatalf("%d groups", len(r.groups))
	}
	b.queue.wants(t, 0)
	if n := r.figure(func(f figures) uint64 { return f.unreplayed }); n != 0 {
		t.Errorf("%d events were not sent", n)
	}
}

func TestKeepLatest(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Buffer.Events = 3 })
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_ME_NB_1, point.Int, latest), at(2, 1, 2, asdu.M_ME_NB_1, point.Int), at(3, 1, 3, asdu.M_SP_NA_1, point.Single, latest),
	})
	s, slow := r.join().settle(), r.join().settle()
	r.ints(1, 2)
	r.publish(news(2, point.IntValue(20)), news(3, point.SingleValue(true)))
	r.ints(3)
	expect(t, brief(take(s, 10)), "M_ME_NB_1 1/2 20 0", "M_SP_NA_1 1/3 1 0", "M_ME_NB_1 1/1 3 0")
	s.Confirm(2)
	r.publish(news(3, point.SingleValue(false)))
	s.Closed(nil)
	for i := range int64(10_000) {
		r.ints(i)
	}
	r.publish(news(2, point.IntValue(21)))
	// What was taken is not sent again if there is a newer one.
	s = r.joinFrom(s.peer)
	expect(t, brief(take(s, 10)), "M_SP_NA_1 1/3 0 0", "M_ME_NB_1 1/1 9999 0", "M_ME_NB_1 1/2 21 0")
	expect(t, brief(take(slow, 1)), "M_ME_NB_1 1/2 20 0")
	r.ints(5)
	expect(t, brief(take(slow, 10)), "M_SP_NA_1 1/3 0 0", "M_ME_NB_1 1/2 21 0", "M_ME_NB_1 1/1 5 0")
	if s.queue.lost()+slow.queue.lost() != 0 {
		t.Error("events of which the newest is kept have no place in the buffer")
	}
	if n := len(r.events.newest.slots); n != 2 {
		t.Errorf("%d slots, want one per target", n)
	}
}

func TestKeepLatestWhileBuffersAreAtDifferentPlaces(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		r := newRig(t)
		var targets []connector.Target
		for p := uint32(1); p <= 5; p++ {
			targets = append(targets, at(p, 1, p, asdu.M_ME_NB_1, point.Int, latest))
		}
		r.targets(targets)
		var sessions []*session
		var waiting [3][]uint32 // the points of each session, in order
		for range waiting {
			sessions = append(sessions, r.join().settle())
		}
		for i := range int64(200) {
			p := 1 + rnd.Uint32N(5)
			r.publish(news(p, point.IntValue(i)))
			for j := range waiting {
				waiting[j] = append(slices.DeleteFunc(waiting[j], func(o uint32) bool { return o == p }), p)
			}
			j := rnd.IntN(len(waiting))
			for _, e := range take(sessions[j], rnd.IntN(4)) {
				if e.IOA != waiting[j][0] {
					t.Fatalf("seed %d: event of point %d, want the first of %v", seed, e.IOA, waiting[j])
				}
				waiting[j] = waiting[j][1:]
			}
		}
		for j, s := range sessions {
			if n := len(take(s, 10)); n != len(waiting[j]) {
				t.Fatalf("seed %d: %d events are left, want %d", seed, n, len(waiting[j]))
			}
		}
	}
}

func TestLateChangeDoesNotReplaceTheLatest(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_TE_1, point.Int, latest)})
	s := r.join().settle()
	r.ints(2)
	late := news(1, point.IntValue(1))
	late.Flags, late.Time = point.Late, late.Time-1
	r.publish(late)
	s.wants(t, 2)
}

func TestKeepLatestOfRemovedTargets(t *testing.T) {
	r := newRig(t)
	target := func(p uint32) connector.Target { return at(p, 1, p, asdu.M_ME_NB_1, point.Int, latest) }
	r.targets([]connector.Target{target(1), target(2), target(3)})
	s, other := r.join().settle(), r.join().settle()
	r.publish(news(1, point.IntValue(1)), news(2, point.IntValue(2)), news(3, point.IntValue(3)))
	expect(t, brief(take(other, 2)), "M_ME_NB_1 1/1 1 0", "M_ME_NB_1 1/2 2 0")
	r.targets([]connector.Target{target(1), target(3), target(4)})
	r.publish(news(4, point.IntValue(4)))
	expect(t, brief(take(s, 10)), "M_ME_NB_1 1/1 1 0", "M_ME_NB_1 1/3 3 0", "M_ME_NB_1 1/4 4 0")
	expect(t, brief(take(other, 10)), "M_ME_NB_1 1/3 3 0", "M_ME_NB_1 1/4 4 0")
	if n := r.figure(func(f figures) uint64 { return f.removed }); n != 1 {
		t.Errorf("%d events of removed targets counted, want 1", n)
	}
	if n := len(r.events.newest.slots); n != 3 {
		t.Errorf("%d slots, want that of the removed target used again", n)
	}
}

func TestPriorityOfStatus(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Priority = "status" })
	r.targets([]connector.Target{
		at(1, 1, 1, asdu.M_ME_NB_1, point.Int), at(2, 1, 2, asdu.M_SP_NA_1, point.Single), at(3, 1, 3, asdu.M_IT_NA_1, point.Counter),
		at(4, 1, 4, asdu.M_ST_NA_1, point.Step, latest), at(5, 1, 5, asdu.M_ME_NB_1, point.Int, latest),
	})
	s := r.join().settle()
	r.publish(news(5, point.IntValue(50)))
	r.ints(1, 2)
	r.publish(news(3, point.CounterValue(7)), news(2, point.SingleValue(true)), news(4, point.StepValue(3, false)), news(2, point.SingleValue(false)))
	r.ints(3)
	i := s.Interrogate(1, 20)
	expect(t, brief(take(s, 3)), "M_SP_NA_1 1/2 1 0", "M_ST_NA_1 1/4 3 0", "M_SP_NA_1 1/2 0 0")
	r.publish(news(2, point.SingleValue(true)))
	expect(t, brief(take(s, 3)), "M_SP_NA_1 1/2 1 0", "M_IT_NA_1 1/3 7 0", "M_ME_NB_1 1/5 50 0")
	if n, done := i.Next(nil); n != 0 || done {
		t.Error("an interrogation overtakes measured values that waited")
	}
	s.wants(t, 1, 2, 3)
	r.ints(4)
	// A point with an event that waits is answered after it, the others before.
	items := make([]string, 0, 4)
	for done := false; !done; {
		var n int
		buf := make([]iec104.Item, 1)
		if n, done = i.Next(buf); n == 0 && !done {
			expect(t, items, "M_SP_NA_1 2 1 0", "M_ST_NA_1 4 3 0")
			s.wants(t, 4)
		}
		items = append(items, briefItems(buf[:n])...)
	}
	expect(t, items, "M_SP_NA_1 2 1 0", "M_ST_NA_1 4 3 0", "M_ME_NB_1 1 4 0", "M_ME_NB_1 5 50 0")
}

func TestPriorityKeepsTheOrderOfAPointThatChangesItsClass(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Priority = "status" })
	r.targets(oneInt())
	s := r.join().settle()
	r.ints(0, 1)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_SP_NA_1, point.Int)})
	r.ints(0)
	expect(t, brief(take(s, 10)), "M_SP_NA_1 1/1 0 0")
}

// reference is what a group should get: every event that waits, in order.
type reference struct {
	waiting, taken []int64
	confirmed      []int64 // since its place was last saved
}

// TestRandomSchedulesOfAGroup plays connections that come, start, stop, break and
// confirm, and processes that end without warning, and compares what the connections get
// with a simple model.
func TestRandomSchedulesOfAGroup(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		r := newRig(t, pair())
		r.targets(oneInt())
		r.greeted[caller{peer: addressA}], r.greeted[caller{peer: addressB}] = true, true
		var open []*session
		var owner *session
		var m reference
		next := int64(0)
		rewind := func() { m.waiting, m.taken = append(m.taken, m.waiting...), nil }
		for range 400 {
			if len(open) == 0 {
				open = append(open, r.open(addressA))
			}
			at := rnd.IntN(len(open))
			s := open[at]
			step := rnd.IntN(9)
			if step == 8 && rnd.IntN(4) == 0 {
				step = 9
			}
			if superseded(s) && (step == 3 || step == 4) {
				continue // it is being closed
			}
			switch step {
			case 0, 1:
				next++
				r.ints(next)
				if owner != nil || len(r.groups) > 0 {
					m.waiting = append(m.waiting, next)
				}
			case 2:
				if len(open) < 4 {
					peers := [...]netip.Addr{addressA, addressB}
					open = append(open, r.open(peers[rnd.IntN(2)]))
				}
			case 3:
				was := s.started
				s.Started(true)
				if s != owner && !was {
					if owner != nil && owner.started {
						if !superseded(owner) {
							t.Fatalf("seed %d: two connections are started", seed)
						}
					}
					rewind()
					owner = s
				}
			case 4:
				if s.started {
					n := 0
					if s == owner {
						n = rnd.IntN(len(m.taken) + 1)
						s.conn.(*fakeConn).unsent = n
						kept := len(m.taken) - n
						m.waiting = append(append([]int64{}, m.taken[kept:]...), m.waiting...)
						m.taken = m.taken[:kept]
					}
					s.Started(false)
				}
			case 5:
				s.Closed(nil)
				open = append(open[:at], open[at+1:]...)
				if s == owner {
					rewind()
					owner = nil
				}
			case 6:
				got := take(s, 1+rnd.IntN(5))
				for _, e := range got {
					if e.Type == asdu.M_EI_NA_1 {
						t.Fatalf("seed %d: end of initialisation is not expected", seed)
					}
					if s != owner || len(m.waiting) == 0 || m.waiting[0] != int64(e.Int()) {
						t.Fatalf("seed %d: event %d, want one of %v, of the owner %v", seed, e.Int(), m.waiting, s == owner)
					}
					m.taken, m.waiting = append(m.taken, m.waiting[0]), m.waiting[1:]
				}
			case 7:
				n := rnd.IntN(3)
				if s == owner {
					n = min(n, len(m.taken))
					m.confirmed = append(m.confirmed, m.taken[:n]...)
					m.taken = m.taken[n:]
				}
				s.Confirm(n)
			case 8:
				r.save()
				m.confirmed = nil
			case 9:
				known := len(r.feed.cursors) > 0
				r.restart()
				r.greeted[caller{peer: addressA}], r.greeted[caller{peer: addressB}] = true, true
				open, owner = nil, nil
				rewind()
				m.waiting, m.confirmed = append(m.confirmed, m.waiting...), nil
				if !known { // the group is not known yet: it begins with the new process
					m.waiting = nil
				}
			}
		}
	}
}
