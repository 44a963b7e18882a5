package connector

import (
	"reflect"
	"time"

	"busbar/internal/plant"
)

// DefaultHold is how long a source may be away before its points become not
// topical, unless its kind or the point says otherwise.
const DefaultHold = 2 * time.Second

// None is the end of a kind that points cannot come from, or cannot go to.
type None struct{}

// Spec declares a kind of connector. S, F and T are plain structs whose
// exported fields are the keys of the plant file:
//
//	type Settings struct {
//		Listen string        `json:"listen" doc:"address to listen on, host:port"`
//		T1     time.Duration `json:"t1" doc:"longest wait for an acknowledgement, 1s to 255s"`
//	}
//
// The values in Spec are the defaults. The structs, or pointers to them, may
// implement [Validator]. F and T are [None] where the kind has no such end. F is
// comparable, so that points with equal source ends share a subscription.
type Spec[S any, F comparable, T any] struct {
	Settings S // keys of the connector beside `kind`
	Source   F // keys in the `from` of a point beside those of every source
	Target   T // keys in an entry of `to` beside those of every target

	// New makes an instance. It neither connects nor listens; Run does. An
	// error means an invalid configuration.
	New func(settings S, env Env) (Connector, error)

	// Selector returns what messages for the source end are matched with: an
	// MQTT topic filter in which "+" and "#" have their meaning, or any string
	// without them. Required unless F is None.
	Selector func(source F) string

	// CheckSource and CheckTarget report what is wrong with one end of a point,
	// such as a point type that it cannot carry. They are called with ends that
	// Validate found in order, of points whose type is known. t holds the
	// generic keys of the target. Optional.
	CheckSource func(source F, p *plant.Point) []Problem
	CheckTarget func(target T, p *plant.Point, t *plant.Target) []Problem

	// CheckConnector reports what shows only when all ends of a connector are
	// seen together, such as an address that is given twice. It is called once
	// everything else is in order. Optional.
	CheckConnector func(settings S, sources []End[F], targets []End[T]) []Problem

	// Hold is how long the source may be away before its points become not
	// topical, where a point does not say it. Default 2 s.
	Hold time.Duration

	// Listens and Dials return the addresses, host:port, that an instance
	// listens on and connects to. The host refuses two connectors that listen
	// on the same address and warns about one that dials another. Optional.
	Listens, Dials func(settings S) []string
}

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
	settings() any
	source() any // nil: no such end
	target() any
	newConnector(settings any, env Env) (Connector, error)
	selector(source any) string
	sourceKey(source any) any // equal for equal ends
	checkSource(source any, p *plant.Point) []Problem
	checkTarget(target any, p *plant.Point, t *plant.Target) []Problem
	checkConnector(c *plant.Cross) []Problem
	listens(settings any) []string
	dials(settings any) []string
}

// Define makes a kind of its declaration. The name is that of the `kind` key in
// the plant file, such as "iec104-server".
func Define[S any, F comparable, T any](name string, spec Spec[S, F, T]) Kind {
	hold := spec.Hold
	if hold == 0 {
		hold = DefaultHold
	}
	return Kind{name: name, hold: hold, spec: erased[S, F, T]{spec}}
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
type erased[S any, F comparable, T any] struct{ s Spec[S, F, T] }

func isNone[E any]() bool { return reflect.TypeFor[E]() == reflect.TypeFor[None]() }

func (e erased[S, F, T]) settings() any {
	s := e.s.Settings
	return &s
}

func (e erased[S, F, T]) source() any {
	if isNone[F]() {
		return nil
	}
	f := e.s.Source
	return &f
}

func (e erased[S, F, T]) target() any {
	if isNone[T]() {
		return nil
	}
	t := e.s.Target
	return &t
}

func (e erased[S, F, T]) newConnector(settings any, env Env) (Connector, error) {
	return e.s.New(*settings.(*S), env)
}

func (e erased[S, F, T]) selector(source any) string { return e.s.Selector(*source.(*F)) }

func (e erased[S, F, T]) sourceKey(source any) any { return *source.(*F) }

func (e erased[S, F, T]) checkSource(source any, p *plant.Point) []Problem {
	if e.s.CheckSource == nil {
		return nil
	}
	return e.s.CheckSource(*source.(*F), p)
}

func (e erased[S, F, T]) checkTarget(target any, p *plant.Point, t *plant.Target) []Problem {
	if e.s.CheckTarget == nil {
		return nil
	}
	return e.s.CheckTarget(*target.(*T), p, t)
}

func (e erased[S, F, T]) checkConnector(c *plant.Cross) []Problem {
	if e.s.CheckConnector == nil {
		return nil
	}
	var sources []End[F]
	var targets []End[T]
	for _, end := range c.Ends {
		if t := end.Target(); t != nil {
			targets = append(targets, End[T]{end: end, cross: c, Point: end.Point.ID, End: t.End.(*T)})
		} else {
			sources = append(sources, End[F]{end: end, cross: c, Point: end.Point.ID, End: end.Point.From.End.(*F)})
		}
	}
	return e.s.CheckConnector(*c.Connector.Settings.(*S), sources, targets)
}

func (e erased[S, F, T]) listens(settings any) []string {
	if e.s.Listens == nil {
		return nil
	}
	return e.s.Listens(*settings.(*S))
}

func (e erased[S, F, T]) dials(settings any) []string {
	if e.s.Dials == nil {
		return nil
	}
	return e.s.Dials(*settings.(*S))
}
