package connector

import (
	"fmt"

	"busbar/internal/plant"
)

// Problem is something in the plant that the operator has to correct, or with
// Warning should look at. Path is relative to what was checked.
type Problem struct {
	Path    string // such as "ioa" or "tls.cert"; empty: what was checked as a whole
	Text    string // what is wrong, and what is wanted: "is 0, want 1 to 32767"
	Warning bool   // does not hinder the plant from being applied

	end *plant.End // the end that Path is relative to; nil: what was checked
}

// Faultf returns a problem of the key at path.
func Faultf(path, format string, args ...any) Problem {
	return Problem{Path: path, Text: fmt.Sprintf(format, args...)}
}

// Warnf returns a warning about the key at path.
func Warnf(path, format string, args ...any) Problem {
	return Problem{Path: path, Text: fmt.Sprintf(format, args...), Warning: true}
}

// String returns path and text.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Text
	}
	return p.Path + ": " + p.Text
}

// Validator is implemented by settings and ends that can be wrong in themselves.
// Validate reports every problem, so that they are shown together. It is
// called on a struct whose keys were all decoded, or have their defaults.
type Validator interface {
	Validate() []Problem
}

// End is one end of a point at a connector, for [Spec.CheckConnector].
type End[E any] struct {
	Point string // id of the point
	End   *E

	end   plant.End
	cross *plant.Cross
}

// Line returns the line of this end in the plant file, to be named in a problem
// of another one.
func (e End[E]) Line() int { return e.cross.Line(e.end) }

// Faultf returns a problem of the key at path of this end.
func (e End[E]) Faultf(path, format string, args ...any) Problem {
	return Problem{Path: path, Text: fmt.Sprintf(format, args...), end: &e.end}
}

// Warnf returns a warning about the key at path of this end.
func (e End[E]) Warnf(path, format string, args ...any) Problem {
	return Problem{Path: path, Text: fmt.Sprintf(format, args...), Warning: true, end: &e.end}
}

// OrderEnd is one end of a command at a connector, for [Spec.CheckCommands].
type OrderEnd struct {
	Command  *plant.Command
	Executes bool // the end of the executor; otherwise one of a requester
	End      any  // pointer to the Requester or Executor struct of the kind

	end   plant.End
	cross *plant.Cross
}

// Line returns the line of this end in the plant file, to be named in a problem
// of another one.
func (e OrderEnd) Line() int { return e.cross.Line(e.end) }

// Faultf returns a problem of the key at path of this end.
func (e OrderEnd) Faultf(path, format string, args ...any) Problem {
	return Problem{Path: path, Text: fmt.Sprintf(format, args...), end: &e.end}
}

// Warnf returns a warning about the key at path of this end.
func (e OrderEnd) Warnf(path, format string, args ...any) Problem {
	return Problem{Path: path, Text: fmt.Sprintf(format, args...), Warning: true, end: &e.end}
}
