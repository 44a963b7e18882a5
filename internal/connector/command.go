package connector

import (
	"context"

	"busbar/internal/point"
)

// CommandEnd is the end of a command at a connector that requests it: an
// address at which a controlling station finds it.
type CommandEnd struct {
	Command    string // id in the plant
	Type       point.Type
	Qualifiers []uint8 // accepted ones
	Select     bool    // select before operate is permitted
	Direct     bool    // direct operation is permitted
	Feedback   point.Index // point.None if there is no feedback point
	End        any     // as decoded by the kind
}

// Commands is how a connector that controlling stations speak to issues
// commands. It may be used from any goroutine.
type Commands interface {
	// Ends returns the ends of the commands that this connector may request, and
	// a channel that is closed when the set changes.
	Ends() (ends []CommandEnd, changed <-chan struct{})

	// Check reports whether an order would be taken now: known, nobody else
	// operates the object, authority, interlock, executor reachable. A select
	// before operate asks it at select; nothing is executed.
	Check(o point.Order) point.Result

	// Issue takes an order for execution and returns at once. report is called
	// from another goroutine: once with Confirmed, and if that was positive
	// and the command terminates, once with Terminated.
	Issue(o point.Order, report func(point.Result))
}

// Executor is implemented by connectors that carry out commands.
type Executor interface {
	// Execute carries out an order, whose end is as decoded by the kind, at most once. It reports accepted
	// when the order has been handed to the device (or its broker), and
	// replied with the answer of the device where the end defines one. It
	// returns when nothing more will be reported, at the latest when ctx ends
	// (the order has expired). An error means that the order was certainly not handed over.
	Execute(ctx context.Context, o point.Order, end any, report func(Progress)) error
}

// Progress is what an executor reports of an order.
type Progress struct {
	Replied bool // false: accepted, handed over
	OK      bool // of the reply
	Reason  string
}
