package store

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// answerTimeout is how long PostgreSQL may be silent while it is waited for, and how long connecting may take. Without
// it a server that hangs, or a network that swallows everything, would hold up changes for ever.
const answerTimeout = 10 * time.Second

// impatient is a connection on which waiting for the other side ends after a time.
type impatient struct {
	net.Conn
	limit *atomic.Int64 // in ns; 0: none

	mu  sync.Mutex
	set bool // the user of the connection has set a deadline, which holds
}

func (c *impatient) Read(b []byte) (int, error) {
	if err := c.extend(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *impatient) Write(b []byte) (int, error) {
	if err := c.extend(c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *impatient) extend(set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if limit := time.Duration(c.limit.Load()); limit > 0 && !c.set {
		return set(time.Now().Add(limit))
	}
	return nil
}

// SetDeadline sets a deadline that holds until it is set to the zero time.
func (c *impatient) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set = !t.IsZero()
	return c.Conn.SetDeadline(t)
}
