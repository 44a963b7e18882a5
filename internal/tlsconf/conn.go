package tlsconf

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a connection with TLS. It is what its user reads and writes.
//
// When the peer must leave, because its certificate was revoked, has expired, or
// the connection is too old, the function given to [Conn.OnEnd] is called and has
// a while to end the connection in order; without one it is closed at once. Read
// and Write then fail with the reason, an *[Error].
type Conn struct {
	net.Conn  // *tls.Conn, or what a library has made of one
	raw       net.Conn
	handshake *handshake

	once  sync.Once
	ready atomic.Bool
	fault error // of the handshake

	renewAt time.Time // when it is too old; zero: never
	ending  atomic.Pointer[Error]

	// Of the goroutine that looks at the peers.
	checked *material // that the peer was last checked with
	until   time.Time // when it is to be checked again; zero: when the files change

	mu      sync.Mutex
	onEnd   func(*Error)
	refused bool      // by the peer, after the handshake
	cutAt   time.Time // when it is closed if its user has not done it; zero: it may stay
	closed  bool
}

// HandshakeContext makes the handshake, unless it was made. Its errors are an
// *[Error], or that of ctx if that was cancelled. Not more than 8 handshakes with
// one address are made at a time; others wait.
func (c *Conn) HandshakeContext(ctx context.Context) error {
	if c.ready.Load() {
		return nil
	}
	c.once.Do(func() { c.fault = c.shake(ctx) })
	return c.fault
}

// Handshake is HandshakeContext that ends by the deadline of the connection only.
func (c *Conn) Handshake() error { return c.HandshakeContext(context.Background()) }

func (c *Conn) shake(ctx context.Context) error {
	e := c.handshake.endpoint
	shaker, ok := c.Conn.(interface{ HandshakeContext(context.Context) error })
	if !ok {
		return nil // the library has made it
	}
	leave, err := e.gate.enter(ctx, c.raw.RemoteAddr())
	if err == nil {
		err = shaker.HandshakeContext(ctx)
		leave()
	}
	switch {
	case err == nil:
		c.begin()
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	}
	fault := c.handshake.explain(err)
	e.figures.refuse(fault.Reason)
	if c.handshake.role == Server {
		c.farewell()
	}
	return fault
}

// begin takes up a connection after the handshake.
func (c *Conn) begin() {
	e := c.handshake.endpoint
	c.checked, c.until = c.handshake.material, c.handshake.until
	if age := e.settings.MaxAge; age > 0 {
		// Those that came together do not go together.
		c.renewAt = time.Now().Add(age - rand.N(age/10))
	}
	e.figures.shaken.Add(1)
	e.peers.add(c)
	c.ready.Store(true)
}

// farewellTime is how long the alert that tells a client why it was refused may
// take to arrive.
const farewellTime = 500 * time.Millisecond

// farewell lets the client read the alert: octets that it has sent and nobody has
// read would make the system reset the connection, and the alert be lost.
func (c *Conn) farewell() {
	tcp, ok := c.raw.(interface{ CloseWrite() error })
	if !ok || tcp.CloseWrite() != nil || c.raw.SetReadDeadline(time.Now().Add(farewellTime)) != nil {
		return
	}
	// It ends with the connection, or when the time is over: nothing to tell.
	_, _ = io.CopyN(io.Discard, c.raw, 1<<16)
}

// Read implements [net.Conn].
func (c *Conn) Read(b []byte) (int, error) {
	if !c.ready.Load() {
		if err := c.Handshake(); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(b)
	if err != nil {
		err = c.explain(err)
	}
	return n, err
}

// Write implements [net.Conn].
func (c *Conn) Write(b []byte) (int, error) {
	if !c.ready.Load() {
		if err := c.Handshake(); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		err = c.explain(err)
	}
	return n, err
}

// explain gives the reason if the connection had to end, or if the peer refuses
// it, which with TLS 1.3 a client learns only after the handshake.
func (c *Conn) explain(err error) error {
	if reason := c.ending.Load(); reason != nil {
		return reason
	}
	if fault := c.handshake.explainAlert(err); fault != nil {
		if c.refusedLate() {
			c.handshake.endpoint.figures.refuse(fault.Reason)
		}
		return fault
	}
	return err
}

// refusedLate reports, once, that a connection was refused after the handshake.
func (c *Conn) refusedLate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.refused
	c.refused = true
	return first
}

// Close closes the connection, telling the peer. It waits a second at most.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.handshake.endpoint.peers.remove(c)
	if w := c.handshake.wire; w != nil {
		w.hurry()
	}
	return c.Conn.Close()
}

// NetConn returns the connection below TLS. It must not be read or written.
func (c *Conn) NetConn() net.Conn { return c.raw }

// Peer returns whom the certificate of the peer names; nil if there is none,
// or the handshake was not made.
func (c *Conn) Peer() *Identity {
	if !c.ready.Load() || len(c.handshake.certs) == 0 {
		return nil
	}
	return identityOf(c.handshake.certs[0])
}

// OnEnd sets the function that is called, from a goroutine of the endpoint, when
// the connection must end; at once if that is so already. It must not block. It is
// called again if a connection that was only too old gets a better reason. If the
// connection is still open later it is cut: after 30 s if it is only too old,
// otherwise after 5 s, each up to 5 s later.
func (c *Conn) OnEnd(f func(reason *Error)) {
	c.mu.Lock()
	reason := c.ending.Load()
	now := reason != nil && c.onEnd == nil && !c.closed
	c.onEnd = f
	c.mu.Unlock()
	if now {
		f(reason)
	}
}
