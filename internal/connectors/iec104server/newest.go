package iec104server

import "busbar/internal/connector"

// newest holds the newest event of each target with `keep: latest`: an event
// that comes takes the place of the one before it, at the end of the list of its
// class. So the lists stay in the order of occurrence and never hold more than
// one event per target, however long nobody reads them.
type newest struct {
	slots      []slot
	free       []uint32
	linked     int
	head, tail [classes]uint32 // absent: the list is empty; valid once there is a slot
	byTarget   pages
}

type slot struct {
	event
	prev, next uint32
}

// seq returns the number of the event in a slot, none if there is no slot.
func (l *newest) seq(at uint32) uint64 {
	if at == absent {
		return none
	}
	return l.slots[at].seq
}

// put makes an event the newest of its target. The places of buffers in the list
// are corrected. again: some may have confirmed it before a restart.
func (l *newest) put(e event, queues []*queue, again bool) {
	at := l.byTarget.get(uint32(e.target))
	if at == absent {
		at = l.take(e.target)
	} else {
		l.unlink(at, queues)
	}
	c := e.class()
	s := &l.slots[at]
	s.event, s.prev, s.next = e, l.tail[c], absent
	if s.prev == absent {
		l.head[c] = at
	} else {
		l.slots[s.prev].next = at
	}
	l.tail[c] = at
	l.linked++
	log := e.kind.typ().Class()
	for _, q := range queues {
		if q.place[c] == absent && !(again && q.has(log, e.seq)) {
			q.place[c] = at
		}
	}
}

// take returns a slot for a target.
func (l *newest) take(t connector.TargetID) uint32 {
	if len(l.slots) == 0 {
		for c := range classes {
			l.head[c], l.tail[c] = absent, absent
		}
	}
	at := uint32(len(l.slots))
	if n := len(l.free); n > 0 {
		at = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		l.slots = append(l.slots, slot{})
	}
	l.byTarget.set(uint32(t), at)
	return at
}

// unlink takes a slot out of its list; buffers that would have read it next read
// the one behind it.
func (l *newest) unlink(at uint32, queues []*queue) {
	s := &l.slots[at]
	c := s.class()
	for _, q := range queues {
		if q.place[c] == at {
			q.place[c] = s.next
		}
	}
	if s.prev == absent {
		l.head[c] = s.next
	} else {
		l.slots[s.prev].next = s.next
	}
	if s.next == absent {
		l.tail[c] = s.prev
	} else {
		l.slots[s.next].prev = s.prev
	}
	l.linked--
}

// purge drops the events of targets that are gone, and returns in how many
// buffers one of them waited.
func (l *newest) purge(t *table, queues []*queue) (waited uint64) {
	if l.linked == 0 {
		return 0
	}
	for c := range classes {
		for at := l.head[c]; at != absent; {
			s := &l.slots[at]
			next := s.next
			if t.byTarget.get(uint32(s.target)) == absent {
				for _, q := range queues {
					if l.seq(q.place[c]) <= s.seq {
						waited++
					}
				}
				l.unlink(at, queues)
				l.byTarget.set(uint32(s.target), absent)
				l.free = append(l.free, at)
			}
			at = next
		}
	}
	return waited
}
