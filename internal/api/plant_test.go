package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestPlantIsReadAndReplaced(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	w := r.want(200, "GET", "/plant", nil)
	etag, text := w.Header().Get("ETag"), w.Body.String()
	if etag != `"5"` || w.Header().Get("Content-Type") != "application/json" || !strings.HasPrefix(text, `{"version":1,"connectors":{"a":{"kind":"device"}},"points":{"x":{`) {
		t.Errorf("plant %s %s %s", etag, w.Header().Get("Content-Type"), text)
	}
	r.want(304, "GET", "/plant", nil, header("If-None-Match", etag))
	r.want(412, "GET", "/plant", nil, header("If-Match", `"4"`))
	asYAML := r.want(200, "GET", "/plant", nil, header("Accept", "application/yaml"))
	if !strings.HasPrefix(asYAML.Body.String(), "version: 1\nconnectors:\n") || asYAML.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("plant as YAML: %s", asYAML.Body)
	}

	r.want(428, "PUT", "/plant", text)
	r.want(412, "PUT", "/plant", text, header("If-Match", `"4"`))
	same := decoded[PlantChange](t, r.want(200, "PUT", "/plant", asYAML.Body.String(), header("If-Match", etag), header("Content-Type", "application/yaml")), 200)
	if same.Changed != 0 || same.Revision.Number != 5 {
		t.Errorf("the same again: %+v, want no change", same)
	}
	smaller := "version: 1\nconnectors:\n  a: {kind: device}\n"
	dry := decoded[PlantChange](t, r.want(200, "PUT", "/plant?dryRun=true", smaller, header("If-Match", "*"), header("Content-Type", "application/yaml")), 200)
	if dry.Changed != 4 || len(dry.Changes) != 4 || dry.Changes[0].ID != "x" || dry.Changes[0].After != nil || dry.Revision.Number != 5 || len(dry.Warnings) != 1 {
		t.Errorf("dry run: %+v, want 4 changes and a warning", dry)
	}
	w = r.want(200, "PUT", "/plant?comment=less", smaller, header("If-Match", etag), header("Content-Type", "application/yaml"))
	if got := decoded[PlantChange](t, w, 200); w.Header().Get("ETag") != `"6"` || got.Revision.Comment != "less" || got.Revision.Author != "engineer" || got.Revision.Origin != "api" {
		t.Errorf("changed: %s %+v, want revision 6", w.Header().Get("ETag"), got.Revision)
	}
	p := r.problem(r.want(422, "PUT", "/plant", `{"version":1,"points":{"p":{"type":"flaot"},"q":{}}}`, header("If-Match", "*")), 422, "invalid-plant")
	if len(p.Errors) != 2 || p.Errors[0].Location != "points.p.type" {
		t.Errorf("problems %+v, want those of p and q", p.Errors)
	}
	p = r.problem(r.want(422, "PUT", "/plant", "version: 1\npoints: [\n", header("If-Match", "*"), header("Content-Type", "application/yaml")), 422, "invalid-plant")
	if len(p.Errors) != 1 || !strings.HasPrefix(p.Errors[0].Message, "line ") {
		t.Errorf("problems %+v, want one with its line", p.Errors)
	}
	r.fail = errors.New("no memory")
	r.problem(r.want(409, "PUT", "/plant", `{"version":1}`, header("If-Match", "*")), 409, "not-applied")
	r.wantIDs("/connectors", "a")
}

func TestPlantIsValidated(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	good := decoded[Validation](t, r.want(200, "POST", "/plant/validate", `{"version":1,"connectors":{"a":{"kind":"device","password":"geheim"}}}`), 200)
	if !good.Valid || len(good.Warnings) != 1 {
		t.Errorf("a good plant: %+v, want it to be valid with a warning", good)
	}
	bad := decoded[Validation](t, r.want(200, "POST", "/plant/validate", "version: 1\nx: 1\n", header("Content-Type", "application/yaml")), 200)
	if bad.Valid || len(bad.Problems) != 1 {
		t.Errorf("a bad plant: %+v, want one problem", bad)
	}
	r.wantIDs("/connectors", "")
}

func TestRevisionsAreShownComparedAndRestored(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	first := decoded[list[Revision]](t, r.want(200, "GET", "/plant/revisions?limit=3", nil), 200)
	if len(first.Items) != 3 || first.Items[0].Number != 5 || first.Next == "" {
		t.Errorf("revisions %+v, want 5, 4, 3 and more", first)
	}
	rest := decoded[list[Revision]](t, r.want(200, "GET", "/plant/revisions?limit=3&cursor="+first.Next, nil), 200)
	if len(rest.Items) != 2 || rest.Items[1].Number != 1 || rest.Next != "" {
		t.Errorf("revisions %+v, want 2 and 1", rest)
	}
	one := decoded[RevisionChanges](t, r.want(200, "GET", "/plant/revisions/1", nil), 200)
	if len(one.Objects) != 1 || one.Objects[0].ID != "a" || string(one.Objects[0].After) != deviceA || one.Objects[0].Before != nil {
		t.Errorf("revision 1: %+v", one)
	}
	r.want(404, "GET", "/plant/revisions/99", nil)
	if got := decoded[Revision](t, r.want(200, "PATCH", "/plant/revisions/1", `{"comment":"begin"}`), 200); got.Comment != "begin" {
		t.Errorf("comment %+v", got)
	}
	r.want(404, "PATCH", "/plant/revisions/99", `{"comment":"begin"}`)
	if got := r.want(200, "GET", "/plant/revisions/1/document", nil).Body.String(); got != `{"version":1,"connectors":{"a":{"kind":"device"}},"points":{},"commands":{}}` {
		t.Errorf("document of revision 1: %s", got)
	}
	r.want(404, "GET", "/plant/revisions/99/document", nil)
	if got := decoded[PlantDiff](t, r.want(200, "GET", "/plant/diff?from=1", nil), 200); got.Changed != 4 || got.To != 5 {
		t.Errorf("diff %+v, want 4 changes up to 5", got)
	}
	if got := decoded[PlantDiff](t, r.want(200, "GET", "/plant/diff?from=0&to=1", nil), 200); got.Changed != 1 {
		t.Errorf("diff %+v, want 1 change", got)
	}
	r.want(404, "GET", "/plant/diff?from=98&to=99", nil)

	r.want(404, "POST", "/plant/revisions/99/restore", nil)
	r.want(412, "POST", "/plant/revisions/1/restore", nil, header("If-Match", `"1"`))
	if got := decoded[PlantChange](t, r.want(200, "POST", "/plant/revisions/1/restore?dryRun=true", nil), 200); got.Changed != 4 || got.Revision.Number != 5 {
		t.Errorf("dry run %+v, want 4 changes", got)
	}
	r.fail = errors.New("no memory")
	r.want(409, "POST", "/plant/revisions/1/restore", nil)
	if got := decoded[PlantChange](t, r.want(200, "POST", "/plant/revisions/1/restore", nil), 200); got.Revision.Number != 6 || got.Revision.Comment != "back to revision 1" {
		t.Errorf("restored %+v, want revision 6", got.Revision)
	}
	r.wantIDs("/points", "")
}

func TestAPlantOfAFileIsNotChanged(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "/etc/busbar/plant.yaml")
	for path, body := range map[string]any{"/connectors/a": deviceA, "/points/a": pointA, "/plant": `{"version":1}`} {
		p := r.problem(r.want(409, http.MethodPut, path, body, header("If-Match", "*")), 409, "file-managed")
		if !strings.Contains(p.Detail, "/etc/busbar/plant.yaml") {
			t.Errorf("%s: %s, want the file to be named", path, p.Detail)
		}
	}
}

func TestFaultsOfAPlantAreLimited(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	var b strings.Builder
	b.WriteString(`{"version":1,"connectors":{"c":{"kind":"x"}`)
	for i := range maxRefused {
		fmt.Fprintf(&b, `,"c%d":{"kind":"x"}`, i)
	}
	b.WriteString("}}")
	if v := decoded[Validation](t, r.want(200, "POST", "/plant/validate", b.String()), 200); v.Valid || len(v.Problems) != maxRefused {
		t.Errorf("valid %v with %d faults, want %d", v.Valid, len(v.Problems), maxRefused)
	}
	p := r.problem(r.want(422, "PUT", "/plant", b.String(), header("If-Match", "*")), 422, "invalid-plant")
	if len(p.Errors) != maxRefused || !strings.HasSuffix(p.Detail, "; the first 10000 of 10001 errors are told") {
		t.Errorf("%s with %d faults, want %d", p.Detail, len(p.Errors), maxRefused)
	}
}
