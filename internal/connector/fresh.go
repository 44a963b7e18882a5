package connector

import (
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// freshGroup are the points of one source that age alike.
type freshGroup struct {
	freshRule
	points []point.Index
}

// freshRule says when a point loses its quality.
type freshRule struct {
	hold        time.Duration // how long the source may be away
	validity    time.Duration // how old a value may become; 0: it does not age
	sinceSource bool          // age counts from the source time
	counter     bool          // has no NT: IV says it instead
}

func ruleOf(p *plant.Point, defaultHold time.Duration) freshRule {
	rule := freshRule{hold: p.Hold, validity: p.Validity, sinceSource: p.SinceSource, counter: p.Type == point.Counter}
	if p.Hold < 0 {
		rule.hold = defaultHold
	}
	return rule
}

// away is the quality that says that the source cannot be heard.
func (r freshRule) away() point.Quality {
	if r.counter {
		return point.Invalid
	}
	return point.NotTopical
}

// stale is the quality that says that the value is too old.
func (r freshRule) stale() point.Quality {
	if r.counter {
		return point.Invalid
	}
	return point.Invalid | point.NotTopical
}

// absence is since when, and for whom, a source cannot be heard.
type absence struct {
	since  tick // 0: it can be heard
	byHost bool // found by the host; the states Up and Degraded end it
	timer  *time.Timer
}

// Away implements [Sink].
func (s *sink) Away(reason string, now bool) {
	s.log.Info("source away", "reason", reason, "last_will", now)
	s.lost(false, now)
}

// unattended tells that the connector does not run, or has not yet reached its source.
func (s *sink) unattended() { s.lost(true, false) }

func (s *sink) lost(byHost, atOnce bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ending.Load() {
		return
	}
	if s.absence.since == 0 {
		s.absence.since, s.absence.byHost = s.clock.tick(), byHost
	}
	if atOnce {
		s.mark(markWill)
	}
	s.absence.byHost = s.absence.byHost && byHost
	s.sweep()
}

// mark sets marks of all points.
func (s *sink) mark(marks uint32) {
	for i := range s.groups {
		for _, p := range s.groups[i].points {
			h := s.table.of(p)
			h.mark(h.marks() | marks)
		}
	}
}

// Back implements [Sink].
func (s *sink) Back(lossless bool) {
	s.log.Info("source back", "lossless", lossless)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.returned(lossless)
}

// attended tells that the connector says it is up, where it has not said more.
func (s *sink) attended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.absence.byHost {
		s.returned(false)
	}
}

// returned ends the absence. What was lost meanwhile cannot be known later, so
// a return with loss makes every NT last until the next update.
func (s *sink) returned(lossless bool) {
	if s.absence.timer != nil {
		s.absence.timer.Stop()
	}
	if s.absence.since == 0 || s.closed {
		return
	}
	s.absence = absence{}
	if lossless {
		s.clear()
		return
	}
	for i := range s.groups {
		for _, p := range s.groups[i].points {
			h := s.table.of(p)
			if marks := h.marks(); marks != 0 {
				h.mark(marks &^ (markAway | markAdded | markWill))
			}
		}
	}
}

// clear takes back what the absence, or the restart of the process before it, has
// done to the quality.
func (s *sink) clear() {
	r := s.ledger.requalifier()
	for i := range s.groups {
		for _, p := range s.groups[i].points {
			h, c := s.table.of(p), requality{point: p}
			switch marks := h.marks(); {
			case marks&(markAway|markRestored) == 0:
				h.mark(marks &^ markWill)
				continue
			case marks&markStale != 0:
				c.marks = markStale
			case marks&markAdded != 0:
				c.unset = s.groups[i].away()
				if marks&markRestored != 0 {
					c.flags = point.Restored
				}
			default:
				c.marks = marks & (markRestored | markOwed)
			}
			r.add(c)
		}
	}
	s.settle(&r)
}

// check is called every second: it finds values that have become too old, and
// those that came while the source was away and have outlived their hold time.
// It reports whether points come from the connector.
func (s *sink) check() (sourced bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sourced = len(s.groups) > 0
	if s.closed {
		return sourced
	}
	s.sweep()
	return sourced
}

// sweep sets what is due, and sets the timer for the next hold time that ends.
func (s *sink) sweep() {
	now := s.clock.now()
	r := s.ledger.requalifier()
	for i := range s.groups {
		if g := &s.groups[i]; g.validity > 0 || s.absence.since != 0 {
			s.sweepGroup(&r, g, now)
		}
	}
	s.settle(&r)
	s.arm(s.clock.tickOf(now))
}

func (s *sink) sweepGroup(r *requalifier, g *freshGroup, now time.Time) {
	mono := s.clock.tickOf(now)
	for _, p := range g.points {
		h := s.table.of(p)
		at, marks := h.get()
		if at == 0 || marks&markStale != 0 {
			continue
		}
		// NT of a restart was no event: what happens now is one.
		c := requality{point: p, force: marks&markRestored != 0}
		switch {
		case g.validity > 0 && s.age(g, p, at, now) >= g.validity:
			c.set, c.marks = g.stale(), markStale
		case s.absence.since == 0 || marks&markAway != 0:
			continue
		case marks&markWill == 0 && mono < max(at, s.absence.since)+tick(g.hold): // a value that came while the source was away has its own hold time
			continue
		default:
			c.set, c.marks = g.away(), markAway|marks&markAdded
			if marks&markOwed == 0 { // otherwise it is from before, see requalifier.owe
				c.changed = markAdded
			}
		}
		r.add(c)
	}
}

// age is how old the value of a point is.
func (s *sink) age(g *freshGroup, p point.Index, at tick, now time.Time) time.Duration {
	if !g.sinceSource {
		return time.Duration(s.clock.tickOf(now) - at)
	}
	state, _ := s.img.Beneath(p)
	return time.Duration(point.InstantOf(now) - state.Time)
}

// arm sets the timer for the next end of a hold time. Those of values that
// came while the source was away are found by check.
func (s *sink) arm(mono tick) {
	if s.absence.since == 0 {
		return
	}
	for i := range s.groups {
		due := s.absence.since + tick(s.groups[i].hold)
		if due <= mono {
			continue
		}
		if s.absence.timer == nil {
			s.absence.timer = time.AfterFunc(time.Duration(due-mono), func() { s.check() })
		} else {
			s.absence.timer.Reset(time.Duration(due - mono))
		}
		return
	}
}

// settle ends changes of quality. What the image refuses is tried again every second.
func (s *sink) settle(r *requalifier) {
	r.close()
	if r.err != nil {
		s.counts.refused.Add(1)
		s.log.Warn("quality of points is not kept, tried again every second", "points", len(r.owing), "error", r.err)
	}
}

// forget drops what the points owe to the instance of the connector before
// this one: what it calls lossless says nothing about them.
func (s *sink) forget() {
	for i := range s.groups {
		for _, p := range s.groups[i].points {
			h := s.table.of(p)
			h.mark(h.marks() & (markRestored | markOwed))
		}
	}
}

// end tells that the connector is told to stop: that it leaves its source then
// says nothing about the values. It waits for no message.
func (s *sink) end() { s.ending.Store(true) }

// close ends the timers, and delivery.
func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.absence.timer != nil {
		s.absence.timer.Stop()
	}
}
