package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/store"
)

func TestBackupIsWholeAndAudited(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := s.SetSetting(t.Context(), "kept", "value"); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(d *Deps) { d.Store = s })
	w := r.do(http.MethodPost, "/system/backup", nil, as("admin"))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/gzip" {
		t.Fatalf("answer %d %v %s", w.Code, w.Header(), w.Body)
	}
	restored := store.Options{Path: t.TempDir() + "/restored.db"}
	if _, err := store.Restore(t.Context(), restored, w.Body, false); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(t.Context(), restored)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got, err := again.Setting(t.Context(), "kept"); err != nil || got != "value" {
		t.Errorf("setting %q, %v from the backup, want value", got, err)
	}
	if got := r.audit.all(); len(got) != 1 || got[0].Action != "createBackup" || got[0].Result != "ok" {
		t.Errorf("audit log %+v, want the backup", got)
	}
	r.problem(newRig(t).do(http.MethodPost, "/system/backup", nil, as("admin")), 503, "unavailable")
}

func TestDownloadThatFailsIsCutOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, unobserved)
	register(r.api, op{
		ID: "getFile", Method: http.MethodGet, Path: "/file", Tag: "t", Role: auth.Viewer, Summary: "s", Produces: []string{"text/plain"},
	}, func(ctx context.Context, in *struct {
		Text string `query:"text"`
	},
	) (*huma.StreamResponse, error) {
		return r.api.download(requestOf(ctx), "text/plain", "file", func(w io.Writer) error {
			if _, err := io.WriteString(w, in.Text); err != nil {
				return err
			}
			return errors.New("the disk is gone")
		}), nil
	})
	server := httptest.NewServer(r.api)
	defer server.Close()
	get := func(text string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+base+"/file?text="+text, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer viewer")
		answer, err := server.Client().Do(req)
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode, err
	}
	if _, err := get(strings.Repeat("x", 10_000)); err == nil {
		t.Error("half a file is taken for a whole one")
	}
	if status, err := get(""); err != nil || status != http.StatusInternalServerError {
		t.Errorf("a file that fails at once is answered %d, %v, want 500", status, err)
	}
}
