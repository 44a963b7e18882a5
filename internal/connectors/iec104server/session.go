package iec104server

import (
	"net/netip"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// session is one connection. Its fields are guarded by the lock of the connection;
// those that the feed and the figures read are changed under the read lock of the station
// as well.
type session struct {
	station *station
	conn    conn
	peer    netip.Addr
	enc     encoder

	reading bool    // cursor is valid: data transfer was started once
	cursor  uint64  // position of the next event to take
	figures figures // of this session, added to those of the station at its end

	unconfirmed int       // events taken and not acknowledged
	warned      time.Time // when it was last logged that events were dropped

	greeting     []uint16 // common addresses whose end of initialisation is to be sent
	greetingSent int      // those sent and not confirmed
	initialised  uint8    // cause of initialisation
	scans        []scan   // places in the schedules
}

// conn is what a session needs of its connection.
type conn interface {
	Wake()
	ID() uint64
}

// The cause of initialisation, as far as the station has it.
const (
	localPowerOn = 0
	remoteReset  = 2
)

// Started implements [iec104.Session].
func (s *session) Started(on bool) {
	if !on {
		s.station.desk.forget(s.conn.ID())
	}
	if !on || s.reading {
		return // a stopped transfer goes on where it was
	}
	st := s.station
	st.mu.Lock()
	defer st.mu.Unlock()
	s.reading = true
	s.cursor = st.events.next
	st.rouse()
	if st.greet(s.peer) {
		s.greeting = st.addresses()
		s.initialised = localPowerOn
	}
}

// maxGreeted is how many addresses of controlling stations are remembered.
const maxGreeted = 4096

// greet reports whether a controlling station is to be told the end of
// initialisation: it is the first time that it starts data transfer. The caller
// holds mu.
func (st *station) greet(peer netip.Addr) bool {
	if st.greeted[peer] {
		return false
	}
	for a := range st.greeted {
		if len(st.greeted) < maxGreeted {
			break
		}
		delete(st.greeted, a)
	}
	st.greeted[peer] = true
	return true
}

// Next implements [iec104.Session].
func (s *session) Next(dst []iec104.Event) int {
	n := s.greet(dst)
	st := s.station
	st.mu.RLock()
	defer st.mu.RUnlock()
	s.skipDropped()
	t := st.table
	for n < len(dst) && s.cursor < st.events.next {
		e := st.events.at(s.cursor)
		s.cursor++
		if s.event(&dst[n], e, t) {
			n++
		}
	}
	s.unconfirmed += n
	return n
}

// greet puts what is left of the end of initialisation before everything else.
func (s *session) greet(dst []iec104.Event) int {
	n := min(len(dst), len(s.greeting))
	for i, ca := range s.greeting[:n] {
		dst[i] = iec104.Event{CA: ca, Type: asdu.M_EI_NA_1, Cause: asdu.Initialised, Object: asdu.Object{Qualifier: s.initialised}}
	}
	s.greeting = s.greeting[n:]
	s.greetingSent += n
	return n
}

// event makes an event of an entry of the log with the target as it is now. It is
// false if there is nothing to send.
func (s *session) event(dst *iec104.Event, e *sample, t *table) bool {
	at := t.byTarget.get(uint32(e.target))
	if at == absent {
		s.figures.removed++
		return false
	}
	r := &t.rows[at]
	rule := &t.rules[r.rule]
	dst.CA, dst.Type, dst.Cause = r.ca(), rule.as, asdu.Spontaneous
	if e.timeQ&returned != 0 && rule.as.Permits(asdu.ReturnRemote, asdu.Monitor) {
		dst.Cause = asdu.ReturnRemote
	}
	if !s.enc.encode(&dst.Object, rule.as, r.ioa(), e, rule) {
		s.figures.unsendable++
		return false
	}
	return true
}

// skipDropped moves the cursor over the events that did not fit into the buffer of this
// connection: the oldest of those not taken.
func (s *session) skipDropped() {
	st := s.station
	floor := st.floor()
	if s.cursor >= floor {
		return
	}
	s.figures.dropped += floor - s.cursor
	s.cursor = floor
	if now := st.now(); now.Sub(s.warned).Abs() >= warnEvery {
		s.warned = now
		st.log.Warn("buffer full, oldest events dropped", "peer", s.peer.String(), "conn", s.conn.ID(), "dropped_total", s.figures.dropped)
	}
}

// warnEvery is how often it is logged at most that a connection drops events.
const warnEvery = time.Minute

// Confirm implements [iec104.Session].
func (s *session) Confirm(n int) {
	// The end of initialisation was taken before any event.
	s.greetingSent -= min(n, s.greetingSent)
	s.unconfirmed -= min(n, s.unconfirmed)
}

// Addresses implements [iec104.Session].
func (s *session) Addresses() []uint16 {
	s.station.mu.RLock()
	defer s.station.mu.RUnlock()
	return s.station.addresses()
}

// The qualifier of a reset process command.
const (
	resetProcess = 1
	resetBuffer  = 2
)

// Reset implements [iec104.Session].
func (s *session) Reset(ca uint16, qrp uint8) bool {
	st := s.station
	if st.settings.Reset != "confirm" {
		return false
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	switch qrp {
	case resetProcess:
		s.greeting = append(s.greeting[:len(s.greeting):len(s.greeting)], ca)
		s.initialised = remoteReset
	case resetBuffer:
		s.skipDropped()
		s.figures.dropped += st.events.next - s.cursor
		s.cursor = st.events.next
	default:
		return false
	}
	st.log.Info("reset process confirmed", "peer", s.peer.String(), "ca", ca, "qrp", qrp)
	return true
}

// Closed implements [iec104.Session].
func (s *session) Closed(error) {
	s.station.desk.forget(s.conn.ID())
	s.station.leave(s)
}
