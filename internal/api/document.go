package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// apiVersion is the version of the API. Within a major version nothing that is
// documented is taken away.
const apiVersion = "1.0.0"

// documentConfig is what the document says beside its operations.
func (a *api) documentConfig() huma.Config {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[Problem]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Busbar management API", Version: apiVersion,
				Description: "Configures, watches and operates Busbar. Problems are answered as RFC 9457 defines them.",
			},
			Servers: []*huma.Server{{URL: base}},
			Components: &huma.Components{
				Schemas: schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":   {Type: "http", Scheme: "bearer", BearerFormat: "bb_…", Description: "An API token"},
					"oidc":    {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token of a configured OpenID Connect provider"},
					"session": {Type: "apiKey", In: "cookie", Name: "busbar_session", Description: "A session of the browser. Requests that change something need the header X-Busbar-CSRF: 1"},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": bodyJSON, "json": bodyJSON}, // +json, too
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{retold},
	}
}

// documentEvents describes the events of a stream.
func (a *api) documentEvents(o *op, events map[string]any) {
	events = maps.Clone(events)
	events["end"] = streamEnd{}
	var kinds []*huma.Schema
	for _, name := range slices.Sorted(maps.Keys(events)) {
		kinds = append(kinds, &huma.Schema{
			Type: huma.TypeObject, Title: "Event " + name, Required: []string{"event", "data"},
			Properties: map[string]*huma.Schema{
				"event": {Type: huma.TypeString, Enum: []any{name}},
				"id":    {Type: huma.TypeString},
				"data":  a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(events[name]), true, name),
			},
		})
	}
	answer := a.documented(o).Responses["200"]
	answer.Content["text/event-stream"].Schema = &huma.Schema{
		Title: "Server-sent events", Type: huma.TypeArray, Items: &huma.Schema{OneOf: kinds},
	}
}

// serveDocument serves the document and the page that shows it.
func (a *api) serveDocument() error {
	doc := a.huma.OpenAPI()
	jsonText, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return fmt.Errorf("api: document: %w", err)
	}
	yamlText, err := doc.YAML()
	if err != nil {
		return fmt.Errorf("api: document: %w", err)
	}
	a.serveFile("/openapi.json", "application/openapi+json", jsonText)
	a.serveFile("/openapi.yaml", "application/openapi+yaml", yamlText)
	if err := a.servePage(); err != nil {
		return fmt.Errorf("api: page of the document: %w", err)
	}
	return nil
}

// Document returns the OpenAPI document in YAML, the same every time.
func Document() ([]byte, error) {
	a, err := build(Deps{})
	if err != nil {
		return nil, err
	}
	return a.huma.OpenAPI().YAML()
}
