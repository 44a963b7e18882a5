// Package mqttbroker is the connector kind "mqtt-broker": an embedded MQTT
// broker that is itself the source of points, for demonstrations and small
// sites without a broker of their own.
//
// A message of QoS 1 or 2 is acknowledged to its publisher when the host has
// kept it; meanwhile the next ones are taken. The broker is the front door of Busbar and nothing more: it hands
// messages to other subscribers with QoS 0, so that a user can look. See
// docs/connectors/mqtt-broker.md.
package mqttbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/tlsconf"
)

// Kind returns the connector kind "mqtt-broker".
func Kind() connector.Kind {
	return connector.Define("mqtt-broker", connector.Spec[Settings, Source, connector.None]{
		Settings: defaults(),
		New:      build,
		Selector: func(s Source) string { return s.Topic },
		Executor: connector.ExecutorOf(defaultExecutor(), checkExecutor, replies),
		Test:     test,
		Listens:  func(s Settings) []string { return []string{s.Listen} },
	})
}

// instance is one configured broker.
type instance struct {
	settings Settings
	env      connector.Env
	times    times
	figures  figures
	desk     *dispatch.Desk
	tls      *tlsconf.Endpoint             // nil: none
	server   atomic.Pointer[broker.Server] // nil: it does not run
}

var (
	_ connector.Connector = (*instance)(nil)
	_ connector.Collector = (*instance)(nil)
	_ connector.Executor  = (*instance)(nil)
)

func build(s Settings, env connector.Env) (connector.Connector, error) {
	c := &instance{
		settings: s, env: env, times: times{connect: 10 * time.Second, write: 10 * time.Second},
		desk: dispatch.NewDesk(env.Log, env.Now),
	}
	if s.TLS.Enabled() {
		c.tls = tlsconf.New(s.TLS, clientUse(), env.Log)
	}
	return c, nil
}

// Run implements [connector.Connector]. It serves until ctx ends, or until the
// address cannot be listened on. Sessions and retained messages do not outlast
// a run.
func (c *instance) Run(ctx context.Context) error {
	if c.tls != nil {
		if err := c.tls.Reload(); err != nil {
			return err // the files may be put right while the plant stays as it is
		}
	}
	l, err := connector.Listen(ctx, c.settings.Listen)
	if err != nil {
		return err
	}
	server, hook, err := c.broker(ctx)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	d := &door{
		listener: l, tls: c.tls, limit: c.settings.Clients, times: c.times, figures: &c.figures, log: c.env.Log,
		open: make(map[*conn]struct{}), complained: make(map[string]time.Time),
		serve: func(conn *conn) {
			defer hook.leave(conn)
			if err := server.EstablishConnection(c.env.ID, conn); err != nil {
				c.env.Log.DebugContext(ctx, "mqtt connection ended", "peer", conn.raw.RemoteAddr(), "error", err)
			}
		},
	}
	c.server.Store(server)
	c.env.Log.InfoContext(ctx, "listening", "address", l.Addr().String())
	var duties sync.WaitGroup
	duties.Go(func() { c.follow(ctx) })
	if c.tls != nil {
		duties.Go(func() { c.tls.Run(ctx) })
	}
	c.env.Sink.Back(false)
	c.env.Report(connector.Up, "")
	err = d.run(ctx)
	c.server.Store(nil)
	c.env.Sink.Away("the broker stops", false)
	err = errors.Join(err, server.Close())
	duties.Wait()
	return err
}

// follow looks for the replies to the commands of the plant until ctx ends.
func (c *instance) follow(ctx context.Context) {
	for {
		list, changed := c.env.Executions.Ends()
		ends := make([]dispatch.End, len(list))
		for i, end := range list {
			ends[i] = end.(*Executor).end()
		}
		c.desk.Expect(ends)
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// broker starts the library, which serves the connections that it is given.
func (c *instance) broker(ctx context.Context) (*broker.Server, *ingest, error) {
	server := broker.New(&broker.Options{
		Capabilities: c.settings.capabilities(),
		// The library logs whole packets, with payloads and passwords.
		Logger: slog.New(slog.DiscardHandler),
		// The broker's own figures are not published as messages.
		SysTopicResendInterval: never,
	})
	hook := newIngest(ctx, c, server)
	if err := server.AddHook(hook, nil); err != nil {
		return nil, nil, fmt.Errorf("setting up the broker: %w", err)
	}
	if err := server.Serve(); err != nil {
		return nil, nil, fmt.Errorf("starting the broker: %w", err)
	}
	for topic := range server.Topics.Retained.GetAll() { // its figures, published once at the start
		server.Topics.RetainMessage(packets.Packet{TopicName: topic})
	}
	return server, hook, nil
}
