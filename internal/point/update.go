package point

import "time"

// Instant is a point in time in nanoseconds since 1970-01-01T00:00:00 UTC.
// Zero is no time.
type Instant int64

// InstantOf returns t as an Instant; the zero time gives zero.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixNano())
}

// Time returns the instant as a time in UTC, the zero time for zero.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

// TimeQuality is a set of bits that qualify the source time; zero is good.
type TimeQuality uint8

// The bits of TimeQuality.
const (
	TimeInvalid     TimeQuality = 1 << iota // the time is not to be trusted
	TimeSubstituted                         // stamped on arrival, not at the source
)

// Flags say how an update is to be taken.
type Flags uint8

// The flags of an update.
const (
	// KeepValue marks an update of quality only: the image keeps the value and,
	// if Time is zero, the source time that it has.
	KeepValue Flags = 1 << iota
	// Retained marks a value that the source had stored for late subscribers.
	// It is used if it is newer than what the image has, or the first, or if
	// the point is not topical and the message carries no time of its own.
	Retained
	// Late is set by the image on a change whose source time is older than the
	// one it has: an event for time-tagged targets, not a new current value.
	Late
	// Restored is set on a change that brings no news of the source: NT set
	// without an event after a restart.
	Restored
	// Repeated marks a value that the source repeats. The host of the connectors leaves out the update if
	// its point has the value already, with the same quality; the image knows nothing of it.
	Repeated
	// Beneath is set by the image on a change beneath an overlay. No follower gets it.
	Beneath
)

// Update is news of one point.
type Update struct {
	Value       Value
	Time        Instant // when it happened, at the source; arrival if unknown
	Arrival     Instant // when it reached Busbar
	Point       Index
	Source      Source
	Quality     Quality
	TimeQuality TimeQuality
	Flags       Flags
}

// State is what the image knows of a point. A point that was never received
// has no value type and the quality Invalid|NotTopical.
type State struct {
	Value       Value
	Time        Instant
	Arrival     Instant
	Seq         uint64 // sequence number of the last change
	Source      Source
	Quality     Quality
	TimeQuality TimeQuality
}
