package asdu

import "math"

// Object is one information object of any type. Which members a type uses, and
// how, is told with each; the others are zero after decoding and ignored when
// encoding.
type Object struct {
	// IOA is the information object address.
	IOA uint32

	// Value holds the bits of the value:
	//
	//	single point, single command      0 off, 1 on
	//	double point, protection event    0 intermediate, 1 off, 2 on, 3 indeterminate
	//	double command                    1 off, 2 on; 0 and 3 are not permitted
	//	regulating step command           1 lower, 2 higher; 0 and 3 are not permitted
	//	step position                     −64 … 63 as int32
	//	bitstring                         32 bits, bit 1 is the lowest
	//	normalised, scaled                −32768 … 32767 as int32
	//	short float                       the bits of a float32
	//	integrated total                  int32
	//	16 single points                  states in the low, change bits in the high 16 bits
	//	start events                      GS, SL1, SL2, SL3, SIE, SRD from bit 0 upwards
	//	output circuits                   GC, CL1, CL2, CL3 from bit 0 upwards
	//	test pattern, counter, delay      16 bits
	Value uint32

	// Time is the time tag, or the time itself of C_CS_NA_1.
	Time Time

	Elapsed uint16  // elapsed time of protection events in milliseconds
	AID     uint16  // association of a security statistics counter
	Quality Quality // quality descriptor

	// Qualifier is QU of a command, 0 … 31; QL of a set point, 0 … 127; and the
	// whole octet of COI, QOI, QCC, QRP, QPM and QPA.
	Qualifier uint8

	Sequence  uint8 // sequence number of a counter reading, 0 … 31
	Transient bool  // step position: the equipment is in transit
	Select    bool  // S/E of a command: select, not execute

	// Data holds the octets of the element of a file type, without address and
	// time tag, and of a type that is not known. After decoding it is a part of
	// the octets that were parsed.
	Data []byte
}

// Int returns the value as signed number: step position, normalised in units
// of 2⁻¹⁵, scaled, integrated total.
func (o *Object) Int() int32 { return int32(o.Value) }

// Float returns the value of a short float.
func (o *Object) Float() float32 { return math.Float32frombits(o.Value) }

// Normalized returns the value of a normalised type, −1 … 1−2⁻¹⁵.
func (o *Object) Normalized() float64 { return float64(int32(o.Value)) / 32768 }

// On reports whether a single point or single command is on.
func (o *Object) On() bool { return o.Value != 0 }

// RQT returns the group of a counter interrogation: 5 is all, 1 … 4 a group.
func (o *Object) RQT() uint8 { return o.Qualifier & 0x3F }

// FRZ returns what a counter interrogation does: 0 reads, 1 freezes, 2 freezes
// and resets, 3 resets.
func (o *Object) FRZ() uint8 { return o.Qualifier >> 6 }
