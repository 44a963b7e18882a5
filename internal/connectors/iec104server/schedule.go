package iec104server

import (
	"math/bits"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// schedule is the rows that are sent again and again with the same period and
// cause. They are spread evenly over the period, so that they come as no burst;
// the moment of each follows from the clock alone.
type schedule struct {
	cause  asdu.Cause // cyclic or background
	period time.Duration
	rows   []uint32
}

// schedule enters a row in the schedules that it takes part in.
func (t *table) schedule(at uint32, r *rule) {
	if r.cyclic != 0 {
		t.enter(asdu.Cyclic, r.cyclic, at)
	}
	if r.background != 0 {
		t.enter(asdu.Background, r.background, at)
	}
	if r.freeze != 0 {
		t.enter(frozen, r.freeze, at)
	}
}

func (t *table) enter(cause asdu.Cause, period time.Duration, at uint32) {
	for i := range t.schedules {
		if s := &t.schedules[i]; s.cause == cause && s.period == period {
			s.rows = append(s.rows, at)
			return
		}
	}
	t.schedules = append(t.schedules, schedule{cause: cause, period: period, rows: []uint32{at}})
}

// due returns how many transmissions there were until t, since 1970. It grows by
// the number of rows in each period.
func (s *schedule) due(t time.Time) int64 {
	n := uint64(len(s.rows))
	whole, into := uint64(t.UnixNano())/uint64(s.period), uint64(t.UnixNano())%uint64(s.period)
	high, low := bits.Mul64(into, n)
	part, _ := bits.Div64(high, low, uint64(s.period))
	return int64(whole*n + part)
}

// scan is the place of a session in a schedule.
type scan struct {
	cause  asdu.Cause
	period time.Duration
	rows   int       // of the schedule when it was last looked at
	sent   int64     // transmissions, as of due
	at     time.Time // when it was last looked at
}

// scan returns the place of the session in a schedule. A session begins where
// the clock is: it gets every row within a period.
func (s *session) scan(sched *schedule, now time.Time) *scan {
	for i := range s.scans {
		c := &s.scans[i]
		if c.cause != sched.cause || c.period != sched.period {
			continue
		}
		if c.rows != len(sched.rows) {
			c.rows, c.sent = len(sched.rows), sched.due(c.at)
		}
		return c
	}
	s.scans = append(s.scans, scan{
		cause: sched.cause, period: sched.period, rows: len(sched.rows), sent: sched.due(now), at: now,
	})
	return &s.scans[len(s.scans)-1]
}

// Background implements [iec104.Session].
func (s *session) Background(dst []iec104.Event) int {
	st := s.station
	st.mu.RLock()
	defer st.mu.RUnlock()
	if len(st.table.schedules) == 0 {
		return 0
	}
	a := newAnswer(s)
	if !a.look() {
		return 0
	}
	n, now := 0, st.now()
	for i := range st.table.schedules {
		if sched := &st.table.schedules[i]; sched.cause != frozen {
			n += s.transmit(dst[n:], sched, now, &a)
		}
	}
	if n > 0 {
		st.shown.Store(true)
	}
	return n
}

// transmit copies what is due of a schedule. What could not be sent for a whole
// period is not sent twice; after the clock was set back it goes on from there.
func (s *session) transmit(dst []iec104.Event, sched *schedule, now time.Time, a *answer) int {
	c := s.scan(sched, now)
	t := s.station.table
	due, rows := sched.due(now), int64(len(sched.rows))
	c.at = now
	if c.sent > due {
		c.sent = due
	}
	c.sent = max(c.sent, due-rows)
	n := 0
	for ; n < len(dst) && c.sent < due; c.sent++ {
		r := &t.rows[sched.rows[c.sent%rows]]
		rule := &t.rules[r.rule]
		if a.waits(r, rule) {
			continue // the event that waits tells the value
		}
		dst[n].CA, dst[n].Type, dst[n].Cause, dst[n].Test = r.ca(), forms[rule.as].untagged, sched.cause, false
		if s.enc.encode(&dst[n].Object, dst[n].Type, r.ioa(), &r.current, rule) {
			n++
		}
	}
	return n
}
