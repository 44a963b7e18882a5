package iec104

import (
	"context"
	"net"
	"net/netip"
)

// shaker is a connection with a handshake, such as TLS.
type shaker interface {
	HandshakeContext(ctx context.Context) error
}

// handshakes counts the connections of each address that have not made their
// handshake, so that one address cannot hold all connections without one.
type handshakes struct {
	most  int
	count map[netip.Addr]int
}

func newHandshakes(connections int) handshakes {
	return handshakes{most: max(1, connections/2), count: make(map[netip.Addr]int)}
}

// begin notes a connection, and reports false if its address has too many. Addresses
// that are not valid, and connections without a handshake, are not counted.
func (h *handshakes) begin(conn net.Conn, a netip.Addr) bool {
	if _, ok := conn.(shaker); !ok || !a.IsValid() {
		return true
	}
	if h.count[a] >= h.most {
		return false
	}
	h.count[a]++
	return true
}

// end notes that the handshake of a connection that began is over.
func (h *handshakes) end(conn net.Conn, a netip.Addr) {
	if _, ok := conn.(shaker); !ok || !a.IsValid() {
		return
	}
	if h.count[a]--; h.count[a] == 0 {
		delete(h.count, a)
	}
}
