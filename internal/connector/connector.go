// Package connector is the contract between the host and the protocols, and
// the host's side of it: registry, supervision, status, the way of readings
// into the process image and of changes out of it. It knows no protocol.
package connector

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/mapping"
	"busbar/internal/point"
	"busbar/internal/tape"
)

// ErrConfig marks a configuration that the operator must correct. A connector
// that fails with it is not restarted until its configuration changes.
var ErrConfig = errors.New("invalid configuration")

// LevelTrace is the log level below Debug, for the frames and messages of a
// protocol.
const LevelTrace = slog.LevelDebug - 4

// Connector is one configured instance of a protocol.
type Connector interface {
	// Run connects and exchanges points until ctx ends, then returns nil after
	// every goroutine it started has returned. Any other return is a failure:
	// the supervisor logs it and calls Run again after a back-off, so Run must
	// be callable more than once.
	Run(ctx context.Context) error
}

// Collector is implemented by connectors that have figures of their own. It is
// called from the goroutine that answers /metrics, also while Run is running.
type Collector interface {
	Collect(emit func(Metric))
}

// Reloader is implemented by connectors that read files beside the plant, such as
// certificates. Reload reads them now, and fails if they are faulty: then what was
// read before stays in force. It may be called from any goroutine, also while Run is
// not running.
type Reloader interface {
	Reload() error
}

// Metric is one figure of a connector. The host adds the prefix "busbar_" to the name and the
// label connector.
type Metric struct {
	Name    string // snake_case, with unit; counters end in _total
	Help    string
	Counter bool // a counter; otherwise a gauge
	Value   float64
	Labels  []Label
}

// Label is a name and value of a metric.
type Label struct {
	Name, Value string
}

// State is the state of a connector, as shown to the operator.
type State uint8

// The states of a connector.
const (
	Stopped State = iota
	Starting
	Connecting // trying to reach the peer
	Up
	Degraded // works in part, see the reason
	Failed   // will be restarted after a back-off
	Refused  // invalid configuration, not restarted
	Disabled // enabled: false in the plant, not run
)

var stateNames = [...]string{"stopped", "starting", "connecting", "up", "degraded", "failed", "refused", "disabled"}

// String returns the lower-case name of the state.
func (s State) String() string { return stateNames[s] }

// Env is what the host gives to a connector.
type Env struct {
	ID   string
	Log  *slog.Logger
	Sink Sink // where readings go
	// Readings is where readings go of a kind with a Key.
	Readings Readings
	Feed     Feed // where changes come from; it belongs to one goroutine
	// Commands is where orders go of a kind with a Requester.
	Commands Commands
	// Executions is what orders may come for, of a kind with an Executor.
	Executions Executions
	// System publishes the value of a system point of the connector, by its name in
	// the Spec, with the segments filled in. It is published if the plant uses the
	// point, and only if it is another than the point has; what the image refuses is
	// published later. System does not block, may be called from any goroutine and
	// under any lock of the connector, and has an effect only while Run is running:
	// outside of it the points are not topical, so that each run sets them anew.
	System func(name string, v point.Value)
	// PublishOwn publishes updates of own points of targets, see [Target]. They
	// are kept and delivered like all others, and come back through the Feed. An
	// update without a time is of now; one from before the state of its point has its
	// time marked as substituted, so that it becomes the state. PublishOwn does not
	// wait for the disk. It fails if the image does not accept the updates, and with
	// none of them published if one is of another point. Those of targets
	// that were removed have no effect.
	PublishOwn func(batch []point.Update) error
	// Report shows the state of the connector to the operator, with the reason
	// where it is not Up. It may be called from any goroutine and has an effect
	// only while Run is running; the host logs every change. Up and Degraded also
	// tell that the source can be heard, unless the connector itself has called
	// Away.
	Report func(s State, reason string)
	// Tapes is where the frames of links are recorded.
	Tapes *tape.Deck
	// Blocks says of which links commands are refused.
	Blocks *Blocks
	// Messages keeps messages that do not go to the Sink.
	Messages *Messages
	// Now is the wall clock.
	Now func() time.Time
}

// ErrFull is why an update is not kept while there is no room on the disk. The
// image accepts again by itself.
var ErrFull = journal.ErrFull

// Message is a raw reading that may hold the values of many points, such as an
// MQTT message.
type Message struct {
	Selector string // what subscriptions are matched with, such as the topic
	Payload  []byte // valid until Deliver returns
	Retained bool   // the source had stored it for late subscribers
}

// Sink takes readings. It may be used from any goroutine; readings of one
// goroutine are kept in order. While the connector does not run, and until it
// is Up or Degraded or calls Back, the host takes its source for away.
type Sink interface {
	// Deliver makes point updates of a message and publishes them. A message
	// that is of no use (not JSON, no point, wrong type) is counted and has its
	// effect on quality; it is not an error and is acknowledged. committed, if
	// not nil, is called once: with nil when every update is kept, otherwise with
	// the reason; the source must then not be acknowledged. It must neither block
	// nor call the Sink. Deliver fails if the image does not keep the updates,
	// with ErrFull if that is for want of room, and with ErrStopped if the
	// connector should have stopped long ago.
	Deliver(ctx context.Context, m Message, committed func(error)) error

	// Away tells that the source cannot be heard any more. After the hold time
	// of each point it becomes not topical; at once if now is set (last will).
	Away(reason string, now bool)

	// Back tells that the source can be heard again. lossless: nothing that
	// happened meanwhile was lost (MQTT session present); NT that Away set is then
	// cleared at once, otherwise with the next update of each point.
	Back(lossless bool)

	// Sources returns the ends of the points that this connector is the source
	// of, each distinct end once, as pointers to the Source struct of its kind, and a
	// channel that is closed when the set changes.
	Sources() (ends []any, changed <-chan struct{})
}

// Reading is a value that a connector has decoded itself, for [Readings].
type Reading = mapping.Reading

// Readings takes readings of a kind with a Key. What is said of [Sink.Deliver] and of
// the order of messages holds here too.
type Readings interface {
	// Take makes point updates of readings and publishes them together. The slice is
	// not kept. A reading without points, or of no use to them, is counted.
	Take(ctx context.Context, readings []Reading, committed func(error)) error

	// Missing tells of keys that the source should have named and did not, such as in
	// the answer to a general interrogation: their points become not topical, until their next
	// update. It does not block.
	Missing(keys []uint64)
}

// Target is one end of a point at a connector that points go to. There may be
// more of them than of anything else, so what it shares with others it does not
// have for itself.
type Target struct {
	// ID stays the same over changes of the plant for the same address of a point,
	// wherever it stands in `to`, and is never given to another.
	ID      TargetID
	Point   point.Index
	Address uint64 // what Spec.Address has taken out of the end
	// Own are points that belong to this target, as [Spec.Own] names them, point.None
	// where there is none: what the connector itself has to keep about the target.
	// Only the connector publishes them. Their changes are delivered with the others, each an
	// event with bit 0, and so are their states in snapshots.
	Own [2]point.Index
	*Rule
}

// Rule is what targets have in common that differ in nothing but their address.
type Rule struct {
	Type    point.Type // of the point
	Place   uint8      // in the `to` of the point, see Change.Events
	Latest  bool       // of the events that wait to be sent only the newest is kept
	End     any        // pointer to the Target struct of the kind, without the address
	Gate    Gate       // has decided about the events of the target before they are delivered
	Convert Linear
}

// TargetID is the dense number of a target in the process.
type TargetID uint32

// Change is one change of a point that has targets at the connector.
type Change struct {
	Seq uint64 // of the change log; 0 in a snapshot of a point that never changed
	// Events tells for which targets of the point the change is an event: bit n is
	// the target with Place n, wherever it stood when the change was published. 0 in a
	// snapshot.
	Events   uint64
	Snapshot bool // the current state, not an event
	// Past marks an event from before the newest snapshot of its point: it is to
	// be handed on, the current state stays.
	Past bool
	point.Update
}

// Batch is what a Feed delivers. If Targets is not nil, the set of targets has changed: it is the
// whole new set, and holds for Changes and for all that follows; the changes
// begin with a snapshot of every point that has a new target in the set, or another
// type. The targets are shared: they may be kept but not changed.
type Batch struct {
	Targets *[]Target
	Changes []Change
	// Seq is how far the change log was delivered, with this batch. There are
	// batches with nothing else in them, so that cursors move on, and when everything
	// from before a snapshot was delivered.
	Seq uint64
	// Gap is how many changes, of any points, were lost before Changes because
	// the connector fell too far behind. After a gap the changes begin with a
	// snapshot of every point.
	Gap uint64
}

// Feed follows the change log, for the points that have targets at the connector.
type Feed interface {
	// Next waits for the next batch, which is valid until the next call. The
	// first batch of a run has Targets and a snapshot of every point. After it come the
	// events that were not delivered before, marked as Past: if there are cursors of
	// the connector, those after the hindmost of them, also those delivered in an
	// earlier run; otherwise those since an earlier run of this process, or since it has
	// targets. It fails with ctx.Err().
	Next(ctx context.Context) (Batch, error)

	// SaveCursor sets a named cursor of the connector: of the changes up to pos
	// nothing is needed again. Changes after it are kept, and are
	// delivered again after a restart. It does not wait: what is on disk lags by at most
	// 100 ms. The names are the connector's own. It may be called from any
	// goroutine, as may the two below.
	SaveCursor(name string, pos Position) error
	// DropCursor removes a named cursor.
	DropCursor(name string)
	// Cursors returns the cursors of the connector.
	Cursors() map[string]Position
	// Lost tells that the cursors of the connector were lost, with what they were kept
	// in, and from where on there are changes: what a consumer needed lies behind that.
	// Next delivers it. It is false once others were saved and everything was delivered.
	Lost() (Position, bool)
}

// Position is a place in the change log, by class of points.
type Position = image.Position

// The pure parts of a target's way out.
type (
	// Gate decides which changes are events. The image asks it.
	Gate = mapping.Gate
	// Linear converts the value of a point to that of a target.
	Linear = mapping.Linear
)
