package journal

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// A frame is what a segment consists of:
//
//	0  crc32c, of all that follows and the number of the chain
//	4  length of the payload in the low 24 bits, kind in the high 8
//	8  sequence number
//	16 payload
const frameHeader = 16

// MaxRecord is the longest payload of a record or definition in octets: 2 MiB and
// what belongs to it.
const MaxRecord = 2<<20 + 16<<10

// The kinds of frames. Zero is none: it is what reserved room is filled with.
const (
	kindRecord = 1
	// kindMark begins a group in a chain. It holds how far every chain was
	// known to be durable when the group was written, and where the group ends
	// in every chain.
	kindMark = 2
)

const (
	endsSize    = chains * 16
	markPayload = 2 * endsSize
	markSize    = frameHeader + markPayload
)

// ends is a place in each chain.
type ends [chains]end

// end is a place in a chain: the first sequence number of a segment, and an
// offset in that segment.
type end struct {
	segment uint64
	offset  int64
}

func (e end) less(o end) bool {
	return e.segment < o.segment || e.segment == o.segment && e.offset < o.offset
}

// raise makes e at least as far as o in every chain.
func (e *ends) raise(o *ends) {
	for i := range e {
		if e[i].less(o[i]) {
			e[i] = o[i]
		}
	}
}

func (e *ends) put(b []byte) {
	for i, x := range e {
		binary.LittleEndian.PutUint64(b[16*i:], x.segment)
		binary.LittleEndian.PutUint64(b[16*i+8:], uint64(x.offset))
	}
}

func getEnds(b []byte) (e ends) {
	for i := range e {
		e[i].segment = binary.LittleEndian.Uint64(b[16*i:])
		e[i].offset = int64(min(binary.LittleEndian.Uint64(b[16*i+8:]), math.MaxInt64))
	}
	return e
}

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends a frame to dst.
func appendFrame(dst []byte, chain int, kind byte, seq uint64, payload []byte) []byte {
	var h [frameHeader]byte
	start := len(dst)
	binary.LittleEndian.PutUint32(h[4:], uint32(kind)<<24|uint32(len(payload)))
	binary.LittleEndian.PutUint64(h[8:], seq)
	dst = append(dst, h[:]...)
	dst = append(dst, payload...)
	binary.LittleEndian.PutUint32(dst[start:], crc32.Update(uint32(chain), castagnoli, dst[start+4:]))
	return dst
}

// putMark writes a mark into b, which is markSize long: of a group that goes
// from before, where every chain is durable, to after.
func putMark(b []byte, chain int, seq uint64, before, after *ends) {
	binary.LittleEndian.PutUint32(b[4:], kindMark<<24|markPayload)
	binary.LittleEndian.PutUint64(b[8:], seq)
	before.put(b[frameHeader:])
	after.put(b[frameHeader+endsSize:])
	binary.LittleEndian.PutUint32(b, crc32.Update(uint32(chain), castagnoli, b[4:markSize]))
}

// frame is a frame that was read. payload aliases what it was read from.
type frame struct {
	kind    byte
	seq     uint64
	payload []byte
}

func (f *frame) size() int { return frameHeader + len(f.payload) }

// verdict is what parse makes of some octets.
type verdict uint8

const (
	whole verdict = iota // a frame
	short                // perhaps the beginning of a frame
	bad                  // not a frame
)

// parse reads the frame at the beginning of b. Sequence numbers of records
// must lie between after and before, both excluded.
func parse(b []byte, chain int, after, before uint64) (f frame, v verdict) {
	if len(b) < frameHeader {
		return f, short
	}
	word := binary.LittleEndian.Uint32(b[4:])
	f.kind, f.seq = byte(word>>24), binary.LittleEndian.Uint64(b[8:])
	n := int(word & (1<<24 - 1))
	switch f.kind {
	case kindRecord:
		if n > MaxRecord || f.seq <= after || f.seq >= before {
			return f, bad
		}
	case kindMark:
		if n != markPayload {
			return f, bad
		}
	default:
		return f, bad
	}
	if len(b) < frameHeader+n {
		return f, short
	}
	if crc32.Update(uint32(chain), castagnoli, b[4:frameHeader+n]) != binary.LittleEndian.Uint32(b) {
		return f, bad
	}
	f.payload = b[frameHeader : frameHeader+n : frameHeader+n]
	return f, whole
}

// resync returns the offset of the first frame in b, len(b) if there is none.
func resync(b []byte, chain int, after, before uint64) int {
	for i := 0; i+frameHeader <= len(b); i++ {
		if kind := b[i+7]; kind != kindRecord && kind != kindMark {
			continue
		}
		if _, v := parse(b[i:], chain, after, before); v == whole {
			return i
		}
	}
	return len(b)
}
