package store_test

import (
	"path/filepath"
	"testing"

	"busbar/internal/store"
)

func TestProbeAudit(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "busbar.db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ProbeAudit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries, err := s.Audit(t.Context(), store.AuditFilter{}, 0); err != nil || len(entries) != 0 {
		t.Errorf("entries %v, %v after a probe, want none", entries, err)
	}
	if err := s.AddAudit(t.Context(), store.AuditEntry{Action: "a"}); err != nil {
		t.Errorf("adding after a probe: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.ProbeAudit(t.Context()); err == nil {
		t.Error("the audit log of a closed store can be written")
	}
}

func TestInfo(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		i, err := open(t, o).Info(t.Context())
		if kind := map[bool]string{true: "sqlite", false: "postgres"}[o.URL == ""]; err != nil || i.Kind != kind || i.Size < 4096 {
			t.Errorf("info %+v, %v, want %s and a size", i, err, kind)
		}
	})
}
