package api

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/pprof"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/connector"
)

func registerBundle(a *api) {
	register(a, op{
		ID: "getSupportBundle", Method: http.MethodGet, Path: "/system/support-bundle", Tag: "system", Role: auth.Admin, Scope: scopeWhole,
		Summary: "What a supporter needs, as a ZIP file",
		Description: "System, settings, plant, connectors, links, metrics, goroutines and the last 2000 lines of the log. " +
			"Passwords, tokens and secrets are cut out; names, addresses and topics are not.",
		Produces: []string{"application/zip"},
	}, a.getBundle)
}

func (a *api) getBundle(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	s, err := a.newScrub(ctx)
	if err != nil {
		return nil, err
	}
	name := "busbar-support-" + time.Now().UTC().Format("20060102T150405Z") + ".zip"
	return a.download(requestOf(ctx), "application/zip", name, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, part := range a.bundleParts() {
			var text bytes.Buffer
			if err := part.write(ctx, &text); err != nil { // the others may tell why
				fmt.Fprintf(&text, "\nthis could not be found out: %v\n", err)
			}
			f, err := z.Create(part.name)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(f, s.clean(text.String())); err != nil {
				return err
			}
		}
		return z.Close()
	}), nil
}

// bundlePart is a file of the bundle.
type bundlePart struct {
	name  string
	write func(context.Context, *bytes.Buffer) error
}

func (a *api) bundleParts() []bundlePart {
	return []bundlePart{
		{"system.json", func(ctx context.Context, w *bytes.Buffer) error {
			s, err := a.system(ctx)
			return writeIndented(w, s, err)
		}},
		{"settings.json", func(_ context.Context, w *bytes.Buffer) error {
			return writeIndented(w, json.RawMessage(redacted(a.deps.Process.Settings)), nil)
		}},
		{"plant.jsonl", a.bundlePlant},
		{"connectors.json", func(_ context.Context, w *bytes.Buffer) error { return writeIndented(w, a.bundleConnectors(), nil) }},
		{"links.json", func(_ context.Context, w *bytes.Buffer) error {
			if a.deps.Manager == nil {
				return nil
			}
			return writeIndented(w, a.deps.Manager.Links(), nil)
		}},
		{"metrics.txt", a.bundleMetrics},
		{"goroutines.txt", func(_ context.Context, w *bytes.Buffer) error { return pprof.Lookup("goroutine").WriteTo(w, 1) }},
		{"log.txt", func(_ context.Context, w *bytes.Buffer) error {
			if a.deps.Process.Log == nil {
				return nil
			}
			return a.deps.Process.Log.WriteTail(w)
		}},
	}
}

func writeIndented(w io.Writer, v any, err error) error {
	if raw, ok := v.(json.RawMessage); ok && len(raw) == 0 {
		v = nil
	}
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// bundlePlant writes the plant, one object on each line.
func (a *api) bundlePlant(ctx context.Context, w *bytes.Buffer) error {
	if a.deps.Store == nil {
		return nil
	}
	objects, _, err := a.deps.Store.Document(ctx)
	if err != nil {
		return err
	}
	for _, o := range objects {
		fmt.Fprintf(w, "{%q:{%q:%s}}\n", o.Section, o.ID, redacted(json.RawMessage(o.Body)))
	}
	return nil
}

// bundleMetrics writes the metrics as they are scraped.
func (a *api) bundleMetrics(ctx context.Context, w *bytes.Buffer) error {
	if a.deps.Process.Metrics == nil {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return err
	}
	a.deps.Process.Metrics.ServeHTTP(&captured{w, http.Header{}}, r)
	return nil
}

// bundleConnector is the state of a connector.
type bundleConnector struct {
	ID, Kind, State, Reason string
	Since                   time.Time
	Restarts                uint64
	LastError               string
	LastErrorAt             time.Time
	Sink                    connector.SinkStatus
	History                 []string
}

func (a *api) bundleConnectors() []bundleConnector {
	list := []bundleConnector{}
	if a.deps.Manager == nil {
		return list
	}
	for _, r := range a.deps.Manager.Reports() {
		c := bundleConnector{
			ID: r.ID, Kind: r.Kind, State: fmt.Sprint(r.State), Reason: r.Reason, Since: r.Since, Restarts: r.Restarts,
			LastError: r.LastError, LastErrorAt: r.LastErrorAt, Sink: r.Sink,
		}
		for _, h := range r.History {
			c.History = append(c.History, fmt.Sprintf("%s %v %s", h.At.UTC().Format(time.RFC3339Nano), h.State, h.Reason))
		}
		list = append(list, c)
	}
	return list
}

// captured is an answer that is kept.
type captured struct {
	io.Writer
	header http.Header
}

// Header implements [http.ResponseWriter].
func (c *captured) Header() http.Header { return c.header }

// WriteHeader implements [http.ResponseWriter].
func (*captured) WriteHeader(int) {}
