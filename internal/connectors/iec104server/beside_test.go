package iec104server

import (
	"io"
	"log/slog"
	"testing"

	"busbar/iec104"
)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// Without named groups, a further connection from an address is one beside the
// first, unless that one turns out to be dead.

func TestFurtherConnectionOfALivingStation(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	a := r.join().settle()
	r.ints(1)
	b := r.joinFrom(a.peer)
	if n := a.conn.(*fakeConn).probes; n != 1 {
		t.Errorf("the first connection was tested %d times, want once", n)
	}
	if n, done := b.Interrogate(1, 20).Next(make([]iec104.Item, 9)); n != 0 || done {
		t.Error("an interrogation is answered before it is known which events go first")
	}
	r.ints(2)
	b.wants(t) // it waits to know
	a.Alive()
	b.wants(t, 2)
	a.wants(t, 1, 2)
	b.Closed(nil)
	r.ints(3)
	a.wants(t, 3)
}

func TestFurtherConnectionInsteadOfADeadOne(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	a := r.join().settle()
	r.ints(1, 2)
	a.wants(t, 1, 2)
	a.Confirm(1)
	r.ints(3)
	b := r.joinFrom(a.peer)
	r.ints(4)
	b.wants(t)
	a.Closed(nil) // t1
	b.wants(t, 2, 3, 4)
	b.Confirm(3)
	b.Closed(nil)
	r.ints(5)
	r.joinFrom(a.peer).wants(t, 5)
	if len(r.queues) != 1 {
		t.Errorf("%d buffers are left, want 1", len(r.queues))
	}
}

func TestFurtherConnectionBecomesTheGroup(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	a := r.join().settle()
	b := r.joinFrom(a.peer)
	a.Alive()
	r.ints(1)
	a.wants(t, 1)
	b.wants(t, 1)
	a.Confirm(1)
	a.Closed(nil)
	b.Closed(nil) // without a confirmation
	r.ints(2)
	r.joinFrom(a.peer).wants(t, 1, 2)
}

func TestFurtherConnectionLosesNothingOfTheFirst(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	a := r.join().settle()
	r.ints(1)
	a.wants(t, 1)
	b := r.joinFrom(a.peer)
	a.Alive()
	r.ints(2)
	b.wants(t, 2)
	a.Closed(nil) // the first event was never confirmed, and b has not got it
	c := r.joinFrom(a.peer)
	c.wants(t, 1, 2)
	if n := b.conn.(*fakeConn).probes; n != 0 {
		t.Errorf("a connection beside the group was tested %d times", n)
	}
}

func TestStopOfTheFirstLetsTheFurtherOneTakeOver(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	a := r.join().settle()
	r.ints(1)
	b := r.joinFrom(a.peer)
	a.Started(false)
	b.wants(t, 1)
	if a.conn.(*fakeConn).closed != nil {
		t.Error("the first connection is closed")
	}
	b.Closed(nil)
	a.Started(true)
	a.wants(t, 1)
}

func TestStoppedConnectionYieldsToOneOfItsAddress(t *testing.T) {
	r := newRig(t)
	r.targets(oneInt())
	a := r.join().settle()
	a.Started(false)
	r.ints(1)
	b := r.joinFrom(a.peer)
	b.wants(t, 1)
	b.Confirm(1)
	r.ints(2)
	a.Started(true) // now this one is further
	if n := b.conn.(*fakeConn).probes; n != 1 {
		t.Errorf("the connection that has the group was tested %d times, want once", n)
	}
	b.Alive()
	r.ints(3)
	a.wants(t, 3)
	b.wants(t, 2, 3)
}
