package iec104

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"busbar/iec104/asdu"
)

// ErrNotStarted reports that data transfer is not started.
var ErrNotStarted = errors.New("iec104: data transfer not started")

// Client is the controlling station of one controlled station. There are two
// ways to be connected: [Client.Run] keeps the station connected and data transfer
// started, over one address or several, until its context ends; [Client.Connect]
// makes one connection, for a tool that has something to ask. The requests are
// the same and go to the connection that is started.
//
// The methods may be called from any goroutine; a handler may call those that
// do not wait.
type Client struct {
	p   Params
	opt options

	mu     sync.Mutex
	lastID uint64
	paths  []*path
	active *path                   // with data transfer, or to have it; requests go to its connection
	failed error                   // why the last connection ended or was not made
	abort  context.CancelCauseFunc // ends a Connect under way; otherwise nil
	run    supervision
	news   chan struct{} // closed when something of a connection changes
}

// NewClient returns a client for the station at addr, host and port; see also
// [WithAddresses]. It validates p and never connects.
func NewClient(addr string, p Params, opts ...Option) (*Client, error) {
	p, err := p.Complete()
	if err != nil {
		return nil, fmt.Errorf("iec104: client: %w", err)
	}
	c := &Client{p: p, opt: newOptions(opts), news: make(chan struct{})}
	addrs := append([]string{addr}, c.opt.addresses...)
	if c.opt.reverse && len(addrs) > 1 {
		return nil, errors.New("iec104: client: a station that dials out has no further addresses")
	}
	if c.opt.alone {
		c.paths = []*path{{addrs: addrs, addr: addr}}
		return c, nil
	}
	for i, a := range addrs {
		c.paths = append(c.paths, &path{number: i, addrs: []string{a}, addr: a})
	}
	return c, nil
}

// Dial returns a client that is connected; see [NewClient] and [Client.Connect].
func Dial(ctx context.Context, addr string, p Params, opts ...Option) (*Client, error) {
	c, err := NewClient(addr, p, opts...)
	if err != nil {
		return nil, err
	}
	return c, c.Connect(ctx)
}

// Connect establishes a connection to the first address; data transfer is
// stopped then. It may be called again after the connection has ended. It fails
// with [ErrTimeout] if it takes longer than T0, with [ErrClosed] if Close is called
// meanwhile, and if there is a connection already or Run is running.
func (c *Client) Connect(ctx context.Context) error {
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	p := c.paths[0]
	c.mu.Lock()
	if c.abort != nil || c.run.stop != nil || p.open() {
		c.mu.Unlock()
		return errors.New("iec104: already connected")
	}
	c.abort = abort
	c.mu.Unlock()
	conn, err := c.dial(ctx, p)
	c.mu.Lock()
	c.abort = nil
	if err == nil && errors.Is(context.Cause(ctx), ErrClosed) {
		closeQuietly(conn.link.conn)
		err = ErrClosed
	}
	if err != nil {
		c.mu.Unlock()
		return err
	}
	p.conn, c.active = conn, p
	c.mu.Unlock()
	c.moved(conn, LinkConnected)
	go func() {
		conn.run()
		c.lost(p, conn, conn.reason, 0)
	}()
	return nil
}

// dial makes a connection to the address of p.
func (c *Client) dial(ctx context.Context, p *path) (*clientConn, error) {
	if !c.opt.reverse {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.p.T0, ErrTimeout)
		defer cancel()
	}
	var conn net.Conn
	var err error
	dialled := make(chan struct{})
	go func() { // the stack that this takes is not kept for the life of the connection
		defer close(dialled)
		conn, err = c.opt.dial(ctx, "tcp", p.addr)
	}()
	<-dialled
	switch cause := context.Cause(ctx); {
	case err == nil:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lastID++
		return newClientConn(c, c.lastID, p, conn), nil
	case errors.Is(cause, ErrClosed) || errors.Is(cause, ErrTimeout):
		return nil, fmt.Errorf("iec104: connect to %s: %w: %w", p.addr, cause, err)
	default:
		return nil, fmt.Errorf("iec104: connect to %s: %w", p.addr, err)
	}
}

// current returns the connection that requests go to.
func (c *Client) current() (*clientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a := c.active; {
	case a != nil && a.conn.over():
		return nil, a.conn.reason
	case a != nil:
		return a.conn, nil
	case c.run.stop == nil:
		return nil, ErrClosed
	case c.failed != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotStarted, c.failed)
	default:
		return nil, ErrNotStarted
	}
}

// Close ends Run, or closes the connection, or aborts Connect, and waits until
// the connection is gone. What the handler has taken is acknowledged before. It
// is not an error if there is none. A handler must not call it.
func (c *Client) Close() error {
	c.mu.Lock()
	conn, run := c.paths[0].conn, c.run
	if c.abort != nil {
		c.abort(ErrClosed)
	}
	c.mu.Unlock()
	switch {
	case run.stop != nil:
		run.stop()
		<-run.ended
	case conn != nil:
		conn.leave()
		<-conn.done
	}
	return nil
}

// Done returns a channel that is closed when the connection that requests go to
// has ended; nil if there is none yet. [Client.Err] then says why.
func (c *Client) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active == nil {
		return nil
	}
	return c.active.conn.done
}

// Err returns why the last connection ended, a *[LinkError], or was not made; nil
// while one is open.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a := c.active; {
	case a == nil:
		return c.failed
	case a.conn.over():
		return a.conn.reason
	default:
		return nil
	}
}

// Info describes the connection that requests go to, the last one if it has
// ended.
func (c *Client) Info() ConnInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active == nil {
		return ConnInfo{State: stopped.String()}
	}
	return c.active.conn.info()
}

// Send queues an ASDU for sending and does not wait for anything. The client's
// originator address takes the place of none. It fails with [ErrNotStarted],
// [ErrClosed], and if the ASDU cannot be built or too many wait to be sent.
func (c *Client) Send(h asdu.Header, objs ...asdu.Object) error {
	conn, err := c.current()
	if err != nil {
		return err
	}
	b, err := c.build(h, objs...)
	if err != nil {
		return err
	}
	return conn.send(outgoing{asdu: b})
}

// build encodes a request.
func (c *Client) build(h asdu.Header, objs ...asdu.Object) ([]byte, error) {
	if h.OA == 0 && c.p.Sizes.COT == 2 {
		h.OA = c.opt.oa
	}
	b, err := asdu.Append(nil, c.p.Sizes, h, objs)
	if err != nil {
		return nil, fmt.Errorf("iec104: request: %w", err)
	}
	return b, nil
}
