package mqttbroker

import (
	"net"
	"sync/atomic"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// conn is the connection of one client. The library reads and writes it.
type conn struct {
	net.Conn          // TLS, if it is set
	raw      net.Conn // below TLS; its Close does not wait for the client
	patience time.Duration

	done   chan struct{}  // closed when the library has finished with it
	client *broker.Client // who has signed in; nil before
	failed atomic.Bool    // nothing more is read from it
	window window
}

// connOf returns the connection of a client of the library.
func connOf(cl *broker.Client) *conn { return cl.Net.Conn.(*conn) }

// fail ends the connection such that the library takes it for broken, and sends
// the will. What has been received already is not looked at.
func (c *conn) fail() {
	c.failed.Store(true)
	// It is given up whatever Close returns.
	_ = c.raw.Close()
}

// send writes whole packets, between those of the library. What cannot be
// written ends the connection.
func (c *conn) send(packets []byte) {
	c.client.Lock()
	defer c.client.Unlock()
	_, _ = c.Write(packets) // it has ended the connection
}

// end ends the connection like fail. A client of MQTT 5 is told why; nothing
// is sent after that.
func (c *conn) end(reason packets.Code) {
	c.client.Lock()
	defer c.client.Unlock()
	if c.client.Properties.ProtocolVersion == 5 && !c.failed.Load() {
		// It is disconnected whether it hears the reason or not.
		_, _ = c.Write([]byte{packets.Disconnect << 4, 2, reason.Code, 0})
	}
	c.fail()
}

// SetDeadline implements [net.Conn]. The library sets by it how long the client
// may be silent; how long a write may last does not depend on it.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Write implements [net.Conn]. A client that takes nothing for too long is
// disconnected: the library holds a lock meanwhile, and after a part of a
// packet no other can follow.
func (c *conn) Write(b []byte) (int, error) {
	return c.writeBefore(time.Now().Add(c.patience), b)
}

// writeBefore is Write that ends at a time, if that is earlier.
func (c *conn) writeBefore(limit time.Time, b []byte) (int, error) {
	if patient := time.Now().Add(c.patience); patient.Before(limit) {
		limit = patient
	}
	if err := c.SetWriteDeadline(limit); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		c.fail()
	}
	return n, err
}
