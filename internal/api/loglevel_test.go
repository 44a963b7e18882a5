package api

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// processLog is a log of a process.
type processLog struct {
	level string
	tail  string
}

func (l *processLog) Level() string         { return l.level }
func (l *processLog) SetLevel(level string) { l.level = level }
func (l *processLog) WriteTail(w io.Writer) error {
	_, err := io.WriteString(w, l.tail)
	return err
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *Deps) { d.Process.Log = &processLog{level: "info"} })
	if got := decoded[LogLevel](t, r.do(http.MethodGet, "/system/log-level", nil, as("viewer")), 200); got.Level != "info" {
		t.Errorf("level %+v, want info", got)
	}
	if got := decoded[LogLevel](t, r.do(http.MethodPut, "/system/log-level", LogLevel{"debug"}, as("admin")), 200); got.Level != "debug" {
		t.Errorf("answer %+v, want debug", got)
	}
	if got := decoded[LogLevel](t, r.do(http.MethodGet, "/system/log-level", nil, as("viewer")), 200); got.Level != "debug" {
		t.Errorf("level %+v after it was changed, want debug", got)
	}
	r.problem(r.do(http.MethodPut, "/system/log-level", LogLevel{"loud"}, as("admin")), 422, "invalid")
	if got := r.audit.all(); len(got) != 2 || got[0].Before != `{"level":"info"}` || got[0].After != `{"level":"debug"}` || got[1].Result != "refused" {
		t.Errorf("audit log %+v, want the change and what was refused", got)
	}
	r = newRig(t)
	r.problem(r.do(http.MethodGet, "/system/log-level", nil, as("viewer")), 503, "unavailable")
	if p := r.problem(r.do(http.MethodPut, "/system/log-level", LogLevel{"debug"}, as("admin")), 503, "unavailable"); !strings.Contains(p.Detail, "log") {
		t.Errorf("problem %+v", p)
	}
}
