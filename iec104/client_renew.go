package iec104

import (
	"net"
	"time"
)

// Renew ends a connection in order, because it is too old for example: it stops
// data transfer, waits for the station to confirm that, and closes the connection
// with the reason as detail of [ClosedLocally]. [Client.Run] then connects to the
// same address again at once, without back-off; meanwhile data transfer goes to a
// standby if there is one. conn is the number of the connection, as in a
// [LinkEvent]. Renew does not wait for any of it; false: there is no such connection.
//
// Requests and file transfers that are running may go on for grace at most, and fail with
// [ErrNotStarted] then. A second Renew may shorten that, and gives the reason.
func (c *Client) Renew(conn uint64, grace time.Duration, reason error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.paths {
		if p.open() && p.conn.id == conn {
			return p.conn.renew(grace, reason)
		}
	}
	return false
}

// renew begins the renewal of the connection.
func (c *clientConn) renew(grace time.Duration, reason error) bool {
	l := &c.link
	l.mu.Lock()
	defer l.unlock()
	if l.ended || l.leaving {
		return false
	}
	c.renewal = &LinkError{Reason: ClosedLocally, Err: reason}
	c.renewed.Store(true)
	if grace > 0 && (len(c.calls) > 0 || c.files.box != nil) {
		time.AfterFunc(grace, func() {
			l.mu.Lock()
			defer l.unlock()
			c.retire()
		})
		return true
	}
	c.retire()
	return true
}

// retire takes the next step to the end of a connection that is renewed: it stops
// data transfer, and leaves when that is stopped. The lock of the link is held.
func (c *clientConn) retire() {
	l := &c.link
	if l.ended || l.leaving {
		return
	}
	c.retiring = true
	switch l.state {
	case started:
		l.stopAct()
	case stopped:
		l.leave(c.renewal)
	}
	l.signal()
}

// probe tests the connection; see [ServerConn.Probe].
func (c *clientConn) probe() { c.link.probe() }

// netConn returns the connection as it was dialled or accepted.
func (c *clientConn) netConn() net.Conn {
	if a, ok := c.link.conn.(*accepted); ok {
		return a.Conn
	}
	return c.link.conn
}
