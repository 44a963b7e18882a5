package mqtt

import (
	"context"
	"sync"
)

// acks holds the messages that were received with QoS 1 or 2 and are not yet
// acknowledged. They are acknowledged in the order in which they came, as MQTT
// wants it, each only after its commit.
type acks struct {
	limit int
	fail  func(error)
	due   chan struct{} // has an element when messages may have become due
	space chan struct{} // has an element when slots became free

	mu          sync.Mutex
	first, last *slot // oldest and newest
	free        *slot
	open        int
}

// slot is one message. Slots are used again, together with their function.
type slot struct {
	next    *slot
	message acker
	done    bool
	commit  func(error)
}

func newAcks(limit int, fail func(error)) *acks {
	return &acks{limit: limit, fail: fail, due: make(chan struct{}, 1), space: make(chan struct{}, 1)}
}

// wait takes up a message and returns what the host calls once it is kept. It
// waits while too many are open, so that a broker is slowed down instead of
// filling the memory; if ctx ends it returns nil.
func (a *acks) wait(ctx context.Context, m acker) func(error) {
	for {
		if commit := a.add(m); commit != nil {
			return commit
		}
		select {
		case <-a.space:
		case <-ctx.Done():
			return nil
		}
	}
}

// add is wait, but returns nil if too many messages are open.
func (a *acks) add(m acker) func(error) {
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
	s.next, s.message, s.done = nil, m, false
	if a.last == nil {
		a.first = s
	} else {
		a.last.next = s
	}
	a.last = s
	a.open++
	return s.commit
}

// commit is called by the host, from any goroutine; it does not wait.
func (a *acks) commit(s *slot, err error) {
	if err != nil {
		a.fail(notKept(err))
		return
	}
	a.mu.Lock()
	s.done = true
	a.mu.Unlock()
	select {
	case a.due <- struct{}{}:
	default:
	}
}

// take appends the messages that are due, up to the first that is not yet kept.
func (a *acks) take(dst []acker) []acker {
	a.mu.Lock()
	defer a.mu.Unlock()
	full := a.open == a.limit
	for a.first != nil && a.first.done {
		s := a.first
		dst = append(dst, s.message)
		a.first = s.next
		s.next, s.message, a.free = a.free, nil, s
		a.open--
	}
	if a.first == nil {
		a.last = nil
	}
	if full && len(dst) > 0 {
		select {
		case a.space <- struct{}{}:
		default:
		}
	}
	return dst
}

// count returns how many messages are not yet acknowledged.
func (a *acks) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}
