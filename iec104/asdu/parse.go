package asdu

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// ASDU is a parsed ASDU. It refers to the octets it was parsed from and is
// valid as long as they do not change.
type ASDU struct {
	Header
	sizes  Sizes
	count  uint8 // objects that are there
	octets []byte
}

// Parse checks the octets of one ASDU and returns it. It reads nothing behind
// b and allocates nothing unless it fails.
//
// With [ErrSurplus], [ErrCount] and [ErrSequence] the objects announced are
// there nevertheless and can be taken: surplus octets follow the last one; a
// type that takes one object has several; the type does not have this SQ. With
// [ErrTruncated], [ErrNoObjects] and [ErrAddressRange] there are no objects,
// but the header is valid if the octets last for it.
//
// SQ=1 with one object has the same octets as SQ=0 and is accepted for every
// type; Header.SQ tells. Causes, common addresses and reserved bits are not
// checked, see [TypeID.Permits]. A type that is not known has one object with
// the octets behind the first address as Data, whatever N says.
func Parse(b []byte, s Sizes) (ASDU, error) {
	var a ASDU
	err := a.Parse(b, s)
	return a, err
}

// Parse is the function [Parse] with its result in a.
func (a *ASDU) Parse(b []byte, s Sizes) error {
	a.sizes, a.octets, a.count = s.with104(), b, 0
	if err := a.Header.parse(b, a.sizes); err != nil {
		return err
	}
	return a.check()
}

// Octets returns the octets the ASDU was parsed from.
func (a *ASDU) Octets() []byte { return a.octets }

// Count returns the number of objects that [ASDU.AppendObjects] appends: N, but
// one for a type whose elements cannot be told apart, and none after an error
// that leaves no objects.
func (a *ASDU) Count() int { return int(a.count) }

// body returns the octets behind the header.
func (a *ASDU) body() []byte { return a.octets[a.sizes.header():] }

// length returns the octets that the body must have.
func (a *ASDU) length(r *row) int {
	ioa := int(a.sizes.IOA)
	switch {
	case r.elem == elRaw || r.elem == elSegment:
		return a.variable(r)
	case a.SQ:
		return ioa + int(a.N)*int(r.size)
	default:
		return int(a.N) * (ioa + int(r.size))
	}
}

// variable is length for elements without a fixed length.
func (a *ASDU) variable(r *row) int {
	ioa, b := int(a.sizes.IOA), a.body()
	if r.elem == elRaw {
		return max(ioa, len(b))
	}
	n := ioa + segmentHeader
	if len(b) >= n {
		n += int(b[n-1])
	}
	return n
}

// check finds out how many objects are there, and what is wrong with them.
func (a *ASDU) check() error {
	if a.N == 0 {
		return ErrNoObjects
	}
	r := a.Type.row()
	want, have := a.length(r), len(a.octets)-a.sizes.header()
	if have < want {
		return fmt.Errorf("%w: %d objects of %v take %d octets, %d are there", ErrTruncated, a.N, a.Type, want, have)
	}
	if a.N > 1 && a.pastRange(r) {
		return fmt.Errorf("%w: %d elements from address %d on, highest is %d",
			ErrAddressRange, a.N, takeAddress(a.body(), a.sizes.IOA), a.sizes.maxIOA())
	}
	a.count = a.N
	if r.elem == elRaw || r.elem == elSegment {
		a.count = 1
	}
	if a.N > 1 {
		if err := r.permits(a.Type, int(a.N), a.SQ); err != nil {
			return err
		}
	}
	if have > want {
		return fmt.Errorf("%w: %d behind %d objects of %v", ErrSurplus, have-want, a.N, a.Type)
	}
	return nil
}

// pastRange reports whether addresses counted up from the first one would run
// past the highest.
func (a *ASDU) pastRange(r *row) bool {
	return a.SQ && r.elem != elRaw && takeAddress(a.body(), a.sizes.IOA)+uint32(a.N)-1 > a.sizes.maxIOA()
}

// permits returns an error if the type does not have n > 1 objects with SQ.
func (r *row) permits(t TypeID, n int, sq bool) error {
	switch {
	case r.elem == elRaw:
		return nil
	case r.shape == one:
		return fmt.Errorf("%w: %d of %v", ErrCount, n, t)
	case sq && r.shape&sequence == 0, !sq && r.shape&several == 0:
		return fmt.Errorf("%w: %d of %v with SQ=%d", ErrSequence, n, t, bit(sq, 1))
	default:
		return nil
	}
}

// AppendObjects appends the objects and returns the extended slice. It does not
// allocate if dst has room for [ASDU.Count] more.
func (a *ASDU) AppendObjects(dst []Object) []Object {
	n := a.Count()
	if n == 0 {
		return dst
	}
	r, b, ioa := a.Type.row(), a.body(), int(a.sizes.IOA)
	first := len(dst)
	dst = slices.Grow(dst, n)[:first+n]
	objs := dst[first:]
	switch {
	case r.elem == elRaw, r.elem == elSegment:
		objs[0] = Object{IOA: takeAddress(b, a.sizes.IOA), Data: b[ioa:a.length(r)]}
	case a.SQ:
		start := takeAddress(b, a.sizes.IOA)
		for i := range objs {
			objs[i] = Object{IOA: start + uint32(i)}
		}
		r.decode(objs, b[ioa:], int(r.size))
	default:
		decodeAddresses(objs, b, ioa+int(r.size), a.sizes.IOA)
		r.decode(objs, b[ioa:], ioa+int(r.size))
	}
	return dst
}

// takeAddress returns the address of size octets at the beginning of b.
func takeAddress(b []byte, size uint8) uint32 {
	switch size {
	case 3:
		_ = b[2]
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	case 2:
		return uint32(binary.LittleEndian.Uint16(b))
	default:
		return uint32(b[0])
	}
}

// decodeAddresses clears the objects and takes the address of each.
func decodeAddresses(objs []Object, b []byte, stride int, size uint8) {
	if size != 3 {
		for i := range objs {
			objs[i] = Object{IOA: takeAddress(b[i*stride:], size)}
		}
		return
	}
	for i := range objs {
		a := b[i*stride:]
		objs[i] = Object{IOA: takeAddress(a, 3)}
	}
}
