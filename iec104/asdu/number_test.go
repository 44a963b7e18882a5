package asdu_test

import (
	"math"
	"testing"

	"busbar/iec104/asdu"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	const lsb = 1.0 / 32768
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name   string
		encode func(float64) (uint32, asdu.Quality)
		v      float64
		want   int32
		q      asdu.Quality
	}{
		{"normalised half", asdu.NormalizedValue, 0.5, 16384, 0},
		{"normalised lower limit", asdu.NormalizedValue, -1, -32768, 0},
		{"normalised upper limit", asdu.NormalizedValue, 1 - lsb, 32767, 0},
		{"normalised half a step above the upper limit", asdu.NormalizedValue, 1 - lsb/2, 32767, 0},
		{"normalised more than half a step above", asdu.NormalizedValue, 1 - lsb/4, 32767, asdu.OV},
		{"normalised 1", asdu.NormalizedValue, 1, 32767, asdu.OV},
		{"normalised 2", asdu.NormalizedValue, 2, 32767, asdu.OV},
		{"normalised −2", asdu.NormalizedValue, -2, -32768, asdu.OV},
		{"normalised rounds half up away from zero", asdu.NormalizedValue, 2.5 * lsb, 3, 0},
		{"normalised rounds half down away from zero", asdu.NormalizedValue, -2.5 * lsb, -3, 0},
		{"normalised NaN", asdu.NormalizedValue, nan, 0, asdu.IV},
		{"normalised infinity", asdu.NormalizedValue, inf, 32767, asdu.OV},
		{"normalised negative infinity", asdu.NormalizedValue, -inf, -32768, asdu.OV},
		{"scaled rounds", asdu.ScaledValue, 23.5, 24, 0},
		{"scaled rounds negative", asdu.ScaledValue, -23.5, -24, 0},
		{"scaled upper limit", asdu.ScaledValue, 32767.4, 32767, 0},
		{"scaled above", asdu.ScaledValue, 32767.5, 32767, asdu.OV},
		{"scaled lower limit", asdu.ScaledValue, -32768.4, -32768, 0},
		{"scaled below", asdu.ScaledValue, -32769, -32768, asdu.OV},
		{"scaled NaN", asdu.ScaledValue, nan, 0, asdu.IV},
		{"scaled infinity", asdu.ScaledValue, inf, 32767, asdu.OV},
		{"scaled far beyond", asdu.ScaledValue, 1e300, 32767, asdu.OV},
	}
	for _, tt := range tests {
		got, q := tt.encode(tt.v)
		if int32(got) != tt.want || q != tt.q {
			t.Errorf("%s: %v = %d, %#x, want %d, %#x", tt.name, tt.v, int32(got), q, tt.want, tt.q)
		}
	}
}

func TestFloatValue(t *testing.T) {
	t.Parallel()
	negativeZero := math.Copysign(0, -1)
	tests := []struct {
		name string
		v    float64
		want float32
		q    asdu.Quality
	}{
		{"plain", 23.5, 23.5, 0},
		{"rounded", 12.3, 12.3, 0},
		{"denormal", 1e-45, 1e-45, 0},
		{"negative zero", negativeZero, float32(negativeZero), 0},
		{"largest", math.MaxFloat32, math.MaxFloat32, 0},
		{"just beyond the largest, rounds down", math.MaxFloat32 * (1 + 1e-9), math.MaxFloat32, 0},
		{"beyond", 1e39, math.MaxFloat32, asdu.OV},
		{"beyond, negative", -1e39, -math.MaxFloat32, asdu.OV},
		{"infinity", math.Inf(1), math.MaxFloat32, asdu.OV},
		{"negative infinity", math.Inf(-1), -math.MaxFloat32, asdu.OV},
		{"NaN", math.NaN(), 0, asdu.IV},
	}
	for _, tt := range tests {
		got, q := asdu.FloatValue(tt.v)
		if got != math.Float32bits(tt.want) || q != tt.q {
			t.Errorf("%s: FloatValue(%v) = %v, %#x, want %v, %#x", tt.name, tt.v, math.Float32frombits(got), q, tt.want, tt.q)
		}
	}
}

func TestFloatQuality(t *testing.T) {
	t.Parallel()
	for v, want := range map[float32]asdu.Quality{
		1.5: 0, 0: 0, -math.MaxFloat32: 0,
		float32(math.Inf(1)): asdu.IV, float32(math.Inf(-1)): asdu.IV, float32(math.NaN()): asdu.IV,
	} {
		if got := asdu.FloatQuality(math.Float32bits(v)); got != want {
			t.Errorf("FloatQuality(%v) = %#x, want %#x", v, got, want)
		}
	}
}
