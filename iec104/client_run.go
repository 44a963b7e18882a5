package iec104

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// supervision is what a [Client] knows while Run is running.
type supervision struct {
	stop  context.CancelFunc // nil: it is not running
	ended chan struct{}      // closed when it has ended
	over  bool               // it is about to end
	idle  bool               // no data transfer is wanted
	wish  *path              // that Switch wants data transfer on; nil: any
	from  int                // number of the path to look at first for data transfer
}

// Run keeps the station connected until ctx ends or Close is called; then it
// closes the connections, waits until they are gone and returns nil. It fails at
// once if the client is connected already.
//
// Each address has a connection of its own. Data transfer is started on one of
// them, the first that is there; the others are standbys, on which the station
// is only tested after each T3. When the started one is lost, the next standby
// is started at once. A connection that is lost or cannot be established is
// tried again after 1 s, then after twice the time before, up to 60 s, each
// varied by a fifth so that many stations do not come back together;
// [WithRetry] changes the times. [WithSingleConnection] and [WithStandby] change
// the rest.
//
// What a station had not sent when the connection was lost it sends on the next
// one, events again if they were not acknowledged, see [Replays]; answers to
// requests are lost with the connection. It is up to the caller to ask for the
// values again after each start, [WithLinkEvents] tells of it.
func (c *Client) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	if c.abort != nil || c.run.stop != nil || c.paths[0].open() {
		c.mu.Unlock()
		return errors.New("iec104: already connected")
	}
	ended := make(chan struct{})
	c.run = supervision{stop: cancel, ended: ended, idle: c.opt.standby}
	c.active, c.failed = nil, nil
	c.mu.Unlock()
	unhook := context.AfterFunc(ctx, c.leaveAll)
	defer unhook()
	var others sync.WaitGroup
	for _, p := range c.paths[1:] {
		others.Go(func() { c.keep(ctx, p) })
	}
	c.keep(ctx, c.paths[0])
	others.Wait()
	c.mu.Lock()
	c.run = supervision{}
	c.active = nil
	c.steer()
	c.mu.Unlock()
	close(ended)
	return nil
}

// leaveAll closes all connections.
func (c *Client) leaveAll() {
	c.mu.Lock()
	c.run.over = true
	var open []*clientConn
	for _, p := range c.paths {
		if p.open() {
			open = append(open, p.conn)
		}
	}
	c.mu.Unlock()
	for _, conn := range open {
		conn.leave()
	}
}

// steadyTime is how long a connection must have lasted for the waiting times to
// begin anew.
const steadyTime = time.Second

// keep connects to the address of a path again and again until ctx ends.
func (c *Client) keep(ctx context.Context, p *path) {
	wait := backoff{least: c.opt.retryLeast, most: c.opt.retryMost}
	for turn, failures := 0, 0; ; turn++ {
		c.mu.Lock()
		p.addr = p.addrs[turn%len(p.addrs)]
		c.mu.Unlock()
		conn, err := c.connection(ctx, p)
		if ctx.Err() != nil {
			c.lost(p, conn, err, 0)
			return
		}
		var le *LinkError
		if conn != nil && errors.As(err, &le) && le.Reason != NoStartCon && time.Since(conn.since) >= steadyTime {
			wait.times, failures = 0, 0
		}
		var retry time.Duration
		switch {
		case conn != nil && conn.renewed.Load():
			turn--
		case c.opt.reverse: // the station comes when it likes
		default:
			if failures++; failures%len(p.addrs) == 0 { // the other addresses were tried at once
				retry = wait.next()
			}
		}
		c.lost(p, conn, err, retry)
		if !sleep(ctx, retry) {
			return
		}
	}
}

// connection makes a connection, serves it and returns it and why it ended, or
// why it was not made.
func (c *Client) connection(ctx context.Context, p *path) (*clientConn, error) {
	conn, err := c.dial(ctx, p)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	p.conn = conn
	over := c.run.over
	c.mu.Unlock()
	if over {
		conn.leave()
	} else {
		c.moved(conn, LinkConnected)
	}
	conn.run()
	return conn, conn.reason
}

// sleep waits; false: ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff gives the waiting times before attempts to connect.
type backoff struct {
	least, most time.Duration
	times       int
}

// next returns the next waiting time: twice the one before, varied by a fifth.
func (b *backoff) next() time.Duration {
	d := b.most
	if b.times < 30 && b.least<<b.times < b.most {
		d = b.least << b.times
		b.times++
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
