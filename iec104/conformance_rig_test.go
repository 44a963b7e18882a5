package iec104

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// The conformance suite plays one row of the protocol's tables after the other
// to a server or a client, octet for octet, under virtual time. Its frames are
// written by hand; none comes from the encoders of the library. Each row is
// played over two kinds of connection, and while it is, a second controlling
// station is connected to the same server and must not notice.

// check is one row for the controlled station.
type check struct {
	row    string
	cfg    ServerConfig
	pipe   bool // the peer has to be able not to read: not over sockets
	script func(e *edge)
}

// edge is what a check plays with: a peer that is connected and stopped.
//
// Its station has common address 1 with the points 100 and 101, the group 2
// with the point 100, no other, one counter, and takes commands to 5000 and
// refuses those to 5001.
type edge struct {
	*peer
	st        *testStation
	s         *Server
	neighbour *attendant
	over      medium
	closings  ClosedCount // as of the last call of closes
}

// medium is a kind of connection.
type medium struct {
	name string
	wrap func(net.Conn) net.Conn // the end of the station
}

// media: over a pipe a write waits for the peer, so that a goroutine of its
// own writes; over sockets the reader writes its answers itself.
func media() []medium {
	return []medium{
		{"pipe", func(c net.Conn) net.Conn { return c }},
		{"socket", newSocket},
	}
}

// play runs the checks.
func play(t *testing.T, checks []check) {
	for _, c := range checks {
		for _, m := range media() {
			if c.pipe && m.name != "pipe" {
				continue
			}
			t.Run(c.row+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := newEdge(t, c.cfg, m)
					c.script(e)
					e.neighbour.undisturbed()
				})
			})
		}
	}
}

func newEdge(t *testing.T, cfg ServerConfig, m medium) *edge {
	t.Helper()
	st, other := newTestStation(), newTestStation()
	st.points[1] = []Item{single(100, 1), single(101, 0)}
	st.groups = map[uint8][]Item{22: {single(100, 1)}, 23: {}}
	st.counters = []Item{{Type: asdu.M_IT_NA_1, Object: asdu.Object{IOA: 800, Value: 123456789, Sequence: 5}}}
	st.reset = true
	st.verdict = func(c Command) Verdict { return map[uint32]Verdict{5000: Accepted, 5001: Refused}[c.IOA] }
	e := &edge{st: st, over: m, s: newTestServer(t, &twins{st, other}, cfg)}
	e.neighbour = attend(t, e.s, 1)
	e.neighbour.st = other
	e.neighbour.send(startDTAct)
	e.renew()
	return e
}

// twins serves the first connection with one station and the others with another.
type twins struct{ st, first *testStation }

func (s *twins) Open(c *ServerConn) (Session, error) {
	if c.ID() == 1 {
		return s.first.Open(c)
	}
	return s.st.Open(c)
}

// renew makes a further connection to the server that of the edge.
func (e *edge) renew() {
	t := e.neighbour.t
	t.Helper()
	e.peer = connectOver(t, e.s, e.over.wrap)
}

// fresh gives the connection up, and the events, and makes another.
func (e *edge) fresh() {
	e.neighbour.t.Helper()
	if !e.peer.closed() {
		e.conn.Close()
		e.wait(0)
		e.closes(ClosedByPeer)
	}
	e.st.queue = NewQueue(100_000)
	e.renew()
}

// connectOver is connect with the server's end of the connection wrapped.
func connectOver(t *testing.T, s *Server, wrap func(net.Conn) net.Conn) *peer {
	t.Helper()
	p, far := newPeer(t)
	p.served = make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { p.served <- s.ServeConn(ctx, wrap(far)) }()
	synctest.Wait()
	return p
}

// put queues events of the station.
func (e *edge) put(events ...Event) {
	e.st.put(events...)
	synctest.Wait()
}

// closes checks that nothing more was received, that the server closed the
// connection for this reason, and that it counted this one and no other.
func (e *edge) closes(want Reason) {
	e.t.Helper()
	e.expectClosed(want)
	stats := e.s.Stats()
	e.closings[want]++
	if stats.Closed != e.closings {
		e.t.Fatalf("closed by reason %v, want %v", stats.Closed, e.closings)
	}
	if stats.Open != 1 {
		e.t.Fatalf("%d connections open, want only the neighbour's", stats.Open)
	}
}

// silence checks that for d nothing is received and the connection stays open.
func (e *edge) silence(d time.Duration) {
	e.t.Helper()
	e.expectSilence()
	e.wait(d)
	e.expectSilence()
}

// closesAfter checks that nothing happens for d, to the millisecond, and that
// the server then closes the connection.
func (e *edge) closesAfter(d time.Duration, want Reason) {
	e.t.Helper()
	e.silence(d - time.Millisecond)
	e.wait(time.Millisecond)
	e.closes(want)
}

// sendsAfter checks that nothing happens for d, to the millisecond, and that
// the server then sends these frames.
func (e *edge) sendsAfter(d time.Duration, frames ...string) {
	e.t.Helper()
	e.silence(d - time.Millisecond)
	e.wait(time.Millisecond)
	e.expect(frames...)
}

// info describes the connection of the edge.
func (e *edge) info() ConnInfo {
	e.t.Helper()
	infos := e.s.Conns()
	if len(infos) < 2 {
		e.t.Fatalf("%d connections, want that of the neighbour and another", len(infos))
	}
	return infos[len(infos)-1]
}

// told returns the requests the station was handed since the last call.
func (e *edge) told() (calls []string) {
	e.st.mu.Lock()
	defer e.st.mu.Unlock()
	for _, r := range e.st.record {
		if word, _, _ := strings.Cut(r, " "); slices.Contains([]string{"command", "clock", "reset", "counters", "interrogate"}, word) {
			calls = append(calls, r)
		}
	}
	e.st.record = nil
	return calls
}

// untouched checks that the station was handed no request.
func (e *edge) untouched() {
	e.t.Helper()
	if calls := e.told(); calls != nil {
		e.t.Fatalf("station was told %q, want nothing", calls)
	}
}

// iframe returns an I frame in hexadecimal digits.
func iframe(ns, nr int, asdu string) string {
	size := len(strings.ReplaceAll(asdu, " ", "")) / 2
	return fmt.Sprintf("68%02x%02x%02x%02x%02x", size+4, ns<<1&0xff, ns>>7, nr<<1&0xff, nr>>7) + asdu
}

// sframe returns an S frame in hexadecimal digits.
func sframe(nr int) string { return fmt.Sprintf("68040100%02x%02x", nr<<1&0xff, nr>>7) }

// spont returns the ASDU of event(ioa, 1) alone.
func spont(ioa int) string {
	return fmt.Sprintf("01 01 03 00 01 00 %02x %02x %02x 01", ioa&0xff, ioa>>8&0xff, ioa>>16)
}

// unanswered is an ASDU that a controlled station takes and never answers: a
// termination.
const unanswered = "64 01 0a 00 01 00 00 00 00 14"

// socket is the end of a pipe that behaves as a socket: writing returns
// although the peer does not read.
type socket struct {
	net.Conn
	wake chan struct{}

	mu     sync.Mutex
	out    []byte
	closed bool
}

func newSocket(c net.Conn) net.Conn {
	s := &socket{Conn: c, wake: make(chan struct{}, 1)}
	go s.pump()
	return s
}

// SyscallConn tells that it is one. It is never called.
func (s *socket) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

func (s *socket) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	s.out = append(s.out, b...)
	s.signal()
	return len(b), nil
}

func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.signal()
	return s.Conn.SetReadDeadline(time.Unix(0, 1))
}

func (s *socket) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// pump writes what is in the buffer until the socket is closed.
func (s *socket) pump() {
	for range s.wake {
		s.mu.Lock()
		out, closed := s.out, s.closed
		s.out = nil
		s.mu.Unlock()
		if _, err := s.Conn.Write(out); err != nil || closed {
			_ = s.Conn.Close() // nobody is left to be told
			if closed {
				return
			}
		}
	}
}
