package iec104

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"busbar/iec104/asdu"
)

// Errors of a [Client] that callers tell apart with errors.Is.
var (
	// ErrNotStarted reports that data transfer is not started.
	ErrNotStarted = errors.New("iec104: data transfer not started")
	// ErrBusy reports that the same request is still being answered.
	ErrBusy = errors.New("iec104: request already running")
	// ErrIncomplete reports that an answer began and did not end in time. What
	// was received of it is valid.
	ErrIncomplete = errors.New("iec104: answer incomplete")
)

// Client is a controlling station with one connection to a controlled station.
// Its methods may be called from any goroutine; a handler may call those that
// do not wait. It does not reconnect by itself, but Connect may be called
// again after the connection has ended.
type Client struct {
	addr    string
	p       Params
	opt     options
	buffers sync.Pool

	mu     sync.Mutex
	conn   *clientConn             // nil before the first Connect
	abort  context.CancelCauseFunc // ends a Connect under way; otherwise nil
	lastID uint64
}

// NewClient returns a client for the station at addr, host and port. It
// validates p and never connects.
func NewClient(addr string, p Params, opts ...Option) (*Client, error) {
	p, err := p.Complete()
	if err != nil {
		return nil, fmt.Errorf("iec104: client: %w", err)
	}
	c := &Client{addr: addr, p: p, opt: newOptions(opts)}
	c.buffers.New = func() any { return new([outSize]byte) }
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

// Connect establishes the connection; data transfer is stopped then. It fails
// with [ErrTimeout] if that takes longer than T0, with [ErrClosed] if Close is
// called meanwhile, and if there is a connection already.
func (c *Client) Connect(ctx context.Context) error {
	dialCtx, cancel := context.WithTimeoutCause(ctx, c.p.T0, ErrTimeout)
	defer cancel()
	dialCtx, abort := context.WithCancelCause(dialCtx)
	defer abort(nil)
	c.mu.Lock()
	if c.abort != nil || c.conn != nil && !c.conn.over() {
		c.mu.Unlock()
		return errors.New("iec104: already connected")
	}
	c.abort = abort
	c.mu.Unlock()

	conn, err := c.opt.dial(dialCtx, "tcp", c.addr)
	cause := context.Cause(dialCtx)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.abort = nil
	switch {
	case err == nil && errors.Is(cause, ErrClosed):
		closeQuietly(conn)
		return ErrClosed
	case err != nil && (errors.Is(cause, ErrClosed) || errors.Is(cause, ErrTimeout)):
		return fmt.Errorf("iec104: connect to %s: %w: %w", c.addr, cause, err)
	case err != nil:
		return fmt.Errorf("iec104: connect to %s: %w", c.addr, err)
	}
	c.lastID++
	c.conn = newClientConn(c, c.lastID, conn)
	go c.conn.run()
	return nil
}

// current returns the connection, or an error if there is none that is open.
func (c *Client) current() (*clientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil, ErrClosed
	}
	if c.conn.over() {
		return nil, c.conn.reason
	}
	return c.conn, nil
}

// StartDT starts data transfer and returns once the station has confirmed it.
//
// It fails with [ErrTimeout] if no confirmation arrives within T1, which also
// closes the connection, with [ErrClosed] after Close, and with ctx.Err() if
// ctx ends first; the confirmation may then still arrive.
func (c *Client) StartDT(ctx context.Context) error {
	return c.transfer(ctx, started)
}

// StopDT stops data transfer and returns once the station has confirmed it,
// which it does after its frames have been acknowledged. It fails as StartDT.
func (c *Client) StopDT(ctx context.Context) error {
	return c.transfer(ctx, stopped)
}

// transfer changes the state of data transfer and waits for it.
func (c *Client) transfer(ctx context.Context, want transfer) error {
	conn, err := c.current()
	if err != nil {
		return err
	}
	for {
		state, changed := conn.approach(want)
		if state == want {
			return nil
		}
		select {
		case <-changed:
		case <-conn.done:
			return conn.reason
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close closes the connection, or aborts Connect, and waits until the
// connection is gone. What the handler has taken is acknowledged before. It is not an error if there is none. A handler must not
// call it.
func (c *Client) Close() error {
	c.mu.Lock()
	conn := c.conn
	if c.abort != nil {
		c.abort(ErrClosed)
	}
	c.mu.Unlock()
	if conn == nil {
		return nil
	}
	conn.leave()
	<-conn.done
	return nil
}

// Done returns a channel that is closed when the connection has ended; nil
// before the first Connect. [Client.Err] then says why.
func (c *Client) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	return c.conn.done
}

// Err returns why the connection ended, a *[LinkError]; nil while it is open.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil || !c.conn.over() {
		return nil
	}
	return c.conn.reason
}

// Info describes the connection, the last one if it has ended.
func (c *Client) Info() ConnInfo {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn == nil {
		return ConnInfo{State: stopped.String()}
	}
	return conn.info()
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
	return conn.send(outgoing{asdu: b}, nil)
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
