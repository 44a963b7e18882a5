package rig

import (
	"encoding/binary"
	"math"
	"time"
)

// The bits of a quality descriptor.
const (
	OV = 0x01
	BL = 0x10
	SB = 0x20
	NT = 0x40
	IV = 0x80
)

// Float returns the value of types 13 and 36.
func (o Object) Float() float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(o.Element))
}

// Int returns the value of types 1, 3, 7, 9, 11, 15 and of those with a time tag.
func (o Object) Int() int {
	switch o.Type {
	case 1, 30:
		return int(o.Element[0] & 1)
	case 3, 31:
		return int(o.Element[0] & 3)
	case 7, 33:
		return int(binary.LittleEndian.Uint32(o.Element))
	case 15, 37:
		return int(int32(binary.LittleEndian.Uint32(o.Element)))
	default:
		return int(int16(binary.LittleEndian.Uint16(o.Element)))
	}
}

// Quality returns the quality bits; of counters only IV.
func (o Object) Quality() byte {
	switch o.Type {
	case 1, 3, 30, 31:
		return o.Element[0] & (IV | NT | SB | BL)
	case 5, 32:
		return o.Element[1]
	case 9, 11, 34, 35:
		return o.Element[2]
	case 15, 37:
		return o.Element[4] & IV
	default:
		return o.Element[4]
	}
}

// tag returns the octets of the CP56Time2a, nil if the type has none.
func (o Object) tag() []byte {
	if o.Type < 30 || o.Type > 40 {
		return nil
	}
	return o.Element[len(o.Element)-7:]
}

// Time returns the time tag as UTC, the zero time if the type has none.
func (o Object) Time() time.Time {
	t := o.tag()
	if t == nil {
		return time.Time{}
	}
	ms := int(binary.LittleEndian.Uint16(t))
	return time.Date(2000+int(t[6]&0x7f), time.Month(t[5]&0x0f), int(t[4]&0x1f), int(t[3]&0x1f), int(t[2]&0x3f),
		ms/1000, ms%1000*int(time.Millisecond), time.UTC)
}

// TimeInvalid returns the IV bit of the time tag.
func (o Object) TimeInvalid() bool { t := o.tag(); return t != nil && t[2]&0x80 != 0 }

// TimeSubstituted returns the bit of the time tag that says that an
// intermediate station has stamped it.
func (o Object) TimeSubstituted() bool { t := o.tag(); return t != nil && t[2]&0x40 != 0 }
