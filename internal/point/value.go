package point

import (
	"math"
	"strconv"
)

// DoubleState is the state of a double point, numbered as on the wire.
type DoubleState uint8

// The states of a double point.
const (
	Intermediate  DoubleState = iota // 0: neither end position
	DoubleOff                        // 1
	DoubleOn                         // 2
	Indeterminate                    // 3: both end positions, a fault
)

var doubleNames = [...]string{"intermediate", "off", "on", "indeterminate"}

// String returns "intermediate", "off", "on" or "indeterminate".
func (d DoubleState) String() string { return doubleNames[d&3] }

// ParseDouble returns the state with the given name.
func ParseDouble(name string) (DoubleState, bool) {
	for i, n := range doubleNames {
		if n == name {
			return DoubleState(i), true
		}
	}
	return 0, false
}

// Limits of a step position.
const (
	StepMin = -64
	StepMax = 63
)

// Value is the value of a point together with its type. The zero Value has no
// type: it is the value of a point that was never received. Values are
// compared with Equal; a NaN equals a NaN of the same bits.
type Value struct {
	bits      uint64
	text      string
	typ       Type
	transient bool
}

// SingleValue returns a value of type Single.
func SingleValue(on bool) Value {
	if on {
		return Value{typ: Single, bits: 1}
	}
	return Value{typ: Single}
}

// DoubleValue returns a value of type Double.
func DoubleValue(s DoubleState) Value { return Value{typ: Double, bits: uint64(s & 3)} }

// StepValue returns a value of type Step; position is in StepMin … StepMax.
func StepValue(position int, transient bool) Value {
	return Value{typ: Step, bits: uint64(int64(position)), transient: transient}
}

// BitsValue returns a value of type Bits.
func BitsValue(b uint32) Value { return Value{typ: Bits, bits: uint64(b)} }

// IntValue returns a value of type Int.
func IntValue(i int64) Value { return Value{typ: Int, bits: uint64(i)} }

// FloatValue returns a value of type Float.
func FloatValue(f float64) Value { return Value{typ: Float, bits: math.Float64bits(f)} }

// CounterValue returns a value of type Counter.
func CounterValue(i int64) Value { return Value{typ: Counter, bits: uint64(i)} }

// TextValue returns a value of type Text.
func TextValue(s string) Value { return Value{typ: Text, text: s} }

// Restore returns the value of type t that Raw was taken from. text is used
// for Text only, transient for Step only.
func Restore(t Type, bits uint64, transient bool, text string) Value {
	return Value{typ: t, bits: bits, transient: transient, text: text}
}

// Raw returns the content of the value in the form that is stored: the bits of
// the number or state, and whether a step position is in transit. The text of
// a Text is not part of it.
func (v Value) Raw() (bits uint64, transient bool) { return v.bits, v.transient }

// Type returns the type of the value, zero if there is none.
func (v Value) Type() Type { return v.typ }

// Single returns the state of a single point.
func (v Value) Single() bool { return v.bits != 0 }

// Double returns the state of a double point.
func (v Value) Double() DoubleState { return DoubleState(v.bits & 3) }

// Step returns the step position and whether the equipment is in transit.
func (v Value) Step() (position int, transient bool) { return int(int64(v.bits)), v.transient }

// Bits returns the bits of a Bits value.
func (v Value) Bits() uint32 { return uint32(v.bits) }

// Int returns the value of an Int or Counter.
func (v Value) Int() int64 { return int64(v.bits) }

// Float returns the value of a Float.
func (v Value) Float() float64 { return math.Float64frombits(v.bits) }

// Text returns the value of a Text.
func (v Value) Text() string { return v.text }

// Number returns the value as a number: 0 and 1 for Single, 0 … 3 for Double,
// the position of a Step. It is false for Text and for no value.
func (v Value) Number() (float64, bool) {
	switch v.typ {
	case Single, Double, Bits:
		return float64(v.bits), true
	case Step, Int, Counter:
		return float64(int64(v.bits)), true
	case Float:
		return math.Float64frombits(v.bits), true
	default:
		return 0, false
	}
}

// Equal reports whether both values have the same type and content, bit by
// bit, so that a NaN equals itself and 0 differs from −0.
func (v Value) Equal(w Value) bool { return v == w }

// String returns the value as it is printed in logs and tables: "on", "off",
// decimal numbers, hexadecimal bits, "-" for no value.
func (v Value) String() string {
	switch v.typ {
	case Single:
		if v.bits != 0 {
			return "on"
		}
		return "off"
	case Double:
		return v.Double().String()
	case Step, Int, Counter:
		return strconv.FormatInt(int64(v.bits), 10)
	case Bits:
		return "0x" + strconv.FormatUint(v.bits, 16)
	case Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case Text:
		return v.text
	default:
		return "-"
	}
}
