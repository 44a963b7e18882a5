package iec104server

import (
	"testing"

	"busbar/internal/point"
)

func TestWhatIsTheResultOfAnOrder(t *testing.T) {
	t.Parallel()
	single, double, float := point.SingleValue, point.DoubleValue, point.FloatValue
	for _, c := range []struct {
		name           string
		ordered, value point.Value
		quality        point.Quality
		known, unknown bool // what is given for a number of which it is not known: false, true
	}{
		{"a single point for a double command", double(point.DoubleOn), single(true), 0, true, true},
		{"the other state", double(point.DoubleOn), double(point.DoubleOff), 0, false, false},
		{"an intermediate position", double(point.DoubleOn), double(point.Intermediate), 0, false, false},
		{"a state that is invalid", single(true), single(true), point.Invalid, false, false},
		{"the number ordered", float(0.5), float(0.5), 0, true, true},
		{"the number ordered, invalid", float(0.5), float(0.5), point.Invalid, false, true},
		{"another number", float(0.5), float(0.25), 0, false, true},
		{"bits", point.BitsValue(5), point.BitsValue(5), 0, true, true},
		{"an integer", point.IntValue(-5), point.IntValue(-5), 0, true, true},
		{"the same bits of another type", point.IntValue(5), point.BitsValue(5), 0, false, true},
		{"a step", point.StepValue(-1, false), point.StepValue(7, false), 0, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := isResult(c.ordered, c.value, c.quality, false); got != c.known {
				t.Errorf("not known is no: %v, want %v", got, c.known)
			}
			if got := isResult(c.ordered, c.value, c.quality, true); got != c.unknown {
				t.Errorf("not known is yes: %v, want %v", got, c.unknown)
			}
		})
	}
}
