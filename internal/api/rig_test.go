package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/internal/auth"
	"busbar/internal/store"
)

// rig is an API under test. Its requests count for the coverage of the document.
type rig struct {
	t     *testing.T
	api   *api
	audit *auditLog
}

// newRig builds an API; edit changes what it stands on.
func newRig(t *testing.T, edit ...func(*Deps)) *rig {
	t.Helper()
	r := &rig{t: t, audit: &auditLog{}}
	deps := Deps{
		Log:  slog.New(slog.NewTextHandler(t.Output(), nil)),
		Auth: bearers{}, Audit: r.audit, Version: "1.2.3", Started: time.Now().Add(-time.Minute), observe: seen.observe,
		Limits: Limits{AddressRate: 1e6, AddressBurst: 1e6, PrincipalRate: 1e6, PrincipalBurst: 1e6},
	}
	for _, e := range edit {
		e(&deps)
	}
	h, err := New(deps)
	if err != nil {
		t.Fatal(err)
	}
	r.api = h.(*api)
	return r
}

// bearers takes tokens that say who asks: "admin", "viewer,operator", "viewer:ons4711" for who is
// limited to a subtree, "admin!" for who must change the password, "foreign" for what is refused with 403,
// such as a request that a foreign page sends.
type bearers struct{}

func (bearers) Authenticate(r *http.Request) (auth.Principal, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return auth.Principal{}, errNobody
	}
	if token == "foreign" {
		return auth.Principal{}, &auth.Error{Status: http.StatusForbidden, Code: auth.CodeCSRF, Detail: "a foreign page sent this"}
	}
	token, must := strings.CutSuffix(token, "!")
	names, trees, limited := strings.Cut(token, ":")
	p := auth.Principal{ID: "token:" + token, Name: token, MustChange: must}
	for name := range strings.SplitSeq(names, ",") {
		role, err := auth.ParseRole(name)
		if err != nil {
			return auth.Principal{}, &auth.Error{Status: http.StatusUnauthorized, Code: auth.CodeToken, Detail: "no such token"}
		}
		p.Roles |= auth.RolesOf(role)
	}
	if limited {
		p.Subtrees = strings.Split(trees, ",")
	}
	return p, nil
}

// auditLog is an audit log in memory.
type auditLog struct {
	mu      sync.Mutex
	entries []store.AuditEntry // oldest first
	err     error              // of every call
}

func (l *auditLog) AddAudit(_ context.Context, e store.AuditEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		e.ID = int64(len(l.entries) + 1)
		l.entries = append(l.entries, e)
	}
	return l.err
}

func (l *auditLog) ProbeAudit(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *auditLog) Audit(_ context.Context, f store.AuditFilter, limit int) (list []store.AuditEntry, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range slices.Backward(l.entries) {
		if (f.Before == 0 || e.ID < f.Before) && len(list) < limit && (f.Action == "" || e.Action == f.Action) {
			list = append(list, e)
		}
	}
	return list, l.err
}

func (l *auditLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *auditLog) all() []store.AuditEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// option changes a request.
type option func(*http.Request)

// as sends the token of [bearers].
func as(token string) option { return header("Authorization", "Bearer "+token) }

func header(name, value string) option { return func(r *http.Request) { r.Header.Set(name, value) } }

// do sends a request with a body: nil, a string as it is, or anything else as JSON.
func (r *rig) do(method, path string, body any, options ...option) *httptest.ResponseRecorder {
	r.t.Helper()
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			r.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	if !strings.HasPrefix(path, "/openapi") && !strings.HasPrefix(path, "/docs") {
		path = base + path
	}
	req := httptest.NewRequestWithContext(r.t.Context(), method, path, reader)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, o := range options {
		o(req)
	}
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, req)
	return w
}

// problem checks that an answer is a problem with a status and a code.
func (r *rig) problem(w *httptest.ResponseRecorder, status int, code string) Problem {
	r.t.Helper()
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		r.t.Fatalf("answer %d %q: %v", w.Code, w.Body, err)
	}
	if w.Code != status || p.Status != status || p.Code != code || w.Header().Get("Content-Type") != problemType || p.Type != "/docs#problem-"+code {
		r.t.Fatalf("answer %d %s %s, want problem %d %s", w.Code, w.Header().Get("Content-Type"), w.Body, status, code)
	}
	return p
}

// decoded checks the status of an answer and decodes its body.
func decoded[T any](t *testing.T, w *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("answer %d %s, want %d", w.Code, w.Body, status)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("answer %s: %v", w.Body, err)
	}
	return v
}
