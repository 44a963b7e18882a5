package connector

import (
	"context"
	"errors"
	"reflect"
	"time"

	"busbar/internal/mapping"
	"busbar/internal/plant"
)

// Kind is a kind of connector, made by [Define]. Settings and ends are handed
// on as pointers to the structs of its Spec, *S, *F and *T, which nobody
// changes once they are decoded.
type Kind struct {
	name string
	hold time.Duration
	spec kindSpec
}

// kindSpec is a Spec without its type parameters.
type kindSpec interface {
	fault() error // why the structs cannot be decoded
	canSource() bool
	canTarget() bool
	decodes() bool
	decodeSettings(n *plant.Node) (any, []plant.FieldProblem)
	decodeSource(n *plant.Node) (any, []plant.FieldProblem)
	decodeTarget(n *plant.Node) (any, []plant.FieldProblem)
	schemas() (settings, source, target Schema)
	newConnector(settings any, env Env) (Connector, error)
	input(source any) mapping.Input // what its readings are found by
	sourceKey(source any) any       // equal for equal ends
	numbering() numbering
	checkSource(source any, p *plant.Point) []Problem
	describe(target any, p *plant.Point, t *plant.Target)
	checkTarget(target any, p *plant.Point, t *plant.Target) []Problem
	checkConnector(c *plant.Cross) []Problem
	tagged(target any) bool
	own(target any) [2]OwnPoint
	system() []SystemPoint
	sharing() sharing
	requester() *EndSpec
	executor() *EndSpec
	tests() bool
	test(ctx context.Context, settings any, t *Test)
	listens(settings any) []string
	dials(settings any) []string
	keys(wanted func(reflect.Type, reflect.StructTag) bool) [][]string // paths of settings
}

// Define makes a kind of its declaration. The name is that of the `kind` key in
// the plant file, such as "iec104-server".
func Define[S any, F, T comparable](name string, spec Spec[S, F, T]) Kind {
	hold := spec.Hold
	if hold == 0 {
		hold = DefaultHold
	}
	e := erased[S, F, T]{Spec: spec}
	var errs [7]error
	e.settings, errs[0] = plant.NewDecoder[S]()
	e.source, errs[1] = plant.NewDecoder[F]()
	e.target, errs[2] = plant.NewDecoder[T]()
	if spec.New == nil || !isNone[F]() && (spec.Selector == nil) == (spec.Key == nil) {
		errs[3] = errors.New("want New, and Selector or Key")
	}
	errs[4], errs[5] = spec.Requester.err, spec.Executor.err
	errs[6] = checkSystem(spec.System)
	e.err = errors.Join(errs[:]...)
	return Kind{name: name, hold: hold, spec: &e}
}

// Name returns the name of the kind in the plant file.
func (k Kind) Name() string { return k.name }

// Hold returns how long a source of this kind may be away before its points
// become not topical, where a point does not say it.
func (k Kind) Hold() time.Duration { return k.hold }

// New makes an instance from settings that were decoded for this kind.
func (k Kind) New(settings any, env Env) (Connector, error) {
	return k.spec.newConnector(settings, env)
}

// erased implements kindSpec.
type erased[S any, F, T comparable] struct {
	Spec[S, F, T]
	settings *plant.Decoder[S]
	source   *plant.Decoder[F]
	target   *plant.Decoder[T]
	err      error
}

func isNone[E any]() bool { return reflect.TypeFor[E]() == reflect.TypeFor[None]() }

func (e *erased[S, F, T]) fault() error    { return e.err }
func (e *erased[S, F, T]) canSource() bool { return !isNone[F]() }
func (e *erased[S, F, T]) canTarget() bool { return !isNone[T]() }
func (e *erased[S, F, T]) decodes() bool   { return e.Key != nil }

func (e *erased[S, F, T]) decodeSettings(n *plant.Node) (any, []plant.FieldProblem) {
	defaults := e.Settings
	if p, ok := any(&defaults).(Presetter); ok && n.Kind == plant.Map {
		p.Preset(n)
	}
	return decode(e.settings, n, defaults)
}

func (e *erased[S, F, T]) decodeSource(n *plant.Node) (any, []plant.FieldProblem) {
	return decode(e.source, n, e.Source)
}

func (e *erased[S, F, T]) decodeTarget(n *plant.Node) (any, []plant.FieldProblem) {
	return decode(e.target, n, e.Target)
}

func (e *erased[S, F, T]) schemas() (settings, source, target Schema) {
	return e.settings.Schema(e.Settings), e.source.Schema(e.Source), e.target.Schema(e.Target)
}

func decode[V any](d *plant.Decoder[V], n *plant.Node, defaults V) (any, []plant.FieldProblem) {
	faults := d.Decode(n, &defaults)
	return &defaults, faults
}

func (e *erased[S, F, T]) newConnector(settings any, env Env) (Connector, error) {
	return e.New(*settings.(*S), env)
}

func (e *erased[S, F, T]) input(source any) mapping.Input {
	if e.Key != nil {
		return mapping.Input{Keyed: true, Key: e.Key(*source.(*F))}
	}
	return mapping.Input{Selector: e.Selector(*source.(*F))}
}

func (e *erased[S, F, T]) sourceKey(source any) any { return *source.(*F) }

func (e *erased[S, F, T]) numbering() numbering {
	known := make(map[F]uint32)
	return func(source any) uint32 {
		end := *source.(*F)
		number, ok := known[end]
		if !ok {
			number = uint32(len(known))
			known[end] = number
		}
		return number
	}
}

func (e *erased[S, F, T]) checkSource(source any, p *plant.Point) []Problem {
	if e.CheckSource == nil {
		return nil
	}
	return e.CheckSource(*source.(*F), p)
}

func (e *erased[S, F, T]) describe(target any, p *plant.Point, t *plant.Target) {
	if e.Describe != nil {
		e.Describe(target.(*T), p, t)
	}
}

func (e *erased[S, F, T]) checkTarget(target any, p *plant.Point, t *plant.Target) []Problem {
	if e.CheckTarget == nil {
		return nil
	}
	return e.CheckTarget(*target.(*T), p, t)
}

func (e *erased[S, F, T]) tagged(target any) bool {
	return e.Tagged != nil && e.Tagged(*target.(*T))
}

func (e *erased[S, F, T]) own(target any) [2]OwnPoint {
	if e.Own == nil {
		return [2]OwnPoint{}
	}
	return e.Own(*target.(*T))
}

func (e *erased[S, F, T]) system() []SystemPoint { return e.System }

func (e *erased[S, F, T]) sharing() sharing {
	if e.Address == nil {
		return nil
	}
	known := make(map[T]*T)
	return func(target any) (uint64, any) {
		address, rest := e.Address(*target.(*T))
		shared, ok := known[rest]
		if !ok {
			shared = new(rest)
			known[rest] = shared
		}
		return address, shared
	}
}

func (e *erased[S, F, T]) requester() *EndSpec { return &e.Requester }
func (e *erased[S, F, T]) executor() *EndSpec  { return &e.Executor }

func (e *erased[S, F, T]) checkConnector(c *plant.Cross) []Problem {
	count := 0
	for _, end := range c.Ends {
		if end.Target() != nil {
			count++
		}
	}
	sources, targets := make([]End[F], 0, len(c.Ends)-count), make([]End[T], 0, count)
	for _, end := range c.Ends {
		if t := end.Target(); t != nil {
			targets = append(targets, End[T]{end: end, cross: c, Point: end.Point.ID, End: t.End.(*T)})
		} else {
			sources = append(sources, End[F]{end: end, cross: c, Point: end.Point.ID, End: end.Point.From.End.(*F)})
		}
	}
	var problems []Problem
	if e.CheckConnector != nil {
		problems = e.CheckConnector(*c.Connector.Settings.(*S), sources, targets)
	}
	if e.CheckCommands != nil && len(c.Commands) > 0 {
		problems = append(problems, e.CheckCommands(*c.Connector.Settings.(*S), targets, orderEnds(c))...)
	}
	return problems
}

func orderEnds(c *plant.Cross) []OrderEnd {
	ends := make([]OrderEnd, len(c.Commands))
	for i, end := range c.Commands {
		ends[i] = OrderEnd{Command: end.Command, Executes: end.Request() == nil, End: end.Decoded(), end: end, cross: c}
	}
	return ends
}

func (e *erased[S, F, T]) tests() bool { return e.Test != nil }

func (e *erased[S, F, T]) test(ctx context.Context, settings any, t *Test) {
	e.Test(ctx, *settings.(*S), t)
}

func (e *erased[S, F, T]) listens(settings any) []string {
	if e.Listens == nil {
		return nil
	}
	return e.Listens(*settings.(*S))
}

func (e *erased[S, F, T]) dials(settings any) []string {
	if e.Dials == nil {
		return nil
	}
	return e.Dials(*settings.(*S))
}
