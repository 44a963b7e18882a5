package iec104

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// LinkState is the state of one of the connections of a [Client].
type LinkState uint8

// The states of a connection.
const (
	LinkDown      LinkState = iota + 1 // there is none
	LinkConnected                      // data transfer is stopped: a standby, or about to be started
	LinkStarted                        // data transfer is started
)

// String returns the state in words.
func (s LinkState) String() string {
	switch s {
	case LinkDown:
		return "down"
	case LinkConnected:
		return "connected"
	case LinkStarted:
		return "started"
	default:
		return "unknown"
	}
}

// LinkEvent tells that a connection of a [Client], or of [Server.DialOut], has
// changed its state.
type LinkEvent struct {
	Link  int    // number of the address: 0 is that of [NewClient], then come those of [WithAddresses]
	Addr  string // host and port
	Conn  uint64 // number of the connection, as in a trace; 0: none was made
	State LinkState
	Err   error         // LinkDown: why the connection ended, a *[LinkError], or was not made
	Retry time.Duration // LinkDown: until the next attempt

	// NetConn is the connection as it was dialled or accepted, such as to look at
	// the certificate of a TLS peer; nil with LinkDown. It must not be read,
	// written or closed.
	NetConn net.Conn
}

// LinkInfo describes one of the connections of a [Client].
type LinkInfo struct {
	Addr  string
	State LinkState
	Err   error    // LinkDown: why; nil before the first attempt has ended
	Conn  ConnInfo // of the connection, the last one if it has ended
}

// path is an address, or several that take turns, and the connection to it.
type path struct {
	number int
	addrs  []string

	// Guarded by the lock of the client.
	addr string      // the one in use
	conn *clientConn // the last one; nil before the first
	err  error       // why the last one ended or was not made
}

// open reports whether there is a connection.
func (p *path) open() bool { return p.conn != nil && !p.conn.over() }

// Links describes the connections, one for each address.
func (c *Client) Links() []LinkInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	infos := make([]LinkInfo, len(c.paths))
	for i, p := range c.paths {
		infos[i] = LinkInfo{Addr: p.addr, State: LinkDown, Err: p.err}
		if p.conn != nil {
			infos[i].Conn = p.conn.info()
		}
		if p.open() {
			infos[i].State, infos[i].Err = LinkConnected, nil
			if infos[i].Conn.State == started.String() {
				infos[i].State = LinkStarted
			}
		}
	}
	return infos
}

// moved tells that a connection has changed its state. The reader of the
// connection calls it, so that what happens is told in its order, and before
// and after the ASDUs it belongs to.
func (c *Client) moved(conn *clientConn, s LinkState) {
	c.opt.log.Info("link changed", "link", conn.path.number, "conn", conn.id, "peer", addrString(conn.remote), "state", s.String())
	c.opt.link(LinkEvent{Link: conn.path.number, Addr: conn.addr, Conn: conn.id, State: s, NetConn: conn.netConn()})
	c.mu.Lock()
	defer c.mu.Unlock()
	if s == LinkStarted {
		conn.path.err = nil // its loss is to be told, whatever was told before
	}
	c.steer()
}

// lost tells that a connection has ended, or was not made: then it is nil.
func (c *Client) lost(p *path, conn *clientConn, err error, retry time.Duration) {
	e := LinkEvent{Link: p.number, Addr: p.addr, State: LinkDown, Err: err, Retry: retry}
	level := slog.LevelWarn
	if conn != nil {
		e.Conn = conn.id
	}
	var le *LinkError
	switch {
	case p.err != nil && p.err.Error() == err.Error():
		level = slog.LevelDebug // told before
	case errors.As(err, &le) && (le.Reason == ClosedLocally || le.Reason == ClosedByPeer):
		level = slog.LevelInfo
	}
	c.opt.log.Log(context.Background(), level, "link down", "link", e.Link, "conn", e.Conn, "addr", e.Addr, "retry_in", retry, "error", err)
	c.opt.link(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn != nil {
		close(conn.done)
	}
	c.failed, p.err = err, err
	if c.run.stop != nil && c.active == p {
		c.active = nil
		c.run.from = p.number + 1 // the next one takes over
	}
	c.steer()
}

// await waits until done, which is called with the lock held, returns true or
// an error.
func (c *Client) await(ctx context.Context, done func() (bool, error)) error {
	for {
		c.mu.Lock()
		ok, err := done()
		news := c.news
		c.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// transferring reports whether data transfer is started.
func (c *Client) transferring() bool { return c.active != nil && c.active.conn.in(started) }
