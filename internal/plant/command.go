package plant

import (
	"time"

	"busbar/internal/point"
)

// Defaults of the times of a command.
const (
	DefaultTimeout         = 10 * time.Second
	DefaultSelectTimeout   = 10 * time.Second
	DefaultFeedbackTimeout = 30 * time.Second
)

// Command is a named order in control direction and its ends.
type Command struct {
	ID              string
	Type            point.Type // single, double, step, int, float or bits
	Name            string
	Description     string
	Unit            string
	Range           *Range  // of int and float: a value beyond it is refused
	Qualifiers      []uint8 // accepted ones, ascending
	Confirm         Confirm
	Terminate       Terminate
	Feedback        string // id of the point that shows the result; empty: there is none
	Interlock       string // expression over points that must be true; empty: there is none
	Authority       string // expression over points and the requester that must be true; empty: everybody may
	Local           string // id of the point that is on while control is local; empty: it never is
	Timeout         time.Duration
	SelectTimeout   time.Duration
	FeedbackTimeout time.Duration
	From            []Request
	To              *Execution // nil only while it is decoded
}

// Confirm says when an order is confirmed to its requester.
type Confirm uint8

// When an order is confirmed.
const (
	ConfirmAccepted Confirm = iota // as soon as it is handed to the device or its broker
	ConfirmReplied                 // with the reply of the device
)

// Terminate says when an order that was confirmed is over for its requester.
type Terminate uint8

// When an order is terminated.
const (
	TerminateNone     Terminate = iota // there is no termination
	TerminateReplied                   // with the reply of the device
	TerminateFeedback                  // when the feedback point has the value ordered
)

// Request is one entry of the `from` of a command: where it is requested.
type Request struct {
	Connector string
	Direct    bool // direct operation is permitted
	Select    bool // select before operate is permitted
	End       any  // what the kind's Requester returned, filled in
}

// Execution is the `to` of a command: what carries it out.
type Execution struct {
	Connector string
	Replies   bool // the end defines a reply
	End       any  // what the kind's Executor returned, filled in
}
