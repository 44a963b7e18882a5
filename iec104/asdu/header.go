package asdu

import (
	"errors"
	"fmt"
)

// Sizes are the octets of the three fields whose size is a parameter of the
// system. The zero value means 2, 2 and 3, which IEC 60870-5-104 prescribes;
// zero in a single field means the same for that field.
type Sizes struct {
	COT uint8 // cause of transmission, 1 or 2; with 2 the originator address follows it
	CA  uint8 // common address, 1 or 2
	IOA uint8 // information object address, 1, 2 or 3
}

// GlobalCA is the common address of all stations in requests, for common
// addresses of two octets.
const GlobalCA = 65535

// MaxLen is the length of the longest ASDU in octets.
const MaxLen = 249

// MaxIOA is the highest information object address of three octets.
const MaxIOA = 1<<24 - 1

// Errors of parsing and building. They are wrapped with details.
var (
	// ErrSizes reports field sizes that do not exist.
	ErrSizes = errors.New("asdu: impossible field sizes")
	// ErrTruncated reports octets that end before what they announce.
	ErrTruncated = errors.New("asdu: too short")
	// ErrNoObjects reports a number of objects of 0.
	ErrNoObjects = errors.New("asdu: no information object")
	// ErrAddressRange reports addresses that run past the highest one.
	ErrAddressRange = errors.New("asdu: address out of range")
	// ErrSurplus reports octets behind the last object.
	ErrSurplus = errors.New("asdu: surplus octets")
	// ErrCount reports several objects in a type that takes exactly one.
	ErrCount = errors.New("asdu: type takes exactly one object")
	// ErrSequence reports an addressing by SQ that the type does not have.
	ErrSequence = errors.New("asdu: type does not have this SQ")
	// ErrValue reports a value that the element cannot hold.
	ErrValue = errors.New("asdu: value does not fit")
	// ErrTooLong reports an ASDU of more than [MaxLen] octets.
	ErrTooLong = errors.New("asdu: too long")
)

// with104 replaces zero by the sizes of IEC 60870-5-104.
func (s Sizes) with104() Sizes {
	if s == (Sizes{}) {
		return Sizes{COT: 2, CA: 2, IOA: 3}
	}
	return s.filled()
}

func (s Sizes) filled() Sizes {
	if s.COT == 0 {
		s.COT = 2
	}
	if s.CA == 0 {
		s.CA = 2
	}
	if s.IOA == 0 {
		s.IOA = 3
	}
	return s
}

// Validate returns [ErrSizes] with details if a size does not exist.
func (s Sizes) Validate() error {
	if s = s.with104(); !s.possible() {
		return fmt.Errorf("%w: cause %d, want 1 or 2; common address %d, want 1 or 2; object address %d, want 1 to 3",
			ErrSizes, s.COT, s.CA, s.IOA)
	}
	return nil
}

func (s Sizes) possible() bool { return s.COT <= 2 && s.CA <= 2 && s.IOA <= 3 }

// header returns the octets of the data unit identifier.
func (s Sizes) header() int { return 2 + int(s.COT) + int(s.CA) }

// maxIOA returns the highest object address.
func (s Sizes) maxIOA() uint32 { return 1<<(8*s.IOA) - 1 }

// Header is the data unit identifier of an ASDU. It is comparable.
type Header struct {
	Type     TypeID
	Cause    Cause
	Negative bool   // P/N: negative confirmation
	Test     bool   // T: generated under test conditions
	SQ       bool   // one address, elements for it and those that follow it
	N        uint8  // number of objects or elements, 0 … 127
	OA       uint8  // originator address, 0 is none; absent with a cause of one octet
	CA       uint16 // common address; [GlobalCA] is all stations
}

// The bits that share octets with the number and with the cause.
const (
	bitSQ       = 0x80
	bitTest     = 0x80
	bitNegative = 0x40
)

// ParseHeader returns the data unit identifier at the beginning of b, as a
// peer needs it that sends ASDUs shorter than their type demands. The only
// errors are [ErrTruncated] and [ErrSizes].
func ParseHeader(b []byte, s Sizes) (Header, error) {
	var h Header
	err := h.parse(b, s.with104())
	return h, err
}

// parse sets every field of h.
func (h *Header) parse(b []byte, s Sizes) error {
	if !s.possible() {
		*h = Header{}
		return s.Validate()
	}
	if len(b) < s.header() {
		*h = Header{}
		return fmt.Errorf("%w: %d octets, the data unit identifier has %d", ErrTruncated, len(b), s.header())
	}
	h.Type = TypeID(b[0])
	h.SQ, h.N = b[1]&bitSQ != 0, b[1]&^bitSQ
	h.Test, h.Negative, h.Cause = b[2]&bitTest != 0, b[2]&bitNegative != 0, Cause(b[2]&maxCause)
	b = b[3:]
	h.OA = 0
	if s.COT == 2 {
		h.OA = b[0]
		b = b[1:]
	}
	h.CA = uint16(b[0])
	if s.CA == 2 {
		h.CA |= uint16(b[1]) << 8
	}
	return nil
}

// AppendHeader appends the data unit identifier, with N as given; [SetCount]
// changes that later. It fails with [ErrValue] if a field is beyond its size.
func AppendHeader(dst []byte, s Sizes, h Header) ([]byte, error) {
	if s = s.with104(); !s.possible() {
		return dst, s.Validate()
	}
	switch {
	case h.Cause > maxCause:
		return dst, fmt.Errorf("%w: cause of transmission %d, highest is 63", ErrValue, h.Cause)
	case h.N > 127:
		return dst, fmt.Errorf("%w: number of objects %d, highest is 127", ErrValue, h.N)
	case s.CA == 1 && h.CA > 255:
		return dst, fmt.Errorf("%w: common address %d in one octet", ErrValue, h.CA)
	case s.COT == 1 && h.OA != 0:
		return dst, fmt.Errorf("%w: originator address %d with a cause of one octet", ErrValue, h.OA)
	}
	dst = append(dst, byte(h.Type), h.N|bit(h.SQ, bitSQ), causeOctet(h.Cause, h.Negative, h.Test))
	if s.COT == 2 {
		dst = append(dst, h.OA)
	}
	dst = append(dst, byte(h.CA))
	if s.CA == 2 {
		dst = append(dst, byte(h.CA>>8))
	}
	return dst, nil
}

// SetCount sets the number of objects, 1 … 127, in the ASDU that begins b.
func SetCount(b []byte, n int) { b[1] = b[1]&bitSQ | byte(n) }

// SetCause sets the cause and the P/N bit in the ASDU that begins b and leaves
// everything else, the T bit included: this is how a request is mirrored in
// its answer.
func SetCause(b []byte, c Cause, negative bool) {
	b[2] = b[2]&bitTest | causeOctet(c, negative, false)
}

func causeOctet(c Cause, negative, test bool) byte {
	return byte(c) | bit(negative, bitNegative) | bit(test, bitTest)
}

func bit(on bool, mask byte) byte {
	if on {
		return mask
	}
	return 0
}
