package asdu

import "time"

// Stamper turns instants into CP56Time2a. It remembers the minute of the last
// one, so that instants in order cost a subtraction and a division. It is not
// safe for concurrent use.
type Stamper struct {
	loc    *time.Location
	start  int64 // of the minute, in nanoseconds since 1970 UTC
	minute Time  // the time tag of the start
	known  bool
}

// NewStamper returns a Stamper for the clock of loc, nil for UTC.
func NewStamper(loc *time.Location) *Stamper { return &Stamper{loc: loc} }

// Stamp returns the instant that lies ns nanoseconds after 1970-01-01 UTC as
// [TimeOf] does.
func (s *Stamper) Stamp(ns int64) Time {
	if d := ns - s.start; s.known && uint64(d) < uint64(time.Minute) {
		return s.minute | Time(uint64(d)/uint64(time.Millisecond))
	}
	// Offsets of zones are whole minutes in the years that can be expressed.
	start := ns - mod(ns, int64(time.Minute))
	s.start, s.minute, s.known = start, TimeOf(time.Unix(0, start), s.loc), true
	return s.minute | Time((ns-start)/int64(time.Millisecond))
}

// mod returns the remainder of a division that rounds down.
func mod(a, b int64) int64 {
	if r := a % b; r >= 0 {
		return r
	}
	return a%b + b
}
