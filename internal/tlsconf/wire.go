package tlsconf

import (
	"net"
	"sync/atomic"
	"time"
)

// hurryTime is how long a connection that is closed may take to tell the peer.
const hurryTime = time.Second

// wire is the connection below TLS. It counts, and bounds how long closing takes:
// Go waits 5 s for a peer that takes nothing.
type wire struct {
	net.Conn
	received atomic.Int64
	closing  atomic.Bool
}

// Read implements [net.Conn].
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.received.Add(int64(n))
	return n, err
}

func (w *wire) hurry() { w.closing.Store(true) }

// SetWriteDeadline implements [net.Conn].
func (w *wire) SetWriteDeadline(t time.Time) error {
	if limit := time.Now().Add(hurryTime); w.closing.Load() && (t.IsZero() || t.After(limit)) {
		t = limit
	}
	return w.Conn.SetWriteDeadline(t)
}
