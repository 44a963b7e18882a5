package manage

import (
	"context"
	"encoding/json"
	"iter"
	"slices"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// Edit is the document of the plant while it is being changed. It belongs to the goroutine that changes it.
type Edit struct {
	ctx    context.Context
	store  *store.Store
	before []plantdoc.Object // in order of plantdoc.Compare
	base   []plantdoc.Object // what the overlay lies over: before, or what has replaced it
	over   map[key][]byte    // what was put; nil bodies: deleted
	faults plant.Problems
	head   int64 // revision of before
}

type key struct {
	section plantdoc.Section
	id      string
}

func newEdit(ctx context.Context, st *store.Store, before []plantdoc.Object) *Edit {
	return &Edit{ctx: ctx, store: st, before: before, base: before, over: make(map[key][]byte)}
}

// Head returns the number of the revision that is changed.
func (e *Edit) Head() int64 { return e.head }

// Restore makes the document of an older revision the whole document. It fails with [store.ErrNotFound].
func (e *Edit) Restore(number int64) error {
	objs, err := e.store.DocumentAt(e.ctx, number)
	if err != nil {
		return err
	}
	e.Replace(objs)
	return nil
}

// Body returns the body of an object as it is in this edit; false if there is none.
func (e *Edit) Body(section plantdoc.Section, id string) ([]byte, bool) {
	if body, ok := e.over[key{section, id}]; ok {
		return body, body != nil
	}
	o, ok := find(e.base, section, id)
	return o.Body, ok
}

// Get returns the body of an object, and the revision that has changed it last, 0 if it is
// changed by this edit. It asks the store: for many objects Body is cheaper.
func (e *Edit) Get(section plantdoc.Section, id string) (body []byte, revision int64, ok bool) {
	body, ok = e.Body(section, id)
	if _, changed := e.over[key{section, id}]; !ok || changed {
		return body, 0, ok
	}
	_, revision, err := e.store.Object(e.ctx, section, id)
	if err != nil {
		return body, 0, ok // replaced in this edit
	}
	return body, revision, true
}

// Put adds an object, or replaces it. The body is canonical JSON, as plantdoc makes it; what is
// none at all makes the change fail.
func (e *Edit) Put(section plantdoc.Section, id string, body []byte) {
	if fault := faultOf(section, body); fault != "" {
		e.fault(section, id, fault)
		return
	}
	e.over[key{section, id}] = body
}

// faultOf returns why an object cannot be part of a document; empty if it can.
func faultOf(section plantdoc.Section, body []byte) string {
	switch {
	case !slices.Contains(plantdoc.Sections(), section):
		return "is in no section of a plant"
	case !json.Valid(body):
		return "is no JSON"
	default:
		return ""
	}
}

func (e *Edit) fault(section plantdoc.Section, id, text string) {
	e.faults = append(e.faults, plant.Problem{File: "plant", Path: plant.Key(string(section), id), Text: text})
}

// Delete removes an object. It reports whether it was there.
func (e *Edit) Delete(section plantdoc.Section, id string) bool {
	_, ok := e.Body(section, id)
	if ok {
		e.over[key{section, id}] = nil
	}
	return ok
}

// Replace makes objs the whole document. They may be in any order.
func (e *Edit) Replace(objs []plantdoc.Object) {
	e.base = slices.Clone(objs)
	slices.SortFunc(e.base, plantdoc.Compare)
	e.over = make(map[key][]byte)
	for i := range e.base {
		o := &e.base[i]
		fault := faultOf(o.Section, o.Body)
		if i > 0 && plantdoc.Compare(e.base[i-1], *o) == 0 {
			fault = "is there twice"
		}
		if fault != "" {
			e.fault(o.Section, o.ID, fault)
		}
	}
}

// All yields the objects of a section in order of id.
func (e *Edit) All(section plantdoc.Section) iter.Seq[plantdoc.Object] {
	return func(yield func(plantdoc.Object) bool) {
		for _, o := range e.after() {
			if o.Section == section && !yield(o) {
				return
			}
		}
	}
}

// after returns the whole document as it is in this edit, in order of plantdoc.Compare.
func (e *Edit) after() []plantdoc.Object {
	if len(e.over) == 0 {
		return e.base
	}
	put := make([]plantdoc.Object, 0, len(e.over))
	for k, body := range e.over {
		put = append(put, plantdoc.Object{Section: k.section, ID: k.id, Body: body})
	}
	slices.SortFunc(put, plantdoc.Compare)
	out := make([]plantdoc.Object, 0, len(e.base)+len(put))
	i := 0
	for _, o := range put {
		for i < len(e.base) && plantdoc.Compare(e.base[i], o) < 0 {
			out = append(out, e.base[i])
			i++
		}
		if i < len(e.base) && plantdoc.Compare(e.base[i], o) == 0 {
			i++
		}
		if o.Body != nil {
			out = append(out, o)
		}
	}
	return append(out, e.base[i:]...)
}

// find returns the object with the given id from a document in order.
func find(objs []plantdoc.Object, section plantdoc.Section, id string) (plantdoc.Object, bool) {
	i, ok := slices.BinarySearchFunc(objs, plantdoc.Object{Section: section, ID: id}, plantdoc.Compare)
	if !ok {
		return plantdoc.Object{}, false
	}
	return objs[i], true
}
