package api

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/internal/store"
)

// newStore opens a store that is closed with its test.
func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "busbar.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestAuditLogIsListed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	began := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	for i := range 25 {
		e := store.AuditEntry{
			At: began.Add(time.Duration(i) * time.Minute), Actor: []string{"alice", "bob"}[i%2], Action: "putPoint",
			Object: fmt.Sprintf("points/%d", i), Result: "ok", After: `{"type":"float"}`,
		}
		if err := s.AddAudit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, func(d *Deps) { d.Audit = s })
	var got []string
	for query, parts := "?actor=alice&limit=5&from=2026-01-15T10:34:00Z&to=2026-01-15T10:54:00Z", 0; query != ""; parts++ {
		l := decoded[list[AuditEntry]](t, r.do(http.MethodGet, "/audit"+query, nil, as("admin")), http.StatusOK)
		for _, e := range l.Items {
			got = append(got, e.Object)
			if e.Actor != "alice" || string(e.After) != `{"type":"float"}` || e.Before != nil {
				t.Errorf("entry %+v, want one of alice with what is there now", e)
			}
		}
		before, _, _ := strings.Cut(query, "&cursor=")
		if query = ""; l.Next != "" {
			query = before + "&cursor=" + l.Next
			r.problem(r.do(http.MethodGet, "/audit?cursor="+l.Next, nil, as("admin")), 422, "invalid")
		}
	}
	if want := "points/22 points/20 points/18 points/16 points/14 points/12 points/10 points/8 points/6 points/4"; strings.Join(got, " ") != want {
		t.Errorf("entries %q, want %q", got, want)
	}
}

func TestWithoutAnAuditLogThereIsNoList(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *Deps) { d.Audit = nil })
	r.problem(r.do(http.MethodGet, "/audit", nil, as("admin")), 503, "unavailable")
}
