package asdu

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Append appends a whole ASDU with the header h and the objects, whose number
// takes the place of h.N; only for a type that is not known h.N is kept.
//
// With h.SQ the addresses must be consecutive. Append fails with [ErrNoObjects],
// [ErrCount], [ErrSequence], [ErrAddressRange], [ErrValue], [ErrTooLong] or
// [ErrSizes], and returns dst as it was. Quality bits that the type has no place
// for are dropped.
func Append(dst []byte, s Sizes, h Header, objs []Object) ([]byte, error) {
	if len(objs) == 0 {
		return dst, ErrNoObjects
	}
	r := h.Type.row()
	if r.name != "" || h.N == 0 {
		h.N = uint8(min(len(objs), 128)) // 128 is refused by AppendHeader
	}
	if len(objs) > 1 {
		if r.name == "" {
			return dst, fmt.Errorf("%w: %d of %v", ErrCount, len(objs), h.Type)
		}
		if err := r.permits(h.Type, len(objs), h.SQ); err != nil {
			return dst, err
		}
	}
	b, err := AppendHeader(dst, s, h)
	if err != nil {
		return dst, err
	}
	s = s.with104()
	size := r.octets(&objs[0])
	total := len(objs) * (int(s.IOA) + size)
	if h.SQ {
		total = int(s.IOA) + len(objs)*size
	}
	if n := len(b) - len(dst) + total; n > MaxLen {
		return dst, fmt.Errorf("%w: %d octets, most is %d", ErrTooLong, n, MaxLen)
	}
	n := len(b)
	b = slices.Grow(b, total)[:n+total]
	if err := r.fill(b[n:], s, h, objs); err != nil {
		return dst, err
	}
	return b, nil
}

// fill puts the objects into b, which has exactly their octets.
func (r *row) fill(b []byte, s Sizes, h Header, objs []Object) error {
	size, most := r.octets(&objs[0]), s.maxIOA()
	for i := range objs {
		o := &objs[i]
		switch {
		case o.IOA > most:
			return addressError(o.IOA, most)
		case !h.SQ || i == 0:
			b = putAddress(b, s.IOA, o.IOA)
		case o.IOA != objs[0].IOA+uint32(i):
			return fmt.Errorf("%w: address %d does not follow %d", ErrSequence, o.IOA, objs[i-1].IOA)
		}
		if !r.encode(b[:size], o) {
			return valueError(h.Type, o)
		}
		b = b[size:]
	}
	return nil
}

// AppendObject appends one object: address, element and time tag. It fails with
// [ErrAddressRange] or [ErrValue], and returns dst as it was.
func AppendObject(dst []byte, s Sizes, t TypeID, o *Object) ([]byte, error) {
	s = s.with104()
	if o.IOA > s.maxIOA() {
		return dst, addressError(o.IOA, s.maxIOA())
	}
	r, n := t.row(), len(dst)
	total := int(s.IOA) + r.octets(o)
	b := slices.Grow(dst, total)[:n+total]
	if !r.encode(putAddress(b[n:], s.IOA, o.IOA), o) {
		return dst, valueError(t, o)
	}
	return b, nil
}

// AppendElement appends one element and its time tag without address, as the
// second and the further ones have it with SQ=1. It fails with [ErrValue], and
// returns dst as it was.
func AppendElement(dst []byte, t TypeID, o *Object) ([]byte, error) {
	r, n := t.row(), len(dst)
	total := r.octets(o)
	b := slices.Grow(dst, total)[:n+total]
	if !r.encode(b[n:], o) {
		return dst, valueError(t, o)
	}
	return b, nil
}

// putAddress puts an address of size octets and returns what is behind it.
func putAddress(b []byte, size uint8, ioa uint32) []byte {
	switch size {
	case 3:
		_ = b[2]
		b[0], b[1], b[2] = byte(ioa), byte(ioa>>8), byte(ioa>>16)
		return b[3:]
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(ioa))
		return b[2:]
	default:
		b[0] = byte(ioa)
		return b[1:]
	}
}

func addressError(ioa, most uint32) error {
	return fmt.Errorf("%w: %d, highest is %d", ErrAddressRange, ioa, most)
}

func valueError(t TypeID, o *Object) error {
	return fmt.Errorf("%w: %v at address %d: value %d, qualifier %d, sequence %d, %d octets of data",
		ErrValue, t, o.IOA, o.Int(), o.Qualifier, o.Sequence, len(o.Data))
}

// Capacity returns how many objects of the type fit into an ASDU of at most
// maxLen octets, header included; [MaxLen] is the most. It is zero if the type
// does not have this SQ and for types without a fixed length.
func Capacity(t TypeID, sq bool, s Sizes, maxLen int) int {
	s, r := s.with104(), t.row()
	room, size := min(maxLen, MaxLen)-s.header()-int(s.IOA), int(r.size)
	switch {
	case r.elem == elRaw, r.elem == elSegment, room < size:
		return 0
	case r.shape == one:
		return int(1 - bit(sq, 1))
	case sq && r.shape&sequence != 0:
		return min(room/size, 127)
	case !sq && r.shape&several != 0:
		return min((room+int(s.IOA))/(int(s.IOA)+size), 127)
	default:
		return 0
	}
}
