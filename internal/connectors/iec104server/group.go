package iec104server

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// groupKey names a redundancy group: by its name, by the address of the
// controlling station where there are no named groups, by both where all
// connections of a named group are active.
type groupKey struct {
	name string
	peer netip.Addr
}

// String returns the name that logs and figures show.
func (k groupKey) String() string {
	switch {
	case !k.peer.IsValid():
		return k.name
	case k.name == "":
		return k.peer.String()
	default:
		return k.name + " " + k.peer.String()
	}
}

const (
	// unusedFor is after how long a group that nobody uses is dropped.
	unusedFor = 7 * 24 * time.Hour
	// maxGroups is how many groups there are at most; beyond it the one that was
	// not used for the longest time is dropped.
	maxGroups = 4096
	// quickSwitch is the time between two take-overs that makes the operator
	// look for a second controlling station in the group.
	quickSwitch = 10 * time.Second
)

// enter gives a session that has started data transfer its event buffer. The
// caller holds mu.
func (st *station) enter(s *session) {
	q := st.groups[s.key]
	switch {
	case s.queue != nil: // a stopped transfer goes on where it was
		if s.queue.temporary && q != nil && q.owner == nil {
			st.handOver(q)
		}
	case q == nil && s.key == groupKey{}, q == nil && !st.room():
		st.aside(s) // nobody knows who would come back for it
	case q == nil:
		q = st.add(s.key, s.shared, st.newest())
		st.savePlace(q)
		st.attach(s, q)
	case q.owner == nil:
		st.attach(s, q)
	case q.shared || !q.owner.started:
		st.takeOver(s, q)
	default:
		// It may be the same controlling station, whose connection has broken without
		// a sign: what waits there would then be for this one.
		st.aside(s)
		s.held = true
		q.owner.conn.Probe()
	}
}

// add makes the buffer of a group that begins after a position.
func (st *station) add(key groupKey, shared bool, begin connector.Position) *queue {
	q := newQueue(key, &st.events, begin)
	q.shared = shared
	st.groups[key] = q
	st.queues = append(st.queues, q)
	return q
}

// newest returns the position at which a group begins that begins now.
func (st *station) newest() connector.Position {
	seq := max(st.applied, st.present)
	return connector.Position{seq, seq, seq}
}

// aside gives a session a buffer of its own, from now on.
func (st *station) aside(s *session) {
	q := newQueue(s.key, &st.events, st.newest())
	q.temporary, q.owner = true, s
	st.queues = append(st.queues, q)
	s.queue = q
}

// attach makes a session the owner of a buffer that nobody owns. After a break
// the events that waited are sent as far as replay says.
func (st *station) attach(s *session, q *queue) {
	q.owner, s.queue = s, q
	s.lostBefore = q.lost()
	if !q.broken {
		return
	}
	q.broken = false
	q.resumed, q.oldest = st.events.next, 0
	switch r := st.settings.Replay; {
	case r.none:
		st.figures.unreplayed += q.pending(&st.events)
		q.skip(&st.events)
	case r.age > 0:
		q.oldest = point.InstantOf(st.now().Add(-r.age))
	}
}

// takeOver moves a buffer to another session of its group. What the old one has
// not confirmed goes first, in the old order. Never are two of them started.
func (st *station) takeOver(s *session, q *queue) {
	old, now := q.owner, st.now()
	st.disown(q)
	st.attach(s, q)
	if !old.started {
		return // a planned switch; the old one stays connected
	}
	level := st.log.Info
	if now.Sub(q.switched).Abs() < quickSwitch {
		level = st.log.Warn // two controlling stations in one group take it from each other
	}
	q.switched = now
	level("connection of the group superseded", "group", q.key.String(), "from", old.caller.String(), "to", s.caller.String(),
		"conn", s.conn.ID(), "superseded_conn", old.conn.ID(), "unconfirmed", q.again.len())
	old.conn.Close(&iec104.LinkError{Reason: iec104.Superseded, Err: fmt.Errorf("group %s was started from %s", q.key, s.caller)})
}

// disown takes a buffer from its owner.
func (st *station) disown(q *queue) {
	s := q.owner
	if q.reclaim() > 0 || len(s.greeting) > 0 {
		delete(st.greeted, s.caller) // it was not confirmed: the next connection gets it
		s.greeting = nil
	}
	q.owner, s.queue = nil, nil
}

// release takes the buffer from a session that ends.
func (st *station) release(s *session) {
	q := s.queue
	if q == nil {
		return
	}
	st.disown(q)
	if q.temporary {
		st.figures.abandoned += q.pending(&st.events)
		st.figures.dropped += q.lost()
		st.remove(q)
		return
	}
	q.broken, q.idle = true, st.now()
	st.handOver(q)
}

// handOver finds the next owner of a buffer that was released or whose owner has
// stopped, among the connections of the same address beside it.
func (st *station) handOver(q *queue) {
	for _, s := range st.sessions {
		if s.key != q.key || s == q.owner || s.queue == nil || !s.queue.temporary || !s.started {
			continue
		}
		if s.held {
			// It waited for this.
			if q.owner != nil {
				st.disown(q)
			}
			st.remove(s.queue)
			st.attach(s, q)
			break
		}
		if q.owner == nil && q.first(&st.events) >= s.queue.since && q.again.len() == 0 {
			// What waits is what this one gets anyway.
			st.remove(q)
			s.queue.temporary = false
			for c := range classes {
				s.queue.dropped[c] += q.dropped[c]
			}
			st.groups[q.key] = s.queue
			break
		}
	}
	st.free(q.key)
}

// free lets the sessions go on that waited to know what becomes of the buffer of
// their group.
func (st *station) free(key groupKey) {
	for _, s := range st.sessions {
		if s.key == key && s.held {
			s.held = false
			st.rouse()
		}
	}
}

func (st *station) remove(q *queue) {
	st.queues = slices.DeleteFunc(st.queues, func(o *queue) bool { return o == q })
	if st.groups[q.key] == q {
		delete(st.groups, q.key)
	}
}

// expire drops the groups that were not used for long.
func (st *station) expire(now time.Time) {
	for _, q := range st.groups {
		if q.owner == nil && now.Sub(q.idle) >= unusedFor {
			st.expel(q)
		}
	}
}

// room reports whether there may be another group, if need be in the place of
// the one that was not used for the longest time.
func (st *station) room() bool {
	if len(st.groups) < maxGroups {
		return true
	}
	var last *queue
	for _, q := range st.groups {
		if q.owner == nil && (last == nil || q.idle.Before(last.idle)) {
			last = q
		}
	}
	if last == nil {
		return false
	}
	st.expel(last)
	return true
}

func (st *station) expel(q *queue) {
	n := q.pending(&st.events)
	st.figures.expired++
	st.figures.abandoned += n
	st.figures.dropped += q.lost()
	st.remove(q)
	st.gone = append(st.gone, q.key.cursor())
	st.log.Warn("unused group dropped", "group", q.key.String(), "unused_since", q.idle, "events", n)
}
