package iec104

import "sync"

// Queue is a bounded queue of events in memory, for a [Session] that needs no
// more: its Next and Confirm are those of the session. When it is full the
// oldest event not yet taken is dropped and counted; what was taken is never
// touched. Events are kept while no connection takes them, and [Queue.Rewind]
// offers those that were not confirmed to the next one.
//
// It may be used from any goroutine.
type Queue struct {
	mu      sync.Mutex
	limit   int
	waiting ring
	taken   ring // not confirmed
	dropped uint64
	wake    func()
}

// NewQueue returns a queue for at most limit events, taken ones included. A
// limit below 1 is 1.
func NewQueue(limit int) *Queue { return &Queue{limit: max(1, limit)} }

// Put appends an event and wakes the connection. It reports whether there was
// room for it without dropping another. If every event in a full queue has
// been taken, it is the new one that is dropped.
func (q *Queue) Put(e *Event) bool {
	q.mu.Lock()
	fits := q.waiting.len()+q.taken.len() < q.limit
	kept := fits || q.waiting.len() > 0
	if !fits {
		q.dropped++
	}
	if kept {
		if !fits {
			q.waiting.drop(1)
		}
		*q.waiting.push() = *e
	}
	wake := q.wake
	q.mu.Unlock()
	if kept && wake != nil {
		wake()
	}
	return fits
}

// OnPut sets the function that wakes the connection, [ServerConn.Wake]; nil for
// none. It is called without a lock held.
func (q *Queue) OnPut(wake func()) {
	q.mu.Lock()
	q.wake = wake
	q.mu.Unlock()
}

// Next copies the oldest events not yet taken into dst, takes them and returns
// how many.
func (q *Queue) Next(dst []Event) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(dst), q.waiting.len())
	for i := range n {
		dst[i] = *q.waiting.first()
		*q.taken.push() = dst[i]
		q.waiting.drop(1)
	}
	return n
}

// Confirm removes the n oldest events of those taken.
func (q *Queue) Confirm(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken.drop(min(max(0, n), q.taken.len()))
}

// Rewind makes the events that were taken and not confirmed the next ones
// again, in their order: for a new connection after one was lost.
func (q *Queue) Rewind() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.taken.len() > 0 {
		*q.waiting.pushFront() = *q.taken.last()
		q.taken.tail--
	}
}

// Len returns the number of events in the queue, and how many of them are
// taken.
func (q *Queue) Len() (events, taken int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting.len() + q.taken.len(), q.taken.len()
}

// Dropped returns how many events were lost because the queue was full.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// ring is a queue of events in a slice whose length is a power of two.
type ring struct {
	buf        []Event
	head, tail uint64 // positions, modulo the length
}

func (r *ring) len() int           { return int(r.tail - r.head) }
func (r *ring) at(i uint64) *Event { return &r.buf[i&uint64(len(r.buf)-1)] }
func (r *ring) first() *Event      { return r.at(r.head) }
func (r *ring) last() *Event       { return r.at(r.tail - 1) }
func (r *ring) drop(n int)         { r.head += uint64(n) }

// push returns the place of a new last event.
func (r *ring) push() *Event {
	r.grow()
	r.tail++
	return r.last()
}

// pushFront returns the place of a new first event.
func (r *ring) pushFront() *Event {
	r.grow()
	r.head--
	return r.first()
}

// grow makes room for one more event.
func (r *ring) grow() {
	if r.len() < len(r.buf) {
		return
	}
	old := *r
	r.buf = make([]Event, max(16, 2*len(old.buf)))
	for i := old.head; i != old.tail; i++ {
		*r.at(i) = *old.at(i)
	}
}
