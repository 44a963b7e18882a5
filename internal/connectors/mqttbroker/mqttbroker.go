// Package mqttbroker is the connector kind "mqtt-broker": an embedded MQTT
// broker that is itself the source of points, for demonstrations and small
// sites without a broker of their own.
//
// A message of QoS 1 or 2 is acknowledged to its publisher when the host has
// kept it. The broker is the front door of Busbar and nothing more: it hands
// messages to other subscribers, so that a user can look, but loses some of
// them where sessions change hands. See docs/connectors/mqtt-broker.md.
package mqttbroker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"

	"busbar/internal/connector"
)

// Kind returns the connector kind "mqtt-broker".
func Kind() connector.Kind {
	return connector.Define("mqtt-broker", connector.Spec[Settings, Source, connector.None]{
		Settings: defaults(),
		New:      build,
		Selector: func(s Source) string { return s.Topic },
		Listens:  func(s Settings) []string { return []string{s.Listen} },
	})
}

// instance is one configured broker.
type instance struct {
	settings Settings
	env      connector.Env
	figures  figures
}

var (
	_ connector.Connector = (*instance)(nil)
	_ connector.Collector = (*instance)(nil)
)

func build(s Settings, env connector.Env) (connector.Connector, error) {
	return &instance{settings: s, env: env}, nil
}

// Run implements [connector.Connector]. It serves until ctx ends, or until the
// address cannot be listened on. Sessions and retained messages do not outlast
// a run.
func (c *instance) Run(ctx context.Context) error {
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	limited := newListener(l, c.settings.Clients, &c.figures)
	server := broker.New(&broker.Options{
		Capabilities: c.settings.capabilities(),
		Logger:       slog.New(quiet{c.env.Log.Handler()}),
		// The broker's own figures are not published as messages.
		SysTopicResendInterval: never,
	})
	ingest := newIngest(ctx, c)
	if err := errors.Join(
		server.AddHook(ingest, nil),
		server.AddListener(listeners.NewNet(c.env.ID, limited)),
	); err != nil {
		return errors.Join(fmt.Errorf("setting up the broker: %w", err), l.Close())
	}
	if err := server.Serve(); err != nil {
		return errors.Join(fmt.Errorf("starting the broker: %w", err), l.Close())
	}
	c.env.Log.InfoContext(ctx, "listening", "address", l.Addr().String())
	c.env.Sink.Back(false)
	c.env.Report(connector.Up, "")
	<-ctx.Done()
	c.env.Sink.Away("the broker stops", false)
	err = server.Close()
	limited.wait()
	if err != nil {
		return fmt.Errorf("stopping the broker: %w", err)
	}
	return nil
}

// listen opens the listener, with TLS if it is set.
func (c *instance) listen(ctx context.Context) (net.Listener, error) {
	config, err := c.settings.TLS.config()
	if err != nil {
		return nil, fmt.Errorf("%w: tls: %w", connector.ErrConfig, err)
	}
	l, err := connector.Listen(ctx, c.settings.Listen)
	if err != nil {
		return nil, err
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}
