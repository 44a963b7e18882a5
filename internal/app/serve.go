package app

import (
	"busbar/internal/api"
	"busbar/internal/image"
	"busbar/internal/trace"
)

// serve listens for HTTP and adds what is served.
func (a *app) serve() (s *server, err error) {
	if a.config.HTTPListen != "" && a.config.HTTPCert != "" {
		if a.cert, err = openCertificate(a.log.Logger, a.config.HTTPCert, a.config.HTTPKey); err != nil {
			return nil, err
		}
	}
	if s, err = listen(a.log, a.config.HTTPListen, a.cert); err != nil {
		return nil, err
	}
	s.serveHealth(func() string { return unready(a.manage.InForce(), a.img.Status()) })
	metrics, err := metricsHandler(a.log, a.manager, commandMetrics(a.commands))
	if err != nil {
		return nil, err
	}
	scraped := metrics
	if !a.config.MetricsOpen {
		scraped = signedIn(a.auth, metrics)
	}
	s.handle("GET /metrics", scraped)
	handler, err := api.New(api.Deps{
		Log: a.log.Logger, Auth: a.auth, Accounts: a.auth, Audit: a.store, Store: a.store, Manage: a.manage, Orders: a.commands, Manager: a.manager, Image: a.img,
		Kinds: a.registry, Trace: trace.New(a.manager),
		Version: a.options.Version, Started: a.begun, Stopping: s.stopping,
		Process: api.Process{Data: a.config.Data, Log: a.log, Metrics: metrics, Settings: a.config},
	})
	if err != nil {
		return nil, err
	}
	s.mux.Handle("/", handler)
	return s, nil
}

// unready returns why Busbar is not ready; empty if it is.
func unready(inForce bool, status image.Status) string {
	switch {
	case !inForce:
		return "no plant is in force: the one of the store is faulty"
	case status.Failed:
		return "nothing is accepted: " + status.Reason
	default:
		return ""
	}
}
