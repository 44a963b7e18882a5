package api

import (
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Deadlines of a request, from its first line on. What is large has its own, part by part.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = time.Minute
)

// ServeHTTP implements [http.Handler].
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	req := newRequest(w, r)
	secure(req.answer.Header(), r)
	req.answer.Header().Set("X-Request-Id", req.id)
	if err := req.deadlines(began.Add(readTimeout), began.Add(writeTimeout)); err != nil {
		a.log.Debug("http request without deadlines", "request", req.id, "error", err)
	}
	broken := a.serve(req)
	a.endAudit(req, broken)
	if a.deps.observe != nil && req.op != nil {
		a.deps.observe(req.op.ID, req.answer.status)
	}
	a.log.LogAttrs(r.Context(), slog.LevelDebug, "http request", slog.String("request", req.id), slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Int("status", req.answer.status), slog.Int64("octets", req.answer.size),
		slog.Duration("took", time.Since(began)), slog.String("address", req.address), slog.String("who", req.who.Name))
	if broken {
		panic(http.ErrAbortHandler) // cuts the connection, so that half an answer is not taken for a whole one
	}
}

// serve answers a request. It reports whether it had to stop in the middle of the answer.
func (a *api) serve(req *request) (broken bool) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler { //nolint:errorlint // the value itself is what aborts
			a.log.Error("http request failed", "request", req.id, "method", req.http.Method, "path", req.http.URL.Path,
				"panic", p, "stack", string(debug.Stack()))
		}
		if broken = req.answer.status != 0; !broken {
			a.fail(req, internalError(req.id))
		}
	}()
	switch wait := a.limits.address(req.address); {
	case wait > 0:
		a.fail(req, tooMany(wait, "too many requests from this address"))
	default:
		a.route(req)
	}
	return false
}

// route hands the request to the handler of its path and method.
func (a *api) route(req *request) {
	r := req.http
	if escaped := r.URL.EscapedPath(); path.Clean("/"+escaped) != escaped {
		a.fail(req, notFound("there is nothing at this path"))
		return
	}
	if _, pattern := a.mux.Handler(r); pattern != "" {
		a.mux.ServeHTTP(req.answer, r)
		return
	}
	if allowed := a.methods(r); len(allowed) > 0 {
		req.answer.Header().Set("Allow", strings.Join(allowed, ", "))
		a.fail(req, problem(http.StatusMethodNotAllowed, "method-not-allowed", r.Method+" is not possible here, want "+strings.Join(allowed, ", ")))
		return
	}
	a.fail(req, notFound("there is nothing at this path"))
}

// methods returns the methods that are possible at the path of r.
func (a *api) methods(r *http.Request) []string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		probe := *r
		probe.Method = method
		if _, pattern := a.mux.Handler(&probe); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	return slices.Compact(allowed)
}

// secure sets the headers of every answer.
func secure(h http.Header, r *http.Request) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
