package image

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"busbar/internal/image/journal"
	"busbar/internal/point"
)

// keeper writes what a Memory holds into a journal.
type keeper struct {
	journal *journal.Journal
	log     *slog.Logger
	start   uint64        // newest sequence number when the image was opened
	damaged atomic.Uint64 // places where something was found lost
	octets  atomic.Int64  // appended since the last checkpoint, about
	refused atomic.Uint64 // how often changes were refused after they were published
	behind  atomic.Bool   // a follower waits for the journal to settle more

	// What follows is guarded by the lock of the image.
	records  []journal.Record // of the batch that is being published
	payload  []byte           // of records
	gone     []point.Index    // removed, and not yet so in the journal
	appended uint64           // newest sequence number in the journal
	defined  bool             // there are definitions that are not yet committed

	news progress
}

// add takes a change up into the batch. over is the overlay that it makes, nil: it
// makes none.
func (k *keeper) add(seq uint64, u *point.Update, events uint64, over *overlay) {
	start := len(k.payload)
	k.payload = appendRecord(k.payload, u, events)
	if over != nil {
		k.payload[start+5] |= recordOverlay
		k.payload = appendTrailer(k.payload, over)
	}
	class := u.Value.Type().Class()
	if events == 0 {
		class = journal.Quiet
	}
	// When the buffer grows, what was taken up before stays in the old one.
	k.records = append(k.records, journal.Record{Seq: seq, Class: class, Payload: k.payload[start:len(k.payload):len(k.payload)]})
}

// most is the size of the buffer that is kept from batch to batch.
const most = 1 << 20

// flush hands the batch to the journal.
func (k *keeper) flush(committed func(error)) error {
	n := len(k.records)
	if n == 0 && committed == nil {
		return nil
	}
	err := k.journal.Append(k.records, committed)
	if err == nil && n > 0 {
		k.appended = k.records[n-1].Seq
		k.octets.Add(int64(len(k.payload) + 16*n))
	}
	k.records, k.payload = k.records[:0], k.payload[:0]
	if cap(k.payload) > most {
		k.records, k.payload = nil, nil
	}
	return err
}

// define tells the journal what is behind a number. What cannot be told, since
// the journal has failed or is closed, is not needed: no record can follow.
func (k *keeper) define(p point.Index, d definition) {
	if k.journal.Define(uint32(p), appendDefinition(nil, d)) == nil {
		k.defined = true
	}
}

// arrange tells the journal the order of the targets of a point.
func (k *keeper) arrange(p point.Index, l layout) {
	if k.journal.Define(uint32(p), appendLayout(nil, l)) == nil {
		k.defined = true
	}
}

// remove notes that a point was removed. It becomes so in the journal with the
// next change, so that a plant that is not put into force after all costs nothing.
func (k *keeper) remove(p point.Index) { k.gone = append(k.gone, p) }

// forget tells the journal which points were removed.
func (k *keeper) forget() {
	for _, p := range k.gone {
		k.define(p, definition{removed: true})
	}
	k.gone = k.gone[:0]
}

// progress lets goroutines wait for the journal to settle more.
type progress struct {
	mu   sync.Mutex
	next chan struct{} // closed when there is news; nil: nobody waits
}

// wait returns what is closed with the next news.
func (p *progress) wait() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = make(chan struct{})
	}
	return p.next
}

func (p *progress) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != nil {
		close(p.next)
		p.next = nil
	}
}
