package iec104server

import (
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// rig is a station without a network: the test is the image, the feed and the
// server.
type rig struct {
	*station
	t        testing.TB
	settings Settings
	clock    atomic.Int64 // the wall clock
	reported []string
	mu       sync.Mutex
	lastID   uint64

	// What the image does: numbers, gates by point and place, the change log, the
	// newest states, cursors.
	seq     uint64
	gates   map[point.Index][]*gate
	served  []connector.Target
	journal []connector.Change
	states  map[point.Index]connector.Change
	feed    *testFeed
	kept    []point.Update // of own points, that are still to be delivered
	refuses error          // what PublishOwn returns
}

// gate is what the image knows of a target.
type gate struct {
	connector.Gate
	state mapping.GateState
}

// decide returns the events of a change, as the image does.
func (r *rig) decide(c *connector.Change) (events uint64) {
	if c.Point >= ownPoint {
		return 1
	}
	for n, g := range r.gates[c.Point] {
		switch {
		case c.Flags&point.Restored != 0:
		case c.Flags&point.Late != 0 && !g.Late:
		case c.Flags&point.Late != 0, g.Event(&g.state, c.Value, c.Quality):
			events |= 1 << n
		}
	}
	return events
}

// epoch is the time at which rigs begin.
var epoch = time.Date(2026, 7, 14, 12, 0, 0, 0, time.UTC)

func newRig(t testing.TB, change ...func(*Settings)) *rig {
	s := defaults()
	s.Listen = "127.0.0.1:0"
	for _, f := range change {
		f(&s)
	}
	r := &rig{
		t: t, settings: s, gates: map[point.Index][]*gate{}, states: map[point.Index]connector.Change{}, feed: newTestFeed(),
	}
	r.clock.Store(epoch.UnixNano())
	r.station = r.fresh()
	return r
}

// fresh returns a station that knows nothing.
func (r *rig) fresh() *station {
	return newStation(r.settings, connector.Env{
		ID: "scada", Log: slog.New(slog.DiscardHandler), Feed: r.feed,
		Now: func() time.Time { return time.Unix(0, r.clock.Load()) },
		PublishOwn: func(batch []point.Update) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.refuses == nil {
				r.kept = append(r.kept, batch...)
			}
			return r.refuses
		},
		Report: func(_ connector.State, reason string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.reported = append(r.reported, reason)
		},
	})
}

// ownPoint is the first of the own points of targets.
const ownPoint = 1 << 20

func (r *rig) pass(d time.Duration) { r.clock.Add(int64(d)) }

// targets makes the whole set of targets; changes are their snapshot.
func (r *rig) targets(targets []connector.Target, changes ...connector.Change) {
	old := r.gates
	r.served = targets
	r.gates = map[point.Index][]*gate{}
	for i := range targets {
		t := &targets[i]
		g := &gate{Gate: t.Gate}
		g.Late = forms[t.End.(*Target).As.TypeID].tagged && !t.Latest
		t.Place = uint8(len(r.gates[t.Point]))
		if int(t.Place) < len(old[t.Point]) {
			g.state = old[t.Point][t.Place].state
		}
		r.gates[t.Point] = append(r.gates[t.Point], g)
	}
	for i := range changes {
		c := &changes[i]
		c.Snapshot = true
		for _, g := range r.gates[c.Point] {
			g.state.Set(c.Value, c.Quality&^point.NotTopical)
		}
	}
	r.apply(&connector.Batch{Targets: &targets, Changes: changes})
}

// publish applies changes as the feed delivers them, after those of own points.
func (r *rig) publish(changes ...connector.Change) {
	r.mu.Lock()
	var all []connector.Change
	for _, u := range r.kept {
		all = append(all, connector.Change{Update: u})
	}
	r.kept = nil
	r.mu.Unlock()
	all = append(all, changes...)
	for i := range all {
		r.keep(&all[i])
	}
	r.apply(&connector.Batch{Changes: all, Seq: r.seq})
}

// keep puts a change into the change log.
func (r *rig) keep(c *connector.Change) {
	r.seq++
	c.Seq, c.Events = r.seq, r.decide(c)
	r.journal = append(r.journal, *c)
	if c.Flags&point.Late == 0 {
		r.states[c.Point] = *c
	}
}

// join opens a session with data transfer started, from an address of its own.
func (r *rig) join() *session {
	r.mu.Lock()
	r.lastID++
	id := r.lastID
	r.mu.Unlock()
	return r.joinFrom(netip.AddrFrom4([4]byte{10, byte(id >> 16), byte(id >> 8), byte(id)}))
}

// joinFrom opens a session with data transfer started.
func (r *rig) joinFrom(peer netip.Addr) *session {
	s := r.open(peer)
	s.Started(true)
	return s
}

// open opens a session.
func (r *rig) open(peer netip.Addr) *session {
	r.t.Helper()
	r.mu.Lock()
	r.lastID++
	id := r.lastID
	r.mu.Unlock()
	s := newSession(r.station, &fakeConn{id: id}, caller{peer: peer}, nil)
	if s == nil {
		r.t.Fatalf("%s is in no group", peer)
	}
	r.station.mu.Lock()
	r.sessions = append(r.sessions[:len(r.sessions):len(r.sessions)], s)
	r.station.mu.Unlock()
	return s
}

// settle takes the end of initialisation.
func (s *session) settle() *session {
	s.Confirm(len(take(s, 1000)))
	return s
}

type fakeConn struct {
	id     uint64
	wakes  atomic.Int64
	probes int
	unsent int   // what Discard returns
	closed error // why it was closed
}

func (c *fakeConn) Wake()      { c.wakes.Add(1) }
func (c *fakeConn) ID() uint64 { return c.id }
func (c *fakeConn) Probe()     { c.probes++ }

func (c *fakeConn) Close(reason error) {
	if c.closed == nil {
		c.closed = reason
	}
}

func (c *fakeConn) Discard() int {
	n := c.unsent
	c.unsent = 0
	return n
}

// take returns the next events, at most n.
func take(s *session, n int) []iec104.Event {
	events := make([]iec104.Event, n)
	return events[:s.Next(events)]
}

// collect returns a whole answer, taking events whenever it has to wait.
func collect(t testing.TB, s *session, i iec104.Interrogation) []iec104.Item {
	t.Helper()
	if i == nil {
		t.Fatal("interrogation was refused")
	}
	var all []iec104.Item
	buf := make([]iec104.Item, 7)
	for range 1_000_000 {
		n, done := i.Next(buf)
		all = append(all, buf[:n]...)
		if done {
			return all
		}
		if n == 0 {
			take(s, 100)
		}
	}
	t.Fatal("interrogation does not end")
	return nil
}

// at returns a target of the point with the same number.
func at(id uint32, ca uint16, ioa uint32, as asdu.TypeID, typ point.Type, change ...func(*connector.Target, *Target)) connector.Target {
	end := targetDefaults()
	end.CA, end.IOA, end.As = CommonAddress(ca), ObjectAddress(ioa), MonitorType{as}
	rule := connector.Rule{Type: typ, Convert: connector.Linear{Scale: 1}}
	t := connector.Target{
		ID: connector.TargetID(id), Point: point.Index(id), Own: [ownPoints]point.Index{point.None, point.None}, Rule: &rule,
	}
	if forms[as].family == total {
		first := ownPoint + point.Index(ca)<<12 + point.Index(ioa)*ownPoints // they go with the address
		t.Own = [ownPoints]point.Index{first, first + 1}
	}
	for _, f := range change {
		f(&t, &end)
	}
	address, rest := end.address()
	t.Address, rule.End = address, &rest
	return t
}

// ofPoint makes it a target of another point.
func ofPoint(p point.Index) func(*connector.Target, *Target) {
	return func(t *connector.Target, _ *Target) { t.Point = p }
}

func deadband(d float64) func(*connector.Target, *Target) {
	return func(t *connector.Target, _ *Target) { t.Gate.Deadband = d }
}

func end(f func(*Target)) func(*connector.Target, *Target) {
	return func(_ *connector.Target, e *Target) { f(e) }
}

func totals(c Counter) func(*connector.Target, *Target) {
	return func(_ *connector.Target, e *Target) { e.Counter = c }
}

// news is a good value at the time of the test.
func news(p uint32, v point.Value) connector.Change {
	return connector.Change{Update: point.Update{Point: point.Index(p), Value: v, Time: point.InstantOf(epoch)}}
}

func (r *rig) figure(f func(figures) uint64) uint64 {
	r.station.mu.Lock()
	defer r.station.mu.Unlock()
	r.settle()
	return f(r.total())
}
