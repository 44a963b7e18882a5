package plant

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Decoder decodes nodes into structs of type T, strictly: a key that T does not
// have is a fault, and all faults are found in one go. It holds the plan made of
// T and its tags; make it once and use it for many nodes, from any number of
// goroutines.
//
// The key of a field is in its tag json; fields without that tag are left alone
// and embedded structs are taken as if their fields were here. Further tags:
//
//	required:"true"    the key must be there
//	min:"1" max:"15s"  bounds of a number or duration, of the characters of a
//	                   string, of the items of a list or map
//	enum:"utc,local"   the only values of a string
//	doc:"…"            what it is for, shown in references and forms
//
// Fields may be strings, booleans, integers, floats, [time.Duration],
// [Secret], structs, and pointers to, slices of and maps from strings to these,
// [*Node] for the bare syntax tree, and types with a method
// UnmarshalNode(*Node) error on their pointer.
type Decoder[T any] struct {
	plan    *value
	reports sync.Pool // of *report
}

// NewDecoder returns the decoder of T. It fails if T is not a struct, or if a
// field has a type or a tag that it cannot use.
func NewDecoder[T any]() (*Decoder[T], error) {
	plan, err := planStruct(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return &Decoder[T]{plan: plan}, nil
}

// Decode decodes a map over what is already in into, so that keys that are
// absent keep their default. A list or map in the node replaces the default as
// a whole. After a fault into is filled in part.
func (d *Decoder[T]) Decode(n *Node, into *T) []FieldProblem {
	r, ok := d.reports.Get().(*report)
	if !ok {
		r = &report{}
	}
	d.plan.decode(r, n, reflect.ValueOf(into).Elem())
	problems := r.problems
	r.problems = nil
	d.reports.Put(r)
	return problems
}

// DecodeStruct decodes as a [Decoder] made for this one node; into is a pointer
// to a struct. It is meant for a few nodes.
func DecodeStruct(n *Node, into any) []FieldProblem {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return []FieldProblem{{Text: fmt.Sprintf("cannot decode into %T", into)}}
	}
	plan, err := planStruct(v.Elem().Type())
	if err != nil {
		return []FieldProblem{{Text: err.Error()}}
	}
	var r report
	plan.decode(&r, n, v.Elem())
	return r.problems
}

// NodeDecoder is implemented by types that decode themselves. The error is
// what is wrong and what is wanted, without the path. What they take is told by
// [Describer].
type NodeDecoder interface {
	UnmarshalNode(n *Node) error
}

// Later is the type of a field for a key that has a place in the format but is
// not supported by this version: any value is a fault that says so.
type Later struct{}

// UnmarshalNode implements [NodeDecoder].
func (*Later) UnmarshalNode(*Node) error { return errLater }

// report collects the faults of one decoding.
type report struct {
	trail    trail // to the node under way
	problems []FieldProblem
}

// add reports a fault of the node under way.
func (r *report) add(text string) {
	r.problems = append(r.problems, FieldProblem{Path: r.trail.String(), Text: text})
}

// unknown reports a key that is not among known.
func (r *report) unknown(f *Field, known []string) {
	r.problems = append(r.problems, FieldProblem{
		Path: Key(r.trail.String(), f.Key), Text: unknownKey(f.Key, known),
		line: f.Line, col: f.Col, unknown: f.Key, known: known,
	})
}

// missing reports an absent key of the node under way.
func (r *report) missing(key, want string) {
	r.problems = append(r.problems, FieldProblem{Path: Key(r.trail.String(), key), Text: "is missing, want " + want})
}

// structPlan is how a map becomes a struct.
type structPlan struct {
	fields []fieldPlan
	names  []string // the keys, in order of the fields
	known  []string // the same without those of later versions
}

type fieldPlan struct {
	name     string
	index    []int
	required bool
	wanted   string // what is wanted where the key is missing
	doc      string // empty: there is none
	value    *value
}

func (p *structPlan) decode(r *report, n *Node, into reflect.Value) {
	if n.Kind != Map {
		r.add(n.wrong("a map").Error())
		return
	}
	for i := range n.Fields {
		f := &n.Fields[i]
		at := slices.Index(p.names, f.Key)
		if at < 0 {
			r.unknown(f, p.known)
			continue
		}
		field := &p.fields[at]
		r.trail.enter(f.Key)
		field.value.decode(r, f.Value, into.FieldByIndex(field.index))
		r.trail.leave()
	}
	for i := range p.fields {
		if f := &p.fields[i]; f.required && n.Get(f.name) == nil {
			r.missing(f.name, f.wanted)
		}
	}
}
