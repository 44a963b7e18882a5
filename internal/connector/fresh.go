package connector

import (
	"context"
	"time"

	"busbar/internal/image"
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
	if s.closed {
		return
	}
	if s.absence.since == 0 {
		s.absence.since, s.absence.byHost = s.clock.tick(), byHost
	}
	s.absence.byHost = s.absence.byHost && byHost
	s.sweep(atOnce)
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
	now := s.clock.now()
	var batch []point.Update
	for i := range s.groups {
		for _, p := range s.groups[i].points {
			h := s.table.of(p)
			marks := h.marks.Load()
			if marks&markAway == 0 {
				continue
			}
			h.marks.Store(marks &^ (markAway | markAdded))
			if lossless && marks&markAdded != 0 && marks&markStale == 0 {
				batch = requalify(s.img, batch, p, 0, s.groups[i].away(), now)
			}
		}
	}
	s.publish(batch)
}

// check is called every second: it finds values that have become too old, and
// those that came while the source was away and have outlived their hold time.
func (s *sink) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.sweep(false)
	}
}

// sweep sets what is due, and sets the timer for the next hold time that ends.
// With atOnce no point has a hold time.
func (s *sink) sweep(atOnce bool) {
	now := s.clock.now()
	mono := s.clock.tickOf(now)
	var batch []point.Update
	for i := range s.groups {
		g := &s.groups[i]
		if g.validity > 0 {
			batch = s.sweepStale(batch, g, now)
		}
		if s.absence.since != 0 {
			batch = s.sweepAway(batch, g, now, atOnce)
		}
	}
	s.publish(batch)
	s.arm(mono)
}

func (s *sink) sweepStale(batch []point.Update, g *freshGroup, now time.Time) []point.Update {
	mono, wall := s.clock.tickOf(now), point.InstantOf(now)
	for _, p := range g.points {
		h := s.table.of(p)
		at, marks := tick(h.at.Load()), h.marks.Load()
		if at == 0 || marks&markStale != 0 {
			continue
		}
		age := time.Duration(mono - at)
		if g.sinceSource {
			state, _ := s.img.State(p)
			age = time.Duration(wall - state.Time)
		}
		if age >= g.validity {
			h.marks.Store(marks&^markAdded | markStale)
			batch = requalify(s.img, batch, p, g.stale(), 0, now)
		}
	}
	return batch
}

func (s *sink) sweepAway(batch []point.Update, g *freshGroup, now time.Time, atOnce bool) []point.Update {
	mono := s.clock.tickOf(now)
	for _, p := range g.points {
		h := s.table.of(p)
		at, marks := tick(h.at.Load()), h.marks.Load()
		// A value that came while the source was away has its own hold time.
		held := !atOnce && mono < max(at, s.absence.since)+tick(g.hold)
		if at == 0 || held || marks&(markAway|markStale) != 0 {
			continue
		}
		marks |= markAway
		before := len(batch)
		if batch = requalify(s.img, batch, p, g.away(), 0, now); len(batch) > before {
			marks |= markAdded
		}
		h.marks.Store(marks)
	}
	return batch
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
			s.absence.timer = time.AfterFunc(time.Duration(due-mono), s.check)
		} else {
			s.absence.timer.Reset(time.Duration(due - mono))
		}
		return
	}
}

// requalify appends a change of quality, if it is one.
func requalify(img image.Image, batch []point.Update, p point.Index, set, unset point.Quality, now time.Time) []point.Update {
	state, ok := img.State(p)
	q := state.Quality&^unset | set
	if !ok || q == state.Quality {
		return batch
	}
	return append(batch, point.Update{
		Point: p, Quality: q, TimeQuality: state.TimeQuality, Arrival: point.InstantOf(now), Flags: point.KeepValue,
	})
}

// publish publishes changes of quality. They come from the host itself, so
// nobody waits for them to be kept; a failed image refuses the next message
// too, and shows it there.
func (s *sink) publish(batch []point.Update) {
	if len(batch) == 0 {
		return
	}
	if err := s.img.Publish(context.Background(), batch, nil); err != nil {
		s.counts.refused.Add(1)
	}
}

// forget drops what the points owe to the instance of the connector before
// this one: what it calls lossless says nothing about them.
func (s *sink) forget() {
	for i := range s.groups {
		for _, p := range s.groups[i].points {
			s.table.of(p).marks.Store(0)
		}
	}
}

// close ends the timers, and delivery.
func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.absence.timer != nil {
		s.absence.timer.Stop()
	}
}
