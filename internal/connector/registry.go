package connector

import (
	"errors"
	"fmt"
	"slices"

	"busbar/internal/mapping"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// Registry holds the kinds of connectors of a program. It implements
// [plant.Kinds].
type Registry struct {
	kinds map[string]Kind
	names []string
}

// NewRegistry returns a registry of the given kinds. It fails if a kind is
// declared twice, or with settings or ends that cannot be decoded.
func NewRegistry(kinds ...Kind) (*Registry, error) {
	r := &Registry{kinds: make(map[string]Kind, len(kinds))}
	var errs []error
	for _, k := range kinds {
		if err := k.spec.fault(); err != nil {
			errs = append(errs, fmt.Errorf("kind %s: %w", k.name, err))
		}
		if _, ok := r.kinds[k.name]; ok {
			errs = append(errs, fmt.Errorf("kind %s: declared twice", k.name))
		}
		r.kinds[k.name] = k
		r.names = append(r.names, k.name)
	}
	slices.Sort(r.names)
	return r, errors.Join(errs...)
}

// Names returns the names of all kinds, ascending.
func (r *Registry) Names() []string { return r.names }

// Kind implements [plant.Kinds].
func (r *Registry) Kind(name string) (plant.Kind, bool) {
	k, ok := r.kinds[name]
	if !ok {
		return nil, false
	}
	return plantKind{Kind: k, registry: r}, true
}

// CheckCondition implements [plant.Kinds].
func (r *Registry) CheckCondition(source string, requester bool, typeOf func(id string) (point.Type, bool)) string {
	if _, err := mapping.CompileCondition(source, requester, typeOf); err != nil {
		return err.Error()
	}
	return ""
}

// plantKind is a kind as the plant sees it.
type plantKind struct {
	Kind
	registry *Registry
}

// CanSource implements [plant.Kind].
func (k plantKind) CanSource() bool { return k.spec.canSource() }

// Decodes implements [plant.Kind].
func (k plantKind) Decodes() bool { return k.spec.decodes() }

// CanTarget implements [plant.Kind].
func (k plantKind) CanTarget() bool { return k.spec.canTarget() }

// System implements [plant.Kind].
func (k plantKind) System() []SystemPoint { return k.spec.system() }

// CanRequest implements [plant.Kind].
func (k plantKind) CanRequest() bool { return k.spec.requester().exists() }

// CanExecute implements [plant.Kind].
func (k plantKind) CanExecute() bool { return k.spec.executor().exists() }

// Settings implements [plant.Kind].
func (k plantKind) Settings(n *plant.Node) (any, []plant.FieldProblem) {
	v, faults := k.spec.decodeSettings(n)
	if len(faults) > 0 {
		return nil, faults
	}
	return v, faultsOf(validate(v))
}

// Source implements [plant.Kind].
func (k plantKind) Source(n *plant.Node, p *plant.Point) (any, []plant.FieldProblem) {
	v, faults := k.spec.decodeSource(n)
	if len(faults) > 0 {
		return nil, faults
	}
	return v, append(faultsOf(k.sourceProblems(v, p)), k.mappingFaults(v, p)...)
}

// Target implements [plant.Kind].
func (k plantKind) Target(n *plant.Node, p *plant.Point, t *plant.Target) (any, []plant.FieldProblem) {
	v, faults := k.spec.decodeTarget(n)
	if len(faults) > 0 {
		return nil, faults
	}
	k.spec.describe(v, p, t)
	return v, faultsOf(k.targetProblems(v, p, t))
}

// Requester implements [plant.Kind].
func (k plantKind) Requester(n *plant.Node, c *plant.Command, _ *plant.Request) (any, []plant.FieldProblem) {
	return decodeEnd(k.spec.requester(), n, c)
}

// Executor implements [plant.Kind].
func (k plantKind) Executor(n *plant.Node, c *plant.Command) (end any, replies bool, faults []plant.FieldProblem) {
	s := k.spec.executor()
	end, faults = decodeEnd(s, n, c)
	return end, len(faults) == 0 && s.replies != nil && s.replies(end), faults
}

func decodeEnd(s *EndSpec, n *plant.Node, c *plant.Command) (any, []plant.FieldProblem) {
	v, faults := s.decode(n)
	if len(faults) > 0 {
		return nil, faults
	}
	return v, faultsOf(s.problems(v, c))
}

// commandProblems returns what a kind has to say about the end of a command.
func (k plantKind) commandProblems(e plant.End) []Problem {
	s := k.spec.executor()
	if e.Request() != nil {
		s = k.spec.requester()
	}
	return s.problems(e.Decoded(), e.Command)
}

// Check implements [plant.Kind].
func (k plantKind) Check(c *plant.Cross) {
	problems := warnings(validate(c.Connector.Settings), nil)
	for _, end := range c.Ends {
		if t := end.Target(); t != nil {
			problems = append(problems, warnings(k.targetProblems(t.End, end.Point, t), &end)...)
		} else {
			problems = append(problems, warnings(k.sourceProblems(end.Point.From.End, end.Point), &end)...)
		}
	}
	for _, end := range c.Commands {
		problems = append(problems, warnings(k.commandProblems(end), &end)...)
	}
	problems = append(problems, k.spec.checkConnector(c)...)
	problems = append(problems, k.registry.checkAddresses(c)...)
	for _, p := range problems {
		report(c, p)
	}
}

func (k plantKind) sourceProblems(source any, p *plant.Point) []Problem {
	problems := validate(source)
	if hasFault(problems) || p.Type == 0 {
		return problems
	}
	return append(problems, k.spec.checkSource(source, p)...)
}

func (k plantKind) targetProblems(target any, p *plant.Point, t *plant.Target) []Problem {
	problems := validate(target)
	if hasFault(problems) || p.Type == 0 {
		return problems
	}
	return append(problems, k.spec.checkTarget(target, p, t)...)
}

// mappingFaults returns what would hinder mapping from making updates of the
// messages for a source end.
func (k plantKind) mappingFaults(source any, p *plant.Point) []plant.FieldProblem {
	if p.Type == 0 {
		return nil
	}
	in := k.spec.input(source)
	in.Type, in.Source, in.Limits = p.Type, p.From, p.Limits
	return mapping.Check(in)
}

// inputOf returns what mapping needs to know of a point with a source.
func inputOf(p *plant.Point, index point.Index, kind Kind) mapping.Input {
	in := kind.spec.input(p.From.End)
	in.Index, in.Type, in.Source, in.Limits = index, p.Type, p.From, p.Limits
	return in
}

func validate(v any) []Problem {
	if v, ok := v.(Validator); ok {
		return v.Validate()
	}
	return nil
}

func hasFault(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// faultsOf returns the problems that are not warnings; those are reported by
// Check, when everything is in order.
func faultsOf(problems []Problem) []plant.FieldProblem {
	var faults []plant.FieldProblem
	for _, p := range problems {
		if !p.Warning {
			faults = append(faults, plant.FieldProblem{Path: p.Path, Text: p.Text})
		}
	}
	return faults
}

// warnings returns the problems that are warnings, about the given end.
func warnings(problems []Problem, end *plant.End) []Problem {
	var warnings []Problem
	for _, p := range problems {
		if p.Warning {
			p.end = end
			warnings = append(warnings, p)
		}
	}
	return warnings
}

func report(c *plant.Cross, p Problem) {
	switch {
	case p.end != nil && p.Warning:
		c.EndWarn(*p.end, p.Path, p.Text)
	case p.end != nil:
		c.EndProblem(*p.end, p.Path, p.Text)
	case p.Warning:
		c.Warn(p.Path, p.Text)
	default:
		c.Problem(p.Path, p.Text)
	}
}
