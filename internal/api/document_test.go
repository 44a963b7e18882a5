package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write api/openapi.yaml")

const committed = "../../api/openapi.yaml"

func TestCommittedDocumentIsTheOneOfTheRoutes(t *testing.T) {
	t.Parallel()
	doc, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(doc, again) {
		t.Fatal("the document differs from one time to the next")
	}
	if *update {
		if err := os.WriteFile(committed, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, doc) {
		t.Error("api/openapi.yaml is not the document of the routes: run make api and look at the difference")
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	inJSON := decoded[map[string]any](t, r.do(http.MethodGet, "/openapi.json", nil), http.StatusOK)
	var inYAML map[string]any
	if err := yaml.Unmarshal(r.do(http.MethodGet, "/openapi.yaml", nil).Body.Bytes(), &inYAML); err != nil {
		t.Fatal(err)
	}
	if inJSON["openapi"] != "3.1.0" || inYAML["openapi"] != "3.1.0" {
		t.Errorf("openapi %v in JSON, %v in YAML, want 3.1.0", inJSON["openapi"], inYAML["openapi"])
	}
	a, err := json.Marshal(inJSON["paths"])
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(inYAML["paths"])
	if err != nil {
		t.Fatal(err)
	}
	if len(a) < 100 || !bytes.Equal(a, b) {
		t.Error("the paths in JSON and in YAML differ")
	}
}
