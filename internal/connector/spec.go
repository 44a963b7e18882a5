package connector

import (
	"context"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// DefaultHold is how long a source may be away before its points become not
// topical, unless its kind or the point says otherwise.
const DefaultHold = 2 * time.Second

// None is the end of a kind that points cannot come from, or cannot go to.
type None struct{}

// OwnPoint is a point that belongs to a target, see [Target]. Its id is
// sys/connectors/<connector>/own/<name>.
type OwnPoint struct {
	Name string
	Type point.Type
}

// Spec declares a kind of connector. S, F and T are plain structs whose
// exported fields are the keys of the plant file:
//
//	type Settings struct {
//		Listen string        `json:"listen" doc:"address to listen on, host:port"`
//		T1     time.Duration `json:"t1" doc:"longest wait for an acknowledgement, 1s to 255s"`
//	}
//
// The values in Spec are the defaults. The structs, or pointers to them, may
// implement [Validator]. F and T are [None] where the kind has no such end. They
// are comparable, so that points with equal source ends share a subscription and
// targets share what is equal.
type Spec[S any, F, T comparable] struct {
	Settings S // keys of the connector beside `kind`
	Source   F // keys in the `from` of a point beside those of every source
	Target   T // keys in an entry of `to` beside those of every target

	// New makes an instance. It neither connects nor listens; Run does. An
	// error means an invalid configuration.
	New func(settings S, env Env) (Connector, error)

	// Selector returns what messages for the source end are matched with: an
	// MQTT topic filter in which "+" and "#" have their meaning, or any string
	// without them. Key returns what readings for the source end are told apart by, of a
	// kind that decodes values itself, such as an address. One of both is required unless F
	// is None.
	Selector func(source F) string
	Key      func(source F) uint64

	// CheckSource and CheckTarget report what is wrong with one end of a point,
	// such as a point type that it cannot carry. They are called with ends that
	// Validate found in order, of points whose type is known. t holds the
	// generic keys of the target. Optional.
	CheckSource func(source F, p *plant.Point) []Problem
	CheckTarget func(target T, p *plant.Point, t *plant.Target) []Problem

	// Describe adds to a target end what it takes from its point, such as its
	// name, and from the generic keys. It is called before Validate. Optional.
	Describe func(target *T, p *plant.Point, t *plant.Target)

	// CheckConnector reports what shows only when all ends of a connector are
	// seen together, such as an address that is given twice. It is called once
	// everything else is in order. Optional.
	CheckConnector func(settings S, sources []End[F], targets []End[T]) []Problem

	// Address takes out of a target end what tells it from others, such as an
	// address: it returns that as a number, and the rest, which targets share.
	// Without it every target has an end of its own. Optional.
	Address func(target T) (address uint64, rest T)

	// Tagged reports whether what goes to the target end carries the time of the
	// source, so that a change that comes late is still of use there. Optional.
	Tagged func(target T) bool

	// Own names what an instance keeps of its own about a target, at most two
	// points, and their types; empty names are none. The names are unique among the targets of the
	// connector, of the characters of an id, and each stands for one type for ever.
	// Optional.
	Own func(target T) [2]OwnPoint

	// System declares the system points of an instance, beside those that every
	// connector has. Names do not begin with own/.
	System []SystemPoint

	// Requester and Executor are the ends of commands: where they are requested,
	// and what carries them out. The zero values where the kind has none.
	Requester, Executor EndSpec

	// CheckCommands is CheckConnector for the ends of commands; targets are those
	// of points, whose addresses they may share. Optional.
	CheckCommands func(settings S, targets []End[T], commands []OrderEnd) []Problem

	// Hold is how long the source may be away before its points become not
	// topical, where a point does not say it. Default 2 s.
	Hold time.Duration

	// Test tries out whether settings work, step by step, until ctx ends. It must disturb
	// neither the connectors that run nor the other side. Optional.
	Test func(ctx context.Context, settings S, t *Test)

	// Listens and Dials return the addresses, host:port, that an instance
	// listens on and connects to. The host refuses two connectors that listen
	// on the same address and warns about one that dials another. Optional.
	Listens, Dials func(settings S) []string
}

// Presetter is implemented by the settings of kinds whose defaults depend on a
// key, such as the name of a profile. Preset changes the defaults after the keys of a
// connector; then these are decoded over them. A key that is wrong is none of its
// business: it is reported when it is decoded.
type Presetter interface {
	Preset(keys *Node)
}
