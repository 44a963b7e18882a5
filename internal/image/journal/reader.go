package journal

import (
	"errors"
	"math"

	"busbar/internal/point"
)

// Gap says that records of a class between After and Before, both excluded,
// are gone: trimmed before they were read, or damaged.
type Gap struct {
	Class         point.Class
	After, Before uint64
}

// Reader reads committed records in the order of their sequence numbers. It
// belongs to one goroutine. The journal may grow and be trimmed meanwhile.
type Reader struct {
	heads [dictionary]head
	gaps  []Gap
	owed  bool // gaps were found by a call that then failed
	j     *Journal
}

// Reader returns a reader that begins after the given position, and with the
// quiet records after another one.
func (j *Journal) Reader(from Position, quiet uint64) *Reader {
	r := &Reader{j: j}
	for i, seq := range append(from[:], quiet) {
		r.heads[i] = head{j: j, chain: i, pos: seq}
	}
	return r
}

// none is the sequence number of a head that has no record.
const none = math.MaxUint64

// Next reads up to len(dst) records into dst, often fewer. It does not wait: n
// is 0 without a gap when everything that is committed has been read. Gaps lie before the
// records that are returned with them. Payloads and gaps are valid until the
// next call.
//
// It fails with the errors of the operating system and ErrClosed; the position
// is then where it was, and Next may be called again. It returns no gaps then: the
// next call has them.
func (r *Reader) Next(dst []Record) (n int, gaps []Gap, err error) {
	if !r.owed {
		r.gaps = r.gaps[:0]
	}
	r.owed = false
	horizon := r.j.Committed()
	var best *head
	for i := range r.heads {
		h := &r.heads[i]
		if h.seq == none || h.seq == 0 {
			if err := r.fill(h); err != nil {
				r.owed = true
				return 0, nil, err
			}
		}
	}
	for n < len(dst) {
		best = &r.heads[0]
		for i := 1; i < len(r.heads); i++ {
			if r.heads[i].seq < best.seq {
				best = &r.heads[i]
			}
		}
		if best.seq > horizon {
			break
		}
		dst[n] = Record{Seq: best.seq, Class: point.Class(best.chain), Payload: best.payload}
		n++
		best.pos, best.seq = best.seq, 0
		if !best.advance() {
			break // what is in dst must stay where it is
		}
	}
	return n, r.gaps, nil
}

// fill makes the next record of a head ready, or none.
func (r *Reader) fill(h *head) error {
	for !h.advance() {
		gap, more, err := h.load()
		if gap.Before > gap.After+1 {
			gap.Class = point.Class(h.chain)
			r.gaps = append(r.gaps, gap)
		}
		if err != nil {
			return err
		}
		if !more {
			h.seq = none
			return nil
		}
	}
	return nil
}

// Close releases the files of the reader.
func (r *Reader) Close() error {
	var errs []error
	for i := range r.heads {
		errs = append(errs, r.heads[i].close())
	}
	return errors.Join(errs...)
}

// Definitions calls yield for every definition that is durable, in the order
// in which they were defined, until it returns an error. payload is valid
// during the call. A gap is damage, which Recovery has.
func (j *Journal) Definitions(yield func(id uint32, payload []byte) error) (err error) {
	h := head{j: j, chain: dictionary}
	defer func() { err = errors.Join(err, h.close()) }()
	for {
		for !h.advance() {
			if _, more, err := h.load(); err != nil || !more {
				return err
			}
		}
		b := h.payload
		h.pos, h.seq = h.seq, 0
		if len(b) < 4 {
			continue
		}
		id := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		if err := yield(id, b[4:]); err != nil {
			return err
		}
	}
}
