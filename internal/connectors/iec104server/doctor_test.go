package iec104server

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// findings returns what the doctor of a server has found.
func (r *running) findings() (ids []string) {
	for _, f := range r.station.doctor.Findings() {
		ids = append(ids, string(f.ID))
	}
	return ids
}

func TestWhatDoesNotFitIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		r := startServerWith(t, func(e *connector.Env) { e.Log = slog.New(slog.NewTextHandler(&out, nil)) })
		r.feed.targets(at(1, 1, 100, asdu.M_SP_TB_1, point.Single))
		m := r.master(t)
		if _, err := m.Interrogate(t.Context(), 1, 20); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if found := r.findings(); len(found) > 0 {
			t.Errorf("found %v where all fits", found)
		}
		if _, err := m.Interrogate(t.Context(), 7, 20); err == nil {
			t.Fatal("common address 7 is served")
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if found := r.findings(); !slices.Equal(found, []string{"unknown-ca"}) {
			t.Errorf("found %v, want unknown-ca", found)
		}
		if got := r.lastState(); !strings.HasPrefix(got, "degraded link with ") || !strings.Contains(got, "a common address is asked for that is not served") {
			t.Errorf("the state is %q", got)
		}
		if log := out.String(); strings.Count(log, "link does not fit") != 1 || !strings.Contains(log, "asks for common address 7 once") {
			t.Errorf("logged:\n%s", log)
		}
		var figures []connector.Metric
		r.Collect(func(m connector.Metric) {
			if m.Name == "link_findings" {
				figures = append(figures, m)
			}
		})
		if len(figures) != 1 || figures[0].Value != 1 || figures[0].Labels[0].Value != "unknown-ca" {
			t.Errorf("figures %+v", figures)
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if got := r.lastState(); got != "up" {
			t.Errorf("eleven minutes later the state is %q", got)
		}
		m.close(t)
		r.stop(t)
	})
}

func (r *running) lastState() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states[len(r.states)-1]
}

// lockedBuffer is a buffer for a logger.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestRefusalsHaveTheirReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newCommandRig(t, newFakeHost(commandEnds()...))
		defer r.end()
		r.open("a")
		r.step("a> 2e 01 06 00 01 00 89 13 00 02")
		r.step("a< 2e 01 47 00 01 00 89 13 00 02") // of an object that has to be selected
		r.step("host refuse")
		r.step("a> 2d 01 06 00 01 00 88 13 00 01")
		r.step("a< 2d 01 47 00 01 00 88 13 00 01")
		found := r.station.doctor.Findings()
		if len(found) != 1 || found[0].Count != 2 || !strings.Contains(found[0].Seen, "not selected (1), refused (1)") {
			t.Errorf("found %+v", found)
		}
	})
}

func TestClockAndLinkShareTheState(t *testing.T) {
	t.Parallel()
	var got []string
	v := newFace(&Settings{Listen: "127.0.0.1:2404"}, func(s connector.State, reason string) { got = append(got, s.String()+" "+reason) })
	v.setClock("clock differs")
	v.setLink("link breaks")
	v.setClock("")
	v.setLink("")
	want := []string{"up clock differs", "degraded link breaks; clock differs", "degraded link breaks", "up "}
	if !slices.Equal(got, want) {
		t.Errorf("states %q, want %q", got, want)
	}
}
