package connector

import (
	"sync"
	"sync/atomic"

	"busbar/internal/point"
)

// RecordLength is how many orders a [Manager] keeps the records of in memory.
const RecordLength = 1000

// CommandRecord is what is known of an order so far.
type CommandRecord struct {
	Order      point.Order
	Executor   string // id of the connector; empty: the command is not known
	Select     bool   // it was a selection: nothing was executed
	Terminates bool   // a positive confirmation is followed by a termination

	// Times; zero has not happened.
	Received   point.Instant
	Accepted   point.Instant // handed to the device or its broker
	Replied    point.Instant // last reply of the device
	Confirmed  point.Instant // answered, positively or not
	Terminated point.Instant
	Late       point.Instant // operated or handed over, though the requester was told that it failed

	Confirmation point.Result // Stage is zero as long as there is none
	Termination  point.Result
	Failure      string // after a positive confirmation, of a command without termination
	Unknown      bool   // failed, but the device may have operated
	Skipped      uint64 // orders that its connector has refused before it without a record
}

// Ended reports whether the requester has been told all that it is told of the
// order. What is reported of it after that is late.
func (r *CommandRecord) Ended() bool {
	if r.Select || r.Confirmation.Stage != 0 && (!r.Confirmation.Positive || !r.Terminates) {
		return true
	}
	return r.Termination.Stage != 0
}

// Recorder keeps the records of commands beyond the life of the process.
type Recorder interface {
	// Record is called with the first record of an order before it is
	// executed, and again with each of its stages; the records of one order have
	// the same Order.ID. An order whose first record is not kept is refused.
	// Record may be called from any goroutine. It may take a moment for the
	// first record of an order, which expires meanwhile, but not for others:
	// they come from goroutines of connectors too.
	Record(CommandRecord) error
}

// commandCounts count orders by what became of them.
type commandCounts struct {
	selected, refused  atomic.Uint64
	confirmed, failed  atomic.Uint64 // by the confirmation, of those handed to an executor
	terminated, broken atomic.Uint64 // by the termination
	late, unrecorded   atomic.Uint64
	running            atomic.Int64
}

// book holds the records of the newest orders.
type book struct {
	mu       sync.Mutex
	recorder Recorder        // nil: there is none
	ring     []CommandRecord // up to RecordLength
	total    int             // records since the beginning
	ids      map[string]int  // places of the records, by id; of two with one id that of the first
	stages   []CommandRecord // the newest ones, up to RecordLength
	stage    uint64          // stages since the beginning
	more     chan struct{}   // closed by the next stage; nil: nobody waits for it
}

func newBook() *book { return &book{ids: make(map[string]int)} }

// add takes a new record into the ring. It returns its place.
func (b *book) add(r CommandRecord) (place int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ring) < RecordLength {
		b.ring = append(b.ring, r)
	} else {
		oldest := &b.ring[b.total%RecordLength]
		if b.ids[oldest.Order.ID] == b.total-RecordLength {
			delete(b.ids, oldest.Order.ID)
		}
		*oldest = r
	}
	if _, known := b.ids[r.Order.ID]; !known {
		b.ids[r.Order.ID] = b.total
	}
	b.total++
	return b.total - 1
}

// update replaces the record at a place, if it is still there, and hands it to
// the recorder and to those who follow the stages.
func (b *book) update(place int, r CommandRecord) error {
	b.mu.Lock()
	if b.total-place <= RecordLength {
		b.ring[place%RecordLength] = r
	}
	b.reach(r)
	recorder := b.recorder
	b.mu.Unlock()
	if recorder == nil {
		return nil
	}
	return recorder.Record(r)
}

// knows reports whether there is a record of an order with this id.
func (b *book) knows(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, known := b.ids[id]
	return known
}

// find returns the record of the order with this id; false if it is not among the newest.
func (b *book) find(id string) (CommandRecord, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	place, known := b.ids[id]
	if !known {
		return CommandRecord{}, false
	}
	return b.ring[place%RecordLength], true
}

// list returns the records, oldest first.
func (b *book) list() []CommandRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	oldest := 0
	if len(b.ring) == RecordLength {
		oldest = b.total % RecordLength
	}
	list := make([]CommandRecord, 0, len(b.ring))
	return append(append(list, b.ring[oldest:]...), b.ring[:oldest]...)
}

// CommandRecords returns the records of the newest 1000 orders, oldest first.
func (m *Manager) CommandRecords() []CommandRecord { return m.router.book.list() }

// CommandRecord returns the record of the order with the given id; false if it is not
// among the newest 1000.
func (m *Manager) CommandRecord(id string) (CommandRecord, bool) { return m.router.book.find(id) }

// RestoreCommands takes records of orders of an earlier process, oldest first,
// of which the newest 1000 are kept. Orders with their ids are refused. The
// recorder does not get them. It is called before the first plant is applied.
func (m *Manager) RestoreCommands(records []CommandRecord) {
	for _, r := range records {
		m.router.book.add(r)
	}
}

// RecordCommands hands the records of all further orders to r as well.
func (m *Manager) RecordCommands(r Recorder) {
	b := m.router.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recorder = r
}
