package connector

import "time"

// clock tells the time of day, and a time that never jumps.
type clock struct {
	now   func() time.Time
	start time.Time
}

func newClock(now func() time.Time) clock { return clock{now: now, start: now()} }

// tick is a monotonic time in nanoseconds, at least firstTick; zero is no time, and
// below is a time before the process.
type tick int64

// firstTick is when the process began. No tick is nearer to zero, so that its lowest
// bits are free for others.
const firstTick tick = 1 << markBits

// tickOf returns when t was. A t that comes from now has a monotonic reading,
// so that setting the clock of the machine does not show.
func (c clock) tickOf(t time.Time) tick { return tick(t.Sub(c.start)) + firstTick }

// before returns when t was, which may lie before the start: below zero then. Without a
// monotonic reading it is as good as the clock of the machine.
func (c clock) before(t time.Time) tick {
	const longAgo = -tick(1) << 60
	if at := max(longAgo, c.tickOf(t)); at < 0 || at >= firstTick {
		return at
	}
	return -1
}

func (c clock) tick() tick { return c.tickOf(c.now()) }
