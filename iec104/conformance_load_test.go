package iec104

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is a station with the same events for every connection, each with a
// queue of its own.
type crowd struct {
	mu     sync.Mutex
	queues map[uint64]*Queue
}

func (c *crowd) Open(conn *ServerConn) (Session, error) {
	st := newTestStation()
	st.queue = NewQueue(10_000)
	c.mu.Lock()
	c.queues[conn.ID()] = st.queue
	c.mu.Unlock()
	return st.Open(conn)
}

// publish queues an event for everybody.
func (c *crowd) publish(ioa int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queues {
		e := event(uint32(ioa), 1)
		q.Put(&e)
	}
}

// TestHundredStationsAndTwoBadOnes has a hundred controlling stations idle for
// minutes and then take events, while one does not read and another sends
// garbage again and again.
func TestHundredStationsAndTwoBadOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{queues: map[uint64]*Queue{}}
		s := newTestServer(t, c, ServerConfig{MaxConnections: 200, ConnectRate: -1})
		good := make([]*attendant, 100)
		for i := range good {
			good[i] = attend(t, s, 1)
			good[i].send(startDTAct)
		}
		time.Sleep(5 * time.Minute)
		for i, a := range good {
			if got := a.taken(); len(got) != 0 || a.tests < 14 {
				t.Fatalf("station %d was sent %d ASDUs and %d TESTFR while idle, want none and one every 20 s", i, len(got), a.tests)
			}
		}
		deaf := connect(t, s)
		deaf.start()
		deaf.pause()
		published := 0
		publish := func(n int) {
			for range n {
				c.publish(published)
				published++
			}
			rude := connect(t, s)
			rude.send("68 04 07 00 00 00 68 04 43 00 de ad be ef")
			rude.expect("68 04 0b 00 00 00")
			for b := rude.next(); b != nil; b = rude.next() {
				if b[2]&1 == 1 && b[2] != 0x83 {
					t.Fatalf("received %x", b)
				}
			}
			rude.expectClosed(BadStart)
			time.Sleep(200 * time.Millisecond)
		}
		for range 100 {
			publish(1)
		}
		for range 5 {
			publish(150)
		}
		synctest.Wait()
		for i, a := range good {
			inOrder(t, i, a.taken(), published)
		}
		deaf.resume()
		deaf.expectClosed(NoAck)
		if stats := s.Stats(); stats.Started != 100 || stats.Closed[NoAck] != 1 || stats.Closed[BadStart] != 105 {
			t.Errorf("figures: %d started, closed %v", stats.Started, stats.Closed)
		}
	})
}

// inOrder checks that spontaneous single points with the addresses 0 … n−1
// were received, in this order, and nothing else.
func inOrder(t *testing.T, station int, asdus []string, n int) {
	t.Helper()
	next := 0
	for _, a := range asdus {
		if a[:2] != "01" || a[4:12] != "03000100" {
			t.Fatalf("station %d was sent %s", station, a)
		}
		for objs := a[12:]; len(objs) > 0; objs = objs[8:] {
			ioa, err := strconv.ParseUint(objs[4:6]+objs[2:4]+objs[:2], 16, 32)
			if err != nil || int(ioa) != next {
				t.Fatalf("station %d got event %d, want %d (%v)", station, ioa, next, err)
			}
			next++
		}
	}
	if next != n {
		t.Fatalf("station %d got %d events, want %d", station, next, n)
	}
}

// TestEventsAcrossTheSequenceWrap sends more events than there are sequence
// numbers, one in each frame, to a station that acknowledges every w of them.
func TestEventsAcrossTheSequenceWrap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const events = 34_000
		st := newTestStation()
		s := newTestServer(t, st, ServerConfig{Params: Params{K: 12, W: 8}, MaxObjectsPerASDU: 1})
		a := attend(t, s, 8)
		a.send(startDTAct)
		for i := range events {
			e := event(uint32(i), 1)
			st.queue.Put(&e)
		}
		got := a.taken()
		if len(got) != events {
			t.Fatalf("%d frames, want %d", len(got), events)
		}
		inOrder(t, 0, got, events)
		if i := s.Conns()[0]; i.Outstanding != events%8 || int(i.VS) != events%32768 {
			t.Errorf("%d outstanding, V(S) %d", i.Outstanding, i.VS)
		}
		if n, _ := st.queue.Len(); n != events%8 {
			t.Errorf("%d events not confirmed, want %d", n, events%8)
		}
	})
}

// TestEveryEventOnceOrMore loses the connection again and again: what was not
// acknowledged is sent again, in the old order and with new numbers.
func TestEveryEventOnceOrMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const events = 60
		st := newTestStation()
		s := newTestServer(t, st, ServerConfig{MaxObjectsPerASDU: 1})
		for i := range events {
			st.put(event(uint32(i), 1))
		}
		for acknowledged := 0; acknowledged < events; {
			p := connect(t, s)
			p.start()
			n := min(12, events-acknowledged)
			for i := range n {
				p.expect(iframe(i, 0, spont(acknowledged+i)))
			}
			take := min(n, 5)
			p.send(sframe(take))
			acknowledged += take
			p.conn.Close()
			synctest.Wait()
		}
		if n, _ := st.queue.Len(); n != 0 {
			t.Errorf("%d events left", n)
		}
	})
}

// TestNothingIsLeft checks that connections take nothing with them: their
// goroutines end, which the bubble sees to, and the server forgets them.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, newTestStation(), ServerConfig{ConnectRate: -1})
		for i := range 300 {
			p := connect(t, s)
			switch i % 3 {
			case 0:
				p.send(strings.Repeat("68 04 43 00 00 00", 3) + "ff")
				p.expect("68 04 83 00 00 00", "68 04 83 00 00 00", "68 04 83 00 00 00")
				p.expectClosed(BadStart)
			case 1:
				p.start()
				p.conn.Close()
			case 2:
				p.send("68 0e 00")
				p.conn.Close()
			}
		}
		synctest.Wait()
		if stats := s.Stats(); stats.Open != 0 || stats.Accepted != 300 || len(s.conns) != 0 {
			t.Errorf("figures: %+v", stats)
		}
	})
}
