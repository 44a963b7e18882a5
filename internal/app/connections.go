package app

import (
	"net"
	"sync"
)

// Most connections of HTTP at once. The files of the process are left to the connectors.
const (
	httpConnections    = 1024
	httpConnectionsOwn = 512 // from one address, which may be that of a proxy
)

// connections is a listener that closes connections beyond the limits at once.
type connections struct {
	net.Listener

	mu   sync.Mutex
	all  int
	from map[string]int // by address
}

func limitConnections(l net.Listener) *connections {
	return &connections{Listener: l, from: make(map[string]int)}
}

// Accept implements [net.Listener].
func (l *connections) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			host = c.RemoteAddr().String()
		}
		if l.enter(host) {
			return &connection{Conn: c, leave: sync.OnceFunc(func() { l.leave(host) })}, nil
		}
		_ = c.Close() // nothing was sent
	}
}

func (l *connections) enter(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= httpConnections || l.from[host] >= httpConnectionsOwn {
		return false
	}
	l.all++
	l.from[host]++
	return true
}

func (l *connections) leave(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[host]--; l.from[host] == 0 {
		delete(l.from, host)
	}
}

// connection is one of the connections that count.
type connection struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	c.leave()
	return c.Conn.Close()
}
