package journal

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// readAhead is how much is read at a time.
const readAhead = 64 << 10

// head reads one chain.
type head struct {
	j     *Journal
	chain int
	pos   uint64 // last sequence number that was delivered or given up

	// The next record. seq is 0 while it is not known, none if there is none.
	seq     uint64
	payload []byte

	seg    *segment // nil before the first
	file   File
	before uint64 // first sequence number of the segment after this, if there is one
	off    int64  // in the file, of buf[lo]
	buf    []byte
	lo     int
	broken bool // there is no frame at off
}

// advance makes the next record ready from what was read. It is false if more
// must be loaded.
func (h *head) advance() bool {
	for !h.broken {
		f, v := parse(h.buf[h.lo:], h.chain, 0, math.MaxUint64)
		if v == short {
			return false
		}
		if v == bad {
			break
		}
		if f.kind == kindRecord && f.seq > h.pos && f.seq >= h.before {
			break
		}
		h.lo += f.size()
		h.off += int64(f.size())
		if f.kind == kindRecord && f.seq > h.pos {
			h.seq, h.payload = f.seq, f.payload
			return true
		}
	}
	h.broken = true
	return false
}

// load reads on, in this segment or the next. more is false if there is no
// more. The buffer is overwritten.
func (h *head) load() (gap Gap, more bool, err error) {
	if h.seg == nil {
		return h.enter()
	}
	end, proven, before, newest, err := h.j.extent(h.seg)
	if err != nil {
		return gap, false, err
	}
	h.before = before
	have := int64(len(h.buf) - h.lo)
	switch {
	case h.broken:
		return h.skip(end, proven, newest)
	case h.off+have < end:
		return gap, true, h.read(end, have)
	case have > 0:
		// The segment ends within a frame.
		h.broken = true
		return gap, true, nil
	case before == none:
		return gap, false, nil
	default:
		return h.enter()
	}
}

// extent returns how far a segment goes, how far it was durable, the first
// sequence number of the segment after it, none if it is the newest, and the
// newest one of the chain.
func (j *Journal) extent(s *segment) (end, proven int64, before, newest uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == Closed {
		return 0, 0, 0, 0, ErrClosed
	}
	before = none
	for _, t := range j.chains[s.chain].segs {
		if t.first > s.first {
			before = t.first
			break
		}
	}
	return s.end, s.proven, before, j.chains[s.chain].last, nil
}

// enter goes to the segment that holds the record after pos, or the first one
// after that.
func (h *head) enter() (gap Gap, more bool, err error) {
	for {
		s := h.j.segmentAt(h)
		if s == nil {
			return gap, false, nil
		}
		f, err := h.j.fs.Open(s.name())
		if errors.Is(err, os.ErrNotExist) && h.j.trimmed(s) {
			continue
		}
		if err != nil {
			return gap, false, fmt.Errorf("journal: read: %w", err)
		}
		if err := h.close(); err != nil {
			return gap, false, errors.Join(err, f.Close())
		}
		h.seg, h.file, h.off, h.buf, h.lo, h.broken, h.before = s, f, headerSize, h.buf[:0], 0, false, none
		if s.before > h.pos {
			gap = Gap{After: h.pos, Before: s.before + 1}
			h.pos = s.before
		}
		return gap, true, nil
	}
}

// segmentAt returns the segment for a head to enter, nil if there is none.
func (j *Journal) segmentAt(h *head) *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found *segment
	for _, s := range j.chains[h.chain].segs {
		switch {
		case h.seg != nil && s.first <= h.seg.first:
		case found == nil, h.seg == nil && s.before <= h.pos:
			found = s
		default:
			return found
		}
	}
	return found
}

// trimmed says whether a segment is not in its chain any more.
func (j *Journal) trimmed(s *segment) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range j.chains[s.chain].segs {
		if t == s {
			return false
		}
	}
	return true
}

// read reads more of a segment that goes to end. have octets of the buffer
// were not used.
func (h *head) read(end, have int64) error {
	h.buf = append(h.buf[:0], h.buf[h.lo:]...)
	h.lo = 0
	// A frame that does not fit makes the buffer grow.
	size := max(readAhead, 2*have)
	n := int(min(size, end-h.off-have))
	at := len(h.buf)
	h.buf = append(h.buf, make([]byte, n)...)
	got, err := h.file.ReadAt(h.buf[at:], h.off+have)
	h.buf = h.buf[:at+got]
	switch {
	case got > 0 || err == nil:
		return nil
	case errors.Is(err, io.EOF):
		h.broken = true // shorter than it was
		return nil
	default:
		return fmt.Errorf("journal: read: %w", err)
	}
}

// skip goes to the next frame after something that is none, or to the end of
// the segment.
func (h *head) skip(end, proven int64, newest uint64) (gap Gap, more bool, err error) {
	b := make([]byte, max(0, end-h.off))
	n, err := h.file.ReadAt(b, h.off)
	if err != nil && !errors.Is(err, io.EOF) {
		return gap, false, fmt.Errorf("journal: read: %w", err)
	}
	d := Damage{File: h.seg.name(), Offset: h.off, After: h.pos, Reason: "records damaged"}
	next := 1
	if n > 0 {
		next += resync(b[1:n], h.chain, h.pos, h.before)
	}
	d.Before = min(h.before, newest+1)
	d.Octets = int64(next)
	if next < n {
		f, _ := parse(b[next:], h.chain, h.pos, h.before)
		if d.Before = f.seq; f.kind == kindMark {
			d.Before++
		}
	} else {
		d.Octets = end - h.off
	}
	h.off += d.Octets
	h.buf, h.lo, h.broken = h.buf[:0], 0, false
	if d.Offset < proven {
		h.j.damaged(d)
		gap = Gap{After: d.After, Before: max(d.Before, d.After+1)}
		h.pos = gap.Before - 1
	}
	return gap, true, nil
}

func (h *head) close() error {
	if h.file == nil {
		return nil
	}
	f := h.file
	h.file = nil
	return f.Close()
}
