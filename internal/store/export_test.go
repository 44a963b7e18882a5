package store

import (
	"net"
	"sync/atomic"
	"time"
)

// Impatient returns a connection on which waiting ends after limit.
func Impatient(conn net.Conn, limit time.Duration) net.Conn {
	c := &impatient{Conn: conn, limit: new(atomic.Int64)}
	c.limit.Store(int64(limit))
	return c
}
