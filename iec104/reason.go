package iec104

import (
	"errors"
	"fmt"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrClosed reports that the connection is closed; a [LinkError] in the
	// same chain says why.
	ErrClosed = errors.New("iec104: connection closed")
	// ErrTimeout reports that the peer did not answer in time.
	ErrTimeout = errors.New("iec104: no answer in time")
)

// Reason says why a connection was closed or not accepted.
type Reason uint8

// The reasons. Those from BadStart to WriteStalled are the fault of the peer
// or the network; each has a counter of its own.
const (
	ClosedLocally      Reason = iota + 1 // by this side on purpose
	ClosedByPeer                         // TCP end or reset
	NetworkFailed                        // reading or writing failed
	BadStart                             // no start octet where a frame begins
	BadLength                            // length octet outside 4 … 253
	BadControlLength                     // S or U frame with a length other than 4
	BadFunction                          // U frame with no function or several
	Incomplete                           // a frame was begun and not completed within t1
	NotStarted                           // I or S frame while data transfer is stopped
	BadSendNumber                        // N(S) is not V(R): frames lost or repeated
	BadAck                               // N(R) acknowledges what was not sent
	NoAck                                // t1: I frame not acknowledged
	NoStartCon                           // t1: STARTDT not confirmed
	NoStopCon                            // t1: STOPDT not confirmed
	NoTestCon                            // t1: TESTFR not confirmed
	WriteStalled                         // t1: the peer does not take what is written
	BadASDU                              // malformed ASDU
	TooManyRequests                      // more requests than answers could be sent
	StationRefused                       // the application did not open a session
	NotAllowed                           // address not in the allow-list
	TooManyConnections                   // connection limit reached
	TooManyAttempts                      // connect rate of the address exceeded
	HandshakeFailed                      // TLS handshake failed or took longer than t0
	Superseded                           // another connection of the redundancy group was started, or of the same station came
	AlreadyConnected                     // the station that dials out has a connection that answers
	TooManyHandshakes                    // half of all connections are of this address and before their handshake
	reasons
)

var reasonNames = [reasons]string{
	"", "closed locally", "closed by peer", "network failed", "bad start octet", "bad length",
	"bad length of s or u frame", "bad u function", "frame incomplete", "not started", "bad send number",
	"bad acknowledgement", "no acknowledgement", "no startdt con", "no stopdt con", "no testfr con", "write stalled",
	"malformed asdu", "too many requests", "refused by station", "address not allowed", "too many connections",
	"too many attempts", "handshake failed", "superseded", "already connected",
	"too many handshakes of the address",
}

// String returns the reason in words, such as "no acknowledgement".
func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return "unknown"
}

// Reasons returns every reason.
func Reasons() []Reason {
	all := make([]Reason, 0, reasons-1)
	for r := Reason(1); r < reasons; r++ {
		all = append(all, r)
	}
	return all
}

// LinkError reports why a connection was closed. It is [ErrClosed] and, where
// the reason is one of t1, [ErrTimeout] for errors.Is.
type LinkError struct {
	Reason Reason
	Err    error // details, may be nil
}

// Error returns the reason in words and the details.
func (e *LinkError) Error() string {
	if e.Err == nil {
		return "iec104: " + e.Reason.String()
	}
	return fmt.Sprintf("iec104: %s: %v", e.Reason, e.Err)
}

// Unwrap returns the details.
func (e *LinkError) Unwrap() error { return e.Err }

// Is reports whether target is ErrClosed, or ErrTimeout for a reason of t1.
func (e *LinkError) Is(target error) bool {
	return target == ErrClosed || target == ErrTimeout && e.timeout()
}

func (e *LinkError) timeout() bool {
	switch e.Reason {
	case NoAck, NoStartCon, NoStopCon, NoTestCon, WriteStalled, Incomplete:
		return true
	default:
		return false
	}
}

// violation returns a LinkError with formatted details.
func violation(r Reason, format string, args ...any) *LinkError {
	return &LinkError{Reason: r, Err: fmt.Errorf(format, args...)}
}
