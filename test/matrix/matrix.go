// Package matrix enumerates what IEC 60870-5-104 can carry: for every type of
// the codec's table its values at the edges, every bit of quality and every
// pair of them, the flags of its time tag and the causes it may have, and for
// every command its values and qualifiers. Beside each object stand its
// octets, written down by hand and not by the codec, so that both ends of a
// connection can be held against them.
package matrix

import (
	"encoding/binary"
	"math"

	"busbar/iec104/asdu"
)

// Monitor returns the types of process information in monitor direction, in
// the order of their numbers.
func Monitor() []asdu.TypeID {
	return table(func(t asdu.TypeID) bool { return t < asdu.C_SC_NA_1 })
}

// Commands returns the types of commands to the process.
func Commands() []asdu.TypeID {
	return table(func(t asdu.TypeID) bool { return t >= asdu.C_SC_NA_1 && t <= asdu.C_BO_TA_1 })
}

func table(with func(t asdu.TypeID) bool) (types []asdu.TypeID) {
	for t := asdu.TypeID(1); t < 255; t++ {
		if t.Known() && with(t) {
			types = append(types, t)
		}
	}
	return types
}

// Causes returns the causes that a type may have in monitor direction, without
// those that refuse a request.
func Causes(t asdu.TypeID) (causes []asdu.Cause) {
	for c := asdu.Cause(1); c < asdu.UnknownType; c++ {
		if t.Permits(c, asdu.Monitor) {
			causes = append(causes, c)
		}
	}
	return causes
}

// Objects returns the information objects of a type in monitor direction, all
// combinations of what it has, without address; nil if the matrix does not
// know the type.
func Objects(t asdu.TypeID) (objects []asdu.Object) {
	c := contents(t)
	for _, o := range c.objects() {
		for _, q := range combinations(c.quality) {
			for _, tag := range tags(t.Time()) {
				o.Quality, o.Time = q, tag
				objects = append(objects, o)
			}
		}
	}
	return objects
}

// combinations returns no bit, each one, each pair and all of them.
func combinations(bits asdu.Quality) []asdu.Quality {
	sets := []asdu.Quality{0}
	for i := range 8 {
		one := asdu.Quality(1 << i)
		if bits&one == 0 {
			continue
		}
		sets = append(sets, one)
		for k := range i {
			if other := asdu.Quality(1 << k); bits&other != 0 {
				sets = append(sets, one|other)
			}
		}
	}
	if len(sets) > 4 {
		sets = append(sets, bits)
	}
	return sets
}

// tags returns time tags with every combination of their flags, each at
// another edge of the calendar or the clock.
func tags(f asdu.TimeFormat) (list []asdu.Time) {
	const (
		first    = 0x00_01_21_00_00_00_00 // 2000-01-01 00:00:00.000, day of week 1
		last     = 0x63_0c_9f_17_3b_ea_5f // 2099-12-31 23:59:59.999, day of week 4
		leap     = 0x18_02_1d_0c_1e_00_01 // 2024-02-29 12:30:00.001, day of week 0
		noMinute = 0x1a_07_0e_0d_3f_ff_ff // minute 63, 65535 ms: not possible
	)
	switch f {
	case asdu.CP24:
		for i, flags := range []asdu.Time{0, asdu.TimeInvalid, asdu.TimeSubstituted, asdu.TimeInvalid | asdu.TimeSubstituted} {
			list = append(list, []asdu.Time{first, last, leap, noMinute}[i]&0xffffff|flags)
		}
	case asdu.CP56:
		for i := range 8 {
			flags := asdu.Time(0)
			for bit, f := range []asdu.Time{asdu.TimeInvalid, asdu.TimeSubstituted, asdu.TimeSummer} {
				if i>>bit&1 != 0 {
					flags |= f
				}
			}
			list = append(list, []asdu.Time{first, last, leap, noMinute}[i%4]|flags)
		}
	default:
		list = []asdu.Time{0}
	}
	return list
}

// Octets returns the octets of the element of an object with its time tag.
func Octets(t asdu.TypeID, o *asdu.Object) []byte {
	b := contents(t).octets(nil, o)
	switch t.Time() {
	case asdu.CP24:
		return append(b, byte(o.Time), byte(o.Time>>8), byte(o.Time>>16))
	case asdu.CP56:
		for i := range 7 {
			b = append(b, byte(o.Time>>(8*i)))
		}
	}
	return b
}

// Numbers at the edges of their types.
var (
	shorts = []uint32{0, 1, 0x7fff, 0xffff8000, 0xffffffff, 0x1234} // of 16 bits, with sign
	words  = []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x12345678}
	floats = []uint32{
		0, 0x80000000, math.Float32bits(23.5), math.Float32bits(-0.1), math.Float32bits(math.MaxFloat32),
		math.Float32bits(-math.MaxFloat32), 1, 0x7f800000, 0xff800000, 0x7fc00000, // denormal, infinities, NaN
	}
)

func little16(b []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(b, v) }
func little32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// flag returns bit if on.
func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}
