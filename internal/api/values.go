package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar/internal/auth"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func registerValues(a *api) {
	register(a, op{
		ID: "listValues", Method: http.MethodGet, Path: "/values", Tag: "values", Role: auth.Viewer, Scope: scopePoints,
		Summary: "Values of points, with filters",
		Description: "Each value is the one at the moment at which it is read; a list over several pages is no picture of one moment. " +
			"Sorted by time, points that change while the pages are read can be in two of them or in none; by id they cannot.",
	}, a.listValues)
	register(a, op{
		ID: "getValue", Method: http.MethodGet, Path: "/values/{id}", Tag: "values", Role: auth.Viewer, Scope: scopePoints,
		Summary: "Value of one point, with what lies over it and beneath", Errors: []int{http.StatusNotFound},
	}, a.getValue)
	registerOverlays(a)
	registerValueStream(a)
}

type valuesInput struct {
	Page
	ValueFilter
	ChangedSince time.Time `query:"changedSince" doc:"Received at this time or later"`
	Sort         string    `query:"sort" doc:"id or time, with - before it for descending" example:"-time"`
}

type valuesOutput struct{ Body list[PointValue] }

func (a *api) listValues(ctx context.Context, in *valuesInput) (*valuesOutput, error) {
	if err := a.hasValues(); err != nil {
		return nil, err
	}
	o, err := parseOrder(in.Sort, "id", "time")
	if err != nil {
		return nil, err
	}
	who, _ := auth.From(ctx)
	m, err := a.match(&in.ValueFilter, who)
	if err != nil {
		return nil, err
	}
	view := viewOf("values", in.view(), in.ChangedSince.String(), o.String())
	after, err := in.after(view)
	if err != nil {
		return nil, err
	}
	s := selection{a: a, match: m, catalog: a.deps.Manager.Catalog(), order: o, since: point.InstantOf(in.ChangedSince), most: in.Limit + 1}
	if o.by == "id" {
		s.byID(ctx, after)
	} else {
		s.byTime(ctx, after)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows := make([]PointValue, len(s.found))
	keys := make(map[string]string, len(s.found))
	for i, f := range s.found {
		rows[i] = a.valueOfPoint(f.id, f.typ, f.point, f.state)
		keys[f.id] = f.key(o)
	}
	return &valuesOutput{newList(in.Page, view, rows, func(v PointValue) string { return keys[v.Point] })}, nil
}

// hasValues returns why there are no values; nil if there are.
func (a *api) hasValues() error {
	if a.deps.Manager == nil || a.deps.Image == nil {
		return unavailable("there is no process image")
	}
	return nil
}

// found is a point that a selection has found.
type found struct {
	point point.Index
	typ   point.Type
	id    string
	state point.State
}

// key returns what a found point is found by again.
func (f *found) key(o order) string {
	if o.by == "id" {
		return f.id
	}
	return strconv.FormatInt(int64(f.state.Time), 10) + " " + f.id
}

// selection is the part of the values that a page shows.
type selection struct {
	a       *api
	match   *valueMatch
	catalog *connector.Catalog
	order   order
	since   point.Instant
	most    int
	found   []found
}

// byID takes points in order of their ids.
func (s *selection) byID(ctx context.Context, after string) {
	lo, hi := s.span()
	if after != "" {
		at, ok := s.catalog.Find(s.a.deps.Image, after)
		if s.order.down {
			hi = min(hi, at)
		} else if lo = max(lo, at); ok && lo == at {
			lo++
		}
	}
	s.each(ctx, lo, hi, func(f *found) bool {
		s.name(f)
		s.found = append(s.found, *f)
		return len(s.found) < s.most
	})
}

// byTime takes those with the first times that come after the point with a key.
func (s *selection) byTime(ctx context.Context, after string) {
	last := found{}
	if text, id, ok := strings.Cut(after, " "); ok {
		n, _ := strconv.ParseInt(text, 10, 64) // a cursor is of our own making
		last.state.Time, last.id = point.Instant(n), id
	}
	compare := func(a, b found) int {
		c := cmp.Or(cmp.Compare(a.state.Time, b.state.Time), strings.Compare(a.id, b.id))
		if s.order.down {
			return -c
		}
		return c
	}
	lo, hi := s.span()
	ahead := func(a, b *found) bool {
		if s.order.down {
			return a.state.Time > b.state.Time
		}
		return a.state.Time < b.state.Time
	}
	s.each(ctx, lo, hi, func(f *found) bool {
		if after != "" && ahead(f, &last) || len(s.found) == s.most && !ahead(f, &s.found[s.most-1]) {
			return true // points of equal times come in order of their ids
		}
		s.name(f)
		if after != "" && compare(*f, last) <= 0 {
			return true
		}
		at, _ := slices.BinarySearchFunc(s.found, *f, compare)
		s.found = slices.Insert(s.found, at, *f)
		s.found = s.found[:min(len(s.found), s.most)]
		return true
	})
}

// span returns between which places of the catalog the ids with the prefix are.
func (s *selection) span() (lo, hi int) {
	prefix := strings.TrimSuffix(s.match.Prefix, "/")
	if prefix == "" {
		return 0, len(s.catalog.Points)
	}
	lo, _ = s.catalog.Find(s.a.deps.Image, prefix)
	hi, _ = s.catalog.Find(s.a.deps.Image, prefix+"\x7f") // no id has this character
	return lo, hi
}

// each calls take for the points from lo to hi that match, until it returns false.
func (s *selection) each(ctx context.Context, lo, hi int, take func(*found) bool) {
	const often = 1 << 14 // how many points are looked at before it is asked whether somebody still waits
	var f found
	places, named := s.match.places(s.a, s.catalog), s.match.ids != nil
	count := hi - lo
	if named {
		places = slices.DeleteFunc(places, func(at int) bool { return at < lo || at >= hi })
		count = len(places)
	}
	for n := range count {
		at := lo + n
		switch {
		case named && s.order.down:
			at = places[count-1-n]
		case named:
			at = places[n]
		case s.order.down:
			at = hi - 1 - n
		}
		if n%often == often-1 && ctx.Err() != nil {
			return
		}
		if s.look(at, &f) && !take(&f) {
			return
		}
	}
}

// look makes f the point at a place of the catalog, and reports whether it matches.
func (s *selection) look(at int, f *found) bool {
	p, typ := s.catalog.Points[at], s.catalog.Types[at]
	if s.match.types != 0 && s.match.types>>typ&1 == 0 || s.match.joined != nil && !s.match.joined(p) {
		return false
	}
	state, ok := s.a.deps.Image.State(p)
	if !ok || state.Arrival < s.since || !s.match.quality(&state) {
		return false
	}
	*f = found{point: p, typ: typ, state: state}
	if !s.match.named() {
		return true
	}
	s.name(f)
	return s.match.point(p, f.id, typ) && s.match.state(f.id, &state)
}

// name finds out the id of a point that was found.
func (s *selection) name(f *found) {
	if f.id == "" {
		f.id = s.a.deps.Image.ID(f.point)
	}
}

// valueOfPoint returns a state as it is told, with the overlay.
func (a *api) valueOfPoint(id string, typ point.Type, p point.Index, s point.State) PointValue {
	v := PointValue{Point: id, Type: typ.String(), PointState: stateOf(s)}
	if s.Quality&(point.Substituted|point.Blocked) != 0 {
		if o, ok := a.deps.Image.Overlay(p); ok {
			v.Overlay = overlayOf(o)
		}
	}
	return v
}

// ValueInput names a point.
type ValueInput struct {
	ID string `path:"id" maxLength:"200" doc:"Id of the point" example:"ons4711/t1/oil"`
}

type valueOutput struct{ Body PointValue }

func (a *api) getValue(ctx context.Context, in *ValueInput) (*valueOutput, error) {
	p, typ, err := a.pointOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	v, err := a.valueNow(in.ID, typ, p)
	return &valueOutput{v}, err
}

// pointOf returns a point that who asks sees.
func (a *api) pointOf(ctx context.Context, id string) (point.Index, point.Type, error) {
	if err := a.hasValues(); err != nil {
		return 0, 0, err
	}
	p, typ, ok := a.deps.Manager.Find(id)
	if who, _ := auth.From(ctx); !ok || !who.Sees(id) {
		return 0, 0, notFound("there is no point " + id)
	}
	return p, typ, nil
}

// valueNow returns the value of a point.
func (a *api) valueNow(id string, typ point.Type, p point.Index) (PointValue, error) {
	s, ok := a.deps.Image.State(p)
	if !ok {
		return PointValue{}, notFound("there is no point " + id)
	}
	return a.valueOfPoint(id, typ, p, s), nil
}
