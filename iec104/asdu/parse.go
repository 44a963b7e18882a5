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
	octets []byte
	body   []byte // behind the header
	ioa    int    // octets of an object address
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
	h, err := ParseHeader(b, s)
	if err != nil {
		return ASDU{}, err
	}
	s = s.with104()
	a := ASDU{Header: h, octets: b, body: b[s.header():], ioa: int(s.IOA)}
	return a, a.check(s)
}

// Octets returns the octets the ASDU was parsed from.
func (a *ASDU) Octets() []byte { return a.octets }

// Count returns the number of objects that [ASDU.AppendObjects] appends: N, but
// one for a type whose elements cannot be told apart.
func (a *ASDU) Count() int {
	r := a.Type.row()
	if r.name == "" || r.elem == elSegment {
		return 1
	}
	return int(a.N)
}

// length returns the octets that the body must have.
func (a *ASDU) length(r *row) int {
	switch {
	case r.name == "":
		return max(a.ioa, len(a.body))
	case r.elem == elSegment:
		n := a.ioa + segmentHeader
		if len(a.body) >= n {
			n += int(a.body[n-1])
		}
		return n
	case a.SQ:
		return a.ioa + int(a.N)*int(r.size)
	default:
		return int(a.N) * (a.ioa + int(r.size))
	}
}

func (a *ASDU) check(s Sizes) error {
	if a.N == 0 {
		return ErrNoObjects
	}
	r := a.Type.row()
	want := a.length(r)
	if len(a.body) < want {
		return fmt.Errorf("%w: %d objects of %v take %d octets, %d are there", ErrTruncated, a.N, a.Type, want, len(a.body))
	}
	if a.N > 1 {
		if err := a.checkShape(r, s); err != nil {
			return err
		}
	}
	if len(a.body) > want {
		return fmt.Errorf("%w: %d behind %d objects of %v", ErrSurplus, len(a.body)-want, a.N, a.Type)
	}
	return nil
}

// checkShape checks the addressing of more than one object.
func (a *ASDU) checkShape(r *row, s Sizes) error {
	if a.SQ && r.name != "" {
		if first := a.address(a.body); first+uint32(a.N)-1 > s.maxIOA() {
			return fmt.Errorf("%w: %d elements from address %d on, highest is %d", ErrAddressRange, a.N, first, s.maxIOA())
		}
	}
	return r.permits(a.Type, int(a.N), a.SQ)
}

// permits returns an error if the type does not have n > 1 objects with SQ.
func (r *row) permits(t TypeID, n int, sq bool) error {
	switch {
	case r.name == "":
		return nil
	case r.shape == one:
		return fmt.Errorf("%w: %d of %v", ErrCount, n, t)
	case sq && r.shape&sequence == 0, !sq && r.shape&several == 0:
		return fmt.Errorf("%w: %d of %v with SQ=%d", ErrSequence, n, t, bit(sq, 1))
	default:
		return nil
	}
}

// address returns the object address at the beginning of b.
func (a *ASDU) address(b []byte) uint32 {
	switch a.ioa {
	case 3:
		_ = b[2]
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	case 2:
		return uint32(binary.LittleEndian.Uint16(b))
	default:
		return uint32(b[0])
	}
}

// AppendObjects appends the objects and returns the extended slice. It does not
// allocate if dst has room for [ASDU.Count] more. Without objects, after an
// error of [Parse], it returns dst.
func (a *ASDU) AppendObjects(dst []Object) []Object {
	r := a.Type.row()
	n := a.Count()
	if n == 0 || len(a.body) < a.length(r) {
		return dst
	}
	first := len(dst)
	dst = slices.Grow(dst, n)[:first+n]
	objs := dst[first:]
	switch {
	case r.name == "":
		objs[0] = Object{IOA: a.address(a.body), Data: a.body[a.ioa:]}
	case r.elem == elSegment:
		objs[0] = Object{IOA: a.address(a.body), Data: a.body[a.ioa:a.length(r)]}
	case a.SQ:
		a.sequence(objs, r)
	default:
		a.single(objs, r)
	}
	return dst
}

// single decodes objects that have an address each.
func (a *ASDU) single(objs []Object, r *row) {
	b, size := a.body, a.ioa+int(r.size)
	for i := range objs {
		o := &objs[i]
		*o = Object{IOA: a.address(b)}
		r.decode(o, b[a.ioa:size])
		b = b[size:]
	}
}

// sequence decodes elements behind a common first address.
func (a *ASDU) sequence(objs []Object, r *row) {
	address, b := a.address(a.body), a.body[a.ioa:]
	for i := range objs {
		o := &objs[i]
		*o = Object{IOA: address + uint32(i)}
		r.decode(o, b[:r.size])
		b = b[r.size:]
	}
}
