package mqtt

import "busbar/internal/connector"

// newest holds one event of a target: one that comes takes the place of the one
// before it, at the end of the list. So it never holds more than one event per
// target, however long nobody reads it.
type newest struct {
	slots      []place
	free       []uint32
	len        int
	head, tail uint32 // one more than the index of the slot; 0: the list is empty
	byTarget   map[connector.TargetID]uint32
}

type place struct {
	event
	prev, next uint32 // as head and tail
}

// put makes an event the newest of its target, and returns the one that it takes
// the place of.
func (l *newest) put(e event) (old event, replaced bool) {
	old, replaced = l.drop(e.target)
	at := uint32(len(l.slots)) + 1
	if n := len(l.free); n > 0 {
		at = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		l.slots = append(l.slots, place{})
	}
	l.slots[at-1] = place{event: e, prev: l.tail}
	if l.tail == 0 {
		l.head = at
	} else {
		l.slots[l.tail-1].next = at
	}
	l.tail = at
	if l.byTarget == nil {
		l.byTarget = make(map[connector.TargetID]uint32)
	}
	l.byTarget[e.target] = at
	l.len++
	return old, replaced
}

// has reports whether there is an event of a target.
func (l *newest) has(t connector.TargetID) bool {
	if l.len == 0 {
		return false
	}
	_, ok := l.byTarget[t]
	return ok
}

// drop takes the event of a target out of the list, if there is one.
func (l *newest) drop(t connector.TargetID) (event, bool) {
	if l.len == 0 {
		return event{}, false
	}
	at, ok := l.byTarget[t]
	if !ok {
		return event{}, false
	}
	delete(l.byTarget, t)
	s := &l.slots[at-1]
	if s.prev == 0 {
		l.head = s.next
	} else {
		l.slots[s.prev-1].next = s.next
	}
	if s.next == 0 {
		l.tail = s.prev
	} else {
		l.slots[s.next-1].prev = s.prev
	}
	l.free = append(l.free, at)
	l.len--
	return s.event, true
}

// first returns the event that is longest in the list; there is one.
func (l *newest) first() *event { return &l.slots[l.head-1].event }
