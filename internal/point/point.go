// Package point holds the vocabulary that connectors, mapping and the process
// image share: identifiers, values, quality, time and updates. It has no logic
// beyond what a value needs to be read, compared and printed.
package point

// Index is the dense number of a point in the process image. It is allotted
// when the plant is applied, stays with the id for the life of the process and
// is never given to another id.
type Index uint32

// None is the index of no point.
const None Index = 1<<32 - 1

// Source is the dense number of the connector that an update came from. Zero
// is the host itself.
type Source uint16

// Type is the kind of value a point carries. The zero Type is not a type.
type Type uint8

// The types of a point.
const (
	Single  Type = iota + 1 // two states, off and on
	Double                  // four states, see DoubleState
	Step                    // step position, −64 … 63, and whether in transit
	Bits                    // 32 bits
	Int                     // 64-bit integer
	Float                   // 64-bit floating point
	Counter                 // integrated total, 64-bit integer
	Text                    // UTF-8 text; never a target of IEC 60870-5-104
)

var typeNames = [...]string{"", "single", "double", "step", "bits", "int", "float", "counter", "text"}

// String returns the name used in the plant file, "single" … "text".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// ParseType returns the type with the given name in the plant file.
func ParseType(name string) (Type, bool) {
	for i, n := range typeNames {
		if n == name && i > 0 {
			return Type(i), true
		}
	}
	return 0, false
}

// Class groups points by what their loss would mean. The change log keeps one
// chain per class.
type Class uint8

// The classes, most valuable first.
const (
	ClassStatus   Class = iota // single, double, step, bits, text
	ClassCounter               // counter
	ClassMeasured              // int, float
	Classes       = 3
)

var classNames = [Classes]string{"status", "counter", "measured"}

// String returns "status", "counter" or "measured".
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown"
}

// Class returns the event class of points of this type.
func (t Type) Class() Class {
	switch t {
	case Int, Float:
		return ClassMeasured
	case Counter:
		return ClassCounter
	default:
		return ClassStatus
	}
}
