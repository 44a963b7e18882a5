package iec104server

// class is the event class of a target: what is dropped first when a buffer is
// full, and what goes first with `priority: status`.
type class uint8

// The classes, the most important first.
const (
	statusClass   class = iota // single and double points, step positions, bit strings, protection events
	counterClass               // integrated totals
	measuredClass              // measured values
	classes
)

var classNames = [classes]string{"status", "counter", "measured"}

// String returns the name of the class.
func (c class) String() string { return classNames[c] }

// class returns the event class of a family.
func (f family) class() class {
	switch {
	case f == total:
		return counterClass
	case f.cyclic():
		return measuredClass
	default:
		return statusClass
	}
}
