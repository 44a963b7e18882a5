// Package tape keeps the last frames of links, as they were sent and received, for a
// trace. It knows no protocol: a frame is octets, a time and a direction.
//
// Recording is always on. It costs one copy per write to a link, however many frames
// that has, and never waits for a reader: who reads too slowly finds a gap.
package tape

import (
	"math/bits"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound the memory of a [Deck] in octets. Zero stands for the default.
type Limits struct {
	Link  int // of one link; default 256 KiB
	Total int // of all links together; default 64 MiB
}

// The defaults of [Limits], and how many tapes of links that have ended are kept.
const (
	DefaultLink  = 256 << 10
	DefaultTotal = 64 << 20
	maxClosed    = 64
)

// leastRing is the first piece of memory of a tape; with less there is no recording.
const leastRing = 1 << 10

// Deck holds the tapes of all links. A quarter of its memory is for links that have
// ended, the rest for those that are open, each with the same part, as a power of two.
// Its methods may be called from any goroutine; those of a nil deck do nothing.
type Deck struct {
	limit atomic.Int64 // octets of one tape that records

	mu     sync.Mutex
	limits Limits
	open   map[*Tape]struct{}
	closed []*Tape // oldest first
	kept   int     // octets of closed
}

// NewDeck returns a deck without tapes.
func NewDeck(l Limits) *Deck {
	d := &Deck{open: make(map[*Tape]struct{})}
	d.Limit(l)
	return d
}

// Limit changes the limits. Tapes that are too long are cut.
func (d *Deck) Limit(l Limits) {
	if l.Link <= 0 {
		l.Link = DefaultLink
	}
	if l.Total <= 0 {
		l.Total = DefaultTotal
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limits = l
	d.share()
	d.drop()
}

// share gives each open tape its part of the memory. The lock is held.
func (d *Deck) share() {
	part := min(d.limits.Link, d.limits.Total/4*3/max(1, len(d.open)))
	limit := int64(0)
	if part >= leastRing {
		limit = 1 << (bits.Len(uint(part)) - 1)
	}
	if before := d.limit.Swap(limit); before > limit {
		for t := range d.open {
			t.cut(int(limit))
		}
	}
}

// drop forgets the oldest tapes of links that have ended, as far as there are too
// many. The lock is held.
func (d *Deck) drop() {
	for len(d.closed) > 0 && (len(d.closed) > maxClosed || d.kept > d.limits.Total/4) {
		d.kept -= d.closed[0].size()
		d.closed = d.closed[1:]
	}
}

// Link says whose frames a tape holds.
type Link struct {
	ID          string // of the link
	Connector   string
	Conn        uint64 // number of the connection at its connector
	Local, Peer net.Addr
	Certificate string // of the peer; empty without TLS

	// What the frames are to be read with.
	Octets [3]int         // of cause, common address and object address
	Zone   *time.Location // of time tags
}

// Open returns the tape of a new connection; nil without a deck.
func (d *Deck) Open(l Link) *Tape {
	if d == nil {
		return nil
	}
	t := &Tape{deck: d, link: l}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[t] = struct{}{}
	d.share()
	return t
}

// Tapes returns all tapes, those of links that have ended first.
func (d *Deck) Tapes() []*Tape {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all := slices.Clone(d.closed)
	for t := range d.open {
		all = append(all, t)
	}
	return all
}

// Octets returns how much memory the tapes take.
func (d *Deck) Octets() int {
	n := 0
	for _, t := range d.Tapes() {
		n += t.size()
	}
	return n
}
