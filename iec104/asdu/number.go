package asdu

import "math"

// NormalizedValue returns the Value of a normalised type for v, which is to lie
// in −1 … 1−2⁻¹⁵: rounded to the nearest of 2¹⁶ steps, half away from zero.
// What lies beyond, 1 included, becomes the limit with [OV]; NaN becomes zero
// with [IV].
func NormalizedValue(v float64) (uint32, Quality) {
	steps := v * 32768
	if steps > math.MaxInt16 && steps <= math.MaxInt16+0.5 { // rounds up to the step above the highest
		return math.MaxInt16, 0
	}
	return ScaledValue(steps)
}

// ScaledValue returns the Value of a scaled type for v: rounded to the nearest
// integer, half away from zero. What lies beyond −32768 … 32767 after that
// becomes the limit with [OV]; NaN becomes zero with [IV].
func ScaledValue(v float64) (uint32, Quality) {
	switch r := math.Round(v); {
	case math.IsNaN(r):
		return 0, IV
	case r > math.MaxInt16:
		return math.MaxInt16, OV
	case r < math.MinInt16:
		low := int32(math.MinInt16)
		return uint32(low), OV
	default:
		return uint32(int32(r)), 0
	}
}

// FloatValue returns the Value of a short float for v. What is beyond its
// range, infinities included, becomes the largest finite number of that sign
// with [OV]; NaN becomes zero with [IV]. Peers seldom expect NaN and infinities,
// so they are not sent.
func FloatValue(v float64) (uint32, Quality) {
	f := float32(v)
	switch {
	case math.IsNaN(v):
		return 0, IV
	case math.IsInf(float64(f), 1):
		return math.Float32bits(math.MaxFloat32), OV
	case math.IsInf(float64(f), -1):
		return math.Float32bits(-math.MaxFloat32), OV
	default:
		return math.Float32bits(f), 0
	}
}

// FloatQuality returns the quality to be added to a received short float with
// these value bits: [IV] for NaN and infinities, otherwise none. A set point of
// that kind is to be refused.
func FloatQuality(value uint32) Quality {
	const exponent = 0x7F800000
	if value&exponent == exponent {
		return IV
	}
	return 0
}
