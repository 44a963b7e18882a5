package tlsconf

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// How long the user of a connection that must end may take to end it.
const (
	orderly = 30 * time.Second // it is only too old
	swiftly = 5 * time.Second  // the peer would not be let in any more
)

// peers are the connections of an endpoint that are open.
type peers struct {
	mu   sync.Mutex
	open map[*Conn]struct{}
}

func (p *peers) add(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		p.open[c] = struct{}{}
	}
}

func (p *peers) remove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

func (p *peers) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// list returns the open connections.
func (p *peers) list() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*Conn, 0, len(p.open))
	for c := range p.open {
		all = append(all, c)
	}
	return all
}

// Run looks at the files and at the connections that are open, every 5 s and when
// the files have changed, until ctx ends. Without it, files are still read again
// before a handshake.
func (e *Endpoint) Run(ctx context.Context) {
	ticker := time.NewTicker(roundEvery)
	defer ticker.Stop()
	for {
		e.round()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-e.kick:
		}
	}
}

// round is one look.
func (e *Endpoint) round() {
	m, err := e.fresh()
	e.tell()
	if err != nil {
		return
	}
	now := time.Now()
	for _, c := range e.peers.list() {
		if reason := e.mustEnd(c, m, now); reason != nil {
			c.end(reason, now)
		}
		c.cut(now)
	}
}

// mustEnd returns why a connection must end; nil: it may stay.
func (e *Endpoint) mustEnd(c *Conn, m *material, now time.Time) *Error {
	certs := c.handshake.certs
	if len(certs) > 0 && (c.checked != m || !c.until.IsZero() && now.After(c.until)) {
		until, fault := e.settings.check(m, c.handshake.role, certs, c.handshake.host, now)
		if fault != nil {
			return fault
		}
		c.checked, c.until = m, until
	}
	if !c.renewAt.IsZero() && !now.Before(c.renewAt) {
		return &Error{Reason: TooOld, Text: fmt.Sprintf("the connection is renewed, maxAge is %v", e.settings.MaxAge)}
	}
	return nil
}

// end tells the user of a connection to end it, or, if there is nobody to tell,
// makes that it is cut at once. What must end already is told again only if it
// was too old and has a better reason now.
func (c *Conn) end(reason *Error, now time.Time) {
	e := c.handshake.endpoint
	c.mu.Lock()
	if before := c.ending.Load(); before != nil && (before.Reason != TooOld || reason.Reason == TooOld) {
		c.mu.Unlock()
		return
	}
	c.ending.Store(reason)
	tell := c.onEnd
	switch {
	case tell == nil:
		c.cutAt = now
	case reason.Reason == TooOld:
		c.cutAt = now.Add(orderly)
	default:
		c.cutAt = now.Add(swiftly)
	}
	c.mu.Unlock()
	e.figures.end(reason.Reason)
	if reason.Reason == TooOld {
		e.log.Info("tls connection is renewed", "peer", addrString(c), "reason", reason.Error())
	} else {
		e.log.Warn("tls peer must leave", "peer", addrString(c), "error", reason)
	}
	if tell != nil {
		tell(reason)
	}
}

// cut closes a connection that had to end and whose time is over.
func (c *Conn) cut(now time.Time) {
	c.mu.Lock()
	at := c.cutAt
	c.mu.Unlock()
	if !at.IsZero() && !now.Before(at) {
		c.handshake.endpoint.peers.remove(c)
		closeQuietly(c.raw)
	}
}

func addrString(c *Conn) string {
	if a := c.raw.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

// tell logs problems that are new, and the end of those that are over.
func (e *Endpoint) tell() {
	e.mu.Lock()
	now := e.worries()
	before := e.problems
	e.problems = now
	e.mu.Unlock()
	for _, p := range now {
		if !slices.Contains(before, p) {
			e.log.Warn("tls needs attention", "problem", p)
		}
	}
	for _, p := range before {
		if !slices.Contains(now, p) {
			e.log.Info("tls problem is over", "problem", p)
		}
	}
}
