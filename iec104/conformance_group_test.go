package iec104

import (
	"context"
	"net"
	"sync"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// redundant is a station whose connections are one redundancy group: they share
// the queue of events, and the connection started last is the one that has it.
type redundant struct {
	*testStation
	mu      sync.Mutex
	current *ServerConn
}

func (g *redundant) Open(c *ServerConn) (Session, error) {
	return &memberSession{&testSession{testStation: g.testStation, conn: c}, g}, nil
}

// memberSession takes events only while its connection has data transfer.
type memberSession struct {
	*testSession
	group *redundant
}

func (s *memberSession) Started(on bool) {
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if !on {
		return
	}
	if old := g.current; old != nil && old != s.conn {
		old.Close(&LinkError{Reason: Superseded})
	}
	if g.current != s.conn {
		g.current = s.conn
		g.queue.Rewind()
		g.queue.OnPut(s.conn.Wake)
	}
}

func (s *memberSession) Next(dst []Event) int {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if s.group.current != s.conn {
		return 0
	}
	return s.testSession.Next(dst)
}

func (s *memberSession) Confirm(n int) {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if s.group.current == s.conn {
		s.testSession.Confirm(n)
	}
}

// withGroup gives the edge a server whose station is a redundancy group.
func (e *edge) withGroup(cfg ServerConfig) (a, b *peer) {
	t := e.neighbour.t
	t.Helper()
	s := newTestServer(t, &redundant{testStation: e.st}, cfg)
	return connectOver(t, s, e.over.wrap), connectOver(t, s, e.over.wrap)
}

// groupCases are the edge cases of redundancy groups and of handshakes.
func groupCases() []check {
	one := ServerConfig{MaxObjectsPerASDU: 1}
	return []check{
		{row: "E094 a handshake that stalls", script: func(e *edge) {
			for t0, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 5 * time.Second: 5 * time.Second} {
				s := newTestServer(e.neighbour.t, e.st, ServerConfig{Params: Params{T0: t0}, MaxConnections: 1})
				p := connectOver(e.neighbour.t, s, func(c net.Conn) net.Conn { return &stalling{Conn: c} })
				p.wait(want - time.Millisecond)
				p.expectSilence()
				p.wait(time.Millisecond)
				p.expectClosed(HandshakeFailed)
				if n := s.Stats().Closed[HandshakeFailed]; n != 1 {
					e.t.Errorf("%d counted, want 1", n)
				}
				connectOver(e.neighbour.t, s, e.over.wrap).start() // its place is free again
			}
		}},
		{row: "E097 second connection of the group sends STARTDT act", script: func(e *edge) {
			a, b := e.withGroup(one)
			a.start()
			e.put(event(0, 1), event(1, 1), event(2, 1), event(3, 1))
			a.expect(iframe(0, 0, spont(0)), iframe(1, 0, spont(1)), iframe(2, 0, spont(2)), iframe(3, 0, spont(3)))
			a.send(sframe(1))
			b.send(startDTAct)
			b.expect(startDTCon, iframe(0, 0, spont(1)), iframe(1, 0, spont(2)), iframe(2, 0, spont(3)))
			a.expectClosed(Superseded)
			e.put(event(4, 1))
			b.expect(iframe(3, 0, spont(4)))
			b.send(sframe(4))
			if n, _ := e.st.queue.Len(); n != 0 {
				e.t.Errorf("%d events not confirmed", n)
			}
		}},
		{row: "E098 connection lost with unacknowledged events", script: func(e *edge) {
			a, b := e.withGroup(one)
			a.start()
			e.put(event(0, 1), event(1, 1), event(2, 1))
			a.expect(iframe(0, 0, spont(0)), iframe(1, 0, spont(1)), iframe(2, 0, spont(2)))
			a.send(sframe(2))
			a.conn.Close()
			synctest.Wait()
			e.put(event(3, 1))
			b.expectSilence() // the station never switches on its own
			b.start()
			b.expect(iframe(0, 0, spont(2)), iframe(1, 0, spont(3)))
			b.send(sframe(2))
			if n, _ := e.st.queue.Len(); n != 0 {
				e.t.Errorf("%d events not confirmed", n)
			}
		}},
		{row: "E099 event queue full", cfg: one, script: func(e *edge) {
			e.st.queue = NewQueue(5)
			e.fresh5()
			e.st.points[1] = []Item{single(100, 1)} // the latest value
			for i := range 8 {
				e.put(event(uint32(i), 1))
			}
			if d := e.st.queue.Dropped(); d != 3 {
				e.t.Errorf("%d dropped, want 3", d)
			}
			e.start()
			for i := range 5 {
				e.expect(iframe(i, 0, spont(3+i)))
			}
			e.send(iframe(0, 5, giAct))
			e.expect(iframe(5, 1, giCon), iframe(6, 1, "01 01 14 00 01 00 64 00 00 01"), iframe(7, 1, giEnd))
		}},
		{row: "E099 event queue full of events under way", cfg: one, script: func(e *edge) {
			e.st.queue = NewQueue(5)
			e.fresh5()
			e.start()
			for i := range 8 { // what is under way may still arrive: the new ones are dropped
				e.put(event(uint32(i), 1))
			}
			for i := range 5 {
				e.expect(iframe(i, 0, spont(i)))
			}
			e.expectSilence()
			e.send(sframe(5))
			e.put(event(8, 1))
			e.expect(iframe(5, 0, spont(8)))
			if d := e.st.queue.Dropped(); d != 3 {
				e.t.Errorf("%d dropped, want 3", d)
			}
		}},
	}
}

// fresh5 makes another connection with the queue that the station has now.
func (e *edge) fresh5() {
	e.conn.Close()
	e.wait(0)
	e.closes(ClosedByPeer)
	e.renew()
}

// groupRowsOfStation are the rows of redundancy groups in the controlled station.
func groupRowsOfStation() []check {
	one := ServerConfig{MaxObjectsPerASDU: 1}
	return []check{
		{row: "1.6 controlled connections that are not started are supervised by TESTFR", script: func(e *edge) {
			a, b := e.withGroup(one)
			a.start()
			a.wait(20 * time.Second)
			for _, p := range []*peer{a, b} {
				p.expect(testFRAct)
				p.send(testFRCon)
			}
			e.put(event(1, 1))
			a.expect(iframe(0, 0, spont(1)))
			b.expectSilence()
		}},
		{row: "1.6 controlled planned switch: STOPDT, its con, STARTDT on the other", script: func(e *edge) {
			a, b := e.withGroup(one)
			a.start()
			e.put(event(0, 1), event(1, 1))
			a.expect(iframe(0, 0, spont(0)), iframe(1, 0, spont(1)))
			a.send(stopDTAct)
			a.expectSilence()
			a.send(sframe(2))
			a.expect(stopDTCon)
			e.put(event(2, 1))
			b.start()
			b.expect(iframe(0, 0, spont(2)))
			if a.closed() {
				a.expectClosed(Superseded) // it may stay as a standby, or go
			}
		}},
		{row: "1.6 controlled groups are independent", script: func(e *edge) {
			a, _ := e.withGroup(one)
			a.start()
			e.put(event(0, 1))
			a.expect(iframe(0, 0, spont(0)))
			e.neighbour.undisturbed() // the other station has a queue of its own
		}},
		{row: "1.6 controlled answers are bound to the connection", script: func(e *edge) {
			e.st.points[1] = many(1, 2000)
			e.st.verdict = func(Command) Verdict { return Pending }
			a, b := e.withGroup(one)
			a.start()
			a.send(iframe(0, 0, giAct), iframe(1, 0, command))
			a.expect(iframe(0, 2, giCon))
			a.conn.Close()
			b.start()
			b.expectSilence() // neither data, termination nor confirmation
			b.wait(5 * time.Second)
			b.expectSilence()
		}},
	}
}

// refusalOrderRows are the rows of the order of negative answers.
func refusalOrderRows() []check {
	const unknownAll = "34 01 03 05 4d 00 0f 27 00 01" // type 52, cause 3, common address 77, object 9999
	return []check{
		{row: "5.12 controlled checks in their order: type, cause, common address, object, contents", script: func(e *edge) {
			e.start()
			for i, c := range []struct{ asked, answered string }{
				{unknownAll, "34 01 6c 05 4d 00 0f 27 00 01"},
				{"2d" + unknownAll[2:], "2d 01 6d 05 4d 00 0f 27 00 01"},
				{"2d 01 06 05 4d 00 0f 27 00 01", "2d 01 6e 05 4d 00 0f 27 00 01"},
				{"2d 01 06 05 01 00 0f 27 00 01", "2d 01 6f 05 01 00 0f 27 00 01"},
				{"2d 01 06 05 01 00 89 13 00 01", "2d 01 47 05 01 00 89 13 00 01"},
				{"2d 01 08 05 01 00 89 13 00 81", "2d 01 49 05 01 00 89 13 00 81"},
				{"64 01 03 05 4d 00 01 00 00 14", "64 01 6d 05 4d 00 01 00 00 14"},
				{"64 01 06 05 4d 00 01 00 00 14", "64 01 6e 05 4d 00 01 00 00 14"},
				{"64 01 06 05 01 00 01 00 00 14", "64 01 6f 05 01 00 01 00 00 14"},
				{"64 01 86 05 01 00 01 00 00 14", "64 01 ef 05 01 00 01 00 00 14"}, // T as received
			} {
				e.send(iframe(i, i, c.asked))
				e.expect(iframe(i, i+1, c.answered))
			}
		}},
		{row: "5.12 controlled every cause that the type does not have", script: func(e *edge) {
			e.start()
			n := 0
			for cause := range 64 {
				switch asdu.Cause(cause) {
				case asdu.Activation, asdu.Deactivation, asdu.ActivationCon, asdu.DeactivationCon, asdu.ActivationTerm,
					asdu.UnknownType, asdu.UnknownCause, asdu.UnknownCA, asdu.UnknownIOA:
					continue
				}
				e.send(iframe(n, n, "2d 01"+hexOf([]byte{byte(cause)})+"05 01 00 88 13 00 01"))
				e.expect(iframe(n, n+1, "2d 01 6d 05 01 00 88 13 00 01"))
				n++
			}
			e.untouched()
		}},
		{row: "5.12 controlled answers are never answered", script: func(e *edge) {
			e.start()
			for i, cause := range []byte{7, 9, 10, 44, 45, 46, 47} {
				e.send(iframe(2*i, 0, "2d 01"+hexOf([]byte{cause})+"05 01 00 88 13 00 01"), iframe(2*i+1, 0, "fe 01"+hexOf([]byte{cause | 0x40})+"05 4d 00 88 13 00 01"))
			}
			e.expect(sframe(8))
			e.expectSilence()
			e.untouched()
			if n := e.info().Ignored; n != 14 {
				e.t.Errorf("%d ignored, want 14", n)
			}
		}},
	}
}

// stalling is a connection whose handshake never ends.
type stalling struct{ net.Conn }

func (*stalling) HandshakeContext(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
