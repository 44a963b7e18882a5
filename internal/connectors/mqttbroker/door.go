package mqttbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"busbar/internal/tlsconf"
)

// door accepts connections and bounds their number, also of those that have
// not said CONNECT yet: what is too many is closed at once.
type door struct {
	listener net.Listener
	tls      *tlsconf.Endpoint // nil: none
	limit    int
	times    times
	figures  *figures
	log      *slog.Logger
	serve    func(*conn) // returns when the connection has ended

	mu         sync.Mutex
	open       map[*conn]struct{}
	closed     bool
	complained map[string]time.Time // when something of a kind was last logged
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
				running.Go(func() { d.attend(ctx, c) })
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
		c.Conn = d.tls.Accept(raw)
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
func (d *door) attend(ctx context.Context, c *conn) {
	defer func() {
		if v := recover(); v != nil {
			d.figures.panics.Add(1)
			if d.mayComplain("panic") {
				d.log.Error("mqtt connection closed after a panic", "peer", c.raw.RemoteAddr(), "stack", string(debug.Stack()),
					"error", fmt.Sprint(v))
			}
		}
		c.fail()
		// What is below is closed already: that is all of the reasons it can have.
		_ = c.Conn.Close()
		d.mu.Lock()
		delete(d.open, c)
		d.mu.Unlock()
		close(c.done)
	}()
	if err := c.raw.SetDeadline(time.Now().Add(d.times.connect)); err != nil {
		return // it is closed already
	}
	if d.secure(ctx, c) {
		d.serve(c)
	}
}

// secure makes the TLS handshake, if there is one to make. A client that must
// leave later is given up, so that its will is sent.
func (d *door) secure(ctx context.Context, c *conn) bool {
	secured, ok := c.Conn.(*tlsconf.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, d.times.connect)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		reason := "tls"
		if fault, ok := errors.AsType[*tlsconf.Error](err); ok {
			reason = fault.Reason.String()
		}
		if !errors.Is(err, context.Canceled) && d.mayComplain(reason) {
			d.log.Warn("mqtt client refused", "peer", c.raw.RemoteAddr(), "error", err)
		}
		return false
	}
	secured.OnEnd(func(*tlsconf.Error) { c.fail() })
	return true
}

// mayComplain limits what clients can provoke to be logged: it reports whether
// nothing of the kind was logged for a while. There are few kinds.
func (d *door) mayComplain(kind string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if last, known := d.complained[kind]; known && now.Sub(last) < warnEvery || d.closed {
		return false
	}
	d.complained[kind] = now
	return true
}
