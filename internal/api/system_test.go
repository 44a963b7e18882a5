package api

import (
	"net/http"
	"testing"
)

func TestSystem(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *Deps) { d.Store, d.Process.Data = newStore(t), t.TempDir() })
	s := decoded[System](t, r.do(http.MethodGet, "/system", nil, as("viewer")), http.StatusOK)
	if s.Version != "1.2.3" || s.Uptime < 60 || s.Memory.Goroutines == 0 || s.Host == "" {
		t.Errorf("system %+v, want version, uptime of a minute, host, memory", s)
	}
	if s.Database == nil || s.Database.Kind != "sqlite" || s.Database.Size < 4096 || s.Disk == nil || s.Disk.Free == 0 || s.Disk.Size <= s.Disk.Free {
		t.Errorf("database %+v, disk %+v, want both with sizes", s.Database, s.Disk)
	}
}
