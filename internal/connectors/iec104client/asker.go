package iec104client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"busbar/iec104"
	"busbar/internal/point"
)

// station is what is asked of one common address.
type station struct {
	answered bool   // the general interrogation, since data transfer began
	starts   uint32 // of data transfer
	restarts uint32
	jobs     [jobs]job
}

// The jobs of a station, in the order in which they are done.
const (
	syncClock = iota
	interrogate
	readCounters
	jobs
)

// job is a request that is repeated.
type job struct {
	due      time.Time // zero: it is not
	failures int
	freeze   bool // of counters: their period has ended
}

// want sees to it that the stations of the plan are asked, and those of cas
// interrogated at once. all nil: the plan is the same. The caller holds mu.
func (c *Client) want(all, cas []uint16) {
	for _, ca := range all {
		if c.asked[ca] == nil {
			c.asked[ca] = &station{}
			c.asked[ca].connected(c.env.Now(), &c.settings)
		}
	}
	for ca := range c.asked {
		if all != nil && !slices.Contains(all, ca) {
			delete(c.asked, ca)
		}
	}
	for _, ca := range cas {
		if s := c.asked[ca]; s != nil {
			s.restarts++
			s.answered = false
			s.jobs[interrogate] = job{due: c.env.Now()}
			c.system("interrogated", point.SingleValue(false))
		}
	}
	c.nudge()
}

// nudge has the asker look what is to be done.
func (c *Client) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// connected makes everything due that is asked after data transfer has begun.
func (s *station) connected(now time.Time, settings *Settings) {
	s.answered = false
	s.starts++
	s.jobs = [jobs]job{}
	s.jobs[interrogate].due = now
	if settings.Clock != 0 {
		s.jobs[syncClock].due = now
	}
	if settings.Counters != 0 {
		s.jobs[readCounters].due = now
	}
}

// moved takes an event of a connection.
func (c *Client) moved(e iec104.LinkEvent) {
	c.attend(e)
	started, stopped := c.note(&e)
	switch {
	case started:
		c.figures.starts.Add(1)
		c.intake.resumed()
		c.mu.Lock()
		for _, s := range c.asked {
			s.connected(c.env.Now(), &c.settings)
		}
		c.mu.Unlock()
		c.env.Sink.Back(false)
		c.nudge()
	case stopped:
		c.figures.losses.Add(1)
		reason := "data transfer has ended"
		if e.Err != nil {
			reason = e.Err.Error()
		}
		c.system("interrogated", point.SingleValue(false))
		c.env.Sink.Away(reason, false)
	}
}

// ask asks the station for what is due, until ctx ends.
func (c *Client) ask(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		changed := c.refresh()
		c.intake.takeHeld(ctx)
		ca, which, wait := c.next()
		if wait <= 0 {
			c.do(ctx, ca, which)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-c.wake:
		case <-ctx.Done():
		}
	}
}

// lookEvery is how often the asker looks at the clock of the station at least.
const lookEvery = 30 * time.Second

// next returns the next job and how long it is until then.
func (c *Client) next() (ca uint16, which int, wait time.Duration) {
	started := c.started()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.env.Now()
	wait = lookEvery
	if due := c.intake.nextHeld(); !due.IsZero() {
		wait = max(time.Millisecond, due.Sub(now))
	}
	if !started {
		return 0, 0, wait
	}
	c.sample()
	for which := range jobs {
		for _, a := range c.plan.cas {
			s := c.asked[a]
			if s == nil || s.jobs[which].due.IsZero() {
				continue
			}
			switch d := s.jobs[which].due.Sub(now); {
			case d <= 0:
				return a, which, 0
			case d < wait:
				wait = d
			}
		}
	}
	return 0, 0, wait
}

// do does a job, and says when it is due again.
func (c *Client) do(ctx context.Context, ca uint16, which int) {
	c.mu.Lock()
	s := c.asked[ca]
	if s == nil {
		c.mu.Unlock()
		return
	}
	begun := *s
	c.mu.Unlock()
	err := c.request(ctx, ca, which, begun.jobs[which].freeze)
	c.done(ctx, ca, which, &begun, err)
}

// longestRequest is after what time a request is given up whose answer goes on and
// on, so that the others have their turn.
const longestRequest = 10 * time.Minute

// request makes the request of a job.
func (c *Client) request(ctx context.Context, ca uint16, which int, freeze bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, longestRequest)
	defer cancel()
	switch which {
	case syncClock:
		if _, err = c.link.Load().ClockSync(ctx, ca, nil); err == nil {
			c.book.Synchronised(c.connection(), 0)
		}
	case interrogate:
		err = c.interrogate(ctx, ca)
	case readCounters:
		err = c.readCounters(ctx, ca, freeze)
	}
	return err
}

// done takes the end of a job.
func (c *Client) done(ctx context.Context, ca uint16, which int, begun *station, err error) {
	if ctx.Err() != nil || errors.Is(err, iec104.ErrClosed) || errors.Is(err, iec104.ErrNotStarted) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if s := c.asked[ca]; s != nil && s.starts == begun.starts {
			s.jobs = [jobs]job{} // all is due again when data transfer has begun anew
		}
		return
	}
	c.figures.asked(which, err)
	what := fmt.Sprintf("%s of common address %d", jobNames[which], ca)
	if err == nil {
		c.fault(what, "")
	} else {
		c.env.Log.Warn("request to the station failed", "request", jobNames[which], "ca", ca, "error", err)
		c.fault(what, what+": "+describe(err))
	}
	c.mu.Lock()
	s := c.asked[ca]
	if s == nil || s.starts != begun.starts || which == interrogate && s.restarts != begun.restarts {
		c.mu.Unlock()
		return // it is due again already
	}
	now := c.env.Now()
	j := &s.jobs[which]
	if err != nil {
		j.failures++
		j.due = now.Add(retry(j.failures))
		c.mu.Unlock()
		return
	}
	*j = job{due: c.settings.again(which, now), freeze: true}
	if which == interrogate {
		s.answered = true
	}
	all := c.allAnswered()
	c.mu.Unlock()
	if all {
		c.intake.unkept.Store(false)
		c.system("interrogated", point.SingleValue(true))
	}
}

// interrogated reports whether a station has answered an interrogation, or not, since
// data transfer began. The caller holds mu.
func (c *Client) interrogated(ca uint16) bool {
	s := c.asked[ca]
	return s != nil && (s.answered || s.jobs[interrogate].failures > 0)
}

// allAnswered reports whether every station was interrogated since data transfer began.
func (c *Client) allAnswered() bool {
	for _, ca := range c.plan.cas {
		if s := c.asked[ca]; s == nil || !s.answered {
			return false
		}
	}
	return true
}

var jobNames = [jobs]string{"clock synchronisation", "interrogation", "counter interrogation"}

// retry returns how long it is until a request is made again that has failed for the
// n-th time.
func retry(n int) time.Duration {
	const least, most = 10 * time.Second, 5 * time.Minute
	return min(least<<min(n-1, 10), most)
}

// again returns when a job is due again that was done; zero: it is not.
func (s *Settings) again(which int, now time.Time) time.Time {
	switch period := [jobs]Period{s.Clock, s.GI, s.Counters}[which]; {
	case period == 0:
		return time.Time{}
	case which == readCounters:
		return aligned(now, time.Duration(period), s.Time.Location)
	default:
		return now.Add(time.Duration(period))
	}
}

// aligned returns the next end of a period, counted from midnight on the clock of a
// zone.
func aligned(now time.Time, period time.Duration, zone *time.Location) time.Time {
	local := now.In(zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
	wall := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	next := (wall/period + 1) * period
	at := time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 0, 0, int(next/time.Second), 0, zone)
	if !at.After(now) { // the clock was put back
		at = now.Add(period)
	}
	return at
}

// interrogate makes a general interrogation. Points that should be in the answer and
// are not become not topical.
func (c *Client) interrogate(ctx context.Context, ca uint16) error {
	c.mu.Lock()
	c.round++
	round := c.round
	c.mu.Unlock()
	if _, err := c.link.Load().Interrogate(ctx, ca, generalInterrogation); err != nil {
		return err
	}
	c.mu.Lock()
	keys := c.plan.silent(ca, round)
	c.mu.Unlock()
	if len(keys) > 0 {
		c.figures.missing.Add(uint64(len(keys)))
		c.env.Log.Warn("points are missing in the interrogation", "ca", ca, "points", len(keys), "first_ioa", keys[0]&(1<<caShift-1))
		c.env.Readings.Missing(keys)
	}
	return nil
}

const (
	generalInterrogation = 20
	generalCounters      = 5 // RQT: all
	freezeNone           = 0 // FRZ: read
	freezeOnly           = 1
	freezeWithReset      = 2
)

// readCounters reads the counters, and freezes them before if their period has ended.
func (c *Client) readCounters(ctx context.Context, ca uint16, periodEnded bool) error {
	rqt := uint8(generalCounters)
	if g := c.settings.CounterGroup; g != 0 {
		rqt = uint8(g)
	}
	freeze := map[string]uint8{"freeze": freezeOnly, "reset": freezeWithReset}[c.settings.CounterFreeze]
	if freeze != 0 && periodEnded {
		if _, err := c.link.Load().Counters(ctx, ca, rqt, freeze); err != nil {
			return fmt.Errorf("freeze: %w", err)
		}
	}
	_, err := c.link.Load().Counters(ctx, ca, rqt, 0)
	return err
}

// sample tells of the clock of the station. The caller holds mu.
func (c *Client) sample() {
	behind, ok := c.clock.get()
	if !ok {
		return
	}
	c.system("clock-offset", point.FloatValue(behind.Round(time.Millisecond).Seconds()))
	text := ""
	if behind.Abs() >= noticeable {
		text = fmt.Sprintf("clock of the station differs by %s", (-behind).Round(time.Millisecond))
	}
	c.fault("clock", text)
}

// describe makes the reason of a status of the error of a request.
func describe(err error) string {
	var negative *iec104.NegativeError
	switch {
	case errors.As(err, &negative) && negative.Cause.Unknown():
		return "refused, " + negative.Cause.String()
	case negative != nil:
		return "refused"
	case errors.Is(err, iec104.ErrIncomplete), errors.Is(err, context.DeadlineExceeded):
		return "the answer was not completed"
	case errors.Is(err, iec104.ErrTimeout):
		return "no answer"
	default:
		return err.Error()
	}
}
