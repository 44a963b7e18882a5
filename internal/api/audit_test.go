package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"busbar/internal/auth"
	"busbar/internal/store"
)

// thingInput is the input of the routes that the tests of the core add.
type thingInput struct {
	ID   string `path:"id"`
	Body struct {
		Name     string `json:"name" maxLength:"10"`
		Password string `json:"password,omitempty" maxLength:"10"`
	}
}

// newThings builds an API with a route of the tests, PUT /things/{id}, which is not part of the document.
func newThings(t *testing.T, handle func(context.Context, *thingInput) (*struct{}, error), edit ...func(*Deps)) *rig {
	t.Helper()
	r := newRig(t, append(edit, func(d *Deps) { d.observe = nil })...)
	register(r.api, op{
		ID: "putThing", Method: http.MethodPut, Path: "/things/{id}", Tag: "things", Role: auth.Engineer, Scope: scopeWhole, Summary: "x",
	}, handle)
	return r
}

func TestEveryChangeIsAudited(t *testing.T) {
	t.Parallel()
	r := newThings(t, func(ctx context.Context, in *thingInput) (*struct{}, error) {
		switch in.ID {
		case "a/panic":
			panic("broken")
		case "a/conflict":
			return nil, conflict("no")
		case "a/named":
			noteObject(ctx, "points/other")
			noteDetail(ctx, "a remark")
			noteChange(ctx, map[string]any{"password": "old", "list": []any{map[string]any{"apiToken": "t"}}}, in.Body)
		}
		return nil, nil
	})
	for _, request := range []struct{ who, id, body string }{
		{"engineer", "ok", `{"name":"n"}`},
		{"engineer", "a%2Fnamed", `{"name":"n","password":"hush"}`},
		{"engineer", "a%2Fconflict", `{"name":"n"}`},
		{"engineer", "a%2Fpanic", `{"name":"n"}`},
		{"engineer", "wrong", `{"name":"n","other":1}`},
		{"viewer", "ok", `{"name":"n"}`},
		{"", "ok", `{"name":"n"}`}, // not audited
	} {
		var options []option
		if request.who != "" {
			options = append(options, as(request.who))
		}
		r.do(http.MethodPut, "/things/"+request.id, request.body, options...)
	}
	entry := func(who, object, result string) store.AuditEntry {
		return store.AuditEntry{Actor: who, ActorID: "token:" + who, Address: "192.0.2.1", Action: "putThing", Object: object, Result: result}
	}
	named := entry("engineer", "points/other", "ok")
	named.Detail, named.Before, named.After = "a remark", `{"list":[{"apiToken":"***"}],"password":"***"}`, `{"name":"n","password":"***"}`
	want := []store.AuditEntry{
		entry("engineer", "things/ok", "ok"), named, entry("engineer", "things/a/conflict", "refused"),
		entry("engineer", "things/a/panic", "failed"), entry("engineer", "things/wrong", "refused"), entry("viewer", "things/ok", "refused"),
	}
	if diff := cmp.Diff(r.audit.all(), want, cmpopts.IgnoreFields(store.AuditEntry{}, "ID", "At")); diff != "" {
		t.Errorf("audit log (-got +want):\n%s", diff)
	}
}

func TestRefusalsDoNotFillTheAuditLog(t *testing.T) {
	t.Parallel()
	r := newThings(t, func(context.Context, *thingInput) (*struct{}, error) { return nil, nil })
	for range 3 * refusalBurst {
		r.do(http.MethodPut, "/things/x", `{"name":"n"}`, as("viewer"))
	}
	r.do(http.MethodPut, "/things/"+strings.Repeat("x", 20_000), `{"name":"n"}`, as("operator"))
	r.do(http.MethodPut, "/%74hings/y", `{"name":"n"}`, as("engineer"))
	entries := r.audit.all()
	if n := len(entries); n < refusalBurst || n > 2*refusalBurst {
		t.Fatalf("%d entries, want those of %d refusals and some more", n, refusalBurst)
	}
	last := entries[len(entries)-2:]
	if n := len(last[0].Object); last[0].Actor != "operator" || n > maxObject+len("…") {
		t.Errorf("entry of %s with an object of %d octets, want operator and %d at most", last[0].Actor, n, maxObject)
	}
	if last[1].Object != "things/y" {
		t.Errorf("object %q, want things/y, however the path is written", last[1].Object)
	}
}

func TestNothingChangesWithoutAnAuditLog(t *testing.T) {
	t.Parallel()
	var r *rig
	changed := 0
	r = newThings(t, func(_ context.Context, in *thingInput) (*struct{}, error) {
		changed++
		if in.ID == "last" {
			r.audit.fail(errors.New("disk full")) // between the change and its entry
		}
		return nil, nil
	})
	put := func(id string) int {
		return r.do(http.MethodPut, "/things/"+id, `{"name":"n"}`, as("engineer")).Code
	}
	r.audit.fail(errors.New("disk full"))
	if got := put("none"); got != http.StatusServiceUnavailable || changed != 0 {
		t.Fatalf("change while the audit log cannot be written: %d, %d changes, want 503 and none", got, changed)
	}
	r.audit.fail(nil)
	if got := put("last"); got != http.StatusNoContent {
		t.Fatalf("change after the audit log can be written: %d, want 204", got)
	}
	if got := put("none"); got != http.StatusServiceUnavailable || changed != 1 {
		t.Fatalf("change while an entry waits: %d, %d changes, want 503 and one", got, changed)
	}
	r.audit.fail(nil)
	if got := put("after"); got != http.StatusNoContent {
		t.Fatalf("change after the audit log can be written: %d, want 204", got)
	}
	var objects []string
	for _, e := range r.audit.all() {
		objects = append(objects, e.Object+" "+e.Result)
	}
	if got, want := strings.Join(objects, ", "), "things/last ok, things/after ok"; got != want {
		t.Errorf("audit log %q, want %q", got, want)
	}
}

func TestLargeAndUnreadableChangesAreNotKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"nothing":   {nil, ""},
		"too large": {strings.Repeat("x", maxAudited), `"not shown: 65538 octets"`},
		"no JSON":   {func() {}, `"not shown: no JSON"`},
		"reference": {map[string]string{"password": "${secret:a.b}"}, `{"password":"${secret:a.b}"}`},
	} {
		if got := redacted(c.value); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
