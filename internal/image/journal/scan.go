package journal

import (
	"errors"
	"io"
	"math"
)

// scan is what the octets of a segment hold.
type scan struct {
	head    header
	headOK  bool
	records int
	last    uint64 // sequence number of the last record
	end     int64  // end of the last record
	dirty   bool   // something that is no zero lies beyond end
	holes   []hole // before end, ascending
	// The newest group of which there is a mark: every chain was durable up to
	// before when it was written, and it ends at after.
	before, after ends
}

// hole is a stretch in which there is no frame. Its records lie between after
// and before, both excluded.
type hole struct {
	from, to      int64
	after, before uint64
}

// scanSegment reads a whole segment. Whatever the octets are, it finds the
// frames among them.
func scanSegment(b []byte, chain int, first uint64) scan {
	s := scan{end: headerSize, last: first - 1}
	s.head, s.headOK = parseHeader(b, chain, first)
	open := 0 // holes from here on end before the next record
	for off := headerSize; off < len(b); {
		f, v := parse(b[off:], chain, s.last, math.MaxUint64)
		if v != whole {
			next := off + 1 + resync(b[off+1:], chain, s.last, math.MaxUint64)
			s.holes = append(s.holes, hole{from: int64(off), to: int64(next), after: s.last})
			off = next
			continue
		}
		off += f.size()
		if f.kind == kindMark {
			before, after := getEnds(f.payload), getEnds(f.payload[endsSize:])
			s.before.raise(&before)
			s.after.raise(&after)
			continue
		}
		for ; open < len(s.holes); open++ {
			s.holes[open].before = f.seq
		}
		s.records++
		s.last, s.end = f.seq, int64(off)
	}
	s.holes = s.holes[:open]
	s.dirty = dirty(b, s.end)
	return s
}

// dirty says whether something that is no zero lies from an offset on.
func dirty(b []byte, from int64) bool {
	for _, x := range b[min(from, int64(len(b))):] {
		if x != 0 {
			return true
		}
	}
	return false
}

// readAll returns the contents of a file.
func (j *Journal) readAll(name string) ([]byte, error) {
	f, err := j.fs.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	b := make([]byte, size)
	if _, err = f.ReadAt(b, 0); errors.Is(err, io.EOF) {
		err = nil
	}
	return b, errors.Join(err, f.Close())
}
