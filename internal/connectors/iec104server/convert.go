package iec104server

import (
	"math"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// conversion is a way from the value of a point to an information element.
type conversion uint8

const (
	refused conversion = iota
	same
	offOn
	offOnDouble
	onlyOffOn
	intSingle
	intDouble
	position
	intBits
	fraction
	scaledNumber
	shortFloat
	moduloCount
	lowPoints
	lowStarts
	lowOutputs
)

// conversionTexts document the conversions, in the words of docs/values.md.
var conversionTexts = [...]string{
	same:         "as it is",
	offOn:        "off 0, on 1",
	offOnDouble:  "off 1, on 2",
	onlyOffOn:    "off 0, on 1; intermediate, indeterminate: IV",
	intSingle:    "0 off, 1 on; other: IV",
	intDouble:    "0 intermediate, 1 off, 2 on, 3 indeterminate; other: IV",
	position:     "scale, offset, rounded; beyond −64 … 63: OV; NaN: IV",
	intBits:      "0 … 4294967295; beyond: IV",
	fraction:     "scale, offset, place in the range or itself; beyond −1 … 1: OV; NaN: IV",
	scaledNumber: "scale, offset, rounded; beyond −32768 … 32767: OV; NaN: IV",
	shortFloat:   "scale, offset; beyond ±3.4028235e38: OV; NaN: IV",
	moduloCount:  "scale, offset, rounded; modulo 2³²",
	lowPoints:    "bits 1 … 16; the change detection of an event marks those that changed",
	lowStarts:    "bits 1 … 6: GS, SL1, SL2, SL3, SIE, SRD",
	lowOutputs:   "bits 1 … 4: GC, CL1, CL2, CL3",
}

// conversions is the table of what can be sent as what. Absent is refused when
// the plant is checked.
var conversions = [point.Text + 1][families]conversion{
	point.Single: {
		single: offOn, double: offOnDouble, scaled: scaledNumber, float: shortFloat,
		protection: offOnDouble, start: offOn, output: offOn,
	},
	point.Double: {
		single: onlyOffOn, double: same, scaled: scaledNumber, float: shortFloat,
		protection: same, start: onlyOffOn, output: onlyOffOn,
	},
	point.Step: {step: same, normalized: fraction, bare: fraction, scaled: scaledNumber, float: shortFloat},
	point.Bits: {bitstring: same, packed: lowPoints, start: lowStarts, output: lowOutputs},
	point.Int: {
		single: intSingle, double: intDouble, step: position, bitstring: intBits,
		normalized: fraction, bare: fraction, scaled: scaledNumber, float: shortFloat, total: moduloCount,
	},
	point.Float:   {step: position, normalized: fraction, bare: fraction, scaled: scaledNumber, float: shortFloat},
	point.Counter: {normalized: fraction, bare: fraction, scaled: scaledNumber, float: shortFloat, total: moduloCount},
}

// apply returns the raw value of the information element for the bits of a point
// value, and the quality bits that the conversion adds. bits is that of
// [point.Value.Raw].
func (c conversion) apply(t point.Type, bits uint64, l *connector.Linear) (uint32, asdu.Quality) {
	switch c {
	case same, offOn:
		return uint32(bits), 0
	case offOnDouble:
		return uint32(bits&1) + 1, 0
	case onlyOffOn:
		return onlyEnds(bits)
	case intSingle:
		return within(bits, 1)
	case intDouble:
		return within(bits, 3)
	case intBits:
		if bits > math.MaxUint32 {
			return 0, asdu.IV
		}
		return uint32(bits), 0
	case position:
		return integer(linear(t, bits, l), point.StepMin, point.StepMax)
	case scaledNumber:
		return integer(linear(t, bits, l), math.MinInt16, math.MaxInt16)
	case fraction:
		return normalize(number(t, bits), l)
	case shortFloat:
		return shorten(linear(t, bits, l))
	case moduloCount:
		return modulo(int64(bits), l), 0
	case lowPoints:
		return uint32(bits&0xffff) | uint32(bits>>32&0xffff)<<16, 0
	case lowStarts:
		return uint32(bits & 0x3f), 0
	case lowOutputs:
		return uint32(bits & 0x0f), 0
	default:
		return 0, asdu.IV
	}
}

// number returns a value as a number: the state of single and double points, the
// position of a step.
func number(t point.Type, bits uint64) float64 {
	switch t {
	case point.Float:
		return math.Float64frombits(bits)
	case point.Single, point.Double:
		return float64(bits)
	default:
		return float64(int64(bits))
	}
}

// linear returns a value as a number with scale and offset. Where they change
// nothing they do not, so that −0 stays what it is.
func linear(t point.Type, bits uint64, l *connector.Linear) float64 {
	v := number(t, bits)
	if changesNothing(l) {
		return v
	}
	return l.Apply(v)
}

func changesNothing(l *connector.Linear) bool {
	return (l.Scale == 0 || l.Scale == 1) && l.Offset == 0
}

func onlyEnds(bits uint64) (uint32, asdu.Quality) {
	switch point.DoubleState(bits) {
	case point.DoubleOff:
		return 0, 0
	case point.DoubleOn:
		return 1, 0
	default:
		return 0, asdu.IV
	}
}

func within(bits, high uint64) (uint32, asdu.Quality) {
	if bits > high { // negative numbers are beyond it too
		return 0, asdu.IV
	}
	return uint32(bits), 0
}

// integer rounds half away from zero and clamps.
func integer(v, low, high float64) (uint32, asdu.Quality) {
	switch v = math.Round(v); {
	case v < low:
		return uint32(int32(low)), asdu.OV
	case v > high:
		return uint32(int32(high)), asdu.OV
	case v != v:
		return 0, asdu.IV
	default:
		return uint32(int32(v)), 0
	}
}

// normalize returns a number as 16-bit fraction. The fraction 1 has no place in it: the
// largest is 1−2⁻¹⁵. That is the upper end of a range, in order; without a
// range, a value that it cannot stand for has OV.
func normalize(v float64, l *connector.Linear) (uint32, asdu.Quality) {
	const nearest = 32767.5 / 32768
	x := l.Normalized(v)
	raw, q := integer(x*32768, math.MinInt16, math.MaxInt16)
	switch {
	case q == asdu.IV:
		return raw, q
	case x < -1 || x > 1 || x > nearest && l.Low == l.High:
		return raw, asdu.OV
	default:
		return raw, 0
	}
}

// shorten returns a number as 32-bit floating point; infinities are not sent.
func shorten(v float64) (uint32, asdu.Quality) {
	f := float32(v)
	switch {
	case v != v:
		return 0, asdu.IV
	case math.IsInf(float64(f), 1):
		return math.Float32bits(math.MaxFloat32), asdu.OV
	case math.IsInf(float64(f), -1):
		return math.Float32bits(-math.MaxFloat32), asdu.OV
	default:
		return math.Float32bits(f), 0
	}
}

// modulo returns a count as the 32 bits of a binary counter reading.
func modulo(v int64, l *connector.Linear) uint32 {
	if changesNothing(l) {
		return uint32(v)
	}
	f := math.Mod(math.Round(l.Apply(float64(v))), 1<<32)
	return uint32(int64(f))
}
