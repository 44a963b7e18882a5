package iec104

import (
	"context"
	"errors"
	"fmt"
)

// steer takes the next step towards the state of data transfer that is wanted
// and wakes those who wait for it. It is called with the lock held whenever
// something has changed, and does nothing twice.
func (c *Client) steer() {
	close(c.news)
	c.news = make(chan struct{})
	r := &c.run
	if r.stop == nil || r.over {
		return
	}
	if r.wish != nil && !r.wish.open() {
		r.wish = nil
	}
	if a := c.active; a != nil {
		if !r.idle && (r.wish == nil || r.wish == a) {
			if state, _ := a.conn.approach(started); state == started {
				r.wish = nil
			}
			return
		}
		if state, _ := a.conn.approach(stopped); state != stopped {
			return // it goes on when the station has confirmed
		}
		c.active = nil
	}
	if next := c.next(); next != nil && !r.idle {
		c.active, r.from = next, next.number
		next.conn.approach(started)
	}
}

// next returns the path to start data transfer on; nil if none is connected.
func (c *Client) next() *path {
	if c.run.wish != nil {
		return c.run.wish
	}
	for i := range c.paths {
		if p := c.paths[(c.run.from+i)%len(c.paths)]; p.open() {
			return p
		}
	}
	return nil
}

// AwaitStart waits until data transfer is started, by whomever, also if Run was
// not called yet. It fails with ctx.Err() only.
func (c *Client) AwaitStart(ctx context.Context) error {
	return c.await(ctx, func() (bool, error) { return c.transferring(), nil })
}

// StartDT starts data transfer and returns once the station has confirmed it.
// While Run is running it ends a standby, and waits until a connection is there.
//
// Otherwise it fails with [ErrTimeout] if no confirmation arrives within T1, which
// also closes the connection, with [ErrClosed] after Close, and in any case with
// ctx.Err() if ctx ends first; the confirmation may then still arrive.
func (c *Client) StartDT(ctx context.Context) error {
	return c.transfer(ctx, started)
}

// StopDT stops data transfer and returns once the station has confirmed it,
// which it does after its frames have been acknowledged. Requests that are
// running fail with [ErrNotStarted]. While Run is running the connections stay as
// standbys until StartDT. It fails as StartDT.
func (c *Client) StopDT(ctx context.Context) error {
	return c.transfer(ctx, stopped)
}

// transfer changes the state of data transfer and waits for it.
func (c *Client) transfer(ctx context.Context, want transfer) error {
	c.mu.Lock()
	running := c.run.stop != nil
	if running {
		c.run.idle = want == stopped
		c.steer()
	}
	c.mu.Unlock()
	if running {
		return c.await(ctx, func() (bool, error) {
			switch {
			case c.run.stop == nil || c.run.over:
				return false, ErrClosed
			case want == started:
				return c.transferring(), nil
			default:
				return c.active == nil, nil
			}
		})
	}
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

// Switch moves data transfer to the connection to another address of the
// station, while Run is running: it is stopped on the one that has it, and after
// the station has confirmed that, started on the other. Switch returns once the
// station has confirmed that too. It fails if there is no connection to that
// address or it is lost meanwhile; data transfer is then started where it can be.
func (c *Client) Switch(ctx context.Context, addr string) error {
	var to *path
	err := c.await(ctx, func() (bool, error) {
		r := &c.run
		if to != nil {
			switch {
			case c.active == to && to.conn.in(started):
				return true, nil
			case r.wish != to:
				return false, fmt.Errorf("iec104: switch to %s: lost or replaced by another switch: %w", addr, ErrClosed)
			default:
				return false, nil
			}
		}
		for _, p := range c.paths {
			if p.addr == addr {
				to = p
			}
		}
		switch {
		case to == nil:
			return false, fmt.Errorf("iec104: switch to %s: no such address", addr)
		case r.stop == nil || r.idle:
			return false, fmt.Errorf("iec104: switch to %s: %w", addr, ErrNotStarted)
		case !to.open():
			return false, fmt.Errorf("iec104: switch to %s: no connection: %w", addr, errors.Join(ErrClosed, to.err))
		}
		r.wish = to
		c.steer()
		return c.active == to && to.conn.in(started), nil
	})
	return err
}
