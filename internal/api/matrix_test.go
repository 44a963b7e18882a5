package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// subject is somebody who sends a request.
type subject struct {
	name  string
	token string // empty: none
	roles []string
	limit bool // limited to a subtree
	must  bool // must change the password
}

func subjects() []subject {
	list := []subject{{name: "nobody"}, {name: "unknown", token: "stranger"}, {name: "a foreign page", token: "foreign"}}
	for _, role := range []string{"viewer", "operator", "engineer", "admin"} {
		list = append(list,
			subject{name: role, token: role, roles: []string{role}},
			subject{name: role + " of a subtree", token: role + ":ons4711", roles: []string{role}, limit: true},
			subject{name: role + " before the password is changed", token: role + "!", roles: []string{role}, must: true})
	}
	return append(list, subject{name: "operator and engineer", token: "operator,engineer", roles: []string{"operator", "engineer"}})
}

// want returns the status of a request of s that the core refuses at its parameters at the latest.
func (s subject) want(o operation) int {
	known := len(s.roles) > 0
	has := slices.Contains(s.roles, o.Role) || slices.Contains(s.roles, "admin") || known && o.Role == "viewer"
	switch {
	case o.Role == "public":
		return pass
	case s.token == "foreign":
		return http.StatusForbidden
	case !known:
		return http.StatusUnauthorized
	case o.Role == "signed-in":
		return pass
	case s.must || !has || s.limit && o.Scope == "whole":
		return http.StatusForbidden
	default:
		return pass
	}
}

// TestAuthorisationMatrix sends a request of every documented operation as
// everybody, and compares the answer with the role and the scope in the document.
func TestAuthorisationMatrix(t *testing.T) {
	t.Parallel()
	operations, err := documentedOperations()
	if err != nil {
		t.Fatal(err)
	}
	if len(operations) == 0 {
		t.Fatal("the document has no operations")
	}
	r := newRig(t)
	for _, o := range operations {
		if !slices.Contains([]string{"public", "signed-in", "viewer", "operator", "engineer", "admin"}, o.Role) {
			t.Errorf("%s: role %q", o.ID, o.Role)
		}
		if s := o.Scope; (s != "whole" && s != "points" && s != "self") != (o.Role == "public" || o.Role == "signed-in") {
			t.Errorf("%s: role %s with scope %q", o.ID, o.Role, s)
		}
		for _, s := range subjects() {
			var options []option
			if s.token != "" {
				options = append(options, as(s.token))
			}
			if got, want := o.send(r, options...), s.want(o); got != want {
				t.Errorf("%s %s as %s: %d, want %d", o.Method, o.Path, s.name, got, want)
			}
		}
	}
}

// TestEveryOperationRefusesWhatItCannotTake sends to every documented operation
// what the core refuses for all of them.
func TestEveryOperationRefusesWhatItCannotTake(t *testing.T) {
	t.Parallel()
	operations, err := documentedOperations()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	full := newRig(t, func(d *Deps) { d.Limits.Streams = -1 })
	for _, o := range operations {
		if len(o.Bodies) > 0 {
			if got := o.send(r, as("admin"), header("Content-Type", "text/x-nothing")); got != http.StatusUnsupportedMediaType {
				t.Errorf("%s with a body of another type: %d, want 415", o.ID, got)
			}
			large := func(r *http.Request) { r.ContentLength = 1 << 40 }
			if got := o.send(r, as("admin"), large); got != http.StatusRequestEntityTooLarge {
				t.Errorf("%s with a body that is too large: %d, want 413", o.ID, got)
			}
		}
		if o.Streams {
			if got := full.do(o.Method, o.Path, nil, as("admin")).Code; got != http.StatusTooManyRequests {
				t.Errorf("%s while there are too many streams: %d, want 429", o.ID, got)
			}
		}
		path, _, _ := strings.Cut(o.Path, "?")
		if got := r.do(http.MethodTrace, path, nil, as("admin")); got.Code != http.StatusMethodNotAllowed || !strings.Contains(got.Header().Get("Allow"), o.Method) {
			t.Errorf("TRACE %s: %d, Allow %q, want 405 and %s", path, got.Code, got.Header().Get("Allow"), o.Method)
		}
	}
}
