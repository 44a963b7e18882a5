// Package mqtt is the connector kind "mqtt": it subscribes to topics of an MQTT
// broker and hands on what is published there.
//
// A message of QoS 1 or 2 is acknowledged to the broker when the host has kept
// it, not before; what is not acknowledged the broker sends again on the next
// connection, in order. The client in this package does just that, and
// acknowledges many messages with one write: the libraries either acknowledge
// on a timer, or leave the identifiers of QoS 2 to the caller, or trust the
// broker with the memory. Their codecs serve all packets but those of the data
// path.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/connector"
)

// Kind returns the connector kind "mqtt".
func Kind() connector.Kind {
	return connector.Define("mqtt", connector.Spec[Settings, Source, connector.None]{
		Settings:       defaults(),
		New:            New,
		Selector:       func(s Source) string { return s.Topic },
		CheckConnector: checkOverlaps,
		Dials:          dials,
	})
}

// Connector is a session at one broker.
type Connector struct {
	settings Settings
	clientID string
	env      connector.Env
	figures  figures
	dial     func(context.Context, Settings) (net.Conn, error)

	// What follows belongs to the goroutine of Run, or to the one goroutine that
	// it starts for subscriptions, which never runs beside a change of link.
	received map[uint16]struct{} // see link
	held     map[string]struct{} // filters that the session at the broker may have
	planner  planner
	resumed  bool // connected before in the life of the process
	lossy    bool // a message of QoS 0 was seen: what is sent while away is lost
	alive    liveness

	// aliveWanted is set while the alive topic is also the topic of a point.
	aliveWanted atomic.Bool
}

var (
	_ connector.Connector = (*Connector)(nil)
	_ connector.Collector = (*Connector)(nil)
)

// New makes a connector of settings that were found in order.
func New(s Settings, env connector.Env) (connector.Connector, error) {
	c := &Connector{settings: s, env: env, clientID: s.ClientID, dial: dial,
		received: make(map[uint16]struct{}), held: make(map[string]struct{})}
	if c.clientID == "" {
		c.clientID = "busbar-" + env.ID
	}
	return c, nil
}

// Run implements [connector.Connector]. It connects again and again by itself,
// so that an outage of the broker is no failure of the connector.
func (c *Connector) Run(ctx context.Context) error {
	var pause backOff
	reason := ""
	for {
		c.env.Report(connector.Connecting, reason)
		began := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		reason = describe(err)
		c.env.Report(connector.Connecting, reason)
		if !wait(ctx, pause.next(time.Since(began))) {
			return nil
		}
	}
}

// session is one connection, from dialling until it is lost.
func (c *Connector) session(parent context.Context) error {
	dialCtx, cancel := context.WithTimeout(parent, handshakeTimeout)
	defer cancel()
	conn, err := c.dial(dialCtx, c.settings)
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(parent)
	l := newLink(conn, c.settings, c.received, fail, &c.figures)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer fail(nil)
	wg.Go(func() { // ends what waits for the network
		<-ctx.Done()
		if err := l.close(parent.Err() != nil); err != nil && !errors.Is(err, net.ErrClosed) {
			c.env.Log.DebugContext(parent, "closing the connection failed", "error", err)
		}
	})

	w, err := l.welcomed(dialCtx, c.settings, c.clientID)
	if err != nil {
		return cause(ctx, err)
	}
	c.up(l, w)
	defer c.down()
	wg.Go(func() { l.acknowledge(ctx) })
	wg.Go(func() { l.ping(ctx) })
	wg.Go(func() { c.follow(ctx, l) })
	return cause(ctx, c.read(ctx, l))
}

// up takes up a new connection.
func (c *Connector) up(l *link, w welcome) {
	if c.figures.connects.Add(1) > 1 {
		c.figures.reconnects.Add(1)
	}
	if !w.present {
		clear(c.received)
		clear(c.held)
	}
	c.planner.identifiers = w.identifiers
	c.figures.link.Store(l)
	c.alive.up(c, w.present && !c.lossy && c.keepsAll())
}

// down takes leave of a connection.
func (c *Connector) down() {
	c.env.Sink.Away("connection to the broker lost", false)
	c.figures.link.Store(nil)
}

// keepsAll reports whether the broker keeps for us, while we are away, what is
// published on all topics.
func (c *Connector) keepsAll() bool {
	ends, _ := c.env.Sink.Sources()
	for _, end := range ends {
		if end.(*Source).qos(c.settings) == 0 {
			return false
		}
	}
	return true
}

// cause returns why ctx was ended by one of our own goroutines, or else err.
func cause(ctx context.Context, err error) error {
	if by := context.Cause(ctx); by != nil {
		return by
	}
	return err
}

// describe makes the reason of a status of an error.
func describe(err error) string {
	if errors.Is(err, io.EOF) {
		return "broker closed the connection"
	}
	return err.Error()
}

// Limits of the pause before the next attempt to connect.
const (
	backOffMin = 500 * time.Millisecond
	backOffMax = 30 * time.Second
)

// backOff is the pause before the next attempt. It doubles up to backOffMax and
// lies anywhere in the upper half, so that clients that lost a broker together
// do not come back together.
type backOff struct{ last time.Duration }

// next returns the pause after a connection that held for so long.
func (b *backOff) next(held time.Duration) time.Duration {
	if held >= backOffMax {
		b.last = 0
	}
	b.last = min(max(2*b.last, backOffMin), backOffMax)
	return b.last/2 + rand.N(b.last/2)
}

// wait waits; it returns false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// welcomed is handshake within the time of ctx.
func (l *link) welcomed(ctx context.Context, s Settings, clientID string) (welcome, error) {
	stop := context.AfterFunc(ctx, func() { l.fail(fmt.Errorf("no CONNACK within %v", handshakeTimeout)) })
	defer stop()
	return l.handshake(s, clientID)
}
