// Package iec104client is the connector that reads a controlled station of IEC
// 60870-5-104, and passes commands to it.
//
// Each instance is the controlling station of one station, which may have several
// addresses. What is received goes to the image in the order of the link, and is
// acknowledged when the image has kept it. One goroutine asks: for values after
// each start of data transfer, by schedule, and after a restart of the station.
package iec104client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// Kind returns the connector kind "iec104-client".
func Kind() connector.Kind {
	return connector.Define("iec104-client", connector.Spec[Settings, Source, connector.None]{
		Settings:       defaults(),
		Source:         sourceDefaults(),
		New:            build,
		Key:            Source.key,
		CheckConnector: checkConnector,
		System:         systemPoints(),
		Executor:       connector.ExecutorOf(executorDefaults(), checkExecutor, func(Executor) bool { return true }),
		Hold:           500 * time.Millisecond,
		Dials:          func(s Settings) []string { return s.Addresses },
	})
}

// Client is one instance.
type Client struct {
	env      connector.Env
	settings Settings
	link     *iec104.Client
	tls      *tlsconf.Endpoint // nil: none
	figures  figures
	intake   *intake
	condition

	wake chan struct{} // of the asker

	mu      sync.Mutex      // of what follows
	changed <-chan struct{} // the ends of points are others; nil: not known yet
	plan    *plan
	round   uint32 // of interrogation
	asked   map[uint16]*station
	clock   offset
}

var (
	_ connector.Connector = (*Client)(nil)
	_ connector.Collector = (*Client)(nil)
	_ connector.Executor  = (*Client)(nil)
)

func build(settings Settings, env connector.Env) (connector.Connector, error) {
	return newClient(settings, env, nil)
}

// newClient makes an instance that connects with dial; nil: over the network.
func newClient(settings Settings, env connector.Env, dial iec104.DialFunc) (*Client, error) {
	c := &Client{env: env, settings: settings, wake: make(chan struct{}, 1), plan: &plan{}, asked: make(map[uint16]*station)}
	c.condition = newCondition(&settings, env)
	c.intake = newIntake(c)
	opts := []iec104.Option{
		iec104.WithLogger(env.Log), iec104.WithTrace(tracer(env.Log)), iec104.WithReceipts(c.intake.take), iec104.WithLinkEvents(c.moved),
		iec104.WithAddresses(settings.Addresses[1:]...), iec104.WithOriginator(uint8(settings.Originator)), iec104.WithTime(c.stamp),
		iec104.WithRetry(retryLeast, retryMost),
	}
	if settings.Single {
		opts = append(opts, iec104.WithSingleConnection())
	}
	if settings.TLS.Enabled() {
		c.tls = tlsconf.New(settings.security(), stationUse(), env.Log)
		opts = append(opts, iec104.WithDialer(c.tls.DialContext))
	}
	if dial != nil {
		opts = append(opts, iec104.WithDialer(dial))
	}
	var err error
	if c.link, err = iec104.NewClient(settings.Addresses[0], settings.params(), opts...); err != nil {
		return nil, fmt.Errorf("%w: %w", connector.ErrConfig, err)
	}
	return c, nil
}

// Limits of the pause before a connection is tried again. The least is shorter than
// the hold time, so that a connection that is renewed is no absence.
const (
	retryLeast = 300 * time.Millisecond
	retryMost  = time.Minute
)

// stamp returns the present time as a time tag for the station.
func (c *Client) stamp() asdu.Time { return asdu.TimeOf(c.env.Now(), c.settings.Time.Location) }

// Run implements [connector.Connector]. It connects again and again by itself, so
// that an outage of the station is no failure of the connector.
func (c *Client) Run(ctx context.Context) error {
	c.begin()
	c.intake.begin(ctx)
	var parts sync.WaitGroup
	if c.tls != nil {
		parts.Go(func() { c.tls.Run(ctx) })
	}
	parts.Go(func() { c.ask(ctx) })
	err := c.link.Run(ctx)
	parts.Wait()
	return err
}
