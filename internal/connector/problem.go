package connector

import "fmt"

// Problem is something in the plant that the operator has to correct, or with
// Warning should look at. It names its place relative to what was checked.
type Problem struct {
	// Point and Place name the end that the problem belongs to, see [End].
	// An empty Point: the settings of the connector, or the end that was
	// handed to the check.
	Point string
	Place int
	// Path is the key below that place, such as "ioa" or "tls.cert"; empty for
	// the place as a whole.
	Path    string
	Text    string // what is wrong, and what is wanted
	Warning bool   // does not hinder the plant from being applied
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

// SourcePlace is the place of the end of a point in its `from`.
const SourcePlace = -1

// End is one end of a point at a connector, for checks.
type End[E any] struct {
	Point string // id
	Place int    // index in the `to` of the point, SourcePlace for its `from`
	End   *E
}

// Faultf returns a problem of the key at path of this end.
func (e End[E]) Faultf(path, format string, args ...any) Problem {
	return Problem{Point: e.Point, Place: e.Place, Path: path, Text: fmt.Sprintf(format, args...)}
}

// Warnf returns a warning about the key at path of this end.
func (e End[E]) Warnf(path, format string, args ...any) Problem {
	p := e.Faultf(path, format, args...)
	p.Warning = true
	return p
}
