package mapping

import (
	"math"
	"strings"
	"unicode/utf8"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// maxText is how long the value of a text point may be, in octets. What is
// longer is cut off and marked with OV.
const maxText = 4096

// limits are the limits of a point, for the integer types also as integers.
type limits struct {
	plant.Limits
	lowest, highest int64
}

// limits compiles the limits of a point.
func (c *compiler) limits(l *plant.Limits) *limits {
	if l == nil {
		return nil
	}
	compiled := limits{*l, math.MinInt64, math.MaxInt64}
	switch c.typ {
	case point.Float:
	case point.Step, point.Bits, point.Int, point.Counter:
		compiled.lowest, _ = fraction(math.Ceil(l.Low)).round()
		compiled.highest, _ = fraction(math.Floor(l.High)).round()
	default:
		c.fault("", "limits of the point have no meaning for type "+c.typ.String())
		return nil
	}
	if !(l.Low <= l.High) || compiled.lowest > compiled.highest {
		c.fault("", "limits of the point leave no value, want low <= high")
		return nil
	}
	return &compiled
}

// valueOf makes a value of type typ, within the limits and within what the type
// can hold. Numbers beyond are clamped, and over is set; states that do not
// exist, NaN and infinities give no value.
func valueOf(n number, typ point.Type, lim *limits) (v point.Value, over bool, why Reason) {
	if !n.exact && (math.IsNaN(n.f) || math.IsInf(n.f, 0)) {
		return v, false, NotFinite
	}
	switch typ {
	case point.Float:
		f, over := lim.float(n.float())
		return point.FloatValue(f), over, overReason(over)
	case point.Single, point.Double:
		return stateOf(n, typ)
	}
	i, over := n.round()
	i, beyond := lim.integer(i)
	lowest, highest := typeRange(typ)
	clamped := min(max(i, lowest), highest)
	over = over || beyond || clamped != i
	switch typ {
	case point.Step:
		v = point.StepValue(int(clamped), false)
	case point.Bits:
		v = point.BitsValue(uint32(clamped))
	case point.Int:
		v = point.IntValue(clamped)
	case point.Counter:
		v = point.CounterValue(clamped)
	default:
		return v, false, WrongType
	}
	return v, over, overReason(over)
}

func overReason(over bool) Reason {
	if over {
		return OutOfRange
	}
	return 0
}

func typeRange(typ point.Type) (lowest, highest int64) {
	switch typ {
	case point.Step:
		return point.StepMin, point.StepMax
	case point.Bits:
		return 0, math.MaxUint32
	default:
		return math.MinInt64, math.MaxInt64
	}
}

// stateOf makes the value of a single or double point.
func stateOf(n number, typ point.Type) (v point.Value, over bool, why Reason) {
	switch f := n.float(); {
	case typ == point.Single && (f == 0 || f == 1):
		return point.SingleValue(f == 1), false, 0
	case typ == point.Double && (f == 0 || f == 1 || f == 2 || f == 3):
		return point.DoubleValue(point.DoubleState(f)), false, 0
	default:
		return v, false, OutOfRange
	}
}

func (l *limits) float(f float64) (float64, bool) {
	switch {
	case l == nil || f >= l.Low && f <= l.High:
		return f, false
	case !l.Clamp:
		return f, true
	default:
		return min(max(f, l.Low), l.High), true
	}
}

func (l *limits) integer(i int64) (int64, bool) {
	switch {
	case l == nil || i >= l.lowest && i <= l.highest:
		return i, false
	case !l.Clamp:
		return i, true
	default:
		return min(max(i, l.lowest), l.highest), true
	}
}

// round returns the nearest integer, halves away from zero; what is beyond 64
// bits is clamped and reported.
func (n number) round() (i int64, over bool) {
	if n.exact {
		return n.i, false
	}
	switch f := math.Round(n.f); {
	case f >= 0x1p63:
		return math.MaxInt64, true
	case f <= -0x1p63: // also what integers just below are rounded to; -2⁶³ itself is exact
		return math.MinInt64, true
	default:
		return int64(f), false
	}
}

// truth returns false and true as a number: 0 and 1, off and on for double points.
func truth(on bool, typ point.Type) number {
	n := number{exact: true}
	if typ == point.Double {
		n.i = int64(point.DoubleOff)
	}
	if on {
		n.i++
	}
	return n
}

// parseWord returns the number that a string stands for: a decimal number, and
// for single and double points the name of a state, in upper or lower case.
func parseWord(s string, typ point.Type) (number, bool) {
	s = strings.TrimSpace(s)
	if typ == point.Single || typ == point.Double {
		switch {
		case strings.EqualFold(s, "on"), strings.EqualFold(s, "true"):
			return truth(true, typ), true
		case strings.EqualFold(s, "off"), strings.EqualFold(s, "false"):
			return truth(false, typ), true
		}
	}
	if typ == point.Double {
		for _, state := range []point.DoubleState{point.Intermediate, point.Indeterminate} {
			if strings.EqualFold(s, state.String()) {
				return integer(int64(state)), true
			}
		}
	}
	return parseNumber(s)
}

// convertText makes the value of a text point: the content of a string, of
// anything else the JSON as it stands.
func (r *rule) convertText(t token) (v point.Value, over bool, why Reason) {
	s := t.text
	if r.more != nil && r.more.enum != nil {
		if s, why = r.more.enum.text(t); why != 0 {
			return v, false, why
		}
	}
	if !utf8.ValidString(s) {
		return v, false, WrongType
	}
	if r.more != nil && r.more.formula != nil {
		if s, why = r.more.formula.text(s); why != 0 {
			return v, false, why
		}
	}
	if len(s) > maxText {
		end := maxText
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s, over, why = s[:end], true, OutOfRange
	}
	return point.TextValue(strings.Clone(s)), over, why
}
