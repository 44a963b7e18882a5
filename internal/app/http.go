package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"busbar/internal/api"
	"busbar/internal/auth"
	"busbar/internal/connector"
)

// Limits of the HTTP server. Bodies and streams have deadlines of their own, which the API sets.
const (
	httpHeaderTimeout = 5 * time.Second
	httpReadTimeout   = 10 * time.Second // of what is no part of the API
	httpWriteTimeout  = 30 * time.Second // likewise
	httpIdleTimeout   = 2 * time.Minute
	httpStopTimeout   = 500 * time.Millisecond
	httpMaxHeader     = 32 << 10
)

// server serves the API, /livez, /readyz and /metrics.
type server struct {
	log      *slog.Logger
	listener net.Listener // nil: off
	http     *http.Server
	mux      *http.ServeMux
	ready    atomic.Bool
	stopping chan struct{} // closed when the server begins to stop
}

// listen listens on addr, with TLS if there is a certificate; empty means that nothing is served. What is served is
// added before run.
func listen(log *Log, addr string, cert *certificate) (*server, error) {
	s := &server{log: log.Logger, mux: http.NewServeMux(), stopping: make(chan struct{})}
	if addr == "" {
		return s, nil
	}
	s.http = &http.Server{
		Handler:           s.mux,
		ReadHeaderTimeout: httpHeaderTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpMaxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	if cert != nil {
		s.http.TLSConfig = cert.config()
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w; choose another address with --http-listen, or off", err)
	}
	s.listener = limitConnections(l)
	return s, nil
}

// serveHealth adds /livez and /readyz. unready says why Busbar is not ready; empty: it is, as far as the server knows.
func (s *server) serveHealth(unready func() string) {
	s.handle("GET /livez", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(s.log, w, http.StatusOK, "alive") }))
	s.handle("GET /readyz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reason := "starting or stopping"
		if s.ready.Load() {
			reason = unready()
		}
		if reason != "" {
			answer(s.log, w, http.StatusServiceUnavailable, reason)
			return
		}
		answer(s.log, w, http.StatusOK, "ready")
	}))
}

// handle adds a handler whose requests and answers are small.
func (s *server) handle(pattern string, h http.Handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		now := time.Now()
		if err := errors.Join(control.SetReadDeadline(now.Add(httpReadTimeout)), control.SetWriteDeadline(now.Add(httpWriteTimeout))); err != nil {
			s.log.Debug("http request without deadlines", "error", err)
		}
		h.ServeHTTP(w, r)
	})
}

// signedIn lets only those pass who have signed in and may see.
func signedIn(who api.Authenticator, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := who.Authenticate(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="busbar"`)
			http.Error(w, "sign in, or send an API token, or set http.metrics to open", http.StatusUnauthorized)
			return
		}
		if !p.May(auth.Viewer) || p.Limited() {
			http.Error(w, "this needs the role viewer without a limit to a part of the points", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func answer(log *slog.Logger, w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, text+"\n"); err != nil {
		log.Debug("http client left before the answer", "error", err)
	}
}

// metricsHandler serves the metrics of this process: Busbar's, and those of the
// Go runtime and of the process.
func metricsHandler(log *Log, m *connector.Manager, more []prometheus.Collector) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	dropped := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "busbar_log_dropped_lines_total", Help: "Lines left out of the log, because nobody took them in time.",
	}, func() float64 { return float64(log.Dropped()) })
	for _, c := range append([]prometheus.Collector{
		connector.NewMetrics(m), dropped, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}, more...) {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
	}), nil
}

// run serves until ctx ends.
func (s *server) run(ctx context.Context) error {
	if s.listener == nil {
		<-ctx.Done()
		return nil
	}
	served := make(chan error, 1)
	go func() {
		if s.http.TLSConfig != nil {
			served <- s.http.ServeTLS(s.listener, "", "")
			return
		}
		served <- s.http.Serve(s.listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
	close(s.stopping)
	stop, cancel := context.WithTimeout(context.Background(), httpStopTimeout)
	defer cancel()
	err := s.http.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close() // who still reads an answer has had his time
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

func (s *server) setReady(ready bool) { s.ready.Store(ready) }

// addr returns the address that is served, empty if none is.
func (s *server) addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}
