package iec104

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"busbar/iec104/asdu"
)

// clientConn is one connection of a [Client].
type clientConn struct {
	link     link
	client   *Client
	id       uint64
	path     *path
	addr     string
	remote   net.Addr
	since    time.Time
	done     chan struct{} // closed when the connection is gone, and everybody was told
	reason   error         // set before done is closed
	quit     atomic.Bool   // the handler gets nothing more
	asking   atomic.Bool   // a request is open, or its answer may still come
	filed    atomic.Bool   // a transfer of a file was handed something, and is not yet told
	receipts *receipts     // nil: what the handler has taken is acknowledged
	renewed  atomic.Bool   // it was ended to be made again at once
	untold   LinkState     // of the reader: the state is this since a moment ago; 0: nothing to tell

	// Guarded by the lock of the link.
	stateSince time.Time
	changed    chan struct{} // closed at the next change of the state
	transfers  int           // how often data transfer was started
	sends      []outgoing
	calls      []*call
	asked      InterrogationInfo
	gi         *call      // the request of asked
	overdue    []*call    // given up before an answer came, which may still come
	renewal    *LinkError // why the connection is to end; nil: it is not
	retiring   bool       // its end has begun
	files      clientFiles
	farewells  [][]byte // the last ASDUs of transfers of files, to be sent before all others
}

// outgoing is an ASDU that waits to be sent.
type outgoing struct {
	asdu  []byte
	stamp func() asdu.Time // gives the time in its last octets when it is written
	call  *call            // that it belongs to; nil: none
}

// maxSends bounds what waits to be sent.
const maxSends = 4096

func newClientConn(c *Client, id uint64, p *path, conn net.Conn) *clientConn {
	cc := &clientConn{
		client: c, id: id, path: p, addr: p.addr, remote: conn.RemoteAddr(), since: time.Now(),
		done: make(chan struct{}), changed: make(chan struct{}),
	}
	cc.stateSince = cc.since
	l := &cc.link
	l.conn = conn
	l.p = c.p
	l.maxASDU = l.p.maxASDU()
	l.direct = buffered(conn)
	l.user = cc
	l.begun = cc.since
	l.over.L = &l.mu
	if c.opt.receipts != nil {
		cc.receipts = &receipts{}
	}
	if tap := c.opt.tap; tap != nil {
		l.tap = tap(LinkEvent{Link: p.number, Addr: p.addr, Conn: id, NetConn: cc.netConn()})
	}
	if trace := c.opt.trace; trace != nil {
		l.trace = func(sent bool, apdu []byte) { trace(id, sent, apdu) }
	}
	if a, ok := conn.(*accepted); ok {
		a.watch(cc.probe)
	}
	return cc
}

// run serves the connection until it ends. It is over when done is closed.
func (c *clientConn) run() {
	c.reason = c.link.run()
	c.link.mu.Lock()
	defer c.link.unlock()
	c.sends = nil
	c.stopFiles(c.reason)
}

func (c *clientConn) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// in reports whether data transfer is in a state.
func (c *clientConn) in(state transfer) bool {
	c.link.mu.Lock()
	defer c.link.unlock()
	return c.link.state == state && !c.link.ended && !c.link.leaving
}

// leave closes the connection. What the handler has taken is acknowledged first,
// so that the station need not send it again.
func (c *clientConn) leave() {
	c.quit.Store(true)
	l := &c.link
	l.mu.Lock()
	l.ackNow = l.state == started || l.state == stopping
	l.leave(&LinkError{Reason: ClosedLocally})
	l.unlock()
	l.signal()
}

// approach takes the next step to the wanted state of data transfer. It
// returns the present state and a channel that is closed when it changes.
func (c *clientConn) approach(want transfer) (transfer, <-chan struct{}) {
	l := &c.link
	l.mu.Lock()
	defer l.unlock()
	switch {
	case l.ended || l.leaving || c.retiring:
	case want == started && l.state == stopped:
		l.startAct()
		l.signal()
	case want == stopped && l.state == started:
		l.stopAct()
		l.signal()
	}
	return l.state, c.changed
}

// transferred implements user. What waits belongs to the transfer that is over:
// it is not sent in another one.
func (c *clientConn) transferred(on bool) {
	c.stateSince = time.Now()
	switch c.link.state {
	case started:
		c.untold = LinkStarted
	case stopped:
		c.untold = LinkConnected
	}
	if on {
		c.transfers++
	} else {
		c.sends, c.farewells = nil, nil
		c.stopFiles(ErrNotStarted)
	}
	if c.link.state == stopped {
		for _, w := range c.calls {
			w.end(ErrNotStarted)
		}
		c.overdue = nil
	}
	if c.retiring {
		c.retire()
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// taken implements user: it tells of a new state. A transfer is told only now what it
// was handed, so that what it answers acknowledges that.
func (c *clientConn) taken() {
	if c.filed.CompareAndSwap(true, false) {
		c.link.mu.Lock()
		if box := c.files.box; box != nil {
			box.tell()
		}
		c.link.unlock()
	}
	if s := c.untold; s != 0 {
		c.untold = 0
		c.client.moved(c, s)
	}
}

// confirmed implements user; requests are confirmed by their answers.
func (c *clientConn) confirmed(int) {}

// tested implements user.
func (c *clientConn) tested() {
	if a, ok := c.link.conn.(*accepted); ok {
		a.alive()
	}
}

// send queues an ASDU, and with it a call that waits for the answer, so that
// none is missed.
func (c *clientConn) send(o outgoing) error {
	l := &c.link
	l.mu.Lock()
	defer l.unlock()
	switch {
	case l.ended || l.leaving:
		return l.err
	case l.state != started, c.retiring, o.call != nil && o.call.session.conn != nil && o.call.session.transfer != c.transfers:
		return ErrNotStarted
	case len(c.sends) >= maxSends:
		return fmt.Errorf("iec104: %d requests wait to be sent", len(c.sends))
	}
	if o.call != nil {
		if err := c.open(o.call); err != nil {
			return err
		}
	}
	c.sends = append(c.sends, o)
	l.signal()
	return nil
}

// urgent implements user: what ends a transfer is sent even if the connection is about
// to be closed.
func (c *clientConn) urgent(out []byte) []byte {
	for len(c.farewells) > 0 && c.link.room(out) {
		at := len(out)
		var room [6]byte
		out = append(append(out, room[:]...), c.farewells[0]...)
		c.link.place(out, at, 0, false)
		if c.farewells = c.farewells[1:]; len(c.farewells) == 0 {
			c.farewells = nil
		}
	}
	return out
}

// fill implements user.
func (c *clientConn) fill(out []byte) []byte {
	n := 0
	if c.link.ahead.working {
		return out // a time must be that of writing
	}
	for n < len(c.sends) && c.link.room(out) {
		o := c.sends[n]
		n++
		at := len(out)
		var room [6]byte
		out = append(append(out, room[:]...), o.asdu...)
		if o.stamp != nil {
			t := o.stamp()
			for i := range 7 {
				out[len(out)-7+i] = byte(t >> (8 * i))
			}
		}
		if o.call != nil {
			o.call.sent, o.call.ns = true, c.link.win.vs
		}
		c.link.place(out, at, 0, false)
	}
	c.sends = append(c.sends[:0], c.sends[n:]...)
	if len(c.sends) == 0 {
		c.sends = nil
		if c.files.box != nil {
			out = c.files.box.fill(out)
		}
	}
	return out
}

func (c *clientConn) info() ConnInfo {
	l := &c.link
	l.mu.Lock()
	defer l.unlock()
	i := ConnInfo{
		ID: c.id, Peer: addrString(c.remote), Since: c.since, StateSince: c.stateSince, Answers: len(c.calls), Interrogation: c.asked,
	}
	if i.Interrogation.Result == resultRunning {
		i.Interrogation.Objects = c.gi.result.Objects
	}
	l.describe(&i)
	return i
}
