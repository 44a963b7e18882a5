package iec104

import (
	"net"
	"net/netip"
	"time"
)

// admit registers a connection, or returns the reason why it is not served. One
// that this side has dialled is with whom it is wanted, and as often.
func (s *Server) admit(conn net.Conn, dialled bool) (*ServerConn, Reason) {
	addr := addressOf(conn.RemoteAddr())
	s.mu.Lock()
	defer s.mu.Unlock()
	reason := Reason(0)
	switch {
	case !dialled && !s.allowed(addr):
		reason = NotAllowed
	case !dialled && addr.IsValid() && !s.rates.take(addr, time.Now()):
		reason = TooManyAttempts
	case len(s.conns) >= s.cfg.MaxConnections:
		reason = TooManyConnections
	case !s.handshakes.begin(conn, addr):
		reason = TooManyHandshakes
	}
	if reason != 0 {
		s.stats.Closed[reason]++
		return nil, reason
	}
	s.lastID++
	s.stats.Accepted++
	c := newServerConn(s, s.lastID, conn)
	s.conns[c.id] = c
	return c, 0
}

// shaken notes that the handshake of a connection is over, well or not.
func (s *Server) shaken(c *ServerConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handshakes.end(c.link.conn, addressOf(c.remote))
}

// release forgets a connection that has ended.
func (s *Server) release(c *ServerConn, err *LinkError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c.id)
	s.stats.Counters.Add(c.counters())
	s.stats.Closed[err.Reason]++
	s.stats.LastReason = err.Error()
}

// addressOf returns the IP address of a peer; it is not valid for connections
// that have none, such as a net.Pipe.
func addressOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

func (s *Server) allowed(a netip.Addr) bool {
	if s.cfg.Allow == nil {
		return true
	}
	for _, p := range s.cfg.Allow {
		if a.IsValid() && p.Contains(a) {
			return true
		}
	}
	return false
}

// rates limits how often each address may connect: a bucket of tokens per
// address, kept only while it is not full.
type rates struct {
	perSecond float64 // negative: no limit
	burst     float64
	buckets   map[netip.Addr]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets bounds the addresses remembered.
const maxBuckets = 4096

func newRates(perSecond float64, burst int) rates {
	return rates{perSecond: perSecond, burst: float64(burst), buckets: make(map[netip.Addr]bucket)}
}

// take reports whether the address may connect now.
func (r *rates) take(a netip.Addr, now time.Time) bool {
	if r.perSecond < 0 {
		return true
	}
	b, known := r.buckets[a]
	if !known {
		if len(r.buckets) >= maxBuckets {
			r.sweep(now)
		}
		b = bucket{tokens: r.burst, at: now}
	}
	b.tokens = r.refilled(b, now)
	b.at = now
	ok := b.tokens >= 1
	if ok {
		b.tokens--
	}
	r.buckets[a] = b
	return ok
}

func (r *rates) refilled(b bucket, now time.Time) float64 {
	return min(r.burst, b.tokens+now.Sub(b.at).Seconds()*r.perSecond)
}

// sweep forgets the addresses whose buckets are full again, and if there are
// none, one of the others.
func (r *rates) sweep(now time.Time) {
	for a, b := range r.buckets {
		if r.refilled(b, now) >= r.burst {
			delete(r.buckets, a)
		}
	}
	for a := range r.buckets {
		if len(r.buckets) < maxBuckets {
			return
		}
		delete(r.buckets, a)
	}
}
