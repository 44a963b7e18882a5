package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/connector"
	"busbar/internal/connectors"
)

// documentConnectors describes connectors in the document: one schema for each kind,
// and Connector, which is one of them by its kind.
func (a *api) documentConnectors() error {
	registry, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		return err
	}
	schemas := a.huma.OpenAPI().Components.Schemas.Map()
	one := &huma.Schema{
		Description:   "A connector as the plant file has it, with the keys of its kind",
		Discriminator: &huma.Discriminator{PropertyName: "kind", Mapping: map[string]string{}},
	}
	for _, kind := range registry.Names() {
		s, err := registry.Schemas(kind)
		if err != nil {
			return err
		}
		named, err := documentSchema(s.Connector)
		if err != nil {
			return fmt.Errorf("schema of kind %s: %w", kind, err)
		}
		named.Properties["id"] = &huma.Schema{Type: huma.TypeString, Description: "As in the path; always there in answers"}
		named.Properties["kind"] = &huma.Schema{Type: huma.TypeString, Enum: []any{kind}}
		name := "Connector" + camel(kind)
		if err := define(schemas, name, named); err != nil {
			return err
		}
		ref := "#/components/schemas/" + name
		one.OneOf = append(one.OneOf, &huma.Schema{Ref: ref})
		one.Discriminator.Mapping[kind] = ref
	}
	if err := define(schemas, "Connector", one); err != nil {
		return err
	}
	item := a.huma.OpenAPI().Paths["/connectors/{id}"]
	ref := &huma.Schema{Ref: "#/components/schemas/Connector"}
	contents := []map[string]*huma.MediaType{item.Put.RequestBody.Content, item.Get.Responses["200"].Content}
	for _, status := range []string{"200", "201"} {
		contents = append(contents, item.Put.Responses[status].Content)
	}
	for _, content := range contents {
		for kind := range content {
			content[kind] = &huma.MediaType{Schema: ref}
		}
	}
	return nil
}

func define(schemas map[string]*huma.Schema, name string, s *huma.Schema) error {
	if _, taken := schemas[name]; taken {
		return fmt.Errorf("schema %s is there twice", name)
	}
	schemas[name] = s
	return nil
}

// camel writes the name of a kind as that of a schema: iec104-server is Iec104Server.
func camel(kind string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(kind, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// rawSchema is a JSON Schema, the keywords that the document's own type knows and does not know.
type rawSchema struct {
	Type                 any                        `json:"type"`
	Description          string                     `json:"description"`
	Format               string                     `json:"format"`
	Default              any                        `json:"default"`
	Examples             []any                      `json:"examples"`
	Enum                 []any                      `json:"enum"`
	Required             []string                   `json:"required"`
	Minimum              *float64                   `json:"minimum"`
	Maximum              *float64                   `json:"maximum"`
	Pattern              string                     `json:"pattern"`
	WriteOnly            bool                       `json:"writeOnly"`
	Items                json.RawMessage            `json:"items"`
	Properties           map[string]json.RawMessage `json:"properties"`
	AdditionalProperties json.RawMessage            `json:"additionalProperties"`
}

// documentSchema turns the schema of a kind into one of the document.
func documentSchema(schema connector.Schema) (*huma.Schema, error) {
	text, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	return readSchema(text)
}

func readSchema(text []byte) (*huma.Schema, error) {
	var raw rawSchema
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	s := &huma.Schema{
		Description: raw.Description, Format: raw.Format, Default: raw.Default, Examples: raw.Examples, Enum: raw.Enum,
		Required: raw.Required, Minimum: raw.Minimum, Maximum: raw.Maximum, Pattern: raw.Pattern, WriteOnly: raw.WriteOnly,
	}
	if err := readInner(s, raw); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &s.Extensions); err != nil {
		return nil, err
	}
	if name, ok := raw.Type.(string); ok {
		s.Type = name
		delete(s.Extensions, "type")
	}
	maps.DeleteFunc(s.Extensions, func(name string, _ any) bool { return slices.Contains(knownKeywords(), name) })
	return s, nil
}

// readInner reads the schemas within a schema.
func readInner(s *huma.Schema, raw rawSchema) (err error) {
	if raw.Items != nil {
		if s.Items, err = readSchema(raw.Items); err != nil {
			return err
		}
	}
	switch more := string(raw.AdditionalProperties); more {
	case "":
	case "true", "false":
		s.AdditionalProperties = more == "true"
	default:
		if s.AdditionalProperties, err = readSchema(raw.AdditionalProperties); err != nil {
			return err
		}
	}
	for name, member := range raw.Properties {
		if s.Properties == nil {
			s.Properties = map[string]*huma.Schema{}
		}
		if s.Properties[name], err = readSchema(member); err != nil {
			return err
		}
	}
	return nil
}

// knownKeywords are the keywords of [rawSchema] but type, which may be a list.
func knownKeywords() []string {
	return []string{
		"description", "format", "default", "examples", "enum", "required", "minimum", "maximum", "pattern", "writeOnly",
		"items", "properties", "additionalProperties",
	}
}
