// Package linkbook keeps what the links of one connector of IEC 60870-5-104 are, for those
// who look at them: who is connected, since when, how often, and how connections
// ended. It opens the tapes on which their frames are recorded.
package linkbook

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/tape"
	"busbar/internal/tlsconf"
)

const (
	// maxEnded is how many connections that have ended are shown, and endedFor how long.
	maxEnded = 32
	endedFor = time.Hour
	// maxPeers is how many other sides are remembered, and maxTimes how many of their
	// connections.
	maxPeers = 1024
	maxTimes = 1000
	day      = 24 * time.Hour
)

// Book is the links of one connector. Its methods may be called from any goroutine and
// with any lock held.
type Book struct {
	connector string
	tapes     *tape.Deck
	now       func() time.Time
	name      func(iec104.LinkEvent) string
	sizes     asdu.Sizes
	zone      *time.Location

	mu    sync.Mutex
	open  map[uint64]*Entry
	ended []*Entry // oldest first
	peers map[string][]time.Time
}

// Entry is one connection.
type Entry struct {
	Conn        uint64
	ID          string // of the link
	Local, Peer string
	Certificate string
	Key         string // of the other side, over connections
	Since       time.Time
	Synced      time.Time     // zero: its clock was not synchronised
	Offset      time.Duration // of the other clock, then
	Reconnects  int           // in 24 h

	// Of a connection that has ended.
	Ended  time.Time
	Reason string
	Info   func() iec104.ConnInfo // nil: not known

	tape *tape.Tape
}

// New returns an empty book. The frames are to be read with sizes and zone. name gives links their names behind the id of the connector and a
// dot; nil: the number of the connection.
func New(env connector.Env, sizes asdu.Sizes, zone *time.Location, name func(iec104.LinkEvent) string) *Book {
	if name == nil {
		name = func(e iec104.LinkEvent) string { return strconv.FormatUint(e.Conn, 10) }
	}
	return &Book{sizes: sizes, zone: zone, connector: env.ID, tapes: env.Tapes, now: env.Now, name: name, open: map[uint64]*Entry{}, peers: map[string][]time.Time{}}
}

// Open is for [iec104.WithTap]: it notes a connection and opens its tape.
func (b *Book) Open(of iec104.LinkEvent) iec104.TapFunc {
	conn, c := of.Conn, of.NetConn
	e := &Entry{
		Conn: conn, ID: b.connector + "." + b.name(of), Local: text(c.LocalAddr()), Peer: text(c.RemoteAddr()),
		Certificate: certificate(c), Since: b.now(),
	}
	e.Key = Key(c.RemoteAddr(), e.Certificate)
	e.tape = b.tapes.Open(tape.Link{
		ID: e.ID, Connector: b.connector, Conn: conn, Local: c.LocalAddr(), Peer: c.RemoteAddr(), Certificate: e.Certificate,
		Octets: [3]int{int(b.sizes.COT), int(b.sizes.CA), int(b.sizes.IOA)}, Zone: b.zone,
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Reconnects = b.connected(e.Key, e.Since)
	b.open[conn] = e
	if e.tape == nil {
		return nil
	}
	return e.tape.Record
}

// connected notes a connection of another side and returns how many others it had in
// 24 h. The lock is held.
func (b *Book) connected(key string, now time.Time) int {
	times, known := b.peers[key]
	if !known && len(b.peers) >= maxPeers {
		b.forget()
	}
	times = append(slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) >= day }), now)
	if len(times) > maxTimes {
		times = slices.Delete(times, 0, 1)
	}
	b.peers[key] = times
	return len(times) - 1
}

// forget forgets the other side that has not connected for the longest time.
func (b *Book) forget() {
	oldest, last := "", time.Time{}
	for key, times := range b.peers {
		if at := times[len(times)-1]; oldest == "" || at.Before(last) {
			oldest, last = key, at
		}
	}
	delete(b.peers, oldest)
}

// End notes that a connection has ended. info describes it and is not called before End
// has returned; nil: it is not shown any more.
func (b *Book) End(conn uint64, reason string, info func() iec104.ConnInfo) {
	b.mu.Lock()
	e := b.open[conn]
	delete(b.open, conn)
	if e != nil && info != nil {
		e.Ended, e.Reason, e.Info = b.now(), reason, sync.OnceValue(info)
		if b.ended = append(b.ended, e); len(b.ended) > maxEnded {
			b.ended = slices.Delete(b.ended, 0, 1)
		}
	}
	b.mu.Unlock()
	if e != nil {
		e.tape.End()
	}
}

// Synchronised notes that a clock was synchronised over a connection.
func (b *Book) Synchronised(conn uint64, offset time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.open[conn]; e != nil {
		e.Synced, e.Offset = b.now(), offset
	}
}

// Find returns a connection that is open; false: there is none.
func (b *Book) Find(conn uint64) (Entry, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.open[conn]
	if e == nil {
		return Entry{}, false
	}
	found := *e
	found.Reconnects = b.reconnects(e.Key)
	return found, true
}

// Ended returns the connections that have ended in the last hour, oldest first.
func (b *Book) Ended() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.ended = slices.DeleteFunc(b.ended, func(e *Entry) bool { return now.Sub(e.Ended) > endedFor })
	list := make([]Entry, len(b.ended))
	for i, e := range b.ended {
		list[i] = *e
		list[i].Reconnects = b.reconnects(e.Key)
	}
	return list
}

// reconnects returns how many further connections another side had in 24 h.
func (b *Book) reconnects(key string) (n int) {
	now := b.now()
	for _, t := range b.peers[key] {
		if now.Sub(t) < day {
			n++
		}
	}
	return max(0, n-1)
}

func text(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// Key returns what another side is known by over connections: its address without port,
// and what its certificate says.
func Key(peer net.Addr, certificate string) string {
	key := text(peer)
	if ap, err := netip.ParseAddrPort(key); err == nil {
		key = ap.Addr().Unmap().WithZone("").String()
	}
	return strings.TrimSpace(key + " " + certificate)
}

// certificate returns what the certificate of the other side says; empty without TLS.
func certificate(c net.Conn) string {
	secured, ok := c.(*tlsconf.Conn)
	if !ok {
		return ""
	}
	return secured.Peer().Name()
}
