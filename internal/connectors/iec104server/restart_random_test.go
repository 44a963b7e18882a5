package iec104server

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// life is the events of a target as a group should get them. What is in it is told
// by the time tags, which count milliseconds.
type life struct {
	events    []int // the time tags
	confirmed int   // how many the group has confirmed
	saved     int   // how many when its place was last saved
	next      int   // the next event to come; unknown: it is told by the first that comes
}

const unknown = -1

// customer is a group with one connection at a time.
type customer struct {
	peer   netip.Addr
	s      *session
	lives  map[uint32]*life
	flight []uint32 // the targets of the events on their way
}

// scene is a server with two groups that is restarted again and again.
type scene struct {
	t         *testing.T
	r         *rig
	rnd       *rand.Rand
	customers []*customer
	exact     map[uint32]bool // targets of the class of their point: nothing comes twice but what is confirmed later
	ms        int
}

// sceneTargets has types of the class of their point, and of others.
func sceneTargets() []connector.Target {
	return []connector.Target{
		at(1, 1, 1, asdu.M_ME_TE_1, point.Int), at(2, 1, 2, asdu.M_SP_TB_1, point.Single), at(3, 1, 3, asdu.M_IT_TB_1, point.Counter),
		at(4, 1, 4, asdu.M_SP_TB_1, point.Int), at(5, 1, 5, asdu.M_ME_TE_1, point.Counter), at(6, 1, 6, asdu.M_ME_TD_1, point.Step),
		at(7, 1, 7, asdu.M_ME_TF_1, point.Float),
	}
}

func newScene(t *testing.T, seed uint64, priority string, mixed bool) *scene {
	r := newRig(t, twoGroups(), func(s *Settings) { s.Priority = priority })
	targets := sceneTargets()
	if !mixed {
		targets = append(targets[:3:3], targets[6])
	}
	r.targets(targets)
	s := &scene{t: t, r: r, rnd: rand.New(rand.NewPCG(seed, 11))}
	for _, peer := range []netip.Addr{addressA, addressB} {
		c := &customer{peer: peer, lives: map[uint32]*life{}}
		for _, g := range targets {
			c.lives[uint32(g.ID)] = &life{}
		}
		s.customers = append(s.customers, c)
	}
	r.restart() // the groups begin here
	r.save()
	s.freeze() // from now on running counts are no events
	return s
}

func (s *scene) tick() {
	s.ms++
	s.r.pass(time.Millisecond)
}

// expects notes an event of a target for both groups.
func (s *scene) expects(target uint32) {
	for _, c := range s.customers {
		c.lives[target].events = append(c.lives[target].events, s.ms)
	}
}

func (s *scene) publish() {
	s.tick()
	target := s.r.served[s.rnd.IntN(len(s.r.served))]
	p := uint32(target.Point)
	n := int64(s.ms)
	var v point.Value
	switch target.Type {
	case point.Single:
		v = point.SingleValue(len(s.customers[0].lives[p].events)%2 == 0)
	case point.Counter:
		v = point.CounterValue(n)
	case point.Step:
		v = point.StepValue(s.ms%64, false)
	case point.Float:
		v = point.FloatValue(float64(n))
	default:
		v = point.IntValue(n)
	}
	c := news(p, v)
	c.Time = point.InstantOf(s.r.now())
	s.r.publish(c)
	if s.r.journal[len(s.r.journal)-1].Events != 0 && p != 3 {
		s.expects(p)
	}
}

// freeze freezes the counter.
func (s *scene) freeze() {
	s.tick()
	s.r.mu.Lock()
	waiting := len(s.r.kept)
	s.r.mu.Unlock()
	if waiting > 0 {
		return // not twice before it has come back
	}
	s.r.station.mu.Lock()
	err := s.r.freeze(s.r.table.totalsOf([]uint32{s.r.table.counters[0].row}), freezeOnly, s.r.now())
	s.r.station.mu.Unlock()
	if err != nil {
		s.t.Fatal(err)
	}
	s.expects(3)
}

// connect breaks the connection of a group, if there is one, and establishes a new one.
func (s *scene) connect(c *customer) {
	if c.s != nil {
		c.s.Closed(nil)
	}
	s.r.greeted[caller{peer: c.peer}] = true
	c.s = s.r.joinFrom(c.peer)
	c.flight = nil
	for _, l := range c.lives {
		if l.next != unknown {
			l.next = l.confirmed
		}
	}
}

func (s *scene) take(c *customer, n int) {
	for _, e := range take(c.s, n) {
		l := c.lives[e.IOA]
		at, _ := e.Time.Date(nil)
		ms := int(at.Sub(epoch) / time.Millisecond)
		if l.next == unknown {
			for l.next = 0; l.next < len(l.events) && l.events[l.next] < ms; l.next++ {
			}
			if l.next > l.confirmed || s.exact[e.IOA] && l.next < l.confirmed {
				s.t.Fatalf("target %d begins with event %d after a restart, %d were confirmed when it was saved", e.IOA, l.next, l.confirmed)
			}
			l.confirmed = l.next
		}
		if l.next >= len(l.events) || l.events[l.next] != ms {
			s.t.Fatalf("target %d: event of %d ms, want number %d of %v", e.IOA, ms, l.next, l.events)
		}
		l.next++
		c.flight = append(c.flight, e.IOA)
	}
}

func (s *scene) confirm(c *customer, n int) {
	n = min(n, len(c.flight))
	for _, target := range c.flight[:n] {
		c.lives[target].confirmed++
	}
	c.flight = c.flight[n:]
	c.s.Confirm(n)
}

func (s *scene) save() {
	s.r.save()
	for _, c := range s.customers {
		for _, l := range c.lives {
			l.saved = l.confirmed
		}
	}
}

// restart ends the process. Where types are of another class than their point,
// events may come again that were confirmed before the place was saved.
func (s *scene) restart() {
	s.r.restart()
	for _, c := range s.customers {
		c.s, c.flight = nil, nil
		for _, l := range c.lives {
			l.next, l.confirmed = unknown, min(l.confirmed, l.saved)
		}
	}
}

// rerun ends the run of the server, and lets something happen before the next one.
func (s *scene) rerun() {
	for _, c := range s.customers {
		c.s, c.flight = nil, nil
	}
	s.r.rerun()
}

func (s *scene) step() {
	c := s.customers[s.rnd.IntN(len(s.customers))]
	switch n := s.rnd.IntN(20); {
	case n < 8:
		s.publish()
	case n < 9:
		s.freeze()
	case n < 10 || c.s == nil:
		s.connect(c)
	case n < 14:
		s.take(c, 1+s.rnd.IntN(6))
	case n < 17:
		s.confirm(c, 1+s.rnd.IntN(6))
	case n < 19:
		s.save()
	case s.rnd.IntN(3) == 0:
		s.restart()
	case s.rnd.IntN(3) == 0:
		s.rerun()
	}
}

// finish lets both groups get everything.
func (s *scene) finish() {
	s.r.publish()
	for _, c := range s.customers {
		s.connect(c)
		for len(c.flight) == 0 || len(take(c.s, 0)) > 0 {
			before := len(c.flight)
			s.take(c, 1000)
			if len(c.flight) == before {
				break
			}
		}
		for target, l := range c.lives {
			if l.next != len(l.events) && !(l.next == unknown && l.confirmed == len(l.events)) {
				s.t.Fatalf("group %s got %d of the %d events of target %d", c.peer, l.next, len(l.events), target)
			}
		}
	}
}

func TestRandomRestarts(t *testing.T) {
	for _, priority := range []string{"occurrence", "status"} {
		for _, mixed := range []bool{false, true} {
			for seed := range uint64(100) {
				s := newScene(t, seed, priority, mixed)
				if !mixed {
					s.exact = map[uint32]bool{1: true, 2: true, 3: true, 7: true}
				}
				for range 600 {
					s.step()
				}
				s.finish()
				if t.Failed() {
					t.Fatalf("seed %d, priority %s, mixed %v", seed, priority, mixed)
				}
			}
		}
	}
}
