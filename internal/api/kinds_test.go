package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestKindsOfConnectorsAreDescribed(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	all := decoded[list[ConnectorKind]](t, r.do("GET", "/connector-kinds", nil, as("viewer:x")), 200)
	if len(all.Items) != 1 || all.Items[0].Kind != "device" || !all.Items[0].PointsFrom || !all.Items[0].CommandsTo || all.Items[0].Schemas != nil {
		t.Errorf("kinds %+v, want device without schemas", all)
	}
	text := r.want(200, "GET", "/connector-kinds/device", nil).Body.String()
	for _, want := range []string{
		`"kind":{"const":"device"}`, `"required":["kind"]`, `"format":"password"`, `"writeOnly":true`, `"name":"up"`, `"x-order":["connector","deadband"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("kind %s, want %s", text, want)
		}
	}
	r.problem(r.want(404, "GET", "/connector-kinds/other", nil), 404, "not-found")
	var schema struct{ Properties map[string]json.RawMessage }
	if schema = decoded[struct{ Properties map[string]json.RawMessage }](t, r.want(200, "GET", "/plant/schema", nil), 200); len(schema.Properties) != 4 {
		t.Errorf("schema of plant files %v, want its four keys", schema)
	}
}
