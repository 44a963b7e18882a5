package api

import (
	"net/http"
	"testing"
)

func TestSystem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := decoded[System](t, r.do(http.MethodGet, "/system", nil, as("viewer")), http.StatusOK)
	if s.Version != "1.2.3" || s.Uptime < 60 || s.Memory.Goroutines == 0 || s.Host == "" {
		t.Errorf("system %+v, want version, uptime of a minute, host, memory", s)
	}
}
