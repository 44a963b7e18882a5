package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/point"
)

// Errors of the journal. Those of the operating system are wrapped.
var (
	ErrClosed = errors.New("journal: closed")
	// ErrFull: the limit is reached or the disk is full. The journal accepts
	// again by itself when there is room.
	ErrFull = errors.New("journal: full")
	// ErrBusy: the disk is so slow that Options.Pending is used up.
	ErrBusy = errors.New("journal: disk too slow")
	// ErrFailed: a write or sync failed. Nothing is accepted until the journal
	// is closed and opened again.
	ErrFailed = errors.New("journal: failed")
	// ErrLocked: another journal has the directory.
	ErrLocked = errors.New("journal: in use by another process")
	// ErrInvalid: the caller broke the contract, for example with sequence
	// numbers that do not ascend.
	ErrInvalid = errors.New("journal: invalid")
)

// Quiet is one class more than those of points: records that no consumer waits
// for. They are not held up by cursors, only by the checkpoint.
const Quiet = point.Class(point.Classes)

// Record is one entry of a chain.
type Record struct {
	// Seq ascends over all classes, with gaps or without.
	Seq     uint64
	Class   point.Class // of a point, or Quiet
	Payload []byte      // at most MaxRecord
}

// Position is a place in the journal: for each class the sequence number of
// the last record before it.
type Position [point.Classes]uint64

// Options of Open. The zero value is the default.
type Options struct {
	// Limit is the most that all segments may take, in octets; 0 is 2 GiB. At
	// least 8 segments.
	Limit int64
	// Segment is the size at which the next segment is begun, in octets; 0 is
	// 16 MiB, or an eighth of Limit if that is less. A segment is larger by at
	// most one group. At least 4 KiB.
	Segment int64
	// Pending is the most that may wait for the disk, in octets; 0 is 32 MiB.
	Pending int64
	// Preallocate reserves the room of a segment when it is begun. Syncs are
	// then faster on most file systems; each chain that is written takes a
	// whole segment of the disk.
	Preallocate bool
	// Settled, if not nil, is called after each group, before the callbacks of
	// its batches: up to which record the fate of all is known now, and why those
	// that were not yet settled are not kept, nil if they are. It may call Append, Admit
	// and whatever does not wait, and is waited for.
	Settled func(upTo uint64, err error)
	// Damaged, if not nil, is called once for each place where records were
	// lost, by Open and by readers. It must not call the journal.
	Damaged func(Damage)
	// Log takes changes of state and what Open found; nil discards it.
	Log *slog.Logger
}

const (
	defaultLimit   = 2 << 30
	defaultSegment = 16 << 20
	defaultPending = 32 << 20
	minSegment     = 4 << 10
)

func (o Options) withDefaults() (Options, error) {
	if o.Limit == 0 {
		o.Limit = defaultLimit
	}
	if o.Segment == 0 {
		o.Segment = min(defaultSegment, o.Limit/8)
	}
	if o.Pending == 0 {
		o.Pending = defaultPending
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Segment < minSegment || o.Limit < 8*o.Segment || o.Pending < 0 {
		return o, fmt.Errorf("%w: limit %d, segment %d, pending %d octets: want segments of at least %d and a limit of at least 8 segments",
			ErrInvalid, o.Limit, o.Segment, o.Pending, minSegment)
	}
	return o, nil
}

// Journal is an open journal. All methods may be called from any goroutine.
type Journal struct {
	fs   FS
	opts Options
	log  *slog.Logger
	lock io.Closer

	committed atomic.Uint64 // written under mu
	settled   atomic.Uint64 // up to here records are committed or given up; written under mu

	mu       sync.Mutex
	chains   [chains]chain
	group    *group // being built
	writing  *group // being written, nil: none
	spare    *group // for the next one
	pending  int64  // octets in the group being built and the one being written
	queued   uint64 // records in them
	used     int64  // octets in segments
	last     uint64 // newest sequence number that was appended
	defined  uint64 // number of the newest definition
	state    State
	cause    error // why it is in this state
	cursors  map[string]Position
	saveAt   time.Time // when the state file is due; zero: nothing to save
	probeAt  time.Time // when to look for room; zero: not wanted
	saveErr  error     // of the last attempt
	recovery Recovery
	records  uint64 // committed since Open
	groups   uint64 // committed since Open

	// ends is how far each chain is durable. The committer owns it.
	ends ends
	// broken is why nothing can be written any more. The committer owns it.
	broken error

	saving  chan struct{}       // full while a state file is written; guards copies
	copies  [2]state            // what the state files hold
	durable map[string]Position // the cursors that are in both; guarded by mu, replaced as a whole
	unnamed atomic.Bool         // there are cursors whose names are not in both

	trimming    sync.Mutex    // held while segments are removed
	checkpoint  sync.Mutex    // held while checkpoints are written or looked for; guards checkpoints
	checkpoints []uint64      // sequence numbers, oldest first
	floor       atomic.Uint64 // of the newest checkpoint that is known to be good

	work     chan struct{} // there is a group to commit
	keep     chan struct{} // saveAt or probeAt changed
	stopWork chan struct{}
	stopKeep chan struct{}
	workers  [2]chan struct{} // closed when the committer and the keeper returned
}

// Committed returns the sequence number up to which everything that was
// accepted is durable. It never goes back, also not over a restart; the next
// record must have a higher one.
func (j *Journal) Committed() uint64 { return j.committed.Load() }

// Settled returns the sequence number up to which the fate of every record is
// known: it is committed, or was given up because there was no room or the disk failed.
func (j *Journal) Settled() uint64 { return j.settled.Load() }

// Close commits what was appended, saves the cursors and releases the
// directory. It returns the error of the last save of the cursors.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.state == Closed {
		j.mu.Unlock()
		return ErrClosed
	}
	j.setState(Closed, ErrClosed)
	j.mu.Unlock()
	close(j.stopWork)
	<-j.workers[0]
	close(j.stopKeep)
	<-j.workers[1]
	var errs []error
	for i := range j.chains {
		if w := j.chains[i].cur; w != nil {
			errs = append(errs, w.file.Close())
		}
	}
	return errors.Join(append(errs, j.saveErr, j.lock.Close())...)
}
