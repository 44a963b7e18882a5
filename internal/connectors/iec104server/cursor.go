package iec104server

import (
	"net/netip"
	"strings"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// saveEvery is how often it is saved how far the groups have confirmed. The image
// has it on disk at most 100 ms later.
const saveEvery = 50 * time.Millisecond

// cursor returns the name under which the place of the group is saved: "name",
// "@address" or "name@address".
func (k groupKey) cursor() string {
	if !k.peer.IsValid() {
		return k.name
	}
	return k.name + "@" + k.peer.String()
}

// parseCursor returns the group whose place is saved under a name.
func parseCursor(name string) (key groupKey, ok bool) {
	group, address, addressed := strings.Cut(name, "@")
	if !addressed {
		return groupKey{name: group}, group != ""
	}
	peer, err := netip.ParseAddr(address)
	return groupKey{name: group, peer: peer}, err == nil
}

// has reports whether an event, which points of a class have brought, lies before
// the begin of the queue.
func (q *queue) has(log point.Class, seq uint64) bool { return seq <= q.begin[log] }

// pass lets the newest event of a chain go by if it lies before the begin of the
// queue.
func (q *queue) pass(l *eventLog, c class, log point.Class, seq uint64) {
	if q.at[c] == l.chains[c].next-1 && q.has(log, seq) {
		q.at[c]++
	}
}

// position returns how far the group has confirmed, when the changes up to applied
// have been: no event that it may still need lies before it. The change log has a
// place for each class of points; where events of a class come from points of several,
// the hindmost of them holds for all.
func (q *queue) position(l *eventLog, applied uint64, byClass bool) connector.Position {
	first := q.heads(l)
	q.lower(&first, &q.flight, byClass)
	q.lower(&first, &q.again, byClass)
	pos := connector.Position{applied, applied, applied}
	for c, seq := range first {
		for log := range pos {
			if seq != none && l.holds[c]>>log&1 != 0 {
				pos[log] = min(pos[log], max(seq, 1)-1)
			}
		}
	}
	for log := range pos {
		pos[log] = max(pos[log], q.begin[log], q.saved[log])
	}
	return pos
}

// lower takes into account what was taken and not confirmed: in order of
// occurrence the first of it stands for all classes.
func (q *queue) lower(first *[classes]uint64, f *fifo, byClass bool) {
	for i := f.head; i != f.tail; i++ {
		e := f.at(i)
		if e.class() == initialisation {
			continue
		}
		if byClass {
			first[e.class()] = min(first[e.class()], e.seq)
			continue
		}
		for c := range first {
			first[c] = min(first[c], e.seq)
		}
		return
	}
}

// saving is what is to be saved of the places of the groups.
type saving struct {
	gone  []string // of these nothing is needed any more
	names []string
	at    []connector.Position
}

// places returns what has to be saved since it was last called.
func (st *station) places(s *saving) {
	st.mu.Lock()
	defer st.mu.Unlock()
	s.gone, st.gone = st.gone, s.gone[:0]
	s.names, s.at = s.names[:0], s.at[:0]
	for _, q := range st.groups {
		if pos := q.position(&st.events, st.applied, st.settings.byClass()); pos != q.saved || !q.known || st.unsaved {
			q.saved, q.known = pos, true
			s.names = append(s.names, q.key.cursor())
			s.at = append(s.at, pos)
		}
	}
}

// savePlace saves the place of a new group at once: of what happens from now on
// nothing may be taken for what nobody needs. The caller holds mu.
func (st *station) savePlace(q *queue) {
	pos := q.position(&st.events, st.applied, st.settings.byClass())
	if err := st.feed.SaveCursor(q.key.cursor(), pos); err == nil { // if not, save says so
		q.saved, q.known = pos, true
	}
}

// save saves how far the groups have confirmed. It is called by one goroutine at a
// time.
func (st *station) save(feed connector.Feed, s *saving) {
	st.places(s)
	for _, name := range s.gone {
		feed.DropCursor(name)
	}
	var failed error
	for i, name := range s.names {
		if err := feed.SaveCursor(name, s.at[i]); err != nil {
			failed = err
		}
	}
	if failed != nil && !st.unsaved {
		st.log.Warn("places of groups not saved", "error", failed)
	}
	st.unsaved = failed != nil
}
