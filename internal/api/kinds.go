package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/connector"
)

// registerKinds registers the routes of the kinds of connectors.
func registerKinds(a *api) {
	register(a, op{
		ID: "listConnectorKinds", Method: http.MethodGet, Path: "/connector-kinds", Tag: "connector-kinds", Role: auth.Viewer, Scope: scopePoints,
		Summary: "The kinds of connectors, and what each can do",
	}, a.listKinds)
	register(a, op{
		ID: "getConnectorKind", Method: http.MethodGet, Path: "/connector-kinds/{kind}", Tag: "connector-kinds", Role: auth.Viewer, Scope: scopePoints,
		Summary: "One kind of connectors, with the JSON Schema of its settings and ends", Errors: []int{http.StatusNotFound},
	}, a.getKind)
	register(a, op{
		ID: "getPlantSchema", Method: http.MethodGet, Path: "/plant/schema", Tag: "plant", Role: auth.Viewer, Scope: scopePoints,
		Summary: "JSON Schema of plant files", Description: "For editors of YAML and JSON. What fits it is not yet right: only the whole plant can be validated.",
	}, a.getPlantSchema)
}

// ConnectorKind is a kind of connectors.
type ConnectorKind struct {
	Kind         string        `json:"kind" example:"iec104-server"`
	PointsFrom   bool          `json:"pointsFrom" doc:"Points can come from its connectors"`
	PointsTo     bool          `json:"pointsTo" doc:"Points can go to its connectors"`
	CommandsFrom bool          `json:"commandsFrom" doc:"Commands can be requested at its connectors"`
	CommandsTo   bool          `json:"commandsTo" doc:"Commands can be executed by its connectors"`
	SystemPoints []SystemPoint `json:"systemPoints" nullable:"false" doc:"What its connectors tell of themselves"`
	Schemas      *KindSchemas  `json:"schemas,omitempty" doc:"Only of one kind"`
}

// SystemPoint is a point that a connector has without being asked.
type SystemPoint struct {
	Name string `json:"name" doc:"Its id is sys/connectors/<connector>/<name>; * stands for any one segment"`
	Type string `json:"type"`
	Unit string `json:"unit,omitempty"`
	Doc  string `json:"doc,omitempty"`
}

// KindSchemas are the schemas of what the plant says of a kind, generic keys included.
type KindSchemas struct {
	Connector JSONSchema `json:"connector" doc:"Of an entry of connectors"`
	Source    JSONSchema `json:"source,omitempty" doc:"Of the from of a point"`
	Target    JSONSchema `json:"target,omitempty" doc:"Of an entry of the to of a point"`
	Requester JSONSchema `json:"requester,omitempty" doc:"Of an entry of the from of a command"`
	Executor  JSONSchema `json:"executor,omitempty" doc:"Of the to of a command"`
}

// JSONSchema is a JSON Schema of draft 2020-12.
type JSONSchema json.RawMessage

// Schema implements [huma.SchemaProvider].
func (JSONSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true,
		Description: "JSON Schema, draft 2020-12. Besides it has x-order, the keys in the order of the documentation, and x-minimum and x-maximum, bounds of durations",
	}
}

// MarshalJSON implements [json.Marshaler].
func (s JSONSchema) MarshalJSON() ([]byte, error) { return s, nil }

type kindsOutput struct {
	Body list[ConnectorKind]
}

func (a *api) listKinds(context.Context, *struct{}) (*kindsOutput, error) {
	out := &kindsOutput{Body: list[ConnectorKind]{Items: []ConnectorKind{}}}
	for _, name := range a.deps.Kinds.Names() {
		k, err := a.kind(name)
		if err != nil {
			return nil, err
		}
		k.Schemas = nil
		out.Body.Items = append(out.Body.Items, k)
	}
	return out, nil
}

type kindInput struct {
	Kind string `path:"kind" doc:"Name of the kind" example:"x"`
}

type kindOutput struct{ Body ConnectorKind }

func (a *api) getKind(_ context.Context, in *kindInput) (*kindOutput, error) {
	if _, ok := a.deps.Kinds.Kind(in.Kind); !ok {
		return nil, notFound("there is no kind of connectors " + in.Kind)
	}
	k, err := a.kind(in.Kind)
	return &kindOutput{k}, err
}

// kind describes a kind that there is.
func (a *api) kind(name string) (ConnectorKind, error) {
	k, _ := a.deps.Kinds.Kind(name)
	out := ConnectorKind{
		Kind: name, PointsFrom: k.CanSource(), PointsTo: k.CanTarget(), CommandsFrom: k.CanRequest(), CommandsTo: k.CanExecute(),
		SystemPoints: []SystemPoint{},
	}
	for _, p := range connector.SystemPoints(k.System()) {
		out.SystemPoints = append(out.SystemPoints, SystemPoint{Name: p.Name, Type: p.Type.String(), Unit: p.Unit, Doc: p.Doc})
	}
	s, err := a.deps.Kinds.Schemas(name)
	if err != nil {
		return out, err
	}
	out.Schemas = &KindSchemas{}
	for _, one := range []struct {
		to   *JSONSchema
		from connector.Schema
	}{
		{&out.Schemas.Connector, s.Connector}, {&out.Schemas.Source, s.Source}, {&out.Schemas.Target, s.Target},
		{&out.Schemas.Requester, s.Requester}, {&out.Schemas.Executor, s.Executor},
	} {
		if one.from == nil {
			continue
		}
		if *one.to, err = json.Marshal(one.from); err != nil {
			return out, err
		}
	}
	return out, nil
}

type plantSchemaOutput struct{ Body JSONSchema }

func (a *api) getPlantSchema(context.Context, *struct{}) (*plantSchemaOutput, error) {
	s, err := a.deps.Kinds.PlantSchemas()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s.File())
	return &plantSchemaOutput{text}, err
}
