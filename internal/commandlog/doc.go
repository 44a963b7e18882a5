// Package commandlog keeps the records of commands on disk: who ordered what,
// when, and what became of it.
//
// The log is a directory of files of JSON lines, which are only ever appended
// to. A line is all that is known of one order at one stage of it; the last line
// with an id counts. A file is followed by the next one when it has its size,
// and the oldest ones are removed when all together have theirs. An order that
// is under way loses nothing by it: its line is copied first.
//
// # What is guaranteed
//
// The first record of an order that is to be executed is on disk, synced, when
// Record returns, or Record fails and the order is refused. Orders that come
// at the same time share one sync. All other records (stages, refusals,
// selections) are handed to the operating system at once and synced with the
// next group, which takes as long as the disk takes; Record does not wait for
// them. While the disk fails they wait in memory, up to 1 MiB.
//
// So an order whose last line was not written, in a power cut or kill, is found
// begun and not ended. Open ends it: a negative result, outcome unknown. That may
// be said of an order that has ended; that an order has ended is never said of one
// that has not.
//
// # When the disk fails
//
// After a failed write or sync nothing is written to the same file again: the
// system may have dropped what it could not write and would call the next sync
// a success. The log refuses first records at once, and tries a new file every
// second with what waits. When that succeeds it is as before.
package commandlog

import "time"

// Options say how large a log may become and how long it waits. Zero values are
// replaced by the defaults.
type Options struct {
	// Segment is the size in octets from which a file is followed by the next
	// one. Default 8 MiB.
	Segment int64
	// Limit is the size in octets of all files together, at least two segments.
	// Default 64 MiB.
	Limit int64
	// Patience is how long Record and Close wait for the disk. Default 2 s.
	Patience time.Duration
	// Retry is how long after a failure the next file is tried. Default 1 s.
	Retry time.Duration
}

// The defaults of [Options].
const (
	DefaultSegment  = 8 << 20
	DefaultLimit    = 64 << 20
	DefaultPatience = 2 * time.Second
	DefaultRetry    = time.Second
)

// Limits that cannot be chosen.
const (
	maxFiles  = 100      // at most, however small they are
	maxLine   = 64 << 10 // octets of one line
	maxReason = 1000     // octets of one reason
	maxQueue  = 1 << 20  // octets that wait for the disk
)

func (o Options) withDefaults() Options {
	if o.Segment <= 0 {
		o.Segment = DefaultSegment
	}
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Retry <= 0 {
		o.Retry = DefaultRetry
	}
	o.Limit = max(o.Limit, 2*o.Segment)
	return o
}
