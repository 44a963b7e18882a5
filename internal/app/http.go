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

	"busbar/internal/connector"
	"busbar/internal/image"
)

// Limits of the HTTP server.
const (
	httpHeaderTimeout = 5 * time.Second
	httpReadTimeout   = 10 * time.Second
	httpWriteTimeout  = 30 * time.Second
	httpIdleTimeout   = 2 * time.Minute
	httpStopTimeout   = 500 * time.Millisecond
	httpMaxHeader     = 16 << 10
)

// server serves /livez, /readyz and /metrics.
type server struct {
	listener net.Listener // nil: off
	http     *http.Server
	ready    atomic.Bool
}

// newServer listens on addr; empty means that nothing is served. more are
// figures beside those of m.
func newServer(log *Log, addr string, m *connector.Manager, img image.Image, more ...prometheus.Collector) (*server, error) {
	s := &server{}
	if addr == "" {
		return s, nil
	}
	metrics, err := metricsHandler(log, m, more)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(log.Logger, w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status := img.Status()
		switch {
		case !s.ready.Load():
			answer(log.Logger, w, http.StatusServiceUnavailable, "starting or stopping")
		case status.Failed:
			answer(log.Logger, w, http.StatusServiceUnavailable, "nothing is accepted: "+status.Reason)
		default:
			answer(log.Logger, w, http.StatusOK, "ready")
		}
	})
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: httpHeaderTimeout,
		ReadTimeout:       httpReadTimeout,
		WriteTimeout:      httpWriteTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpMaxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	if s.listener, err = net.Listen("tcp", addr); err != nil {
		return nil, fmt.Errorf("http.listen: %w; choose another address with --http-listen, or off", err)
	}
	return s, nil
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
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
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
