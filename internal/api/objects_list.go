package api

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"busbar/internal/plantdoc"
)

// Filter is what every list of objects can be filtered by.
type Filter struct {
	Search string `query:"search" maxLength:"200" doc:"Text in the id or the name, in upper or lower case"`
	Sort   string `query:"sort" maxLength:"20" doc:"id, name or type (of connectors: kind), with - before it for descending; default id"`
}

type listConnectorsInput struct {
	Page
	Filter
	Kind    string `query:"kind" maxLength:"63" doc:"Only those of this kind"`
	Enabled string `query:"enabled" enum:"true,false" doc:"Only those that are enabled, or not"`
}

// Ended are the filters of what has ends at connectors.
type Ended struct {
	Page
	Filter
	Prefix    string   `query:"prefix" maxLength:"200" doc:"Only this id, and what lies below it" example:"ons4711/t1"`
	Types     []string `query:"type" enum:"single,double,step,bits,int,float,counter,text" doc:"Only these types, separated by commas"`
	Connector string   `query:"connector" maxLength:"63" doc:"Only those that come from this connector or go to it"`
}

type listObjectsOutput struct{ Body list[Object] }

// head are the keys of an object that lists go by.
type head struct {
	Name    string          `json:"name"`
	Kind    string          `json:"kind"`
	Enabled *bool           `json:"enabled"`
	Type    string          `json:"type"`
	From    json.RawMessage `json:"from"`
	To      json.RawMessage `json:"to"`
}

// listed is an object of a list.
type listed struct {
	id, key string
	body    []byte
}

func (o objects) listConnectors(ctx context.Context, in *listConnectorsInput) (*listObjectsOutput, error) {
	view := viewOf(string(o.section), in.Search, in.Kind, in.Enabled)
	return o.list(ctx, in.Page, in.Filter, view, []string{"id", "kind", "name"}, func(_ string, h *head) bool {
		return (in.Kind == "" || h.Kind == in.Kind) && (in.Enabled == "" || strconv.FormatBool(h.Enabled == nil || *h.Enabled) == in.Enabled)
	})
}

func (o objects) listPoints(ctx context.Context, in *Ended) (*listObjectsOutput, error) {
	return o.listEnded(ctx, in)
}

func (o objects) listCommands(ctx context.Context, in *Ended) (*listObjectsOutput, error) {
	return o.listEnded(ctx, in)
}

func (o objects) listEnded(ctx context.Context, in *Ended) (*listObjectsOutput, error) {
	who := actor(ctx)
	view := viewOf(string(o.section), in.Search, in.Prefix, strings.Join(in.Types, ","), in.Connector, strings.Join(who.Subtrees, "\x01"))
	end, err := json.Marshal(in.Connector)
	if err != nil {
		return nil, err
	}
	named := `"connector":` + string(end)
	return o.list(ctx, in.Page, in.Filter, view, []string{"id", "name", "type"}, func(id string, h *head) bool {
		return who.Sees(id) && below(id, in.Prefix) && (len(in.Types) == 0 || slices.Contains(in.Types, h.Type)) &&
			(in.Connector == "" || strings.Contains(string(h.From), named) || strings.Contains(string(h.To), named))
	})
}

// below reports whether an id is prefix or lies below it.
func below(id, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	rest, ok := strings.CutPrefix(id, prefix)
	return ok && (prefix == "" || rest == "" || rest[0] == '/')
}

// list returns a part of the objects that pass.
func (o objects) list(ctx context.Context, p Page, f Filter, view string, orders []string, pass func(id string, h *head) bool) (*listObjectsOutput, error) {
	by, err := parseOrder(f.Sort, orders...)
	if err != nil {
		return nil, err
	}
	view = viewOf(view, by.String())
	after, err := p.after(view)
	if err != nil {
		return nil, err
	}
	key, last, _ := strings.Cut(after, "\x00")
	var rows []listed
	start := ""
	if by == (order{by: "id"}) {
		start = last
	}
	search := strings.ToLower(f.Search)
	err = o.each(ctx, start, func(obj plantdoc.Object) bool {
		var h head
		if json.Unmarshal(obj.Body, &h) != nil {
			return true // was validated before it was stored
		}
		if pass(obj.ID, &h) && (strings.Contains(strings.ToLower(obj.ID), search) || strings.Contains(strings.ToLower(h.Name), search)) {
			rows = append(rows, listed{obj.ID, map[string]string{"name": h.Name, "kind": h.Kind, "type": h.Type}[by.by], obj.Body})
		}
		return by != order{by: "id"} || len(rows) <= p.Limit
	})
	if err != nil {
		return nil, err
	}
	if by != (order{by: "id"}) {
		sorted(by, rows, func(r listed) string { return r.key }, func(r listed) string { return r.id })
		if after != "" {
			rows = rows[passed(by, rows, key, last):]
		}
	}
	rows = rows[:min(len(rows), p.Limit+1)]
	part := newList(p, view, rows, func(r listed) string { return r.key + "\x00" + r.id })
	out := &listObjectsOutput{list[Object]{Items: make([]Object, len(part.Items)), Next: part.Next}}
	for i, r := range part.Items {
		if out.Body.Items[i], err = objectOfPlant(r.id, r.body); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// passed returns how many of the sorted rows come before, or are, the one with the given key and id.
func passed(by order, rows []listed, key, id string) int {
	i, found := slices.BinarySearchFunc(rows, listed{id: id, key: key}, func(a, b listed) int {
		c := strings.Compare(a.key+"\x00"+a.id, b.key+"\x00"+b.id)
		if by.down {
			return -c
		}
		return c
	})
	if found {
		i++
	}
	return i
}

// each calls do for the objects after an id, in order, until it returns false.
func (o objects) each(ctx context.Context, after string, do func(plantdoc.Object) bool) error {
	const portion = 1000
	for {
		objs, err := o.deps.Store.Objects(ctx, o.section, after, portion)
		if err != nil {
			return err
		}
		for _, obj := range objs {
			if !do(obj) {
				return nil
			}
		}
		if len(objs) < portion {
			return nil
		}
		after = objs[len(objs)-1].ID
	}
}
