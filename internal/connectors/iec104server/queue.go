package iec104server

import (
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// queue is the event buffer of a redundancy group: its place in the event log,
// and the events that were taken from there and are not confirmed. Those that wait
// in the log are dropped when they are more than the limit; those that were
// taken never are.
//
// The session that owns it changes it under the read lock of the station,
// everybody else under the write lock.
type queue struct {
	key       groupKey
	shared    bool     // another connection that is started takes it over
	temporary bool     // of a connection beside the one that owns the buffer of its group
	owner     *session // nil: nobody is connected
	since     uint64   // number of the first event that it is for
	broken    bool     // the connection of its last owner has ended
	idle      time.Time

	at     [classes]uint64 // position in the chain of the next event to take
	place  [classes]uint32 // slot of the next newest event to take, absent: none
	flight fifo            // taken by the owner and not confirmed
	again  fifo            // taken by an owner before and not confirmed: they go first

	begin connector.Position // where it begins in the change log: what comes before is not for it
	saved connector.Position // how far it has confirmed, as it was last saved
	known bool               // saved is

	resumed uint64        // number behind the last event that a break is the reason for being late
	oldest  point.Instant // of those, older ones are not sent

	dropped  [classes]uint64 // that did not fit
	warned   time.Time       // when it was last logged
	switched time.Time       // when it was last taken over
}

// newQueue returns a queue that begins after a position of the change log, of which
// nothing is in the event log yet.
func newQueue(key groupKey, l *eventLog, begin connector.Position) *queue {
	q := &queue{key: key, since: l.next, begin: begin}
	q.skip(l)
	return q
}

// skip moves the queue behind all events.
func (q *queue) skip(l *eventLog) {
	for c := range classes {
		q.at[c] = l.chains[c].next
		q.place[c] = absent
	}
	q.again = fifo{}
}

// heads returns of each class the number of the next event to take.
func (q *queue) heads(l *eventLog) (heads [classes]uint64) {
	for c := range classes {
		heads[c] = min(q.head(l, c), l.newest.seq(q.place[c]))
	}
	return heads
}

// head returns the number of the next event to take from a chain.
func (q *queue) head(l *eventLog, c class) uint64 {
	if q.at[c] == l.chains[c].next {
		return none
	}
	return l.chains[c].at(q.at[c]).seq
}

// first returns the number of the next event to take.
func (q *queue) first(l *eventLog) uint64 {
	h := q.heads(l)
	return min(h[statusClass], h[counterClass], h[measuredClass])
}

// source is where the next events come from.
type source struct {
	class  class
	listed bool   // one from the list of newest events, otherwise from the chain
	upto   uint64 // events up to this number, which belongs to another source
}

// choose returns where the next event comes from: the oldest of all, or byClass
// the oldest of the first class that has any. It is false if there is none.
func (q *queue) choose(l *eventLog, byClass bool) (next source, ok bool) {
	first := uint64(none)
	next.upto = none
	consider := func(seq uint64, s source) {
		if seq < first {
			first, seq = seq, first
			next.class, next.listed = s.class, s.listed
		}
		next.upto = min(next.upto, seq)
	}
	for c := range classes {
		consider(q.head(l, c), source{class: c})
		if q.place[c] != absent {
			consider(l.newest.seq(q.place[c]), source{class: c, listed: true})
		}
		if byClass && first != none {
			break
		}
	}
	return next, first != none
}

// reclaim makes what was taken and not confirmed the first to be sent again, and
// returns how many ends of initialisation were among it.
func (q *queue) reclaim() (initialisations int) {
	rest := q.again
	q.again = fifo{}
	for _, f := range [2]*fifo{&q.flight, &rest} {
		for f.len() > 0 {
			if e := f.pop(); e.tests() {
				continue
			} else if e.class() == initialisation {
				initialisations++
			} else {
				q.again.push(e)
			}
		}
	}
	q.flight = fifo{}
	return initialisations
}

// waiting returns how many events wait in the log, without those of which only
// the newest is kept.
func (q *queue) waiting(l *eventLog) uint64 {
	n := uint64(0)
	for c := range classes {
		n += l.chains[c].next - q.at[c]
	}
	return n
}

// pending returns how many events are not confirmed.
func (q *queue) pending(l *eventLog) uint64 {
	n := q.waiting(l) + uint64(q.again.len()+q.unconfirmed())
	for c := range classes {
		for at := q.place[c]; at != absent; at = l.newest.slots[at].next {
			n++
		}
	}
	return n
}

// unconfirmed returns how many events are on their way.
func (q *queue) unconfirmed() (n int) {
	for i := range q.flight.len() {
		if q.flight.at(q.flight.head+uint64(i)).class() != initialisation {
			n++
		}
	}
	return n
}

// settle drops what is beyond the limit: the oldest measured values first, then
// counters, then status. It reports whether there was any.
func (q *queue) settle(l *eventLog, limit uint64) bool {
	n := q.waiting(l)
	if n <= limit {
		return false
	}
	n -= limit
	for c := int(classes) - 1; c >= 0; c-- {
		lost := min(n, l.chains[c].next-q.at[c])
		q.at[c] += lost
		q.dropped[c] += lost
		n -= lost
	}
	return true
}

// lost returns how many events did not fit.
func (q *queue) lost() (n uint64) {
	for _, d := range q.dropped {
		n += d
	}
	return n
}
