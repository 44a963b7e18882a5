package iec104

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"busbar/iec104/asdu"
)

// clientConn is one connection of a [Client].
type clientConn struct {
	link   link
	client *Client
	id     uint64
	remote net.Addr
	since  time.Time
	done   chan struct{} // closed when the connection is gone
	reason error         // set before done is closed

	// Guarded by the lock of the link.
	stateSince time.Time
	changed    chan struct{} // closed at the next change of the state
	sends      []outgoing
	calls      []*call
}

// outgoing is an ASDU that waits to be sent.
type outgoing struct {
	asdu  []byte
	stamp func() asdu.Time // gives the time in its last octets when it is written
}

// maxSends bounds what waits to be sent.
const maxSends = 4096

func newClientConn(c *Client, id uint64, conn net.Conn) *clientConn {
	cc := &clientConn{
		client: c, id: id, remote: conn.RemoteAddr(), since: time.Now(),
		done: make(chan struct{}), changed: make(chan struct{}),
	}
	cc.stateSince = cc.since
	l := &cc.link
	l.conn = conn
	l.p = c.p
	l.maxASDU = l.p.maxASDU()
	l.direct = buffered(conn)
	l.user = cc
	l.buffers = &c.buffers
	l.begun = cc.since
	l.wake = make(chan struct{}, 1)
	l.down = make(chan struct{})
	if trace := c.opt.trace; trace != nil {
		l.trace = func(sent bool, apdu []byte) { trace(id, sent, apdu) }
	}
	return cc
}

// run serves the connection until it ends.
func (c *clientConn) run() {
	log := c.client.opt.log.With("conn", c.id, "peer", addrString(c.remote))
	log.Info("connected")
	c.reason = c.link.run()
	level := slog.LevelWarn
	var le *LinkError
	if errors.As(c.reason, &le) && (le.Reason == ClosedLocally || le.Reason == ClosedByPeer) {
		level = slog.LevelInfo
	}
	log.Log(context.Background(), level, "connection closed", "error", c.reason)
	close(c.done)
}

func (c *clientConn) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// leave closes the connection. What the handler has taken is acknowledged first,
// so that the station need not send it again.
func (c *clientConn) leave() {
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
	case want == started && l.state == stopped:
		l.startAct()
		l.signal()
	case want == stopped && l.state == started:
		l.stopAct()
		l.signal()
	}
	return l.state, c.changed
}

// transferred implements user.
func (c *clientConn) transferred(bool) {
	c.stateSince = time.Now()
	close(c.changed)
	c.changed = make(chan struct{})
}

// confirmed implements user; requests are confirmed by their answers.
func (c *clientConn) confirmed(int) {}

// tested implements user.
func (c *clientConn) tested() {}

// send queues an ASDU, and with it a call that waits for the answer, so that
// none is missed.
func (c *clientConn) send(o outgoing, waiting *call) error {
	l := &c.link
	l.mu.Lock()
	defer l.unlock()
	switch {
	case l.ended || l.leaving:
		return l.err
	case l.state != started:
		return ErrNotStarted
	case len(c.sends) >= maxSends:
		return fmt.Errorf("iec104: %d requests wait to be sent", len(c.sends))
	}
	if waiting != nil {
		for _, other := range c.calls {
			if other.same(waiting) {
				return ErrBusy
			}
		}
		c.calls = append(c.calls, waiting)
	}
	c.sends = append(c.sends, o)
	l.signal()
	return nil
}

// urgent implements user; nothing of a client is.
func (c *clientConn) urgent(out []byte) []byte { return out }

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
		c.link.place(out, at, 0, false)
	}
	c.sends = append(c.sends[:0], c.sends[n:]...)
	if len(c.sends) == 0 {
		c.sends = nil
	}
	return out
}

// receive implements user: it hands the ASDU to the handler, without the lock,
// and then to the requests that wait for it. A malformed one is discarded.
func (c *clientConn) receive(b []byte) error {
	l := &c.link
	a, err := asdu.Parse(b, l.p.Sizes)
	usable := err == nil && a.Type.Known()
	if err != nil && (errors.Is(err, asdu.ErrSurplus) || errors.Is(err, asdu.ErrCount) || errors.Is(err, asdu.ErrSequence)) {
		l.count.Tolerated++
		usable = true
	}
	if usable {
		l.mu.Unlock()
		c.client.opt.handler(a)
		l.mu.Lock()
	}
	answered := false
	for _, waiting := range c.calls {
		if waiting.take(&a, usable, len(c.calls) == 1) {
			answered = true
			break
		}
	}
	switch {
	case answered && !usable:
		l.count.Tolerated++
	case !usable:
		l.count.Discarded++
	case !answered && a.Type.Command():
		l.count.Ignored++ // an answer to another station's request
	}
	return nil
}

// forget takes a call off the list.
func (c *clientConn) forget(waiting *call) {
	c.link.mu.Lock()
	defer c.link.unlock()
	for i, other := range c.calls {
		if other == waiting {
			c.calls = append(c.calls[:i], c.calls[i+1:]...)
			return
		}
	}
}

func (c *clientConn) info() ConnInfo {
	l := &c.link
	l.mu.Lock()
	defer l.unlock()
	return ConnInfo{
		ID: c.id, Peer: addrString(c.remote), State: l.state.String(), Since: c.since, StateSince: c.stateSince,
		VS: uint16(l.win.vs), VR: uint16(l.vr), Acknowledged: uint16(l.win.ack),
		Outstanding: l.win.outstanding(), Owed: l.owed, Answers: len(c.calls), Counters: l.count,
	}
}
