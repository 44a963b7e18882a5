package api

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"time"

	"busbar/internal/auth"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// batchOfValues is how many values an event has at most.
const batchOfValues = 500

func registerValueStream(a *api) {
	registerStream(a, op{
		ID: "streamValues", Method: http.MethodGet, Path: "/values/stream", Tag: "values", Role: auth.Viewer, Scope: scopePoints,
		Summary: "Values of points as they change",
		Description: "The stream begins with reset, the values of all points that match in events values, and ready. After it an event values has the newest state of " +
			"the points that have changed in the interval: what a point was in between is not told. gone names points that match no longer. " +
			"A client that comes again with Last-Event-ID gets the newest state of every point that has changed since, so that in the end it has " +
			"the newest state of all; where that is not known any more (Busbar was started again, the plant was changed, more than about 130,000 changes), the stream begins anew with reset. " +
			"The same happens in an open stream when the plant is changed.",
	}, map[string]any{"reset": ValuesReset{}, "values": ValueChanges{}, "ready": ValuesReady{}}, a.streamValues)
}

// ValuesReset says that what the client has is void.
type ValuesReset struct {
	Reason string `json:"reason" enum:"begun,plant,behind" doc:"begun: the stream begins. plant: the plant was changed. behind: there were too many changes"`
}

// ValueChanges are values that have changed.
type ValueChanges struct {
	Items []PointValue `json:"items" nullable:"false"`
	Gone  []string     `json:"gone,omitempty" nullable:"false" doc:"Ids of points that match the filter no longer"`
}

// ValuesReady says that the client has the values of all points that match.
type ValuesReady struct {
	Points int `json:"points" doc:"That match"`
}

type valueStreamInput struct {
	StreamInput
	ValueFilter
	Interval int `query:"interval" minimum:"50" maximum:"60000" default:"250" doc:"How often changes are told, in ms"`
}

func (a *api) streamValues(ctx context.Context, in *valueStreamInput) (func(context.Context, *stream) error, error) {
	if err := a.hasValues(); err != nil {
		return nil, err
	}
	who, _ := auth.From(ctx)
	if _, err := a.match(&in.ValueFilter, who); err != nil {
		return nil, err
	}
	return func(ctx context.Context, s *stream) error {
		w := valueWatch{a: a, in: in, who: who, stream: s}
		return w.run(ctx)
	}, nil
}

// valueWatch is a stream of values. It asks the image which points have changed, so that it
// costs publishing nothing.
type valueWatch struct {
	a      *api
	in     *valueStreamInput
	who    auth.Principal
	stream *stream

	catalog *connector.Catalog
	match   *valueMatch
	seq     uint64 // of the newest change that was told
	resumed bool   // what the client has is not known
	shown   map[point.Index]bool
	changed []point.Index
}

func (w *valueWatch) run(ctx context.Context) error {
	ticker := time.NewTicker(time.Duration(w.in.Interval) * time.Millisecond)
	defer ticker.Stop()
	if err := w.begin(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := w.tick(ctx); err != nil {
			return err
		}
	}
}

// begin goes on after what the client has, or begins anew.
func (w *valueWatch) begin(ctx context.Context) error {
	var boot string
	var version uint64
	w.catalog = w.a.deps.Manager.Catalog()
	_, err := fmt.Sscanf(w.stream.LastEventID, "%d-%d-%s", &w.seq, &version, &boot)
	if _, _, ok := w.a.deps.Image.Changed(w.seq, nil); err != nil || !ok || version != w.catalog.Version || boot != w.boot() {
		return w.reset(ctx, "begun")
	}
	w.resumed, w.shown = true, map[point.Index]bool{}
	if w.match, err = w.a.match(&w.in.ValueFilter, w.who); err != nil {
		return err
	}
	return w.tick(ctx)
}

// boot tells processes apart, and what is asked for and may be seen: to go on with another
// filter would leave out points that have not changed.
func (w *valueWatch) boot() string {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %q", w.in.view(), w.who.Subtrees) // never fails
	return fmt.Sprintf("%x-%x", w.a.deps.Started.UnixNano(), h.Sum64())
}

// id is the id of an event after which the client has everything up to seq.
func (w *valueWatch) id() string { return fmt.Sprintf("%d-%d-%s", w.seq, w.catalog.Version, w.boot()) }

// reset tells all values.
func (w *valueWatch) reset(ctx context.Context, reason string) (err error) {
	w.catalog, w.seq = w.a.deps.Manager.Catalog(), w.a.deps.Image.Seq()
	w.resumed, w.shown = false, map[point.Index]bool{}
	if w.match, err = w.a.match(&w.in.ValueFilter, w.who); err != nil {
		return err
	}
	if err := w.stream.Send(event{Name: "reset", Data: ValuesReset{reason}}); err != nil {
		return err
	}
	s := selection{a: w.a, match: w.match, catalog: w.catalog}
	var batch ValueChanges
	points := 0
	lo, hi := s.span()
	s.each(ctx, lo, hi, func(f *found) bool {
		s.name(f)
		w.shown[f.point] = true
		batch.Items = append(batch.Items, w.a.valueOfPoint(f.id, f.typ, f.point, f.state))
		points++
		if len(batch.Items) == batchOfValues {
			err = w.stream.Send(event{Name: "values", Data: batch})
			batch = ValueChanges{}
		}
		return err == nil
	})
	if err == nil && len(batch.Items) > 0 {
		err = w.stream.Send(event{Name: "values", Data: batch})
	}
	if err = firstError(err, ctx.Err()); err != nil {
		return err
	}
	return w.stream.Send(event{Name: "ready", ID: w.id(), Data: ValuesReady{points}})
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// tick tells what has changed.
func (w *valueWatch) tick(ctx context.Context) error {
	if w.a.deps.Manager.Catalog() != w.catalog {
		return w.reset(ctx, "plant")
	}
	if w.changed = w.changed[:0]; cap(w.changed) > 1<<16 {
		w.changed = nil
	}
	for newest := w.a.deps.Image.Seq(); w.seq < newest; {
		var ok bool
		if w.changed, w.seq, ok = w.a.deps.Image.Changed(w.seq, w.changed); !ok {
			return w.reset(ctx, "behind")
		}
	}
	slices.Sort(w.changed)
	w.changed = slices.Compact(w.changed)
	var batch ValueChanges
	for _, p := range w.changed {
		w.look(p, &batch)
		if len(batch.Items)+len(batch.Gone) == batchOfValues {
			if err := w.tell(&batch, ""); err != nil {
				return err
			}
		}
	}
	return w.tell(&batch, w.id())
}

// tell sends what there is to tell. Only the last event of a tick has an id.
func (w *valueWatch) tell(batch *ValueChanges, id string) error {
	if len(batch.Items)+len(batch.Gone) == 0 {
		return nil
	}
	if batch.Items == nil {
		batch.Items = []PointValue{}
	}
	err := w.stream.Send(event{Name: "values", ID: id, Data: *batch})
	*batch = ValueChanges{}
	return err
}

// look adds a point that has changed to a batch.
func (w *valueWatch) look(p point.Index, batch *ValueChanges) {
	id := w.a.deps.Image.ID(p)
	_, typ, ok := w.a.deps.Manager.Find(id)
	if !ok || !w.match.point(p, id, typ) {
		return
	}
	s, ok := w.a.deps.Image.State(p)
	switch {
	case !ok:
	case w.match.state(id, &s):
		w.shown[p] = true
		batch.Items = append(batch.Items, w.a.valueOfPoint(id, typ, p, s))
	case w.resumed || w.shown[p]:
		delete(w.shown, p)
		batch.Gone = append(batch.Gone, id)
	}
}
