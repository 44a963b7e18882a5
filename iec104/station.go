package iec104

import (
	"busbar/iec104/asdu"
)

// Event is one information object on its way to the controlling station,
// outside of the answer to a request.
type Event struct {
	asdu.Object
	CA    uint16
	Type  asdu.TypeID
	Cause asdu.Cause // spontaneous, initialised, cyclic, background …
	Test  bool       // T: generated under test conditions; not to be used by the process
}

// Item is one information object in the answer to a request; the server gives
// it the cause and the addresses of the request.
type Item struct {
	asdu.Object
	Type asdu.TypeID
}

// Station is the application behind a [Server].
type Station interface {
	// Open is called for each accepted connection before anything is read from
	// it. An error closes the connection with that reason.
	Open(c *ServerConn) (Session, error)
}

// Session is the application's side of one connection. The server calls its
// methods one at a time and holds the connection's lock while it does: they
// must not block, and must not call the server but for methods of the connection.
type Session interface {
	// Started tells that data transfer was started (STARTDT) or stopped. Next
	// and Background are called only while it is started.
	Started(on bool)

	// Next copies the oldest events not yet taken into dst and returns how
	// many. Order is kept: what was taken earlier is sent earlier. When it has
	// returned fewer than len(dst), the application calls [ServerConn.Wake]
	// once there are more.
	Next(dst []Event) int

	// Confirm tells that the controlling station has acknowledged the n oldest
	// events of those taken and not yet confirmed. What is still unconfirmed
	// when the connection closes may or may not have arrived.
	Confirm(n int)

	// Background copies low-priority data (cyclic, background scan) into dst and
	// returns how many; it is asked only when no event, response or
	// interrogation is waiting. What it gave is not counted by Confirm. When it
	// has returned fewer than len(dst), it is asked again after a Wake.
	Background(dst []Event) int

	// Addresses returns the common addresses served, ascending. The slice is
	// not changed by either side.
	Addresses() []uint16

	// Interrogate begins the answer to a general (qoi 20) or group (21 … 36)
	// interrogation of one common address. nil refuses it: the server answers
	// with a negative activation confirmation.
	Interrogate(ca uint16, qoi uint8) Interrogation

	// Counters serves a counter interrogation: rqt is 5 (general) or 1 … 4,
	// frz 0 read, 1 freeze, 2 freeze with reset, 3 reset. For a read it
	// returns the answer, for the others an empty one. nil refuses it.
	Counters(ca uint16, rqt, frz uint8) Interrogation

	// Read returns the present value of a point; false: unknown address.
	Read(ca uint16, ioa uint32) (Item, bool)

	// Clock takes the time of the controlling station; false refuses it. The
	// server has checked that it is a possible date with a valid time.
	Clock(ca uint16, t asdu.Time) bool

	// Reset takes a reset process command with its qualifier; false refuses it.
	Reset(ca uint16, qrp uint8) bool

	// Command takes a command of types 45 … 51 and 58 … 64. The server has
	// checked type, cause, common address and the number of objects, and that
	// neither T nor P/N is set. See also [CommandTypes].
	Command(c Command) Verdict

	// Closed is the last call.
	Closed(reason error)
}

// Interrogation yields the objects of one answer, in ascending order of
// address where possible, so that they can be packed.
type Interrogation interface {
	// Next copies the next objects into dst, with the values of this moment.
	// done reports that nothing follows them. With n = 0 and not done the
	// rest waits until further events of the session were taken: a value must
	// never overtake an older event of the same point, and events that were
	// waiting when the interrogation was confirmed go first.
	Next(dst []Item) (n int, done bool)
}

// Command is a command in control direction as received.
type Command struct {
	asdu.Object
	CA         uint16
	OA         uint8
	Type       asdu.TypeID
	Deactivate bool // cause deactivation

	// Answer is for a verdict of Pending; with any other it has no effect.
	Answer *Answer
}

// CommandTypes may be implemented by a [Session] whose station does not have
// commands of every type.
type CommandTypes interface {
	// HasCommands reports whether the station has commands of a type. Others are
	// an unknown type: cause 44.
	HasCommands(t asdu.TypeID) bool
}

// Verdict is the answer of the application to a command.
type Verdict uint8

// The verdicts.
const (
	UnknownObject Verdict = iota // cause 47, unknown information object address
	Refused                      // negative confirmation
	Accepted                     // positive confirmation; an execution is terminated at once as well
	Pending                      // the [Answer] of the command will be used
	Discarded                    // no answer at all, as for a command that came too late
)
