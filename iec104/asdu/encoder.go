package asdu

import "encoding/binary"

// Encoder puts objects of one type into octets that the caller provides, and
// saves what [AppendObject] and [AppendElement] find out for every object. It
// is for senders of many. It does not change and may be used from several
// goroutines.
type Encoder struct {
	row  *row
	most uint32 // highest object address
	ioa  uint8  // octets of an object address
	size uint8  // octets of an element with its time tag
}

// NewEncoder returns the encoder of a type for the field sizes; false if the
// length of its objects is not fixed.
func NewEncoder(t TypeID, s Sizes) (Encoder, bool) {
	s = s.with104()
	r := t.row()
	return Encoder{row: r, most: s.maxIOA(), ioa: s.IOA, size: r.size}, r.elem != elSegment && r.elem != elRaw
}

// Size returns the octets of an object with its address, and of an element
// without one.
func (e *Encoder) Size() (object, element int) { return int(e.ioa) + int(e.size), int(e.size) }

// PutObject puts an object into b, which has exactly its octets: address,
// element and time tag. It reports whether address and value fit; if not,
// [AppendObject] tells what is wrong.
func (e *Encoder) PutObject(b []byte, o *Object) bool {
	if o.IOA > e.most {
		return false
	}
	if e.row.elem == elR32 && len(b) == 15 {
		_ = b[14]
		binary.LittleEndian.PutUint64(b, uint64(o.IOA)|uint64(o.Value)<<24|uint64(o.Quality&maskQDS)<<56)
		binary.LittleEndian.PutUint64(b[7:], uint64(o.Quality&maskQDS)|uint64(o.Time)<<8)
		return true
	}
	if e.ioa == 3 {
		_ = b[2]
		b[0], b[1], b[2] = byte(o.IOA), byte(o.IOA>>8), byte(o.IOA>>16)
		return e.PutElement(b[3:], o)
	}
	return e.PutElement(putAddress(b, e.ioa, o.IOA), o)
}

// PutElement puts an element and its time tag into b, which has exactly their
// octets, as the second and the further objects have it with SQ=1. It reports
// whether the value fits; if not, [AppendElement] tells what is wrong.
func (e *Encoder) PutElement(b []byte, o *Object) bool {
	if e.row.elem == elR32 && len(b) == 5 {
		binary.LittleEndian.PutUint32(b, o.Value)
		b[4] = byte(o.Quality & maskQDS)
		return true
	}
	return e.row.encode(b, o)
}
