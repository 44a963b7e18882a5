package api

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"busbar/internal/auth"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/outbound"
	"busbar/internal/plantdoc/table"
)

// maxOutbound is the most octets of the configuration of many points.
const maxOutbound = 64 << 20

// registerOutbound registers the routes that take the outbound configuration of points.
func registerOutbound(a *api) {
	const what = "Each entry of outboundConfiguration names a connector and what the point has there: ca, ioa, type, and where wanted db (dead band), " +
		"lowerLimit, upperLimit and validityPeriod in seconds. The targets of the point at these connectors are replaced, those at others stay. The same again changes nothing."
	register(a, op{
		ID: "putOutboundConfiguration", Method: http.MethodPut, Path: "/points/{id}/outbound-configuration", Tag: "points", Role: auth.Engineer, Scope: scopePoints,
		Summary: "Set the targets of a point at some connectors", Description: what, Consumes: []string{jsonType}, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.putOutbound)
	register(a, op{
		ID: "putOutboundConfigurations", Method: http.MethodPut, Path: "/points/outbound-configuration", Tag: "points", Role: auth.Engineer, Scope: scopePoints,
		Summary:     "Set the targets of many points at some connectors",
		Description: "The body is an array of objects with the id of a point and its outboundConfiguration. All of it is one change, or nothing is. " + what,
		Consumes:    []string{jsonType}, MaxBody: maxOutbound, Errors: []int{http.StatusConflict},
	}, a.putOutbounds)
}

type outboundInput struct {
	ID string `path:"id" doc:"Id of the point; each / in it is written %2F" example:"x"`
	RowsInput
}

func (a *api) putOutbound(ctx context.Context, in *outboundInput) (*rowsOutput, error) {
	n, err := jsonBody(ctx)
	if err != nil {
		return nil, err
	}
	one := outboundItem{id: in.ID}
	one.configuration, one.faults = outbound.Parse(n)
	return a.outbound(ctx, &in.RowsInput, []outboundItem{one}, true)
}

func (a *api) putOutbounds(ctx context.Context, in *RowsInput) (*rowsOutput, error) {
	n, err := jsonBody(ctx)
	if err != nil {
		return nil, err
	}
	if n.Kind != plant.List {
		return nil, invalid("want an array of objects with id and outboundConfiguration")
	}
	items := make([]outboundItem, len(n.Items))
	for i, item := range n.Items {
		items[i] = outboundItemOf(item)
	}
	return a.outbound(ctx, in, items, false)
}

// outboundItem is the configuration of one point.
type outboundItem struct {
	id            string
	configuration outbound.Configuration
	faults        []plant.FieldProblem
}

func outboundItemOf(n *plant.Node) (item outboundItem) {
	if n.Kind != plant.Map {
		item.faults = []plant.FieldProblem{{Text: "is no object, want one with id and outboundConfiguration"}}
		return item
	}
	rest := &plant.Node{Kind: plant.Map}
	for _, f := range n.Fields {
		if f.Key == "id" && f.Value.Kind == plant.Scalar && f.Value.Quoted {
			item.id = f.Value.Text
			continue
		}
		rest.Fields = append(rest.Fields, f)
	}
	item.configuration, item.faults = outbound.Parse(rest)
	return item
}

// jsonBody reads the body of a request as a syntax tree.
func jsonBody(ctx context.Context) (*plant.Node, error) {
	body, kind := bodyOf(ctx)
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	n, problems := plant.Tree(documentName(kind), text)
	if len(problems) > 0 {
		return nil, located(problems)
	}
	return n, nil
}

func (a *api) outbound(ctx context.Context, in *RowsInput, items []outboundItem, one bool) (*rowsOutput, error) {
	return a.rows(ctx, plantdoc.Points, in, func(e *manage.Edit) (*table.Import, error) {
		imp, bodies := table.NewImport(), existing(ctx, e, plantdoc.Points)
		for i := range items {
			item := &items[i]
			before, exists := bodies(item.id)
			if one && !exists {
				return nil, notFound("there is no point " + item.id)
			}
			imp.Add(item.row(i+1, imp, before, exists))
		}
		return imp, nil
	})
}

func (item *outboundItem) row(number int, imp *table.Import, before []byte, exists bool) table.Row {
	row := table.Row{Number: number, ID: item.id}
	first := imp.Row(item.id)
	switch faults := item.faults; {
	case item.id == "":
		faults = append(faults, plant.FieldProblem{Path: "id", Text: "is missing, want the id of a point"})
		row.Faults = rowFaults(number, faults)
	case !exists:
		row.Faults = rowFaults(number, append(faults, plant.FieldProblem{Path: "id", Text: "there is no point " + item.id}))
	case first != nil:
		row.Faults = rowFaults(number, append(faults, plant.FieldProblem{Path: "id", Text: fmt.Sprintf("occurs twice, first in item %d", first.Number)}))
	case len(faults) > 0:
		row.Faults = rowFaults(number, faults)
	default:
		body, faults := item.configuration.Apply(before)
		if row.Faults = rowFaults(number, faults); len(faults) == 0 {
			row.Put(body, before, true)
		}
	}
	return row
}

func rowFaults(number int, problems []plant.FieldProblem) (faults []table.Fault) {
	for _, p := range problems {
		faults = append(faults, table.Fault{Row: number, Column: p.Path, Message: p.Text})
	}
	return faults
}
