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
	marks   ends   // what the marks prove
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
			e := getEnds(f.payload)
			s.marks.raise(&e)
			continue
		}
		for ; open < len(s.holes); open++ {
			s.holes[open].before = f.seq
		}
		s.records++
		s.last, s.end = f.seq, int64(off)
	}
	s.holes = s.holes[:open]
	for _, x := range b[min(int(s.end), len(b)):] {
		s.dirty = s.dirty || x != 0
	}
	return s
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
