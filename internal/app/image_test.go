package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"busbar/internal/config"
	"busbar/internal/image"
	"busbar/internal/point"
)

// quiet is a log that nobody reads.
func quiet(t *testing.T) *Log {
	t.Helper()
	log := NewLog(newLogBuffer(), "text", "info")
	t.Cleanup(log.Close)
	return log
}

func TestImageOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"embedded", "memory"} {
		c := config.Config{Data: t.TempDir(), Image: kind}
		for life, want := range []float64{0, 1, 2} {
			img, closeImage, err := openImage(quiet(t), c)
			if err != nil {
				t.Fatal(err)
			}
			p := img.Define([]image.Definition{{ID: "a", Type: point.Float}})[0]
			if kind == "memory" {
				want = 0
			}
			if s, _ := img.State(p); s.Value.Float() != want {
				t.Errorf("%s: value %v in life %d, want %v", kind, s.Value, life, want)
			}
			if err := img.Publish(t.Context(), []point.Update{{Point: p, Value: point.FloatValue(float64(life + 1)), Time: point.Instant(life)}}, nil); err != nil {
				t.Error(err)
			}
			if err := closeImage(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestStartWithoutThePlantGivesNothingUp(t *testing.T) {
	t.Parallel()
	c := config.Config{Data: t.TempDir()}
	img, closeImage, err := openImage(quiet(t), c)
	if err != nil {
		t.Fatal(err)
	}
	p := img.Define([]image.Definition{{ID: "a", Type: point.Float}})[0]
	if err := img.Publish(t.Context(), []point.Update{{Point: p, Value: point.FloatValue(1), Time: 1}}, nil); err != nil {
		t.Error(err)
	}
	if err := closeImage(); err != nil {
		t.Error(err)
	}
	if err := Run(t.Context(), quiet(t), c, Options{}); !errors.Is(err, errNoPlant) {
		t.Errorf("Run = %v, want %v", err, errNoPlant)
	}
	img, closeImage, err = openImage(quiet(t), c)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := img.State(p); !ok || s.Value.Float() != 1 {
		t.Errorf("state %+v, %t, want the value that was kept", s, ok)
	}
	if err := closeImage(); err != nil {
		t.Error(err)
	}
}

func TestUnusableJournalSaysWhy(t *testing.T) {
	t.Parallel()
	file := t.TempDir()
	if err := os.WriteFile(filepath.Join(file, journalDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	_, closeImage, err := openImage(quiet(t), config.Config{Data: used})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		data, want string
	}{
		"no directory":       {file, "cannot be used: .*not a directory; repair it, or start with an empty directory by moving it away"},
		"of another process": {used, "is in use by another process"},
	} {
		_, _, err := openImage(quiet(t), config.Config{Data: tt.data})
		if want := "journal " + regexp.QuoteMeta(filepath.Join(tt.data, journalDir)) + ":? " + tt.want; err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
	if err := closeImage(); err != nil {
		t.Error(err)
	}
}

func TestReadyUntilTheJournalFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status image.Status
		code   int
		want   string
	}{
		"accepting": {image.Status{Accepting: true}, http.StatusOK, "ready\n"},
		"full":      {image.Status{Reason: "journal: full"}, http.StatusOK, "ready\n"},
		"faulty":    {image.Status{Accepting: true}, http.StatusServiceUnavailable, "no plant is in force: the one of the store is faulty\n"},
		"failed":    {image.Status{Failed: true, Reason: "journal: failed: I/O error"}, http.StatusServiceUnavailable, "nothing is accepted: journal: failed: I/O error\n"},
	} {
		s, err := listen(quiet(t), "127.0.0.1:0", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.serveHealth(func() string { return unready(name != "faulty", tt.status) })
		s.setReady(true)
		w := httptest.NewRecorder()
		s.http.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody))
		if w.Code != tt.code || w.Body.String() != tt.want {
			t.Errorf("%s: %d %q, want %d %q", name, w.Code, w.Body, tt.code, tt.want)
		}
		if err := s.listener.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestJournalMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "", nil)
	defer p.stop()
	_, text := p.get("/metrics")
	names := regexp.MustCompile(`(?m)^# TYPE (busbar_journal_\w+)`).FindAllStringSubmatch(text, -1)
	if len(names) < 5 {
		t.Fatalf("metrics of the journal: %v", names)
	}
	for _, name := range names {
		if !strings.Contains(string(doc), "`"+name[1]+"`") {
			t.Errorf("%s is not in docs/metrics.md", name[1])
		}
	}
}
