package iec104

import (
	"cmp"
	"slices"
)

// ServerStats are the figures of a [Server] since it was made.
type ServerStats struct {
	Counters               // of all connections, open and closed
	Accepted   uint64      // connections served, also those still open
	Open       int         // connections now
	Started    int         // of these, with data transfer started
	Closed     ClosedCount // connections closed or refused, by reason
	LastReason string      // why the last one was closed
}

// ClosedCount counts by [Reason].
type ClosedCount [reasons]uint64

// Conns describes the open connections, oldest first. It waits for methods of
// sessions that are running and must not be called by them, nor with a lock
// held that they need; the same holds for Stats.
func (s *Server) Conns() []ConnInfo {
	s.mu.Lock()
	conns := make([]*ServerConn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	infos := make([]ConnInfo, len(conns))
	for i, c := range conns {
		infos[i] = c.Info()
	}
	slices.SortFunc(infos, func(a, b ConnInfo) int { return cmp.Compare(a.ID, b.ID) })
	return infos
}

// Stats returns the figures of the server.
func (s *Server) Stats() ServerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Open = len(s.conns)
	for _, c := range s.conns {
		i := c.Info()
		stats.Add(i.Counters)
		if i.State == started.String() {
			stats.Started++
		}
	}
	return stats
}
