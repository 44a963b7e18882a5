package rig

import (
	"fmt"
	"testing"
	"time"
)

// Entry is what an event of a stream must be.
type Entry struct {
	Stream, Number int
	Time           time.Time
}

// Ledger compares what a control centre receives with what streams have
// published: every number arrives, the first time in order, with its time and
// good quality; again only around a break.
type Ledger struct {
	// Entry returns what an event should be, from its address and value. It reports
	// false for what is no event of a stream.
	Entry func(Object) (Entry, bool)

	centre   *Centre
	leg      int                 // the one that is read
	read     int                 // objects of it
	arrived  map[int][]time.Time // by stream: when number i+1 came the last time, zero if it is missing
	breaks   []time.Time
	repeats  int // events that came again
	within   int // of these, those without a break since they had come
	problems []string
}

// lag is how long before a break an event may have come that comes again
// after it: cursors are saved within 100 ms of the confirmation, as soon as the
// disk has the events, and that may take a loaded machine long.
const lag = 10 * time.Second

// mostProblems bounds what is told of one failure, mostMissing the numbers that may be
// missing in one place.
const mostProblems, mostMissing = 20, 1_000_000

// NewLedger returns a ledger of what the centre receives from now on.
func NewLedger(centre *Centre, entry func(Object) (Entry, bool)) *Ledger {
	return &Ledger{Entry: entry, centre: centre, arrived: map[int][]time.Time{}}
}

// Break notes that the process was killed, or that a connection was broken, now.
func (l *Ledger) Break() { l.breaks = append(l.breaks, time.Now()) }

// Update reads what the centre has received since, and returns the highest number of
// a stream that has arrived.
func (l *Ledger) Update(stream int) int {
	for l.leg < len(l.centre.legs) {
		objects := l.centre.objects(l.leg, l.read)
		for _, o := range objects {
			if e, ok := l.Entry(o); ok {
				l.take(o, e)
			}
		}
		l.read += len(objects)
		if l.leg == len(l.centre.legs)-1 {
			break
		}
		l.leg, l.read = l.leg+1, 0
	}
	return len(l.arrived[stream])
}

func (l *Ledger) take(o Object, e Entry) {
	came := l.arrived[e.Stream]
	switch next := len(came) + 1; {
	case e.Number < 1 || e.Number > next+mostMissing:
		l.problem("number %d of stream %d comes after %d", e.Number, e.Stream, len(came))
		return
	case e.Number >= next:
		if e.Number > next {
			l.problem("numbers %d to %d of stream %d are missing before %d", next, e.Number-1, e.Stream, e.Number)
		}
		came = append(came, make([]time.Time, e.Number-next)...)
		l.arrived[e.Stream] = append(came, o.Arrived)
	case came[e.Number-1].IsZero():
		l.problem("number %d of stream %d comes late, after %d", e.Number, e.Stream, len(came))
		came[e.Number-1] = o.Arrived
	default:
		l.takeAgain(o, e, &came[e.Number-1])
	}
	if !o.Time().Equal(e.Time) || o.TimeInvalid() || o.TimeSubstituted() {
		l.problem("number %d of stream %d has time tag % x, want %v", e.Number, e.Stream, o.tag(), e.Time)
	}
	if o.Quality() != 0 {
		l.problem("number %d of stream %d has quality %#x, want good", e.Number, e.Stream, o.Quality())
	}
}

// takeAgain takes an event that has come before.
func (l *Ledger) takeAgain(o Object, e Entry, last *time.Time) {
	l.repeats++
	broken, recent := false, false
	for _, b := range l.breaks {
		if b.Before(*last) || b.After(o.Arrived) {
			continue
		}
		broken = true
		recent = recent || b.Sub(*last) <= lag
	}
	if !broken {
		l.within++
	} else if !recent {
		l.problem("number %d of stream %d comes again, long after it had come, at the breaks %v", e.Number, e.Stream, l.breaks)
	}
	*last = o.Arrived
}

func (l *Ledger) problem(format string, args ...any) {
	if len(l.problems) < mostProblems {
		l.problems = append(l.problems, fmt.Sprintf(format, args...))
	}
}

// Await waits until all numbers of the stream up to n have arrived. Patience
// begins anew with each one.
func (l *Ledger) Await(tb testing.TB, stream, n int) {
	tb.Helper()
	for before := l.Update(stream); before < n; before = l.Update(stream) {
		Until(tb, fmt.Sprintf("number %d of stream %d after %d", n, stream, before), func() bool {
			return l.Update(stream) > before || len(l.problems) > 0
		})
		l.Check(tb)
	}
}

// Check fails the test if anything was not as it must be.
func (l *Ledger) Check(tb testing.TB) {
	tb.Helper()
	for _, p := range l.problems {
		tb.Error(p)
	}
	if len(l.problems) > 0 {
		tb.FailNow()
	}
}

// Repeats returns how many events came again, and how many of them with no
// break since they had come: those were published again.
func (l *Ledger) Repeats() (all, within int) { return l.repeats, l.within }
