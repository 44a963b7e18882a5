package iec104

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// ServerConn is one connection of a [Server]. Its methods may be called from
// any goroutine, and none of them waits.
type ServerConn struct {
	link    link
	srv     *Server
	session Session
	id      uint64
	remote  net.Addr
	since   time.Time

	// dry: the session has no further events and will call Wake when it has.
	// It is set before the session is asked, so that no Wake is lost.
	dry atomic.Bool

	late lateAnswers

	// The rest is guarded by the lock of the link.
	on        bool // data transfer, as told to the session
	onSince   time.Time
	backDry   bool // nothing more in the background until Wake
	turn      int  // frames of events since one of an interrogation, while one waits
	work      *work
	responses responses
	requests  requests
	pending   int      // commands whose confirmation is to come
	endings   []ending // terminations that wait for events
	mirrors   float64  // mirrored answers that may be sent, refilled with time
	mirrorsAt time.Duration
	asked     InterrogationInfo
	files     *fileServer   // nil: nothing of file transfer is going on
	filesDone chan struct{} // closed when the last one of these has ended; nil if there was none
}

func newServerConn(s *Server, id uint64, conn net.Conn) *ServerConn {
	c := &ServerConn{srv: s, id: id, remote: conn.RemoteAddr(), since: time.Now(), mirrors: mirrorBurst}
	c.onSince = c.since
	c.late.wake = c.link.signal
	l := &c.link
	l.conn = conn
	l.p = s.cfg.Params
	l.maxASDU = l.p.maxASDU()
	l.controlled = true
	l.direct = buffered(conn)
	l.user = c
	l.begun = c.since
	l.over.L = &l.mu
	if trace := s.opt.trace; trace != nil {
		l.trace = func(sent bool, apdu []byte) { trace(id, sent, apdu) }
	}
	return c
}

// serve runs the connection until it ends or ctx does.
func (c *ServerConn) serve(ctx context.Context) *LinkError {
	err := shakeHands(ctx, c.link.conn, c.link.p.T0)
	c.srv.shaken(c)
	if err != nil {
		closeQuietly(c.link.conn)
		return &LinkError{Reason: HandshakeFailed, Err: err}
	}
	session, err := c.srv.station.Open(c)
	if err != nil {
		closeQuietly(c.link.conn)
		return &LinkError{Reason: StationRefused, Err: err}
	}
	c.link.mu.Lock()
	c.session = session
	if tap := c.srv.opt.tap; tap != nil {
		c.link.tap = tap(LinkEvent{Conn: c.id, NetConn: c.link.conn})
	}
	c.link.unlock()
	stop := context.AfterFunc(ctx, func() { c.Close(nil) })
	defer stop()
	err = c.link.run()
	c.link.mu.Lock()
	c.asked.end(resultBroken, c.requests.objects(&c.asked))
	c.giveBack()
	c.late.renew(true)
	c.stopFiles(err)
	if done := c.filesDone; done != nil {
		c.link.unlock()
		<-done
		c.link.mu.Lock()
	}
	session.Closed(err)
	c.link.unlock()
	var le *LinkError
	if !errors.As(err, &le) {
		le = &LinkError{Reason: ClosedLocally, Err: err}
	}
	return le
}

// Wake tells that the session has events or background data again. It never
// blocks and may be called with any lock held.
func (c *ServerConn) Wake() {
	if c.dry.CompareAndSwap(true, false) {
		c.link.signal()
	}
}

// ID returns the number of the connection, unique in its server.
func (c *ServerConn) ID() uint64 { return c.id }

// RemoteAddr returns the address of the controlling station.
func (c *ServerConn) RemoteAddr() net.Addr { return c.remote }

// NetConn returns the connection below, such as to look at the certificate of
// a TLS peer. It must not be read, written or closed.
func (c *ServerConn) NetConn() net.Conn { return c.link.conn }

// Close closes the connection with a reason, which may be nil; a *[LinkError] is
// taken as it is, another one is the detail of [ClosedLocally]. Confirmations
// that are due are still sent, as far as the window allows and for at most a
// second. Close does not wait for that, never blocks, and may be called with any
// lock held.
func (c *ServerConn) Close(reason error) {
	var le *LinkError
	if !errors.As(reason, &le) {
		le = &LinkError{Reason: ClosedLocally, Err: reason}
	}
	// In a goroutine of its own, because the lock of the link may be held by one
	// that is in a method of the session and waits for a lock of the caller.
	time.AfterFunc(0, func() {
		c.link.mu.Lock()
		c.link.leave(le)
		c.link.unlock()
		c.link.signal()
	})
}

// transferred implements user.
func (c *ServerConn) transferred(on bool) {
	c.onSince = time.Now()
	if on == c.on {
		return
	}
	c.on = on
	c.dry.Store(false)
	c.backDry = false
	if !on {
		// Answers are bound to the transfer they were asked in; events that were
		// taken stay and are sent first when it starts again.
		c.asked.end(resultBroken, c.requests.objects(&c.asked))
		c.responses = responses{}
		c.requests = requests{}
		c.late.renew(false)
		c.pending, c.endings = 0, nil
		c.stopFiles(ErrNotStarted)
		if c.work != nil {
			c.work.items.clear()
		}
		c.link.withdraw()
	}
	c.session.Started(on)
}

// confirmed implements user.
func (c *ServerConn) confirmed(n int) { c.session.Confirm(n) }

// tested implements user.
func (c *ServerConn) tested() {
	if s, ok := c.session.(interface{ Alive() }); ok {
		s.Alive()
	}
}

// taken implements user.
func (c *ServerConn) taken() {}

// Probe tests the link now, unless a test is running: it sends TESTFR act. If
// the controlling station confirms it, the method Alive() of the session is
// called if it has one, with the lock of the connection held as always;
// otherwise the connection is closed after T1. Probe does not wait for that,
// never blocks, and may be called with any lock held.
func (c *ServerConn) Probe() { c.link.probe() }

// Discard drops the events that were taken from the session and are in no frame
// sent so far, and returns how many: they are the newest of those taken and
// not confirmed, and will not be confirmed. It may be called by the method
// Started of the session only, when data transfer is stopped.
func (c *ServerConn) Discard() int {
	n := c.link.discard()
	if w := c.work; w != nil {
		if !w.background {
			n += w.to - w.from
		}
		w.background = false
		c.giveBack()
	}
	return n
}

// counters returns the figures of the connection.
func (c *ServerConn) counters() Counters {
	c.link.mu.Lock()
	defer c.link.unlock()
	return c.link.count
}

// Info describes the connection. It waits for methods of the session that are
// running and must not be called by them, nor with a lock held that they need.
func (c *ServerConn) Info() ConnInfo {
	c.link.mu.Lock()
	defer c.link.unlock()
	return c.info()
}

// info describes the connection. The lock of the link is held.
func (c *ServerConn) info() ConnInfo {
	i := ConnInfo{
		ID: c.id, Peer: addrString(c.remote), Since: c.since, StateSince: c.onSince,
		Answers: c.requests.waiting(), QueuedOctets: c.responses.octets(), Interrogation: c.asked,
	}
	if i.Interrogation.Result == resultRunning {
		i.Interrogation.Objects = c.requests.objects(&i.Interrogation)
	}
	c.link.describe(&i)
	return i
}

// unencodable counts an object that fits no ASDU, and logs it within limits.
func (c *ServerConn) unencodable(err error) {
	c.link.count.Unencodable++
	if skipped, ok := c.srv.quiet.due(notEncodable, addressOf(c.remote)); ok {
		c.srv.opt.log.Error("object cannot be sent", "conn", c.id, "skipped", skipped, "error", err)
	}
}
