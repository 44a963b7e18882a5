package api

import (
	"encoding/json"
	"slices"
	"testing"

	"busbar/internal/connector"
	"busbar/internal/connectors"
)

func TestDocumentHasTheSettingsOfEveryKind(t *testing.T) {
	t.Parallel()
	text, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	doc := treeOf(t, text)
	schemas := child(child(doc, "components"), "schemas")
	one := child(schemas, "Connector")
	mapping := child(child(one, "discriminator"), "mapping")
	registry, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range registry.Names() {
		s := resolve(doc, object{"$ref": mapping[kind]})
		keys := child(s, "properties")
		if !slices.Equal(child(keys, "kind")["enum"].([]any), []any{kind}) || s["additionalProperties"] != false || !contains(s["required"], "kind") {
			t.Errorf("%s: schema %v, want the kind, which is required, and no other keys", kind, s)
		}
		want, err := registry.Schemas(kind)
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := json.Marshal(want.Connector)
		if err != nil {
			t.Fatal(err)
		}
		for key := range child(treeOf(t, wanted), "properties") {
			if _, ok := keys[key]; !ok {
				t.Errorf("%s: the document does not have the key %s", kind, key)
			}
		}
	}
	put := child(child(child(doc, "paths"), "/connectors/{id}"), "put")
	body := child(child(child(put, "requestBody"), "content"), "application/json")
	if got := child(body, "schema")["$ref"]; got != "#/components/schemas/Connector" {
		t.Errorf("body of putConnector is %v, want a connector", got)
	}
	if url := child(child(schemas, "ConnectorMqtt"), "properties"); child(url, "url") == nil || child(url, "keepAlive")["x-maximum"] == nil {
		t.Errorf("settings of mqtt %v, want url and the bounds of keepAlive", url)
	}
}
