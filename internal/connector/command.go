package connector

import (
	"context"
	"errors"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// CommandEnd is the end of a command at a connector that requests it: an
// address at which a controlling station finds it.
type CommandEnd struct {
	Command       string // id in the plant
	Type          point.Type
	Qualifiers    []uint8       // accepted ones, ascending
	Select        bool          // select before operate is permitted
	Direct        bool          // direct operation is permitted
	SelectTimeout time.Duration // how long a selection lasts
	Range         *plant.Range  // nil: any value
	Terminates    bool          // an order that was confirmed is terminated
	Feedback      point.Index   // point.None if there is no feedback point
	End           any           // pointer to the Requester struct of the kind
}

// Commands is how a connector that controlling stations speak to issues
// commands. It may be used from any goroutine. The host fills in the Connector
// of the Requester, and ID, Issued and Expires of an order where they are zero.
type Commands interface {
	// Ends returns the ends of the commands that this connector may request, and
	// a channel that is closed when the set changes. The ends are shared: they
	// may be kept but not changed.
	Ends() (ends []CommandEnd, changed <-chan struct{})

	// Check reports whether an order would be taken now: known, nobody else
	// operates or has selected the object, authority, interlock, executor
	// reachable. Nothing is held, recorded or executed.
	Check(o point.Order) point.Result

	// Select is the first step of a select before operate: it checks, and if
	// that is positive holds the object for the requester of the order (equal in
	// Requester and Link) until release is called, the same requester
	// issues an order for the object, or the select timeout has passed. A second
	// Select of the same requester begins the time anew. An order that is Selected is
	// refused if the object is not held for it any more, also where direct orders
	// are permitted. The host compares no
	// values: that the execute is like the select is up to the connector.
	// Nothing is executed. release, never nil, may be called late or twice.
	Select(o point.Order) (r point.Result, release func())

	// Issue takes an order for execution and returns at once. report is called
	// from another goroutine: once with Confirmed, and if that was positive
	// and the command terminates, once with Terminated. It must not block.
	Issue(o point.Order, report func(point.Result))

	// Refused records an order that the connector itself has refused, so that it is
	// neither selected nor issued. It does not wait. The connector sees to it that no
	// peer can fill the record with such orders.
	Refused(o point.Order, r Refusal)
}

// Refusal is why a connector has refused an order.
type Refusal struct {
	Reason   string
	Select   bool   // it was to be selected only
	Answered bool   // the requester was told
	Skipped  uint64 // orders that were refused before it and not recorded, as there were too many
}

// Recording is implemented by the Commands of the host, too, for requests that their
// sender repeats until they are acknowledged.
type Recording interface {
	// IssueRecorded is Issue, but also calls recorded, from another goroutine, once
	// and before report: when the order is recorded, or was refused. It must not block.
	IssueRecorded(o point.Order, recorded func(), report func(point.Result))
}

// Executions tells a connector which commands it carries out. It may be used
// from any goroutine.
type Executions interface {
	// Ends returns the ends of the commands that this connector carries out, in
	// order of their ids, as pointers to the Executor struct of its kind, and a
	// channel that is closed when the set changes. The ends are shared: they may
	// be kept but not changed. An order may come before its end is seen here.
	Ends() (ends []any, changed <-chan struct{})
}

// ErrOutcomeUnknown is what the error of an executor wraps if the order may have
// reached the device all the same.
var ErrOutcomeUnknown = errors.New("outcome unknown")

// Executor is implemented by connectors that carry out commands.
type Executor interface {
	// Execute carries out an order, whose end is a pointer to the Executor struct
	// of the kind, at most once. It reports accepted when the order has been
	// handed to the device (or its broker), and replied with the answer of the
	// device where the end defines one. It returns when nothing more will be
	// reported in time, at the latest when ctx ends (the order has expired, or
	// the connector stops). An error means that the order was certainly not
	// handed over, unless it is that of ctx or wraps [ErrOutcomeUnknown].
	//
	// report may be called from any goroutine, and also after Execute has
	// returned: with a reply that came too late, so that the host can raise the
	// alarm. Execute may be called from any goroutine, for several commands at a
	// time but never for two orders of one command, and also just after Run has
	// returned.
	Execute(ctx context.Context, o point.Order, end any, report func(Progress)) error
}

// Progress is what an executor reports of an order.
type Progress struct {
	Replied bool // false: accepted, handed over
	OK      bool // of the reply
	Unknown bool // of a reply that is not OK: the device may have operated all the same
	Reason  string

	// Told, unless it is nil, is closed when the host has taken the report and told
	// the requester what follows from it. It is not when the report comes too late;
	// the context of Execute has ended then, or will.
	Told chan<- struct{}
}

// EndSpec declares the ends of commands at a kind of connector, made by
// [RequesterOf] or [ExecutorOf]. The zero EndSpec is none.
type EndSpec struct {
	decode  func(n *plant.Node) (any, []plant.FieldProblem)
	schema  func() Schema
	check   func(end any, c *plant.Command) []Problem
	replies func(end any) bool
	err     error
}

// RequesterOf declares the end at which a command is requested. E is a struct
// like those of [Spec], defaults its defaults. Ends are handed on as *E. check
// reports what is wrong with one end, such as a type of command that it cannot
// carry. It is called with ends that Validate found in order, of commands whose
// type is known, and may be nil.
func RequesterOf[E any](defaults E, check func(end E, c *plant.Command) []Problem) EndSpec {
	return endSpec(defaults, check)
}

// ExecutorOf is [RequesterOf] for the end that executes a command. replies tells
// whether the end defines a reply of the device; nil: none does. Connectors of
// such a kind implement [Executor].
//
// *E may have a method Staged() bool: whether the device says that it will carry out an order,
// reported as accepted, and later that it has, reported as replied. Then `confirm` is accepted and `terminate` is
// replied where the command does not say it.
func ExecutorOf[E any](defaults E, check func(end E, c *plant.Command) []Problem, replies func(end E) bool) EndSpec {
	s := endSpec(defaults, check)
	if replies != nil {
		s.replies = func(end any) bool { return replies(*end.(*E)) }
	}
	return s
}

func endSpec[E any](defaults E, check func(end E, c *plant.Command) []Problem) EndSpec {
	d, err := plant.NewDecoder[E]()
	s := EndSpec{err: err}
	s.decode = func(n *plant.Node) (any, []plant.FieldProblem) { return decode(d, n, defaults) }
	s.schema = func() Schema { return d.Schema(defaults) }
	if check != nil {
		s.check = func(end any, c *plant.Command) []Problem { return check(*end.(*E), c) }
	}
	return s
}

// exists reports whether the kind has such ends.
func (s *EndSpec) exists() bool { return s.decode != nil }

func (s *EndSpec) problems(end any, c *plant.Command) []Problem {
	problems := validate(end)
	if hasFault(problems) || c.Type == 0 || s.check == nil {
		return problems
	}
	return append(problems, s.check(end, c)...)
}
