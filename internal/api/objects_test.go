package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestObjectsAreAddedReplacedAndRemoved(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.want(201, "PUT", "/connectors/a", "kind: device\n", header("Content-Type", "application/yaml"))
	for section, bodies := range map[string][2]string{
		"connectors": {`{"kind":"device"}`, `{"host":"h","kind":"device"}`},
		"points":     {`{"type":"float"}`, `{"id":"b","type":"int"}`},
		"commands": {
			`{"from":[{"connector":"a","number":1}],"to":{"connector":"a","number":1},"type":"single"}`,
			`{"from":[{"connector":"a","number":2}],"to":{"connector":"a","number":1},"type":"single"}`,
		},
	} {
		path := "/" + section + "/b"
		r.want(404, "GET", path, nil)
		r.want(404, "DELETE", path, nil)
		r.want(412, "PUT", path, bodies[0], header("If-Match", "*"))
		r.want(412, "DELETE", path, nil, header("If-Match", "*"))
		r.fail = errors.New("no memory")
		r.problem(r.want(409, "PUT", path, bodies[0]), 409, "not-applied")
		etag := r.want(201, "PUT", path, bodies[0], header("If-None-Match", "*")).Header().Get("ETag")
		r.want(412, "PUT", path, bodies[0], header("If-None-Match", "*"))
		w := r.want(200, "GET", path, nil)
		if w.Header().Get("ETag") != etag || w.Body.String() != `{"id":"b",`+bodies[0][1:]+"\n" {
			t.Errorf("%s = %s %s, want %s %s", path, w.Header().Get("ETag"), w.Body, etag, bodies[0])
		}
		r.want(304, "GET", path, nil, header("If-None-Match", etag))
		r.want(412, "GET", path, nil, header("If-Match", `"0-0"`))
		if same := r.want(200, "PUT", path, bodies[0], header("If-Match", etag)); same.Header().Get("ETag") != etag {
			t.Errorf("%s: tag %s after the same again, want %s", path, same.Header().Get("ETag"), etag)
		}
		if other := r.want(200, "PUT", path, bodies[1], header("If-Match", etag)); other.Header().Get("ETag") == etag {
			t.Errorf("%s: tag %s after a change", path, etag)
		}
		r.want(412, "DELETE", path, nil, header("If-Match", etag))
		r.fail = errors.New("no memory")
		r.want(409, "DELETE", path, nil)
		r.want(204, "DELETE", path, nil)
		r.want(404, "GET", path, nil)
	}
	p := r.problem(r.want(422, "PUT", "/points/b", `{"id":"c","type":"int"}`), 422, "invalid")
	if p.Errors[0].Location != "id" {
		t.Errorf("problem %+v, want that the id is another", p)
	}
	r.problem(r.want(422, "PUT", "/points/b", `{"type":"int","type":"int"}`), 422, "invalid-plant")
	r.problem(r.want(422, "PUT", "/points/b", `[]`), 422, "invalid-plant")
	r.problem(r.want(422, "PUT", "/points/b", `{"id":7,"type":"int"}`), 422, "invalid-plant")
	last := r.audit.all()[len(r.audit.all())-5]
	if last.Action != "deleteCommand" && last.Action != "deletePoint" && last.Action != "deleteConnector" || last.Before == "" || last.After != "" {
		t.Errorf("audit %+v, want what was removed", last)
	}
}

func TestSecretsNeverComeBack(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	want := `{"id":"a","kind":"device","password":"${secret:a.password}"}` + "\n"
	if got := r.want(201, "PUT", "/connectors/a", `{"kind":"device","password":"geheim"}`).Body.String(); got != want {
		t.Errorf("PUT = %s, want %s", got, want)
	}
	if got := r.want(200, "GET", "/connectors/a", nil).Body.String(); got != want {
		t.Errorf("GET = %s, want %s", got, want)
	}
	l := decoded[struct{ Items []SecretInfo }](t, r.want(200, "GET", "/secrets", nil), 200)
	if len(l.Items) != 1 || l.Items[0].Name != "a.password" || l.Items[0].Author != "engineer" || l.Items[0].At.IsZero() {
		t.Errorf("secrets %+v, want a.password", l)
	}
	r.want(204, "PUT", "/secrets/a.password", `{"value":"neu"}`)
	r.fail = errors.New("no memory")
	r.problem(r.want(409, "PUT", "/secrets/a.password", `{"value":"neuer"}`), 409, "not-applied")
	r.want(422, "PUT", "/secrets/a%2Fb", `{"value":"x"}`)
	r.problem(r.want(409, "DELETE", "/secrets/a.password", nil), 409, "in-use")
	r.want(404, "DELETE", "/secrets/other", nil)
	r.want(204, "PUT", "/secrets/other", `{"value":"x"}`)
	r.want(204, "DELETE", "/secrets/other", nil)
	for _, e := range r.audit.all() {
		text, err := json.Marshal(e)
		if err != nil || strings.Contains(string(text), "geheim") || strings.Contains(string(text), "neu") {
			t.Errorf("audit %s, %v: holds a secret", text, err)
		}
	}
}

func TestListsAreFilteredSortedAndPaged(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	r.want(201, "PUT", "/connectors/b", `{"enabled":false,"kind":"device"}`)
	for path, want := range map[string]string{
		"/points":                         "x x/a x/b y/a",
		"/points?sort=-id":                "y/a x/b x/a x",
		"/points?sort=type":               "x x/b y/a x/a",
		"/points?sort=name":               "x y/a x/a x/b",
		"/points?prefix=x":                "x x/a x/b",
		"/points?prefix=x/":               "x x/a x/b",
		"/points?prefix=x/a":              "x/a",
		"/points?search=ALPHA":            "x/b y/a",
		"/points?type=float,text":         "x x/b",
		"/points?type=float":              "x x/b",
		"/points?connector=a":             "x",
		"/points?connector=b":             "",
		"/connectors":                     "a b",
		"/connectors?enabled=true":        "a",
		"/connectors?enabled=false":       "b",
		"/connectors?kind=device":         "a b",
		"/connectors?kind=other":          "",
		"/connectors?sort=-kind&search=b": "b",
		"/commands?type=single&search=x":  "",
		"/points?type=float&prefix=y":     "",
	} {
		r.wantIDs(path, want)
	}
	r.problem(r.do("GET", "/points?type=word", nil, as("viewer")), 422, "invalid")
	for _, sort := range []string{"id", "-id", "type", "-type", "name", "-name"} {
		all, _ := r.ids("/points?sort=" + sort)
		var paged []string
		for next := ""; ; {
			path := "/points?limit=1&sort=" + sort
			if next != "" {
				path += "&cursor=" + next
			}
			var ids []string
			if ids, next = r.ids(path); len(ids) != 1 {
				t.Fatalf("%s: %q, want one", path, ids)
			}
			paged = append(paged, ids...)
			if next == "" {
				break
			}
		}
		if !slices.Equal(all, paged) {
			t.Errorf("sorted by %s: %q in parts, want %q", sort, paged, all)
		}
	}
	r.want(422, "GET", "/points?sort=colour", nil)
	_, next := r.ids("/points?limit=1")
	r.want(422, "GET", "/points?limit=1&type=float&cursor="+next, nil)
}

func TestWhoIsLimitedSeesAndChangesOnlyHisPoints(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	limited := as("engineer:x/a,y")
	r.wantIDs("/points", "x/a y/a", limited)
	r.want(200, "GET", "/points/x%2Fa", nil, limited)
	r.want(404, "GET", "/points/x%2Fb", nil, limited)
	r.want(200, "PUT", "/points/x%2Fa", `{"type":"int"}`, limited)
	r.want(201, "PUT", "/points/y%2Fb", `{"type":"int"}`, limited)
	r.want(403, "PUT", "/points/x%2Fb", `{"type":"int"}`, limited)
	r.want(403, "DELETE", "/points/x", nil, limited)
	r.want(403, "DELETE", "/commands/x", nil, limited)
	r.want(403, "PUT", "/commands/x%2Fa", `{"type":"single"}`, limited)
	r.want(403, "POST", "/commands/bulk", `[]`, limited)
	r.want(403, "POST", "/commands/import", "id\n", limited, header("Content-Type", "text/csv"))
	r.want(204, "DELETE", "/points/y%2Fb", nil, limited)
	for _, path := range []string{"/plant", "/connectors", "/connectors/a", "/secrets", "/plant/revisions"} {
		r.want(http.StatusForbidden, "GET", path, nil, limited)
	}
	r.wantIDs("/points", "x x/a x/b y/a")
}
