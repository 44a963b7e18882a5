package mapping

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"unsafe"

	"busbar/internal/point"
)

func TestGate(t *testing.T) {
	t.Parallel()
	type call struct {
		v    point.Value
		q    point.Quality
		want bool
	}
	f := func(v float64, want bool) call { return call{point.FloatValue(v), 0, want} }
	i := func(v int64, want bool) call { return call{point.IntValue(v), 0, want} }
	c := func(v int64, want bool) call { return call{point.CounterValue(v), 0, want} }
	const huge = int64(1) << 60
	for _, tt := range []struct {
		name  string
		gate  Gate
		calls []call
	}{
		{"first is an event", Gate{Deadband: 1}, []call{f(0, true), f(0, false)}},
		{"any change without a dead band", Gate{}, []call{f(1, true), f(math.Nextafter(1, 2), true), f(1, true), f(1, false)}},
		{"strictly more than the dead band", Gate{Deadband: 0.5}, []call{f(20, true), f(20.5, false), f(19.5, false), f(20.51, true), f(20, true)}},
		{"drift is compared with the last event", Gate{Deadband: 1}, []call{f(0, true), f(0.6, false), f(1.2, true), f(0.3, false), f(0.1, true)}},
		{"decimal steps as wide as the dead band", Gate{Deadband: 0.1}, []call{
			f(1, true), f(1.1, false), f(0.9, false), f(0.89, true), f(0.79, false), f(0.99, false), f(0.995, true),
		}},
		{"dead band of zero width in floats", Gate{Deadband: 1e-300}, []call{f(1, true), f(math.Nextafter(1, 2), false), f(1.001, true)}},
		{"zero equals minus zero", Gate{}, []call{f(0, true), f(math.Copysign(0, -1), false)}},
		{"NaN", Gate{Deadband: 5}, []call{f(1, true), f(math.NaN(), true), f(-math.NaN(), false), f(1, true)}},
		{"infinity", Gate{Deadband: 5}, []call{f(math.MaxFloat64, true), f(math.Inf(1), true), f(math.Inf(1), false), f(math.Inf(-1), true)}},
		{"infinite dead band", Gate{Deadband: math.Inf(1)}, []call{f(1, true), f(-math.MaxFloat64, false)}},
		{"largest floats", Gate{Deadband: 1}, []call{f(-math.MaxFloat64, true), f(math.MaxFloat64, true)}},
		{"negative dead band is none", Gate{Deadband: -1}, []call{i(1, true), i(1, false), i(2, true)}},
		{"integers", Gate{Deadband: 2.5}, []call{i(10, true), i(12, false), i(8, false), i(13, true)}},
		{"integers beyond 2^53", Gate{}, []call{i(1<<53, true), i(1<<53+1, true), i(1<<53+1, false)}},
		{"dead band beyond 2^53", Gate{Deadband: 2}, []call{c(huge, true), c(huge+2, false), c(huge+3, true), c(huge+1, false), c(huge, true)}},
		{"integers from end to end", Gate{Deadband: 0x1p63}, []call{i(math.MinInt64, true), i(0, false), i(1, true), i(math.MinInt64+1, false), i(math.MinInt64, true)}},
		{"dead band wider than all integers", Gate{Deadband: 0x1p64}, []call{i(math.MinInt64, true), i(math.MaxInt64, false)}},
		{"quality change inside the dead band", Gate{Deadband: 5}, []call{
			{point.FloatValue(1), 0, true}, {point.FloatValue(2), point.NotTopical, true}, {point.FloatValue(3), point.NotTopical, false}, {point.FloatValue(3), 0, true},
		}},
		{"a quality event moves the dead band", Gate{Deadband: 5}, []call{
			{point.FloatValue(0), 0, true}, {point.FloatValue(4), point.Invalid, true}, {point.FloatValue(8), point.Invalid, false},
		}},
		{"on update", Gate{Deadband: 5, OnUpdate: true}, []call{f(1, true), f(1, true), f(1.1, true)}},
		{"states have no dead band", Gate{Deadband: 5}, []call{
			{point.SingleValue(false), 0, true}, {point.SingleValue(true), 0, true}, {point.SingleValue(true), 0, false},
		}},
		{"double", Gate{Deadband: 5}, []call{{point.DoubleValue(0), 0, true}, {point.DoubleValue(3), 0, true}, {point.DoubleValue(3), 0, false}}},
		{"bits", Gate{Deadband: 5}, []call{{point.BitsValue(1), 0, true}, {point.BitsValue(0), 0, true}, {point.BitsValue(0), 0, false}}},
		{"step", Gate{Deadband: 1}, []call{
			{point.StepValue(-1, false), 0, true}, {point.StepValue(0, false), 0, false}, {point.StepValue(0, true), 0, true},
			{point.StepValue(-1, true), 0, false}, {point.StepValue(2, true), 0, true},
		}},
		{"text", Gate{Deadband: 5}, []call{
			{point.TextValue(""), 0, true}, {point.TextValue("a"), 0, true}, {point.TextValue("a"), 0, false}, {point.TextValue("b"), 0, true},
		}},
		{"never received, then a value", Gate{Deadband: 5}, []call{
			{point.Value{}, point.Invalid | point.NotTopical, true}, {point.Value{}, point.Invalid | point.NotTopical, false}, f(0, true),
		}},
		{"another type", Gate{Deadband: 5}, []call{i(1, true), c(1, true)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s GateState
			for n, c := range tt.calls {
				if got := tt.gate.Event(&s, c.v, c.q); got != c.want {
					t.Fatalf("call %d with %v, %v: %t, want %t", n, c.v, c.q, got, c.want)
				}
			}
		})
	}
}

func TestGateStateSet(t *testing.T) {
	t.Parallel()
	var s GateState
	s.Set(point.FloatValue(1), point.NotTopical)
	if (Gate{Deadband: 1}).Event(&s, point.FloatValue(1.5), point.NotTopical) {
		t.Error("a change inside the dead band of a state that was set is an event")
	}
	if size := unsafe.Sizeof(s); size > 16 {
		t.Errorf("GateState takes %d octets, want no more than 16", size)
	}
}

// The difference of integers is compared as in exact arithmetic.
func TestGateAgreesWithExactArithmetic(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		a, b := int64(r.Uint64()), int64(r.Uint64())
		if r.IntN(2) == 0 {
			b = a + int64(r.IntN(9)) - 4
		}
		band := []float64{0, 0.5, 1, 2, 3.5, 0x1p53, 0x1p62, 0x1p63, 1.5e19}[r.IntN(9)]
		diff := new(big.Int).Sub(big.NewInt(a), big.NewInt(b))
		want := new(big.Float).SetInt(diff.Abs(diff)).Cmp(big.NewFloat(band)) > 0
		var s GateState
		s.Set(point.CounterValue(a), 0)
		if got := (Gate{Deadband: band}).Event(&s, point.CounterValue(b), 0); got != want {
			t.Fatalf("%d → %d, dead band %v: %t, want %t", a, b, band, got, want)
		}
	}
}

func TestLinear(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		linear            Linear
		v                 float64
		apply, normalized float64
	}{
		{"zero value", Linear{}, 0.5, 0.5, 0.5},
		{"scale and offset", Linear{Scale: 10, Offset: -400}, 23.5, -165, -165},
		{"offset alone", Linear{Offset: 1}, 0.5, 1.5, 1.5},
		{"range, low end", Linear{Scale: 1, Low: -40, High: 120}, -40, -40, -1},
		{"range, high end", Linear{Scale: 1, Low: -40, High: 120}, 120, 120, 1},
		{"range, middle", Linear{Scale: 1, Low: -40, High: 120}, 40, 40, 0},
		{"beyond the range", Linear{Scale: 1, Low: 0, High: 100}, 150, 150, 2},
		{"range after scale", Linear{Scale: 0.1, Low: 0, High: 100}, 250, 25, -0.5},
		{"range upside down", Linear{Scale: 1, Low: 100, High: 0}, 25, 25, 0.5},
	} {
		if got := tt.linear.Apply(tt.v); got != tt.apply {
			t.Errorf("%s: Apply(%v) = %v, want %v", tt.name, tt.v, got, tt.apply)
		}
		if got := tt.linear.Normalized(tt.v); got != tt.normalized {
			t.Errorf("%s: Normalized(%v) = %v, want %v", tt.name, tt.v, got, tt.normalized)
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		if got := (Linear{Scale: 2}).Apply(v); !math.IsNaN(got) && !math.IsInf(got, 1) {
			t.Errorf("Apply(%v) = %v", v, got)
		}
	}
}

func BenchmarkGate(b *testing.B) {
	g, s := Gate{Deadband: 0.5}, GateState{}
	v := [2]point.Value{point.FloatValue(1), point.FloatValue(2)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		g.Event(&s, v[i/2&1], 0)
	}
}
