package rig

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// RTU is a controlled station in the process of the test, on a loopback port of its
// own. It buffers events while nobody is connected, and sends what was not confirmed
// again.
type RTU struct {
	// Command answers commands; nil accepts them. It is set before anybody connects
	// and must not block.
	Command func(iec104.Command) iec104.Verdict

	queue    *iec104.Queue
	listener net.Listener
	cancel   context.CancelFunc
	ended    chan struct{}

	mu     sync.Mutex
	values map[objectAddress]iec104.Item
	conns  map[net.Conn]bool
	broken bool
	active *rtuSession // the one that was started last takes the events
	asked  int         // general interrogations
}

type objectAddress struct {
	ca  uint16
	ioa uint32
}

// StartRTU starts a station. Its options are those of the link.
func StartRTU(tb testing.TB, p iec104.Params) *RTU {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &RTU{
		queue: iec104.NewQueue(1_000_000), listener: l, cancel: cancel, ended: make(chan struct{}),
		values: make(map[objectAddress]iec104.Item), conns: make(map[net.Conn]bool),
	}
	s, err := iec104.NewServer(r, iec104.ServerConfig{Params: p, ConnectRate: -1})
	if err != nil {
		tb.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		if err := s.Serve(ctx, (*rtuListener)(r)); err != nil && ctx.Err() == nil {
			tb.Errorf("RTU: %v", err)
		}
	}()
	tb.Cleanup(r.Stop)
	return r
}

// Addr returns host:port.
func (r *RTU) Addr() string { return r.listener.Addr().String() }

// Stop ends the station.
func (r *RTU) Stop() {
	r.cancel()
	<-r.ended
}

// Set gives a point the value that it has in interrogations, without an event. A type
// with time tag is answered by that without.
func (r *RTU) Set(ca uint16, t asdu.TypeID, o asdu.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[objectAddress{ca, o.IOA}] = iec104.Item{Object: o, Type: Untagged(t)}
}

// Put changes the value of a point and sends that as a spontaneous event.
func (r *RTU) Put(ca uint16, t asdu.TypeID, o asdu.Object) {
	r.mu.Lock()
	r.values[objectAddress{ca, o.IOA}] = iec104.Item{Object: o, Type: Untagged(t)}
	r.queue.Put(&iec104.Event{Object: o, CA: ca, Type: t, Cause: asdu.Spontaneous})
	active := r.active
	r.mu.Unlock()
	active.wake()
}

// Send sends an event that leaves the values as they are.
func (r *RTU) Send(e iec104.Event) {
	r.queue.Put(&e)
	r.mu.Lock()
	active := r.active
	r.mu.Unlock()
	active.wake()
}

// Forget removes a point from the answers to interrogations.
func (r *RTU) Forget(ca uint16, ioa uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.values, objectAddress{ca, ioa})
}

// Waiting returns how many events were not yet confirmed.
func (r *RTU) Waiting() int {
	n, _ := r.queue.Len()
	return n
}

// Interrogations returns how many general interrogations there were.
func (r *RTU) Interrogations() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// Break cuts all connections, and every new one, until Mend.
func (r *RTU) Break() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = true
	for c := range r.conns {
		c.Close()
	}
}

// Mend ends a Break.
func (r *RTU) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = false
}

// Connections returns how many connections are open.
func (r *RTU) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// Untagged returns the type without time tag of the same kind, which answers to
// interrogations have.
func Untagged(t asdu.TypeID) asdu.TypeID {
	if u, ok := map[asdu.TypeID]asdu.TypeID{
		asdu.M_SP_TB_1: asdu.M_SP_NA_1, asdu.M_DP_TB_1: asdu.M_DP_NA_1, asdu.M_ST_TB_1: asdu.M_ST_NA_1, asdu.M_BO_TB_1: asdu.M_BO_NA_1,
		asdu.M_ME_TD_1: asdu.M_ME_NA_1, asdu.M_ME_TE_1: asdu.M_ME_NB_1, asdu.M_ME_TF_1: asdu.M_ME_NC_1, asdu.M_IT_TB_1: asdu.M_IT_NA_1,
	}[t]; ok {
		return u
	}
	return t
}

// rtuListener is the listener of an RTU, which knows the connections.
type rtuListener RTU

// Accept implements [net.Listener].
func (l *rtuListener) Accept() (net.Conn, error) {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		if l.broken {
			c.Close()
			l.mu.Unlock()
			continue
		}
		l.conns[c] = true
		l.mu.Unlock()
		return &rtuConn{Conn: c, rtu: (*RTU)(l)}, nil
	}
}

// Close implements [net.Listener].
func (l *rtuListener) Close() error { return l.listener.Close() }

// Addr implements [net.Listener].
func (l *rtuListener) Addr() net.Addr { return l.listener.Addr() }

type rtuConn struct {
	net.Conn
	rtu *RTU
}

// Close implements [net.Conn].
func (c *rtuConn) Close() error {
	c.rtu.mu.Lock()
	delete(c.rtu.conns, c.Conn)
	c.rtu.mu.Unlock()
	return c.Conn.Close()
}

// Open implements [iec104.Station].
func (r *RTU) Open(c *iec104.ServerConn) (iec104.Session, error) {
	return &rtuSession{rtu: r, conn: c}, nil
}

// rtuSession is one connection of an RTU.
type rtuSession struct {
	rtu  *RTU
	conn *iec104.ServerConn
}

// Started implements [iec104.Session].
func (s *rtuSession) Started(on bool) {
	if on {
		s.rtu.mu.Lock()
		defer s.rtu.mu.Unlock()
		s.rtu.active = s
		s.rtu.queue.Rewind()
	}
}

// Next implements [iec104.Session].
func (s *rtuSession) Next(dst []iec104.Event) int {
	s.rtu.mu.Lock()
	defer s.rtu.mu.Unlock()
	if s.rtu.active != s {
		return 0
	}
	return s.rtu.queue.Next(dst)
}

// Confirm implements [iec104.Session].
func (s *rtuSession) Confirm(n int) {
	s.rtu.mu.Lock()
	defer s.rtu.mu.Unlock()
	if s.rtu.active == s {
		s.rtu.queue.Confirm(n)
	}
}

// wake tells the connection that there are events.
func (s *rtuSession) wake() {
	if s != nil {
		s.conn.Wake()
	}
}

// Background implements [iec104.Session].
func (s *rtuSession) Background([]iec104.Event) int { return 0 }

// Addresses implements [iec104.Session].
func (s *rtuSession) Addresses() []uint16 {
	s.rtu.mu.Lock()
	defer s.rtu.mu.Unlock()
	var all []uint16
	for a := range s.rtu.values {
		all = append(all, a.ca)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Interrogate implements [iec104.Session].
func (s *rtuSession) Interrogate(ca uint16, qoi uint8) iec104.Interrogation {
	if qoi != 20 {
		return nil
	}
	s.rtu.mu.Lock()
	s.rtu.asked++
	s.rtu.mu.Unlock()
	return s.rtu.answer(ca, func(t asdu.TypeID) bool {
		return t != asdu.M_IT_NA_1 && t != asdu.M_EP_TD_1 && t != asdu.M_EP_TE_1 && t != asdu.M_EP_TF_1
	})
}

// Counters implements [iec104.Session].
func (s *rtuSession) Counters(ca uint16, rqt, frz uint8) iec104.Interrogation {
	if rqt != 5 {
		return nil
	}
	return s.rtu.answer(ca, func(t asdu.TypeID) bool { return frz == 0 && t == asdu.M_IT_NA_1 })
}

// Read implements [iec104.Session].
func (s *rtuSession) Read(ca uint16, ioa uint32) (iec104.Item, bool) {
	s.rtu.mu.Lock()
	defer s.rtu.mu.Unlock()
	i, ok := s.rtu.values[objectAddress{ca, ioa}]
	return i, ok
}

// Clock implements [iec104.Session].
func (s *rtuSession) Clock(uint16, asdu.Time) bool { return true }

// Reset implements [iec104.Session].
func (s *rtuSession) Reset(uint16, uint8) bool { return false }

// Command implements [iec104.Session].
func (s *rtuSession) Command(c iec104.Command) iec104.Verdict {
	if s.rtu.Command == nil {
		return iec104.Accepted
	}
	return s.rtu.Command(c)
}

// Closed implements [iec104.Session].
func (s *rtuSession) Closed(error) {}

// answer returns the values of a common address, ascending.
func (r *RTU) answer(ca uint16, has func(asdu.TypeID) bool) *rtuAnswer {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &rtuAnswer{rtu: r, ca: ca}
	for at, i := range r.values {
		if at.ca == ca && has(i.Type) {
			a.addresses = append(a.addresses, at.ioa)
		}
	}
	slices.Sort(a.addresses)
	return a
}

type rtuAnswer struct {
	rtu       *RTU
	ca        uint16
	addresses []uint32
}

// Next implements [iec104.Interrogation]. No value overtakes an event.
func (a *rtuAnswer) Next(dst []iec104.Item) (n int, done bool) {
	a.rtu.mu.Lock()
	defer a.rtu.mu.Unlock()
	if events, taken := a.rtu.queue.Len(); taken < events {
		return 0, false
	}
	for n < len(dst) && len(a.addresses) > 0 {
		if i, ok := a.rtu.values[objectAddress{a.ca, a.addresses[0]}]; ok {
			dst[n] = i
			n++
		}
		a.addresses = a.addresses[1:]
	}
	return n, len(a.addresses) == 0
}
