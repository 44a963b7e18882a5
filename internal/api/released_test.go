package api

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// released is the document of the last release.
const released = "../../api/released/openapi.yaml"

func TestNothingOfTheReleasedDocumentBreaks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(released)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatal("the released document is gone, want it from the last release")
	}
	if err != nil {
		t.Fatal(err)
	}
	now, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range breaking(treeOf(t, text), treeOf(t, now)) {
		t.Errorf("breaks clients: %s", fault)
	}
}

// treeOf reads YAML as JSON is read.
func treeOf(t *testing.T, text []byte) object {
	t.Helper()
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	inJSON, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(inJSON, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// things is a small document.
const things = `
paths:
  /things/{id}:
    get:
      operationId: getThing
      x-busbar-role: viewer
      parameters:
        - {name: id, in: path, required: true, schema: {type: string, maxLength: 20}}
        - {name: sort, in: query, schema: {type: string, enum: [a, b]}}
      responses:
        "200": {content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
        "404": {description: x}
    put:
      operationId: putThing
      x-busbar-role: engineer
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}, text/csv: {schema: {}}}}
      responses:
        "204": {description: x}
components:
  schemas:
    Thing:
      type: object
      required: [name]
      properties:
        name: {type: string}
        size: {type: integer, minimum: 1}
        parts: {type: array, items: {$ref: '#/components/schemas/Thing'}}
        shape: {oneOf: [{title: Round, type: object}, {title: Flat, type: object}]}
`

func TestBreakingDifferences(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, to string
		want     string // empty: does not break
	}{
		"nothing":                      {"", "", ""},
		"operation removed":            {"    put:", "    x:", "PUT /things/{id} is no longer there"},
		"id changed":                   {"getThing", "readThing", "has the id readThing"},
		"role raised":                  {"x-busbar-role: viewer", "x-busbar-role: admin", "x-busbar-role admin, it was viewer"},
		"role lowered":                 {"x-busbar-role: engineer", "x-busbar-role: viewer", ""},
		"parameter removed":            {"name: sort", "name: order", "no longer takes query.sort"},
		"parameter needed":             {"in: query", "in: query, required: true", "needs query.sort"},
		"parameter shorter":            {"maxLength: 20", "maxLength: 10", "maxLength 10"},
		"parameter longer":             {"maxLength: 20", "maxLength: 30", ""},
		"value of parameter removed":   {"[a, b]", "[a]", "may no longer be b"},
		"value of parameter added":     {"[a, b]", "[a, b, c]", ""},
		"success removed":              {`"204"`, `"202"`, "answer 204 is no longer there"},
		"failure removed":              {`"404"`, `"410"`, ""},
		"content type of body removed": {"text/csv", "text/tsv", "may no longer be text/csv"},
		"member removed":               {"size:", "length:", "no longer has size"},
		"member added":                 {"name: {type: string}", "name: {type: string}\n        more: {type: string}", ""},
		"member needed":                {"required: [name]", "required: [name, size]", "body needs size"},
		"member no longer promised":    {"required: [name]", "required: []", "answer 200 may come without name"},
		"type changed":                 {"type: integer", "type: string", ".size is string"},
		"limit raised":                 {"minimum: 1", "minimum: 2", "minimum 2, it was 1"},
		"choice removed":               {", {title: Flat, type: object}", "", "is no longer Flat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(things, c.from) {
				t.Fatalf("%q is not in the document", c.from)
			}
			got := strings.Join(breaking(treeOf(t, []byte(things)), treeOf(t, []byte(strings.Replace(things, c.from, c.to, 1)))), "\n")
			if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("breaks %q, want %q", got, c.want)
			}
		})
	}
}
