package iec104

import (
	"sync/atomic"

	"busbar/iec104/asdu"
)

// Receipt stands for an ASDU that a [Client] has received, see [WithReceipts]. Its
// methods may be called from any goroutine and with any lock held; they never
// block. After the end of the connection they have no effect.
type Receipt struct {
	conn *clientConn
	seq  uint64 // of the frame among the I frames of the connection, from 1
}

// WithReceipts is [WithHandler] for an application that keeps what it receives:
// nothing is acknowledged because the function has returned, but only
// what [Receipt.Release] was called for. So a station has in its buffer what the
// application has not kept yet, and sends it again on the next connection.
//
// The station stops sending when k frames are not acknowledged, and closes the connection
// after its t1 if an acknowledgement is that late.
func WithReceipts(f func(asdu.ASDU, Receipt)) Option { return func(o *options) { o.receipts = f } }

// Release has the ASDU acknowledged, and all before it on the same connection.
func (r Receipt) Release() {
	l := &r.conn.link
	l.mu.Lock()
	defer l.unlock()
	r.conn.release(r.seq)
	if l.owed >= l.p.W || l.ackNow {
		l.signal()
	} else {
		l.arm()
	}
}

// Refuse closes the connection without an acknowledgement of the ASDU, because of
// err.
func (r Receipt) Refuse(err error) {
	l := &r.conn.link
	l.mu.Lock()
	defer l.unlock()
	l.leave(&LinkError{Reason: ClosedLocally, Err: err})
	l.signal()
}

// receipts tells which of the received I frames may be acknowledged, where the
// application decides that.
type receipts struct {
	// Of the reader, which is ahead of all others.
	taken atomic.Uint64 // the newest frame that was handed on
	given atomic.Uint64 // the newest one that the application got

	// Guarded by the lock of the link.
	released uint64 // the newest one that the application has released
	owed     uint64 // the newest one that was made due to be acknowledged
}

// next numbers a frame; given tells that the application gets it.
func (r *receipts) next(given bool) (seq uint64) {
	seq = r.taken.Load() + 1
	if given { // noted first, so that nobody takes the frame for one that needs no release
		r.given.Store(seq)
	}
	r.taken.Store(seq)
	return seq
}

// release makes due to be acknowledged what was released, up to the frame seq, and
// what follows that without being given to the application. The lock is held.
func (c *clientConn) release(seq uint64) {
	r, l := c.receipts, &c.link
	r.released = max(r.released, seq)
	upTo := r.released
	if taken := r.taken.Load(); upTo >= r.given.Load() {
		upTo = taken
	}
	n := int(upTo - r.owed)
	if n <= 0 || l.ended || l.leaving {
		return
	}
	r.owed = upTo
	if l.owed == 0 {
		l.timers.owed = l.now()
	}
	l.owed += n
	l.nr = l.nr.Add(n)
	if l.state == stopping {
		l.ackNow = true // the peer withholds its confirmation until then
	}
}
