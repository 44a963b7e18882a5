package mqtt

import "sync"

// acks holds the messages that were received with QoS 1 or 2 and are not yet
// acknowledged. Acknowledgements are sent in the order in which the messages
// came, as MQTT wants it, each only after its commit.
type acks struct {
	limit   int
	changed func(error)   // called after a commit, from the goroutine that commits
	space   chan struct{} // has an element when slots became free

	mu          sync.Mutex
	first, last *slot // oldest and newest
	free        *slot
	open        int
}

// slot is one message. Slots are used again, together with their function.
type slot struct {
	next   *slot
	id     uint16
	qos    byte
	done   bool
	commit func(error)
}

func newAcks(limit int, changed func(error)) *acks {
	return &acks{limit: limit, changed: changed, space: make(chan struct{}, 1)}
}

// add takes up a message and returns what the host calls once it is kept, or
// nil if too many messages are open.
func (a *acks) add(id uint16, qos byte) func(error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == a.limit {
		return nil
	}
	s := a.free
	if s == nil {
		s = &slot{}
		s.commit = func(err error) { a.commit(s, err) }
	} else {
		a.free = s.next
	}
	s.next, s.id, s.qos, s.done = nil, id, qos, false
	if a.last == nil {
		a.first = s
	} else {
		a.last.next = s
	}
	a.last = s
	a.open++
	return s.commit
}

func (a *acks) commit(s *slot, err error) {
	if err == nil {
		a.mu.Lock()
		s.done = true
		a.mu.Unlock()
	}
	a.changed(err)
}

// take appends the acknowledgements that are due, up to the first message that
// is not yet kept, and returns how many. The identifiers of QoS 2 are noted in
// received, as PUBREC makes the message ours.
func (a *acks) take(dst []byte, received map[uint16]struct{}) ([]byte, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for a.first != nil && a.first.done {
		s := a.first
		kind := byte(puback)
		if s.qos == 2 {
			kind = pubrec
			received[s.id] = struct{}{}
		}
		dst = appendShort(dst, kind, s.id)
		a.first = s.next
		s.next, a.free = a.free, s
		n++
	}
	if a.first == nil {
		a.last = nil
	}
	if n > 0 && a.open == a.limit {
		select {
		case a.space <- struct{}{}:
		default:
		}
	}
	a.open -= n
	return dst, n
}

// count returns how many messages are not yet acknowledged.
func (a *acks) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}
