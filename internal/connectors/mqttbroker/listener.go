package mqttbroker

import (
	"net"
	"sync"
)

// listener bounds the number of connections, also of those that have not said
// CONNECT yet: what is too many is accepted and closed at once.
type listener struct {
	net.Listener
	limit   int
	figures *figures

	mu   sync.Mutex
	open int
	idle sync.Cond // open has become 0
}

func newListener(l net.Listener, limit int, f *figures) *listener {
	limited := &listener{Listener: l, limit: limit, figures: f}
	limited.idle.L = &limited.mu
	return limited
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.take() {
			return &conn{Conn: c, listener: l}, nil
		}
		l.figures.refused.Add(1)
		// It is given up whatever Close returns.
		_ = c.Close()
	}
}

func (l *listener) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.limit {
		return false
	}
	l.open++
	return true
}

// wait returns when every connection is closed.
func (l *listener) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.open > 0 {
		l.idle.Wait()
	}
}

// conn is a connection that is counted until it is closed.
type conn struct {
	net.Conn
	listener *listener
	once     sync.Once
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.once.Do(func() {
		c.listener.mu.Lock()
		c.listener.open--
		if c.listener.open == 0 {
			c.listener.idle.Broadcast()
		}
		c.listener.mu.Unlock()
	})
	return c.Conn.Close()
}
