// Package image is the process image: the latest state of every point, and the
// ordered change log that consumers follow at their own speed.
package image

import (
	"context"
	"errors"
	"time"

	"busbar/internal/image/journal"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// ErrClosed is returned by a closed image or follower.
var ErrClosed = errors.New("image: closed")

// MaxGates is how many targets a point has at most.
const MaxGates = 64

// MaxText is the longest text of a point in octets. Longer ones are cut and OV.
const MaxText = 1 << 20

// Definition makes a point known to the image.
type Definition struct {
	ID   string
	Type point.Type
	// Gates decide which changes are events, one for each target in the order of
	// `to`, at most MaxGates. nil: the point keeps those that it has.
	Gates []mapping.Gate
	// Before is the place that each gate had until now, whose memory it goes on with; −1:
	// it is new. nil: each has the place that it had.
	Before []int8
	// Keys tell the targets apart, one for each gate: what the journal knows them by.
	// They stay the same from process to process and are not 0. nil: as they were.
	Keys []uint64
}

// LostCursor is the name of the cursor that is there in the place of all others when
// those were lost. It holds what there is until it is dropped.
const LostCursor = journal.Lost

// Position is a place in the change log: for each class of points the sequence
// number of the last change before it. The zero Position is before the first.
type Position [point.Classes]uint64

// At returns the position after the change with a sequence number.
func At(seq uint64) Position { return Position{seq, seq, seq} }

// Change is one entry of the change log.
type Change struct {
	// Seq numbers all changes of the image, from 1, without gaps.
	Seq uint64
	// Events tells for which targets the change is an event: bit n is the target
	// n of the point. It was decided when the change was published and stays so, over
	// changes of the plant and restarts. Where these targets stand now is told by
	// [Moves].
	Events uint64
	// Update is what changed, with Value and Time filled in where the update
	// kept them; Flags holds point.Late and point.Restored where they apply.
	point.Update
}

// Mode says what a follower must see.
type Mode uint8

// The modes of a follower.
const (
	// Every delivers each change in order; what was lost because the follower
	// fell too far behind is reported as a gap.
	Every Mode = iota
	// Latest begins with a snapshot of every state and then delivers the newest
	// state of each point that changed since it was last delivered, and of points
	// that were defined since. Its changes are in no order across points, carry
	// the sequence number of the state (0: never changed) and no flags.
	Latest
)

// Status is what an operator wants to know of an image. In memory everything is
// kept at once.
type Status struct {
	Accepting bool
	Failed    bool          // it does not accept again before the process is started again
	Reason    string        // why it does not accept; empty while it does
	Pending   uint64        // changes that are not on disk yet
	Lag       time.Duration // age of the oldest of them
	Used      int64         // octets of the journal
	Limit     int64         // most octets of the journal, 0: there is none
	Damaged   uint64        // places where kept changes were found lost since the start
}

// Image is the contract of the process image. All methods may be called from
// any goroutine.
type Image interface {
	// Define sets the points of the image. Ids that stay keep their index and,
	// if their type is the same, their state and what their gates remember. The
	// first change that a new gate sees is an event. The indices of removed ids are not given
	// away again, not even to the same id. It returns the index of every definition, in order.
	// Changes of points that were removed, or had another type, are not
	// delivered any more.
	Define(defs []Definition) []point.Index

	// Keys returns the keys of the targets of a point as they were last defined, in
	// this process or one before it; nil if they never were.
	Keys(p point.Index) []uint64

	// Moves returns which targets stand elsewhere than when older changes were
	// published. It must not be changed; the next Define may make another one.
	Moves() Moves

	// Lookup returns the index of the point with the given id.
	Lookup(id string) (point.Index, bool)

	// ID returns the id of a point, empty if it is not defined.
	ID(p point.Index) string

	// Publish stores a batch and appends it to the change log, in order. It
	// never waits for a follower, and for the disk only while too much waits for
	// that: until ctx ends, at most 5 s. committed, if not nil, is called exactly
	// once, with nil when the batch is kept (in memory: at once) and with the
	// reason when it is not; it must not block. If Publish fails, committed has been called
	// with its error. The batch may be reused when Publish returns. Updates of unknown points, and values of another type
	// than that of the point, are dropped.
	//
	// Not every update becomes the state of its point:
	//
	//   - With point.KeepValue the state keeps its value; where Time or Arrival
	//     is zero it keeps that too. A point that has no value stays IV+NT: the
	//     update is dropped.
	//   - With a source time older than that of the state the change goes into
	//     the log with point.Late and the state stays; it is an event for gates with
	//     Late. Only times of the source are compared: an update or a state whose
	//     time is substituted or invalid is never late.
	//   - With point.Retained the update is dropped unless it is newer than the
	//     state by its own time, or the point has no value, or the point is NT and the
	//     update has no time of its own.
	//   - With point.Restored the state changes and nothing else: it is no event,
	//     and is not kept beyond the process: the next one begins with the
	//     quality from before it.
	Publish(ctx context.Context, batch []point.Update, committed func(error)) error

	// State returns what is known of a point; false if it is not defined.
	State(p point.Index) (point.State, bool)

	// Beneath returns what is known of a point from its source: the state, or what
	// lies beneath its overlay; false if it is not defined.
	Beneath(p point.Index) (point.State, bool)

	// Substitute, Block and Release change the overlay of a point. What they change is
	// shown at once; they return when it is kept. If it cannot be kept they fail, and the overlay is
	// as it was. They fail with [ErrNoPoint] if there is no such point, and with [ErrOverlay] if the
	// point or the overlay is not one that may be.
	//
	// Beneath an overlay updates go on by the rules of Publish, without being delivered
	// and without being events. Each change of the overlay is one change, and an event
	// as any other. A state that happened before the one it replaces is told with the time
	// of now, marked as substituted, so that nobody takes it for late. A point
	// that is removed, or becomes one of another type, loses its overlay.

	// Substitute shows a value in the place of that of the source. It replaces the
	// substitution that there is.
	Substitute(ctx context.Context, p point.Index, s Substitution) error

	// Block freezes what the source has told until now. A point that is blocked stays so.
	Block(ctx context.Context, p point.Index, by Mark) error

	// Release ends a substitution (point.Substituted), a block (point.Blocked), or both. What lies
	// beneath is shown again. Without anything to release it does nothing.
	Release(ctx context.Context, p point.Index, what point.Quality) error

	// Overlay returns the overlay of a point; false if it has none.
	Overlay(p point.Index) (Overlay, bool)

	// Overlaid returns how many overlays there are.
	Overlaid() Overlaid

	// Status returns whether the image accepts updates, and how far they are kept.
	Status() Status

	// Seq returns the sequence number of the newest change, 0 if there is none.
	Seq() uint64

	// Changed appends to dst the points of changes after a sequence number, in order, and
	// returns up to which change they are: it is Seq if that are all. It is false if
	// the log in memory does not reach back that far.
	Changed(after uint64, dst []point.Index) (points []point.Index, upTo uint64, ok bool)

	// Follow returns a follower that begins after the newest change.
	Follow(m Mode) Follower

	// Resume returns a follower in mode Every that begins at a position, as far
	// as the changes after it are still there; it reports a gap where they are not.
	// Of changes that were no event it may leave out those from before the call.
	Resume(from Position) Follower

	// SaveCursor sets a named cursor: of the changes up to pos the consumer needs
	// none again. The changes after it are kept for it. It does not wait; what is kept
	// beyond the process lags by at most 100 ms, and is never ahead of the
	// changes that are kept. Names have 1 to 255 octets.
	SaveCursor(name string, pos Position) error

	// DropCursor removes a named cursor.
	DropCursor(name string)

	// Cursors returns all cursors as they were last set, or were kept.
	Cursors() map[string]Position
}

// Follower reads the change log. It belongs to one goroutine, except Close.
type Follower interface {
	// Next waits until there is something to deliver, copies up to len(dst)
	// changes into dst and returns how many. gap is the number of changes that
	// were lost before the first of them (always 0 in mode Latest), or how many they may
	// be where that is not known; n may be 0 with a gap. It fails with ctx.Err(),
	// ErrClosed or why the disk cannot be read, and then has delivered nothing.
	Next(ctx context.Context, dst []Change) (n int, gap uint64, err error)

	// Close releases the follower; a waiting Next returns ErrClosed.
	Close()
}
