package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// streamTimeout is how long a body may take that is read as a stream.
const streamTimeout = 5 * time.Minute

// register adds a route. It panics on a mistake of the declaration, which [New]
// returns as its error.
func register[I, O any](a *api, o op, handle func(context.Context, *I) (*O, error)) {
	if err := o.check(); err != nil {
		panic(err)
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.BodyTimeout == 0 {
		o.BodyTimeout = defaultBodyTimeout
		if len(o.Consumes) > 0 {
			o.BodyTimeout = streamTimeout
		}
	}
	if t := reflect.TypeFor[I](); t.Kind() == reflect.Struct {
		for f := range t.Fields() {
			if f.Anonymous && !f.IsExported() {
				panic(fmt.Errorf("route %s: input embeds %s, which the library leaves out: want it exported", o.ID, f.Name))
			}
		}
	}
	declared := &o
	h := o.operation()
	h.Metadata[opKey] = declared
	huma.Register(a.huma, h, func(ctx context.Context, in *I) (*O, error) {
		req := requestOf(ctx)
		// A deadline for reading that passes would end the context of the handler.
		if err := req.deadlines(time.Time{}, time.Now().Add(writeTimeout)); err != nil {
			return nil, a.problemOf(req, err)
		}
		if err := a.begin(ctx, req); err != nil {
			return nil, err
		}
		if declared.MaxBody > defaultMaxBody {
			leave, err := a.enterLarge(ctx)
			if err != nil {
				return nil, a.problemOf(req, err)
			}
			defer leave()
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.problemOf(req, err)
		}
		return out, nil
	})
	a.complete(declared)
}

// complete brings what the library found out about an operation and what it cannot know together.
func (a *api) complete(o *op) {
	h := a.documented(o)
	if len(o.Consumes) > 0 {
		h.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		for _, kind := range o.Consumes {
			h.RequestBody.Content[kind] = &huma.MediaType{Schema: &huma.Schema{}}
		}
	}
	if h.RequestBody != nil {
		h.RequestBody.Required = h.RequestBody.Required && !o.OptionalBody
		o.accepts = slices.Sorted(maps.Keys(h.RequestBody.Content))
	}
	for _, p := range h.Parameters {
		if p.In == "query" {
			o.query = append(o.query, p.Name)
		}
	}
	success := h.Responses[strconv.Itoa(o.success(h))]
	for _, kind := range o.Produces {
		if success.Content == nil {
			success.Content = map[string]*huma.MediaType{}
		}
		if success.Content[kind] == nil {
			success.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
		}
	}
	o.provides = slices.Sorted(maps.Keys(success.Content))
	o.documentAnswers(h)
	a.ops = append(a.ops, o)
}

// success returns the status of success.
func (o *op) success(h *huma.Operation) int {
	if o.Status != 0 {
		return o.Status
	}
	if _, ok := h.Responses["204"]; ok {
		return http.StatusNoContent
	}
	return http.StatusOK
}

// documented returns the operation in the document.
func (a *api) documented(o *op) *huma.Operation {
	item := a.huma.OpenAPI().Paths[o.Path]
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPut: item.Put, http.MethodPost: item.Post,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[o.Method]
}

func newContext(o *huma.Operation, r *http.Request, w http.ResponseWriter) huma.Context {
	return humago.NewContext(o, r, w)
}
