// Package linkdoctor says in plain words what does not fit on a link of IEC
// 60870-5-104: parameters that must suit each other and do not, addresses and types
// that one side does not have, clocks that differ, stations that take a connection
// from each other.
//
// A [Doctor] looks at the frames of the links of one connector or tool, sent and
// received, and at how connections end. It changes nothing and sends nothing. What it has
// seen are findings: each with figures, and with what is wanted, which parameter at which
// side.
//
// On the way of events it costs a few nanoseconds per frame: of what is sent, only
// numbers and cause are looked at, and a clock is read when a window opens or is full.
// What is received in great number is looked at in proportion, unless Options
// say Thorough.
package linkdoctor

import (
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"busbar/iec104"
)

// Role is the role of this side of the links.
type Role uint8

// The roles.
const (
	Controlled  Role = iota + 1 // this side is the station that is asked
	Controlling                 // this side asks
)

// Options are what a [Doctor] has to know.
type Options struct {
	Role     Role
	Params   iec104.Params  // of this side; zero fields are their defaults
	Location *time.Location // of the clock that time tags show by agreement; nil is UTC
	Thorough bool           // look at every object that is received: for a tool
}

// Doctor looks at links. Its methods may be called from any goroutine.
type Doctor struct {
	role     Role
	p        iec104.Params
	zone     *time.Location
	thorough bool
	begun    time.Time // of its clock

	links atomic.Pointer[map[uint64]*link] // replaced, never changed

	mu       sync.Mutex // taken after that of a link
	peers    map[string]*peer
	findings map[key]*Finding
}

// New returns a doctor without findings.
func New(o Options) *Doctor {
	p, err := o.Params.Complete()
	if err != nil {
		// The link itself refuses them; the defaults do for what can be said here.
		p, _ = iec104.Params{}.Complete()
	}
	d := &Doctor{role: o.Role, p: p, zone: o.Location, thorough: o.Thorough, begun: time.Now(), peers: map[string]*peer{}, findings: map[key]*Finding{}}
	d.links.Store(&map[uint64]*link{})
	return d
}

// Frame is an [iec104.TraceFunc]: the frames of one connection come one after the
// other, and before Closed.
func (d *Doctor) Frame(conn uint64, sent bool, apdu []byte) {
	l := (*d.links.Load())[conn]
	if l == nil {
		l = d.open(conn, "")
	}
	if sent && l.passes(apdu) {
		return
	}
	l.mu.Lock()
	l.frame(sent, apdu)
	l.mu.Unlock()
}

// clock returns the time since the doctor was made: that costs half of the time of
// day.
func (d *Doctor) clock() time.Duration { return time.Since(d.begun) }

// Trace returns a function for [iec104.WithTrace] that shows each frame to the
// doctor and to next, which may be nil.
func (d *Doctor) Trace(next iec104.TraceFunc) iec104.TraceFunc {
	if next == nil {
		return d.Frame
	}
	return func(conn uint64, sent bool, apdu []byte) {
		d.Frame(conn, sent, apdu)
		next(conn, sent, apdu)
	}
}

// Connected tells that there is a connection, from or to an address with or
// without port.
func (d *Doctor) Connected(conn uint64, address string) {
	l := (*d.links.Load())[conn]
	if l == nil {
		d.open(conn, address)
		return
	}
	l.mu.Lock()
	l.peer = d.peerOf(address)
	l.mu.Unlock()
}

// open notes a connection.
func (d *Doctor) open(conn uint64, address string) *link {
	l := &link{doctor: d, peer: d.peerOf(address), opened: time.Now()}
	d.mu.Lock()
	defer d.mu.Unlock()
	links := maps.Clone(*d.links.Load())
	if other := links[conn]; other != nil {
		return other
	}
	links[conn] = l
	d.links.Store(&links)
	return l
}

// forget drops a connection.
func (d *Doctor) forget(conn uint64) *link {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := (*d.links.Load())[conn]
	if l != nil {
		links := maps.Clone(*d.links.Load())
		delete(links, conn)
		d.links.Store(&links)
	}
	return l
}

// LinkEvent is for [iec104.WithLinkEvents]: it tells of connections of a client.
func (d *Doctor) LinkEvent(e iec104.LinkEvent) {
	switch {
	case e.Conn == 0:
	case e.State == iec104.LinkDown:
		d.Closed(e.Conn, e.Err)
	default:
		d.Connected(e.Conn, e.Addr)
	}
}

// maxPeers is how many other sides are remembered.
const maxPeers = 256

// peer is what is known of another side beyond one connection.
type peer struct {
	name      string
	seen      time.Time
	ended     []time.Time // connections that ended, not on purpose
	taken     []time.Time // connections that another of the group took over
	cutOff    int         // connections that it closed while it waited for an acknowledgement
	replays   *iec104.Replays
	refusals  map[string]uint64 // reasons of refused commands
	addresses map[ID]map[uint32]bool
}

// peerOf returns the other side at an address, whose port is of no interest.
func (d *Doctor) peerOf(address string) *peer {
	name := address
	if host, _, err := net.SplitHostPort(address); err == nil && d.role == Controlled {
		name = host // each connection comes from another port
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.peers[name]
	if p == nil {
		d.makeRoom()
		p = &peer{name: name, refusals: map[string]uint64{}, addresses: map[ID]map[uint32]bool{}}
		d.peers[name] = p
	}
	p.seen = time.Now()
	return p
}

// makeRoom forgets the side that was not seen for the longest time, if there are
// too many. The caller holds mu.
func (d *Doctor) makeRoom() {
	if len(d.peers) < maxPeers {
		return
	}
	var last *peer
	for _, p := range d.peers {
		if last == nil || p.seen.Before(last.seen) {
			last = p
		}
	}
	delete(d.peers, last.name)
	maps.DeleteFunc(d.findings, func(k key, _ *Finding) bool { return k.peer == last.name })
}

// level is how a finding is logged.
func (s Severity) level() slog.Level {
	if s == Note {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}
