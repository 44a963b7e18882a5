package iec104server

import (
	"context"
	"iter"
	"time"

	"busbar/iec104/asdu"
)

// frozen marks the schedules of the local freezing of counters, which is no cause of
// transmission.
const frozen asdu.Cause = 0

// The limits of how often sessions are woken for cyclic transmission and
// background scan.
const (
	shortestTick = 100 * time.Millisecond
	longestTick  = time.Second
)

// longestSleep bounds how late the scheduler notices that the clock was set, or
// that summer time began.
const longestSleep = time.Minute

// keepTime freezes counters by the clock and wakes the sessions, until ctx ends.
func (st *station) keepTime(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := st.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-st.kick:
		case <-timer.C:
		}
		now := st.now()
		st.freezeDue(last, now)
		last = now
		st.mu.Lock()
		st.expire(now)
		sessions, next := st.sessions, st.nextTick(now)
		st.mu.Unlock()
		wake(sessions)
		timer.Reset(next)
	}
}

// freezeDue freezes the counters whose period ended between last and now, on
// the clock of the server. After a pause over several periods it freezes once,
// with the time of the last of them.
func (st *station) freezeDue(last, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	t := st.table
	for i := range t.schedules {
		s := &t.schedules[i]
		if s.cause != frozen {
			continue
		}
		at := lastEnd(now, s.period, st.settings.Time.Location)
		if !at.After(last) {
			continue
		}
		if err := st.freeze(t.totalsOf(s.rows), freezeOnly, at); err != nil {
			st.figures.missed += uint64(len(s.rows))
			st.log.Warn("counters not frozen", "at", at, "counters", len(s.rows), "error", err)
		}
	}
}

// totalsOf yields the counters of rows.
func (t *table) totalsOf(rows []uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, row := range rows {
			if !yield(t.byTotal.get(row)) {
				return
			}
		}
	}
}

// nextTick returns how long nothing is to be done.
func (st *station) nextTick(now time.Time) time.Duration {
	next := longestSleep
	for i := range st.table.schedules {
		s := &st.table.schedules[i]
		if s.cause == frozen {
			end := lastEnd(now, s.period, st.settings.Time.Location).Add(s.period)
			next = min(next, end.Sub(now))
		} else if len(st.sessions) > 0 {
			step := s.period / time.Duration(len(s.rows))
			next = min(next, max(shortestTick, min(step, longestTick)))
		}
	}
	return max(next, 0)
}

// lastEnd returns the last end of a period not after t. Periods, which are parts
// of a day, are counted from midnight on the clock of loc.
func lastEnd(t time.Time, period time.Duration, loc *time.Location) time.Time {
	_, seconds := t.In(loc).Zone()
	offset := int64(seconds) * int64(time.Second)
	shown := t.UnixNano() + offset
	return time.Unix(0, shown-shown%int64(period)-offset)
}
