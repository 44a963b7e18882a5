package mqttbroker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// door accepts connections and bounds their number, also of those that have
// not said CONNECT yet: what is too many is closed at once.
type door struct {
	listener net.Listener
	tls      *tls.Config // nil: none
	limit    int
	times    times
	figures  *figures
	log      *slog.Logger
	serve    func(*conn) // returns when the connection has ended

	mu       sync.Mutex
	open     map[*conn]struct{}
	closed   bool
	panicked time.Time // when the last panic was logged
}

// times are how long the broker waits for clients.
type times struct {
	connect time.Duration // from the connection to the end of CONNECT, with the TLS handshake
	write   time.Duration // for a client to take what is sent to it
}

// run accepts until ctx ends or accepting fails for good. It returns when every
// connection has ended; the caller makes that they do, by the end of ctx.
func (d *door) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		<-ctx.Done()
		d.close()
	})
	var delay time.Duration
	for {
		raw, err := d.listener.Accept()
		switch {
		case err == nil:
			delay = 0
			if c := d.admit(raw); c != nil {
				running.Go(func() { d.attend(c) })
			}
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept: %w", err)
		default:
			// Out of file descriptors or the like: what is open goes on.
			delay = min(max(2*delay, 10*time.Millisecond), time.Second)
			d.log.WarnContext(ctx, "accept failed, will retry", "retry_in", delay, "error", err)
			select {
			case <-time.After(delay):
			case <-ctx.Done():
			}
		}
	}
}

// close closes the listener and every connection.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	// They are given up whatever Close returns.
	_ = d.listener.Close()
	for c := range d.open {
		c.fail()
	}
}

// admit returns the connection of a client, or nil if there are too many.
func (d *door) admit(raw net.Conn) *conn {
	c := &conn{Conn: raw, raw: raw, patience: d.times.write, done: make(chan struct{})}
	if d.tls != nil {
		c.Conn = tls.Server(raw, d.tls)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.open) >= d.limit {
		if !d.closed {
			d.figures.refused.Add(1)
		}
		c.fail()
		return nil
	}
	d.open[c] = struct{}{}
	return c
}

// attend serves a connection to its end. A panic in the library costs only this
// connection.
func (d *door) attend(c *conn) {
	defer func() {
		if v := recover(); v != nil {
			d.figures.panics.Add(1)
			if d.mayComplain() {
				d.log.Error("mqtt connection closed after a panic", "peer", c.raw.RemoteAddr(), "stack", string(debug.Stack()),
					"error", fmt.Sprint(v))
			}
		}
		c.fail()
		d.mu.Lock()
		delete(d.open, c)
		d.mu.Unlock()
		close(c.done)
	}()
	if err := c.raw.SetDeadline(time.Now().Add(d.times.connect)); err != nil {
		return // it is closed already
	}
	d.serve(c)
}

// mayComplain limits the log of panics, which a client can provoke: it reports
// whether none was logged for a while.
func (d *door) mayComplain() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if !d.panicked.IsZero() && now.Sub(d.panicked) < warnEvery {
		return false
	}
	d.panicked = now
	return true
}
