package api

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// planted is a secret that nothing may show.
const planted = "pl4nted+s3cret"

func TestSupportBundleTellsAllButSecrets(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 32)
	st, err := store.Open(t.Context(), store.Options{Path: t.TempDir() + "/busbar.db", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.SetSecret(t.Context(), "sensors.password", planted, "alice"); err != nil {
		t.Fatal(err)
	}
	change := []plantdoc.Change{
		{Section: plantdoc.Connectors, ID: "sensors", After: []byte(`{"kind":"mqtt","password":"` + planted + `","url":"mqtt://me:` + planted + `@h:1"}`)},
		{Section: plantdoc.Connectors, ID: "other", After: []byte(`{"kind":"mqtt","password":"${secret:other.password}"}`)},
	}
	if _, err := st.Commit(t.Context(), 0, store.Revision{Author: "alice"}, change, nil); err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{
		"Database": "postgres://busbar:" + planted + "@db/busbar?sslpassword=" + planted, "Auth": map[string]any{"clientSecret": planted}, "Data": "/var/lib",
	}
	img := image.New(image.Options{})
	registry, err := connector.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(d *Deps) {
		d.Store, d.Image, d.Manager = st, img, connector.NewManager(d.Log, img, registry, time.Now)
		d.Process = Process{
			Data: t.TempDir(), Settings: settings, Log: &processLog{tail: "level=INFO msg=\"somebody logged " + planted + "\"\n"},
			Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "busbar_up 1\n") }),
		}
	})
	w := r.do(http.MethodGet, "/system/support-bundle", nil, as("admin"))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/zip" || !strings.Contains(w.Header().Get("Content-Disposition"), ".zip") {
		t.Fatalf("answer %d %v", w.Code, w.Header())
	}
	files := unzip(t, w.Body.Bytes())
	for name, want := range map[string]string{
		"system.json": `"version": "1.2.3"`, "settings.json": `"Data": "/var/lib"`, "plant.jsonl": `{"connectors":{"other":{"kind":"mqtt","password":"${secret:other.password}"}}}`,
		"connectors.json": "[]", "links.json": "", "metrics.txt": "busbar_up 1", "goroutines.txt": "goroutine profile", "log.txt": "somebody logged ***",
	} {
		text, ok := files[name]
		if !ok || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q in it", name, text, want)
		}
		if strings.Contains(text, planted) || strings.Contains(text, "pl4nted") {
			t.Errorf("%s shows a secret: %s", name, text)
		}
	}
}

func unzip(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		part, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

func TestPasswordsInURLsAreCutOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain": "plain", "mqtt://host:1883": "mqtt://host:1883", "mqtt://me@host": "mqtt://me@host", "mqtt://me:pw@host/x": "mqtt://me:%2A%2A%2A@host/x",
		"postgres://h/db?password=pw&a=b": "postgres://h/db?a=b&password=%2A%2A%2A", "x://%zz:pw@h": "***", "a://b?c=d": "a://b?c=d",
	} {
		if got := withoutPassword(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
