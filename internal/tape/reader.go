package tape

import (
	"encoding/binary"
	"time"
)

// Record is what was sent by one write, or was received together.
type Record struct {
	Position uint64 // in the tape: records have ascending ones
	At       time.Time
	Sent     bool
	Octets   []byte // valid until the next call
}

// Reader reads a tape from its oldest record on. It belongs to one goroutine.
type Reader struct {
	tape *Tape
	at   uint64
	held []byte
	base uint64 // position of held
}

// Reader returns a reader at the oldest record.
func (t *Tape) Reader() *Reader { return &Reader{tape: t, at: t.oldest()} }

// Newest returns a reader behind the newest record.
func (t *Tape) Newest() *Reader {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &Reader{tape: t, at: t.head}
}

func (t *Tape) oldest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tail
}

// Tape returns the tape that is read.
func (r *Reader) Tape() *Tape { return r.tape }

// Read calls each with the records from the last one read on, until there are none or
// each returns false, and returns how many octets were overwritten before they were
// read. The tape goes on recording meanwhile.
func (r *Reader) Read(each func(Record) bool) (lost uint64) {
	lost = r.fetch()
	for r.at < r.base+uint64(len(r.held)) {
		b := r.held[r.at-r.base:]
		size := binary.LittleEndian.Uint32(b[8:])
		n := headerSize + int(size&^sentMark)
		rec := Record{
			Position: r.at, At: time.Unix(0, int64(binary.LittleEndian.Uint64(b))).UTC(),
			Sent: size&sentMark != 0, Octets: b[headerSize:n:n],
		}
		r.at += uint64(n)
		if !each(rec) {
			break
		}
	}
	return lost
}

// fetch copies what is to be read.
func (r *Reader) fetch() (lost uint64) {
	t := r.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.at < t.tail {
		lost, r.at = t.tail-r.at, t.tail
	}
	n := int(t.head - r.at)
	if cap(r.held) < n {
		r.held = make([]byte, n)
	}
	r.held, r.base = r.held[:n], r.at
	if n > 0 {
		t.get(r.held, r.at)
	}
	return lost
}

// Release gives back the memory of what was read.
func (r *Reader) Release() { r.held = nil }
