package plant

import "busbar/internal/point"

// Kinds are the kinds of connectors that a plant may use.
type Kinds interface {
	// Kind returns the kind with the given name.
	Kind(name string) (Kind, bool)
	// Names returns the names of all kinds, ascending.
	Names() []string
	// CheckCondition returns what is wrong with an expression over points, or
	// over points and the requester of an order, and what is wanted; empty if
	// nothing is. typeOf returns the type of a point, zero if it is not known,
	// and false if there is no such point.
	CheckCondition(source string, requester bool, typeOf func(id string) (point.Type, bool)) string
}

// Kind is what the plant needs to know of a kind of connectors. Its methods
// are called from one goroutine at a time. Decoders get a map with the keys
// that are not generic, which is valid until they return; they return what they
// decoded, never nil, and every fault at a path relative to that map. What they
// return is discarded if there is any fault.
type Kind interface {
	// CanSource reports whether points may name a connector of this kind in `from`.
	CanSource() bool
	// Decodes reports whether its readings come decoded, so that a `from` has no `value`.
	Decodes() bool
	// CanTarget reports whether points may name a connector of this kind in `to`.
	CanTarget() bool

	// CanRequest reports whether commands may name a connector of this kind in `from`.
	CanRequest() bool
	// CanExecute reports whether commands may name a connector of this kind in `to`.
	CanExecute() bool

	// System returns the system points of a connector of this kind, beside those
	// that every connector has.
	System() []SystemPoint

	// Settings decodes the keys of a connector other than `kind`. References
	// to secrets are already resolved.
	Settings(n *Node) (any, []FieldProblem)

	// Source decodes the keys of a `from` that are not generic. p is the point
	// with its generic keys decoded, and so has its From, without an End; what was
	// wrong there is at its zero value.
	Source(n *Node, p *Point) (any, []FieldProblem)

	// Target decodes the keys of one entry of `to` that are not generic, and
	// checks that the type of the point can be carried. p and t have their
	// generic keys decoded; what was wrong there is at its zero value, so that a
	// Type of 0 was reported already.
	Target(n *Node, p *Point, t *Target) (any, []FieldProblem)

	// Requester decodes the keys of one entry of the `from` of a command that
	// are not generic, and checks that the type of the command can be carried.
	// c and r have their generic keys decoded; what was wrong there is at its zero value.
	Requester(n *Node, c *Command, r *Request) (any, []FieldProblem)

	// Executor decodes the keys of the `to` of a command that are not generic.
	// It tells whether the end defines a reply.
	Executor(n *Node, c *Command) (end any, replies bool, faults []FieldProblem)

	// Check looks at one connector of this kind together with all its ends. It
	// is called once the whole file was decoded, with what had no fault.
	Check(c *Cross)
}

// End names one end of a point or a command at a connector.
type End struct {
	Point   *Point   // nil: it is one of Command
	Command *Command // nil: it is one of Point
	// Place is the index in Point.To, −1 for Point.From; the index in
	// Command.From, −1 for Command.To.
	Place int
}

// Target returns the entry of `to` of a point, nil if the end is another.
func (e End) Target() *Target {
	if e.Point == nil || e.Place < 0 {
		return nil
	}
	return &e.Point.To[e.Place]
}

// Request returns the entry of `from` of a command, nil if the end is another.
func (e End) Request() *Request {
	if e.Command == nil || e.Place < 0 {
		return nil
	}
	return &e.Command.From[e.Place]
}

// Decoded returns what the kind made of the end of a command.
func (e End) Decoded() any {
	if r := e.Request(); r != nil {
		return r.End
	}
	return e.Command.To.End
}

// path returns the path of the end from the root of the file.
func (e End) path() string {
	switch {
	case e.Command != nil && e.Place < 0:
		return Key("commands", e.Command.ID) + ".to"
	case e.Command != nil:
		return Item(Key("commands", e.Command.ID)+".from", e.Place)
	case e.Place < 0:
		return Key("points", e.Point.ID) + ".from"
	default:
		return Item(Key("points", e.Point.ID)+".to", e.Place)
	}
}

// Cross is one connector with all its ends in the decoded plant. A kind reports
// faults and warnings through its methods.
type Cross struct {
	// Plant holds the connectors that were decoded without a fault, and all
	// points and commands; ends with a fault, and those of points and commands
	// without a known type, have an End of nil.
	Plant     *Plant
	Connector *Connector
	Ends      []End // those of points without a fault, in order of the file
	Commands  []End // those of commands without a fault, in order of the file

	find     func(path string) (line, col int32)
	problems []located
	warnings []located
}

type located struct {
	path, text string
}

// Problem reports a fault of the settings; path is relative to the connector.
func (c *Cross) Problem(path, text string) {
	c.problems = append(c.problems, located{join(Key("connectors", c.Connector.ID), path), text})
}

// EndProblem reports a fault of an end; path is relative to its `from` or entry of `to`.
func (c *Cross) EndProblem(e End, path, text string) {
	c.problems = append(c.problems, located{join(e.path(), path), text})
}

// Warn warns about the settings; path is relative to the connector.
func (c *Cross) Warn(path, text string) {
	c.warnings = append(c.warnings, located{join(Key("connectors", c.Connector.ID), path), text})
}

// EndWarn warns about an end; path is relative to its `from` or entry of `to`.
func (c *Cross) EndWarn(e End, path, text string) {
	c.warnings = append(c.warnings, located{join(e.path(), path), text})
}

// Line returns the line of an end in the file, to be named in a problem at
// another one.
func (c *Cross) Line(e End) int {
	line, _ := c.find(e.path())
	return int(line)
}

// join appends a relative path to an absolute one.
func join(path, rel string) string {
	if path == "" || rel == "" || rel[0] == '[' {
		return path + rel
	}
	return path + "." + rel
}
