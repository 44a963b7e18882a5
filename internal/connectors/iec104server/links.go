package iec104server

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/linkbook"
	"busbar/internal/point"
)

var _ connector.Linker = (*server)(nil)

// Links implements [connector.Linker].
func (s *server) Links() []connector.Link {
	list, addresses := s.places(), s.station.served()
	infos := s.link.Conns()
	groups := s.station.members()
	p := s.link.Params()
	for i := range infos {
		e, ok := s.station.book.Find(infos[i].ID)
		if !ok {
			continue // not established yet, or just ended
		}
		l := e.Link()
		linkbook.Describe(&l, &infos[i], p)
		m := groups[infos[i].ID]
		l.Group, l.Member, l.Queue = m.group, m.member, m.queue
		list = append(list, l)
	}
	for _, e := range s.station.book.Ended() {
		l, info := e.Link(), e.Info()
		linkbook.Describe(&l, &info, p)
		list = append(list, l)
	}
	for i := range list {
		list[i].Role = "controlled"
		linkbook.Addresses(&list[i], addresses)
	}
	return list
}

// places returns where the server listens, and whom it dials and is not connected with.
func (s *server) places() (list []connector.Link) {
	since := s.began.Load()
	if s.station.settings.Listen != "" {
		l := connector.Link{ID: s.env.ID, Local: s.station.settings.Listen, State: connector.LinkClosed, Reason: "does not run", Since: *since, StateSince: *since}
		if addr := s.addr.Load(); addr != nil {
			l.Local, l.State, l.Reason = (*addr).String(), connector.LinkListening, ""
		}
		list = append(list, l)
	}
	for i, addr := range s.station.settings.Dial {
		if reason := s.station.face.reason(addr); reason != "" {
			list = append(list, connector.Link{
				ID: s.env.ID + ".dial-" + strconv.Itoa(i+1), Peer: addr, State: connector.LinkConnecting, Reason: reason, Since: *since, StateSince: *since,
			})
		}
	}
	return list
}

// Disconnect implements [connector.Linker].
func (s *server) Disconnect(id, reason string) error {
	number, _ := strings.CutPrefix(id, s.env.ID+".")
	conn, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %s", connector.ErrNotOpen, id)
	}
	if !s.link.DisconnectFor(conn, errors.New(reason)) {
		return fmt.Errorf("%w: %s", connector.ErrNotOpen, id)
	}
	return nil
}

// member is what a connection is in its redundancy group.
type member struct {
	group, member string
	queue         *connector.LinkQueue
}

// members describes the connections in their groups, by their number.
func (st *station) members() map[uint64]member {
	st.mu.Lock()
	full := st.settle()
	now := st.now()
	all := make(map[uint64]member, len(st.sessions))
	for _, s := range st.sessions {
		m := member{group: s.key.String(), member: "standby"}
		if q := s.queue; q != nil {
			m.member = "active"
			if q.temporary {
				m.member = "beside"
			}
			m.queue = q.describe(&st.events, now)
			m.queue.Dropped -= s.lostBefore
		}
		all[s.conn.ID()] = m
	}
	st.mu.Unlock()
	st.warn(full)
	return all
}

// describe tells what waits in a queue.
func (q *queue) describe(l *eventLog, now time.Time) *connector.LinkQueue {
	var waiting [classes]uint64
	oldest := point.Instant(0)
	look := func(e *event) {
		if e.time != 0 && (oldest == 0 || e.time < oldest) {
			oldest = e.time
		}
	}
	for i := range q.again.len() {
		e := q.again.at(q.again.head + uint64(i))
		if e.class() < classes {
			waiting[e.class()]++
		}
		if i == 0 {
			look(e)
		}
	}
	for c := range classes {
		waiting[c] += l.chains[c].next - q.at[c]
		if q.at[c] < l.chains[c].next {
			look(l.chains[c].at(q.at[c]))
		}
		for at := q.place[c]; at != absent; at = l.newest.slots[at].next {
			if at == q.place[c] {
				look(&l.newest.slots[at].event)
			}
			waiting[c]++
		}
	}
	d := &connector.LinkQueue{
		Status: waiting[statusClass], Counter: waiting[counterClass], Measured: waiting[measuredClass],
		Unconfirmed: uint64(q.unconfirmed()), Dropped: q.lost(),
	}
	if oldest != 0 {
		d.OldestMs = max(0, now.Sub(oldest.Time()).Milliseconds())
	}
	return d
}

// served returns the common addresses.
func (st *station) served() []uint16 {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return slices.Clone(st.addresses())
}

// ended notes the end of a connection. Its lock is held.
func (s *session) ended(reason error) {
	if c, ok := s.conn.(*iec104.ServerConn); ok {
		s.station.book.End(c.ID(), reasonOf(reason), c.Info)
	}
}
