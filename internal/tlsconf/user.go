package tlsconf

import (
	"net"
	"time"
)

// runningTime is how long what is running may go on over a connection that is only
// too old.
const runningTime = 10 * time.Second

// OnEnd is [Conn.OnEnd] for a connection that may be one of this package, and is
// left alone otherwise. f is told how long what is running may go on: 10 s if
// the connection is only too old, not at all if the peer would not be let in any
// more. For a controlling station:
//
//	iec104.WithLinkEvents(func(e iec104.LinkEvent) {
//		tlsconf.OnEnd(e.NetConn, func(grace time.Duration, reason error) { client.Renew(e.Conn, grace, reason) })
//	})
func OnEnd(conn net.Conn, f func(grace time.Duration, reason error)) {
	c, ok := conn.(*Conn)
	if !ok {
		return
	}
	c.OnEnd(func(reason *Error) {
		grace := time.Duration(0)
		if reason.Reason == TooOld {
			grace = runningTime
		}
		f(grace, reason)
	})
}

// Peers matches the connections whose peer has shown a certificate that the list
// has, after their handshake; with an empty list, any certificate of a trusted
// authority. It tells stations apart that dial out.
func Peers(list Allow) func(net.Conn) bool {
	return func(conn net.Conn) bool {
		c, ok := conn.(*Conn)
		if !ok {
			return false
		}
		peer := c.Peer()
		return peer != nil && (len(list) == 0 || list.Match(peer))
	}
}
