package iec104server

import (
	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// session is one connection. Its fields are guarded by the lock of the connection;
// those that others read are changed under the read lock of the station as well, and by
// others under mu.
type session struct {
	station *station
	conn    conn
	caller
	enc encoder

	key     groupKey // of its redundancy group
	shared  bool     // a further started connection of the group takes it over
	started bool     // data transfer
	queue   *queue   // nil: data transfer was never started, or another connection of the group has taken over
	held    bool     // it waits to know whether the one that owns the buffer of its group is alive

	figures    figures // of this session, added to those of the station at its end
	lostBefore uint64  // events that its buffer had dropped before it was its owner

	greeting    []uint16 // common addresses whose end of initialisation is to be sent
	initialised uint8    // cause of initialisation
	scans       []scan   // places in the schedules
	tests       []event  // test values to be sent, before everything else; never sent again
}

// conn is what a session needs of its connection.
type conn interface {
	Wake()
	ID() uint64
	Close(reason error)
	Probe()
	Discard() int
}

// newSession returns the session of a connection; nil if it belongs to no
// redundancy group. cert is nil without TLS.
func newSession(st *station, c conn, from caller, cert *tlsconf.Identity) *session {
	key, shared, ok := st.settings.group(from.peer, cert)
	if !ok {
		return nil
	}
	enc := newEncoder(st.settings.Time.Location)
	enc.unused = st.settings.unstamped()
	return &session{station: st, conn: c, caller: from, enc: enc, key: key, shared: shared}
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
	st := s.station
	st.mu.Lock()
	defer st.mu.Unlock()
	s.started = on
	if !on {
		s.tests = nil
		s.putBack(s.conn.Discard())
		if q := s.queue; q != nil && !q.temporary {
			st.handOver(q)
		}
		return
	}
	first := s.queue == nil
	st.enter(s)
	st.rouse()
	if first && st.settings.EndOfInit && st.greet(s.caller) {
		s.greeting = st.addresses()
		s.initialised = localPowerOn
	}
}

// putBack returns the newest n events of those taken, which were not sent.
func (s *session) putBack(n int) {
	q := s.queue
	if q == nil {
		return
	}
	for ; n > 0 && q.flight.len() > 0; n-- {
		q.flight.tail--
		e := q.flight.at(q.flight.tail)
		if e.tests() {
			continue
		}
		if e.class() == initialisation {
			s.greeting = append([]uint16{uint16(e.target)}, s.greeting...)
		} else {
			q.again.unpop(e)
		}
	}
}

// Alive tells that the controlling station has answered the test of the link:
// connections of the same address that were started meanwhile are further ones.
func (s *session) Alive() {
	st := s.station
	st.mu.Lock()
	defer st.mu.Unlock()
	if q := s.queue; q != nil && !q.temporary {
		st.free(q.key)
	}
}

// maxGreeted is how many controlling stations are remembered.
const maxGreeted = 4096

// greet reports whether a controlling station is to be told the end of
// initialisation: it is the first time that it starts data transfer. The caller
// holds mu.
func (st *station) greet(from caller) bool {
	if st.greeted[from] {
		return false
	}
	for a := range st.greeted {
		if len(st.greeted) < maxGreeted {
			break
		}
		delete(st.greeted, a)
	}
	st.greeted[from] = true
	return true
}

// Next implements [iec104.Session].
func (s *session) Next(dst []iec104.Event) int {
	st := s.station
	st.mu.RLock()
	defer st.mu.RUnlock()
	q := s.queue
	if q == nil || s.held {
		return 0
	}
	n := s.greet(dst)
	n += s.test(dst[n:])
	for n < len(dst) && q.again.len() > 0 {
		e := *q.again.pop()
		n += s.put(&dst[n], &e)
	}
	q.again.tidy()
	if q.settle(&st.events, uint64(st.settings.Buffer.Events)) && st.due(q) {
		st.warn([]overflow{{q.key.String(), q.dropped}})
	}
	for n < len(dst) {
		from, ok := q.choose(&st.events, st.settings.byClass())
		if !ok {
			break
		}
		n += s.takeFrom(dst[n:], from)
	}
	return n
}

// takeFrom takes events from one source, as far as no other has an older one.
func (s *session) takeFrom(dst []iec104.Event, from source) (n int) {
	l, q := &s.station.events, s.queue
	if from.listed {
		next := &l.newest.slots[q.place[from.class]]
		q.place[from.class] = next.next
		return s.put(&dst[0], &next.event)
	}
	c, t := &l.chains[from.class], s.station.table
	at := q.at[from.class]
	q.flight.reserve(len(dst))
	for ; n < len(dst) && at < c.next; at++ {
		e := c.at(at)
		if e.seq > from.upto {
			break
		}
		if s.event(&dst[n], e, t) {
			q.flight.put(e)
			n++
		}
	}
	q.at[from.class] = at
	return n
}

// put makes an event of an entry of the log and notes that it was taken, 1; or
// skips it, 0.
func (s *session) put(dst *iec104.Event, e *event) int {
	if !s.event(dst, e, s.station.table) {
		return 0
	}
	s.queue.flight.push(e)
	return 1
}

// greet puts what is left of the end of initialisation before everything else.
func (s *session) greet(dst []iec104.Event) int {
	n := min(len(dst), len(s.greeting))
	for i, ca := range s.greeting[:n] {
		dst[i] = iec104.Event{CA: ca, Type: asdu.M_EI_NA_1, Cause: asdu.Initialised, Object: asdu.Object{Qualifier: s.initialised}}
		s.queue.flight.push(&event{sample: sample{kind: kind(initialisation) << classShift, target: connector.TargetID(ca)}})
	}
	s.greeting = s.greeting[n:]
	return n
}

// event makes an event of an entry of the log with the target as it is now. It is
// false if there is nothing to send.
func (s *session) event(dst *iec104.Event, e *event, t *table) bool {
	at := t.byTarget.get(uint32(e.target))
	if at == absent {
		s.figures.removed++
		return false
	}
	r := &t.rows[at]
	rule := &t.rules[r.rule]
	if r.sent > e.seq+1 && s.obsolete(e, rule) {
		return false
	}
	if q := s.queue; e.seq < q.resumed && e.time < q.oldest && e.time != 0 {
		s.figures.unreplayed++
		return false
	}
	dst.CA, dst.Type, dst.Cause, dst.Test = r.ca(), rule.as, asdu.Spontaneous, false
	if e.timeQ&returned != 0 && rule.as.Permits(asdu.ReturnRemote, asdu.Monitor) {
		dst.Cause = asdu.ReturnRemote
	}
	if !s.enc.encode(&dst.Object, rule.as, r.ioa(), &e.sample, rule) {
		s.figures.unsendable++
		return false
	}
	return true
}

// obsolete reports whether an event is not sent because there is a newer one of
// its target.
func (s *session) obsolete(e *event, r *rule) bool {
	settings := &s.station.settings
	switch {
	case r.latest:
		s.figures.superseded++
	case settings.Replay.latest && e.seq < s.queue.resumed:
		s.figures.unreplayed++
	case settings.byClass() && e.class() != r.class:
		// The target has changed its class: the newer event may have gone first.
		s.figures.superseded++
	default:
		return false
	}
	return true
}

// Confirm implements [iec104.Session].
func (s *session) Confirm(n int) {
	st := s.station
	st.mu.RLock()
	defer st.mu.RUnlock()
	if q := s.queue; q != nil {
		q.flight.drop(min(n, q.flight.len()))
	}
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
		if st.settings.EndOfInit {
			s.greeting = append(s.greeting[:len(s.greeting):len(s.greeting)], ca)
			s.initialised = remoteReset
		}
	case resetBuffer:
		if q := s.queue; q != nil {
			before := q.pending(&st.events)
			q.skip(&st.events)
			s.figures.cleared += before - q.pending(&st.events)
		}
	default:
		return false
	}
	st.log.Info("reset process confirmed", "peer", s.caller.String(), "ca", ca, "qrp", qrp)
	return true
}

// Files implements [iec104.FileSession].
func (s *session) Files() iec104.Files {
	if s.station.files == nil {
		return nil
	}
	return s.station.files
}

// Closed implements [iec104.Session].
func (s *session) Closed(reason error) {
	s.station.doctor.Closed(s.conn.ID(), reason)
	s.station.desk.forget(s.conn.ID())
	s.ended(reason)
	s.station.leave(s)
}
