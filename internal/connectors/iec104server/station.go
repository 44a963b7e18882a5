package iec104server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/linkbook"
	"busbar/internal/linkdoctor"
	"busbar/internal/point"
	"busbar/internal/tlsconf"
)

// station is the application behind the server: targets with their current
// values, the event log, the event buffers of the redundancy groups, and the sessions
// of the connections.
//
// Its state changes under mu only: by the goroutine of the feed, by a freeze of
// counters, and by sessions that come and go, start and stop. Sessions read under
// the read lock. A session's own state is guarded by the lock of its connection;
// what of it others need, its buffer above all, it changes under the read lock of
// mu, and others under mu. The order is connection before mu: a goroutine that
// holds mu calls of a connection only what takes no lock (Wake, Probe, Close).
type station struct {
	settings Settings
	log      *slog.Logger
	now      func() time.Time
	face     *face
	doctor   *linkdoctor.Doctor
	book     *linkbook.Book
	kick     chan struct{} // for the scheduler: wake the sessions, look at the table

	feed       connector.Feed // of which others than its goroutine only save and drop cursors
	publishOwn func(batch []point.Update) error
	kernel     func() (synchronised bool, err error)

	mu       sync.RWMutex
	table    *table
	applied  uint64 // sequence number up to which the changes of the feed were applied
	present  uint64 // sequence number of the newest change that a snapshot has shown
	restored uint64 // from this number on no group has a change from before a restart
	events   eventLog
	sessions []*session // replaced, never changed in place
	groups   map[groupKey]*queue
	queues   []*queue // of groups, and the temporary ones
	greeted  map[caller]bool
	gone     []string // cursors of groups that were dropped
	figures  figures

	clock masterClock
	desk  *desk
	files *fileStore // nil: none

	shown    atomic.Bool // values were sent that were not events
	doubtful atomic.Bool // the clock of this machine is not synchronised
	unsaved  bool        // places of groups could not be saved; of the goroutine that saves
}

// figures count since the process started.
type figures struct {
	events     uint64 // put into the log
	suppressed uint64 // changes that were no event
	removed    uint64 // events of removed targets, skipped
	unsendable uint64 // events that their type cannot carry, skipped
	superseded uint64 // events skipped because only the newest of their target is kept
	unreplayed uint64 // events not sent after a break
	dropped    uint64 // events that did not fit into the buffer of a group that is no more
	cleared    uint64 // events dropped by a reset process command
	abandoned  uint64 // events that waited for a temporary connection or a group that was dropped
	expired    uint64 // groups dropped because nobody used them
	gaps       uint64 // changes that the feed lost
	late       uint64 // late changes that became events
	freezes    uint64 // counters frozen
	missed     uint64 // counters that could not be frozen when their period ended
}

func (f *figures) add(g figures) {
	f.removed += g.removed
	f.unsendable += g.unsendable
	f.superseded += g.superseded
	f.unreplayed += g.unreplayed
	f.cleared += g.cleared
}

func newStation(settings Settings, env connector.Env) *station {
	st := &station{
		settings: settings, log: env.Log, now: env.Now, desk: newDesk(&settings, env),
		face: newFace(&settings, env.Report), book: linkbook.New(env, settings.params().Sizes, settings.Time.Location, nil),
		doctor: linkdoctor.New(linkdoctor.Options{Role: linkdoctor.Controlled, Params: settings.params(), Location: settings.Time.Location}),
		kick:   make(chan struct{}, 1), table: &table{}, greeted: map[caller]bool{},
		groups: map[groupKey]*queue{}, feed: env.Feed, publishOwn: env.PublishOwn, kernel: kernelClock,
	}
	st.desk.serves, st.desk.doctor = st.serves, st.doctor
	st.files = newFileStore(&st.settings, env.Log)
	return st
}

// errNoGroup is why a connection is refused where there are named groups.
var errNoGroup = errors.New("in no redundancy group")

// Open implements [iec104.Station].
func (st *station) Open(c *iec104.ServerConn) (iec104.Session, error) {
	from := caller{peer: addressOf(c.RemoteAddr())}
	var cert *tlsconf.Identity
	if secured, ok := c.NetConn().(*tlsconf.Conn); ok {
		secured.OnEnd(func(reason *tlsconf.Error) { c.Close(reason) })
		cert = secured.Peer()
		from.certificate = cert.Name()
	}
	s := newSession(st, c, from, cert)
	if s == nil {
		return nil, fmt.Errorf("%s is %w", from, errNoGroup)
	}
	st.doctor.Connected(c.ID(), from.peer.String())
	st.mu.Lock()
	defer st.mu.Unlock()
	st.sessions = append(slices.Clip(st.sessions), s)
	return s, nil
}

// caller is who has connected.
type caller struct {
	peer        netip.Addr
	certificate string // what it says, empty without TLS
}

// String returns the address and what the certificate says.
func (c caller) String() string {
	if c.certificate == "" {
		return c.peer.String()
	}
	return c.peer.String() + " " + c.certificate
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
	st.figures.add(s.figures)
	st.release(s)
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

// overflow tells that a buffer has dropped events.
type overflow struct {
	group   string
	dropped [classes]uint64
}

// settle drops what does not fit into the buffers, and forgets the events that
// none of them needs any more. It returns what has to be logged. The caller holds
// mu.
func (st *station) settle() (full []overflow) {
	l, limit := &st.events, uint64(st.settings.Buffer.Events)
	var oldest [classes]uint64
	for c := range classes {
		oldest[c] = l.chains[c].next
	}
	for _, q := range st.queues {
		if q.settle(l, limit) && st.due(q) {
			full = append(full, overflow{q.key.String(), q.dropped})
		}
		for c := range classes {
			oldest[c] = min(oldest[c], q.at[c])
		}
	}
	for c := range classes {
		l.chains[c].trim(oldest[c])
	}
	return full
}

// warnEvery is how often it is logged at most that a buffer drops events.
const warnEvery = time.Minute

func (st *station) due(q *queue) bool {
	now := st.now()
	if now.Sub(q.warned).Abs() < warnEvery {
		return false
	}
	q.warned = now
	return true
}

// warn logs which buffers have dropped events.
func (st *station) warn(full []overflow) {
	for _, o := range full {
		st.log.Warn("buffer full, oldest events dropped", "group", o.group, "dropped_status", o.dropped[statusClass],
			"dropped_counter", o.dropped[counterClass], "dropped_measured", o.dropped[measuredClass])
	}
}
