package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"

	"busbar/internal/point"
)

// The chains: one for each class of records, and one for the definitions.
const (
	dictionary = point.Classes + 1
	chains     = dictionary + 1
)

// chainName returns the name of a chain, the first part of its file names.
func chainName(chain int) string {
	switch chain {
	case point.Classes:
		return "quiet"
	case dictionary:
		return "definitions"
	default:
		return point.Class(chain).String()
	}
}

const suffix = ".seg"

// segmentName returns the name of the file of a segment.
func segmentName(chain int, first uint64) string {
	return fmt.Sprintf("%s-%020d%s", chainName(chain), first, suffix)
}

// parseSegmentName is the reverse of segmentName.
func parseSegmentName(name string) (chain int, first uint64, ok bool) {
	for chain = range chains {
		digits, ok := strings.CutPrefix(name, chainName(chain)+"-")
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(strings.TrimSuffix(digits, suffix), 10, 64)
		return chain, first, err == nil && segmentName(chain, first) == name
	}
	return 0, 0, false
}

// segment is what is known of a file of records. Only one process writes a
// segment, and only once: after a restart a chain goes on with a new one.
type segment struct {
	chain int
	first uint64 // sequence number of the first record; part of its name
	// before is the last sequence number of the segment before it, 0 if there
	// was none.
	before uint64
	end    int64 // octets that count; guarded by Journal.mu
	// proven is how far the segment was certainly synced. What is missing or
	// bad below it was lost; beyond it may lie a group that was never
	// acknowledged.
	proven int64 // guarded by Journal.mu
}

func (s *segment) name() string { return segmentName(s.chain, s.first) }

// header begins a segment.
//
//	0  magic
//	8  chain
//	16 first sequence number
//	24 first sequence number of the segment before it, 0 if there was none
//	32 last sequence number of that segment
//	40 octets of that segment that count
//	48 octets of that segment that were certainly synced
//	56 crc32c of all before
//	60 zero
type header struct {
	chain  int
	first  uint64
	prev   uint64
	last   uint64
	end    int64
	proven int64
}

const (
	headerSize   = 64
	segmentMagic = "BUSBARJ1"
)

func (h *header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, segmentMagic)
	for i, v := range []uint64{uint64(h.chain), h.first, h.prev, h.last, uint64(h.end), uint64(h.proven)} {
		binary.LittleEndian.PutUint64(b[8+8*i:], v)
	}
	binary.LittleEndian.PutUint32(b[56:], crc32.Checksum(b[:56], castagnoli))
	return b
}

// parseHeader reads the header of the segment with the given place. It is
// false if b does not begin with it.
func parseHeader(b []byte, chain int, first uint64) (h header, ok bool) {
	if len(b) < headerSize || string(b[:8]) != segmentMagic || binary.LittleEndian.Uint32(b[60:]) != 0 ||
		crc32.Checksum(b[:56], castagnoli) != binary.LittleEndian.Uint32(b[56:]) {
		return h, false
	}
	field := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8+8*i:]) }
	h = header{chain: chain, first: field(1), prev: field(2), last: field(3)}
	if field(0) != uint64(chain) || h.first != first || h.prev >= first || h.last >= first ||
		field(4) > math.MaxInt64 || field(5) > math.MaxInt64 {
		return h, false
	}
	h.end, h.proven = int64(field(4)), int64(field(5))
	return h, true
}
