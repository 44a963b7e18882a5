// Package mqtt is the connector kind "mqtt": it subscribes to topics of an MQTT
// broker and hands on what is published there, and publishes commands.
//
// The clients are paho.golang for MQTT 5 and paho.mqtt.golang for MQTT 3.1.1,
// with a guard between them and the network, see guard.go. A message of QoS 1 or
// 2 is acknowledged to the broker when the host has kept it, not before; what is
// not acknowledged the broker sends again on the next connection, in order.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/paho/store/memory"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/tlsconf"
)

// Kind returns the connector kind "mqtt".
func Kind() connector.Kind {
	var targets describer
	return connector.Define("mqtt", connector.Spec[Settings, Source, Target]{
		Settings:       defaults(),
		Target:         targetDefaults(),
		Describe:       targets.describe,
		CheckTarget:    checkTarget,
		Tagged:         func(Target) bool { return true },
		System:         systemPoints(),
		New:            New,
		Selector:       func(s Source) string { return unshared(s.Topic) },
		CheckConnector: checkConnector,
		Requester:      connector.RequesterOf(defaultRequester(), nil),
		Executor:       connector.ExecutorOf(defaultExecutor(), checkExecutor, replies),
		CheckCommands:  checkCommands,
		Test:           test,
		Dials:          dials,
	})
}

// Connector is a session at one broker.
type Connector struct {
	settings Settings
	clientID string
	env      connector.Env
	figures  figures
	tls      *tlsconf.Endpoint
	dial     func(context.Context, Settings) (net.Conn, error)
	desk     *dispatch.Desk
	counter  *counter
	outbox   atomic.Pointer[outbox] // of the present run; nil: nothing can be published
	link     atomic.Pointer[link]   // nil: not connected

	// What follows belongs to the goroutine of Run, or to the one goroutine that
	// it starts for subscriptions, which never runs beside a change of connection.
	kept    *memory.Store       // of the session of MQTT 5, see [newSession5]
	held    map[string]struct{} // filters that the session at the broker may have
	planner planner
	resumed bool // connected before in the life of the process

	alive  liveness
	health health
	lossy  atomic.Bool // a message of QoS 0 was seen: what is sent while away is lost
	// aliveWanted is set while the alive topic is also the topic of a point.
	aliveWanted atomic.Bool
	// points are the filters of points; nil: not known yet.
	points atomic.Pointer[filters]
	// shared are those of them that are shared subscriptions.
	shared atomic.Pointer[filters]
}

var (
	_ connector.Connector = (*Connector)(nil)
	_ connector.Collector = (*Connector)(nil)
	_ connector.Executor  = (*Connector)(nil)
)

// New makes a connector of settings that were found in order.
func New(s Settings, env connector.Env) (connector.Connector, error) {
	e := tlsconf.New(s.TLS, brokerUse(), env.Log)
	c := &Connector{settings: s, env: env, clientID: s.ClientID, tls: e, dial: dialer(e),
		kept: memory.New(), held: make(map[string]struct{}), desk: dispatch.NewDesk(env.Log, env.Now), counter: newCounter(env)}
	if c.clientID == "" {
		c.clientID = "busbar-" + env.ID
	}
	return c, nil
}

// Run implements [connector.Connector]. It connects again and again by itself,
// so that an outage of the broker is no failure of the connector.
func (c *Connector) Run(parent context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	if c.settings.secure() {
		parts.Go(func() { c.tls.Run(ctx) })
	}
	box := newOutbox(c.settings, c.env, &c.figures.out, c.complains)
	c.outbox.Store(box)
	parts.Go(func() {
		if err := box.run(ctx); err != nil && parent.Err() == nil {
			cancel(fmt.Errorf("reading the change log: %w", err))
		}
	})
	c.connectAgain(ctx, box)
	cancel(nil)
	parts.Wait()
	box.save() // what was acknowledged at the end
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// connectAgain connects until ctx ends.
func (c *Connector) connectAgain(ctx context.Context, box *outbox) {
	var pause backOff
	state, reason := connector.Connecting, ""
	for {
		c.env.Report(state, reason)
		began := time.Now()
		err := c.session(ctx, box)
		if ctx.Err() != nil {
			return
		}
		state, reason = connector.Connecting, describe(err)
		if errors.Is(err, errNotKept) {
			state = connector.Degraded // nothing is wrong with the broker
		}
		c.env.Report(state, reason)
		if !wait(ctx, pause.next(time.Since(began))) {
			return
		}
	}
}

// session is one connection, from dialling until it is lost.
func (c *Connector) session(parent context.Context, box *outbox) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	dialCtx, dialled := context.WithTimeout(ctx, handshakeTimeout)
	defer dialled()
	conn, err := c.dial(dialCtx, c.settings)
	if err != nil {
		return err
	}
	if secured, ok := conn.(*tlsconf.Conn); ok {
		secured.OnEnd(func(reason *tlsconf.Error) { cancel(reason) })
	}
	r := &receiver{c: c, ctx: ctx, ready: make(chan struct{}), fail: cancel,
		acks: newAcks(c.settings.ReceiveMaximum, cancel), copies: newCopies()}
	g := newGuard(conn, c.settings, &c.figures.bytes, cancel)
	late := context.AfterFunc(dialCtx, func() {
		cancel(fmt.Errorf("no CONNACK within %v", handshakeTimeout))
		c.abort(g)
	})
	cl, w, err := c.connect(ctx, g, r.receive, cancel)
	if !late() && err == nil {
		err = dialCtx.Err()
		cl.close(false)
	}
	if err != nil {
		cancel(err)
		c.abort(g)
		return context.Cause(ctx)
	}
	c.up(r.acks, w)
	l := c.open(ctx, g, box, w)
	close(r.ready)
	var wg sync.WaitGroup
	wg.Go(func() { l.out.run(ctx) })
	wg.Go(r.acknowledge)
	wg.Go(func() { c.counter.respond(ctx, l.out) })
	wg.Go(func() {
		if err := c.follow(ctx, cl, l); err != nil {
			cancel(err)
		}
	})
	<-ctx.Done()
	c.link.Store(nil)
	orderly := parent.Err() != nil
	c.down(orderly)
	if !orderly {
		c.abort(g)
	}
	hung := time.AfterFunc(farewellTimeout, func() { c.abort(g) })
	defer hung.Stop()
	wg.Wait()
	c.disconnected()
	l.end()
	if orderly {
		box.settleDown()
		r.finish()
	}
	cl.close(orderly)
	box.disconnect()
	return context.Cause(ctx)
}

// open lets commands, answers and points be published on a new connection.
func (c *Connector) open(ctx context.Context, g *guard, box *outbox, w welcome) *link {
	out := newOutflow(c.settings.Version == "5", w, c.settings.SendMaximum, g.send, box.fill)
	g.out.Store(out)
	box.connect(out, w)
	l := newLink(ctx, out)
	c.link.Store(l)
	return l
}

// checkConnector reports what shows only when all ends are seen together.
func checkConnector(s Settings, sources []connector.End[Source], targets []connector.End[Target]) []connector.Problem {
	return slices.Concat(checkOverlaps(s, sources), checkShares(sources), checkTargets(s, targets))
}

// connect signs in at the broker.
func (c *Connector) connect(ctx context.Context, g *guard, receive func(*message), fail func(error)) (client, welcome, error) {
	if c.settings.Version == "5" {
		return connect5(ctx, g, c.settings, c.clientID, c.kept, receive, fail)
	}
	return connect3(g, c.settings, c.clientID, receive, fail)
}

// abort closes a connection.
func (c *Connector) abort(g *guard) {
	if err := g.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.env.Log.Debug("closing the connection failed", "error", err)
	}
}

// up takes up a new connection.
func (c *Connector) up(acks *acks, w welcome) {
	if c.figures.connects.Add(1) > 1 {
		c.figures.reconnects.Add(1)
	}
	if !w.present {
		clear(c.held)
	}
	c.planner.identifiers = w.identifiers
	c.figures.acks.Store(acks)
	c.alive.connected(c.env.Sink, w.present && !c.lossy.Load() && c.keepsAll(), c.settings.Alive.Topic != "")
}

// down takes leave of a connection, which is lost unless the connector stops.
func (c *Connector) down(stops bool) {
	reason := errGone.Error()
	if stops {
		reason = "the connector stops"
	}
	c.alive.lost(c.env.Sink, reason)
	c.figures.acks.Store(nil)
}

// keepsAll reports whether the broker keeps for us, while we are away, what is
// published on all topics. What is shared it gives to others then.
func (c *Connector) keepsAll() bool {
	ends, _ := c.env.Sink.Sources()
	for _, end := range ends {
		if s := end.(*Source); s.qos(c.settings) == 0 || isShared(s.Topic) {
			return false
		}
	}
	return true
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
