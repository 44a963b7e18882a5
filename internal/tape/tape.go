package tape

import (
	"encoding/binary"
	"sync"
	"time"
)

// Tape holds the last frames of one connection in a ring. Its methods may be called
// from any goroutine; those of a nil tape do nothing.
type Tape struct {
	deck *Deck

	mu         sync.Mutex
	link       Link
	ring       []byte // its length is a power of two, or 0
	tail, head uint64 // octets written before the oldest record, and in all
	ended      bool
}

// A record is a header and the octets that were sent or received together: time in
// ns since 1970, the length, and above it whether they were sent.
const (
	headerSize = 12
	sentMark   = 1 << 31
)

// Record adds octets that are sent or were received now.
func (t *Tape) Record(sent bool, octets []byte) {
	if t == nil || len(octets) == 0 {
		return
	}
	now := time.Now().UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	need := headerSize + len(octets)
	if free := len(t.ring) - int(t.head-t.tail); free < need {
		t.room(need)
		if len(t.ring) < need {
			t.head += uint64(need) // it does not fit at all: a gap
			t.tail = t.head
			return
		}
	}
	var h [headerSize]byte
	binary.LittleEndian.PutUint64(h[:], uint64(now))
	size := uint32(len(octets))
	if sent {
		size |= sentMark
	}
	binary.LittleEndian.PutUint32(h[8:], size)
	t.put(h[:])
	t.put(octets)
}

// put writes octets behind the head. There is room.
func (t *Tape) put(b []byte) {
	at := int(t.head) & (len(t.ring) - 1)
	n := copy(t.ring[at:], b)
	copy(t.ring, b[n:])
	t.head += uint64(len(b))
}

// get reads octets from a position on.
func (t *Tape) get(dst []byte, from uint64) {
	at := int(from) & (len(t.ring) - 1)
	n := copy(dst, t.ring[at:])
	copy(dst[n:], t.ring)
}

// room makes room for a record: by more memory, and by giving up the oldest records.
func (t *Tape) room(need int) {
	limit := int(t.deck.limit.Load())
	size := len(t.ring)
	for size < limit && size-int(t.head-t.tail) < need {
		size = max(leastRing, 2*size)
	}
	if size != len(t.ring) {
		t.resize(size)
	}
	t.forget(need)
}

// forget gives up the oldest records until there is room for n octets, or nothing left.
func (t *Tape) forget(n int) {
	for t.tail < t.head && len(t.ring)-int(t.head-t.tail) < n {
		t.tail += headerSize + uint64(t.sizeAt(t.tail)&^sentMark)
	}
}

func (t *Tape) sizeAt(at uint64) uint32 {
	var b [4]byte
	t.get(b[:], at+8)
	return binary.LittleEndian.Uint32(b[:])
}

// resize gives the ring another size, which holds what is in it.
func (t *Tape) resize(size int) {
	held := make([]byte, t.head-t.tail)
	if len(held) > 0 {
		t.get(held, t.tail)
	}
	t.ring, t.head = make([]byte, size), t.tail
	t.put(held)
}

// cut shortens the ring to a size, 0 or a power of two.
func (t *Tape) cut(size int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) <= size {
		return
	}
	t.forget(len(t.ring) - size)
	if size == 0 {
		t.tail, t.ring = t.head, nil
		return
	}
	t.resize(size)
}

func (t *Tape) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.ring)
}

// Name gives the link of a tape what is known of it later.
func (t *Tape) Name(change func(*Link)) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.link)
}

// Link returns whose tape it is.
func (t *Tape) Link() Link {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.link
}

// End tells that the link has ended: nothing more is recorded. What there is stays for
// a while, in no more memory than it needs.
func (t *Tape) End() {
	if t == nil {
		return
	}
	d := t.deck
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, open := d.open[t]; !open {
		return
	}
	delete(d.open, t)
	t.mu.Lock()
	t.ended = true
	used := int(t.head - t.tail)
	for len(t.ring) > leastRing && len(t.ring)/2 >= used {
		t.resize(len(t.ring) / 2)
	}
	size := len(t.ring)
	t.mu.Unlock()
	if used > 0 {
		d.closed = append(d.closed, t)
		d.kept += size
	}
	d.share()
	d.drop()
}

// Ended reports whether the link has ended.
func (t *Tape) Ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}
