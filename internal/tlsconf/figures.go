package tlsconf

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"busbar/internal/connector"
)

// figures are what an endpoint counts.
type figures struct {
	shaken, faulty atomic.Uint64
	refused, ended [reasonCount]atomic.Uint64
}

func (f *figures) refuse(r Reason) { f.refused[r].Add(1) }
func (f *figures) end(r Reason)    { f.ended[r].Add(1) }

// Collect emits the figures of the endpoint, for the Collect of its connector.
func (e *Endpoint) Collect(emit func(connector.Metric)) {
	counter := func(name, help string, value uint64, labels ...connector.Label) {
		emit(connector.Metric{Name: name, Help: help, Counter: true, Value: float64(value), Labels: labels})
	}
	gauge := func(name, help string, value float64) {
		emit(connector.Metric{Name: name, Help: help, Value: value})
	}
	counter("tls_handshakes_total", "TLS handshakes that succeeded.", e.figures.shaken.Load())
	counter("tls_faulty_reads_total", "Times that TLS files were found faulty.", e.figures.faulty.Load())
	for _, r := range Reasons() {
		label := connector.Label{Name: "reason", Value: r.label()}
		if n := e.figures.refused[r].Load(); n > 0 {
			counter("tls_handshakes_failed_total", "TLS handshakes that failed.", n, label)
		}
		if n := e.figures.ended[r].Load(); n > 0 {
			counter("tls_peers_ended_total", "Connections that had to end.", n, label)
		}
	}
	gauge("tls_connections", "Connections with TLS.", float64(e.peers.count()))
	e.mu.Lock()
	m := e.material
	e.mu.Unlock()
	if m == nil {
		return
	}
	if m.own != nil {
		gauge("tls_certificate_expires_seconds", "End of the own certificate, in seconds since 1970.", float64(m.own.Leaf.NotAfter.Unix()))
	}
	var next time.Time
	for _, l := range m.lists {
		next = sooner(next, l.list.NextUpdate)
	}
	if !next.IsZero() {
		gauge("tls_revocation_list_expires_seconds", "End of the first list of revoked certificates that ends, in seconds since 1970.", float64(next.Unix()))
	}
}

// done reports whether the peer was checked and found in order.
func (h *handshake) done() bool { return h.certs != nil }

// tlsFailed reports whether an error of a library comes from TLS.
func tlsFailed(err error) bool {
	if _, ok := errors.AsType[*Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" || strings.HasPrefix(err.Error(), "tls: ")
}
