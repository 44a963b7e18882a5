package iec104

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// take returns the object addresses of the next events of a queue.
func take(q *Queue, n int) (addresses []uint32) {
	events := make([]Event, n)
	for _, e := range events[:q.Next(events)] {
		addresses = append(addresses, e.IOA)
	}
	return addresses
}

func put(q *Queue, from, to uint32) {
	for ioa := from; ioa <= to; ioa++ {
		e := event(ioa, 0)
		q.Put(&e)
	}
}

func TestQueueDropsTheOldestNotTaken(t *testing.T) {
	t.Parallel()
	q := NewQueue(20)
	put(q, 1, 20)
	if diff := cmp.Diff([]uint32{1, 2, 3}, take(q, 3)); diff != "" {
		t.Fatalf("taken (-want +got):\n%s", diff)
	}
	put(q, 21, 22) // 4 and 5 have to go
	if diff := cmp.Diff([]uint32{6, 7}, take(q, 2)); diff != "" {
		t.Errorf("after the overflow (-want +got):\n%s", diff)
	}
	if q.Dropped() != 2 {
		t.Errorf("%d dropped, want 2", q.Dropped())
	}
	q.Confirm(2)
	q.Rewind()
	if diff := cmp.Diff([]uint32{3, 6, 7, 8}, take(q, 4)); diff != "" {
		t.Errorf("after the loss of the connection (-want +got):\n%s", diff)
	}
	if events, taken := q.Len(); events != 18 || taken != 4 {
		t.Errorf("%d events, %d taken, want 18 and 4", events, taken)
	}
}

func TestQueueOfTakenEvents(t *testing.T) {
	t.Parallel()
	q := NewQueue(2)
	woken := 0
	q.OnPut(func() { woken++ })
	put(q, 1, 2)
	take(q, 2)
	put(q, 3, 3) // both places are taken: this one is lost
	if events, taken := q.Len(); events != 2 || taken != 2 || q.Dropped() != 1 || woken != 2 {
		t.Errorf("%d events, %d taken, %d dropped, %d wake-ups, want 2, 2, 1, 2", events, taken, q.Dropped(), woken)
	}
	q.Confirm(5) // more than there are
	if events, _ := q.Len(); events != 0 {
		t.Errorf("%d events, want none", events)
	}
}
