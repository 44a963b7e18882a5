package iec104server

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
)

// station is the application behind the server: targets with their current
// values, the event log, and the sessions of the connections.
//
// Its state changes under mu only: by the goroutine of the feed, by a freeze of
// counters, and by sessions that come and go. Sessions read under the read lock.
// A session's own state is guarded by the lock of its connection; what of it the feed
// needs, its cursor, it changes under the read lock of mu. A goroutine that holds
// mu calls nothing of a connection; so the order is connection before mu.
type station struct {
	settings Settings
	log      *slog.Logger
	now      func() time.Time
	report   func(detail string) // shows the state of the server, which is up
	kick     chan struct{}       // for the scheduler: wake the sessions, look at the table

	mu       sync.RWMutex
	table    *table
	events   eventLog
	sessions []*session // replaced, never changed in place
	greeted  map[netip.Addr]bool
	figures  figures

	clock masterClock
	desk  *desk

	shown atomic.Bool // values were sent that were not events
}

// figures count since the process started.
type figures struct {
	events     uint64 // put into the log
	suppressed uint64 // changes that were no event
	removed    uint64 // events of removed targets, skipped
	unsendable uint64 // events that their type cannot carry, skipped
	dropped    uint64 // events that did not fit into the buffer of a connection
	abandoned  uint64 // events that were not acknowledged when their connection ended
	gaps       uint64 // changes that the feed lost
	late       uint64 // late changes that became events
	freezes    uint64
}

func (f *figures) add(g figures) {
	f.removed += g.removed
	f.unsendable += g.unsendable
	f.dropped += g.dropped
	f.abandoned += g.abandoned
}

func newStation(settings Settings, env connector.Env) *station {
	st := &station{
		settings: settings, log: env.Log, now: env.Now, desk: newDesk(&settings, env),
		report: func(detail string) { env.Report(connector.Up, detail) },
		kick:   make(chan struct{}, 1), table: &table{}, greeted: map[netip.Addr]bool{},
	}
	st.desk.serves = st.serves
	return st
}

// begin takes the first batch of a run: the targets, and the values that were
// there before it. Nobody is served before that.
func (st *station) begin(ctx context.Context, feed connector.Feed) error {
	b, err := feed.Next(ctx)
	if err != nil {
		return err
	}
	st.apply(&b, true)
	return nil
}

// Open implements [iec104.Station].
func (st *station) Open(c *iec104.ServerConn) (iec104.Session, error) {
	s := &session{station: st, conn: c, peer: addressOf(c.RemoteAddr()), enc: newEncoder(st.settings.Time.Location)}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.sessions = append(slices.Clip(st.sessions), s)
	return s, nil
}

// addressOf returns the IP address of a controlling station; it is not valid for
// connections that have none.
func addressOf(a net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// leave forgets a session.
func (st *station) leave(s *session) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.sessions = slices.DeleteFunc(slices.Clone(st.sessions), func(o *session) bool { return o == s })
	f := s.pending()
	f.abandoned += s.waiting() + uint64(s.unconfirmed)
	st.figures.add(f)
	if len(s.greeting) > 0 || s.greetingSent > 0 {
		delete(st.greeted, s.peer) // it was not confirmed: the next connection gets it
	}
}

// wake lets the sessions fetch events. It must be called without mu.
func wake(sessions []*session) {
	for _, s := range sessions {
		s.conn.Wake()
	}
}

// rouse makes the scheduler wake the sessions: for callers that hold the lock of
// a connection.
func (st *station) rouse() {
	select {
	case st.kick <- struct{}{}:
	default:
	}
}

// trim forgets events that no session needs any more.
func (st *station) trim() {
	oldest := st.events.next
	for _, s := range st.sessions {
		if s.reading {
			oldest = min(oldest, max(s.cursor, st.floor()))
		}
	}
	st.events.trim(oldest)
}

// floor is the oldest event that fits into the buffer of a connection.
func (st *station) floor() uint64 {
	limit := uint64(st.settings.Buffer.Events)
	return st.events.next - min(limit, st.events.next)
}
