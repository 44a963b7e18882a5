// Package iec104client is the connector that reads a controlled station of IEC
// 60870-5-104, and passes commands to it.
//
// Each instance is the controlling station of one station, which may have several
// addresses, or dial out. What is received goes to the image in the order of the link, and is
// acknowledged when the image has kept it. One goroutine asks: for values after
// each start of data transfer, by schedule, and after a restart of the station.
package iec104client

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/linkbook"
	"busbar/internal/linkdoctor"
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
		CheckCommands:  checkCommands,
		Test:           test,
		Listens:        Settings.places,
		Dials:          func(s Settings) []string { return s.Addresses },
	})
}

// Client is one instance.
type Client struct {
	env      connector.Env
	settings Settings
	link     atomic.Pointer[iec104.Client] // of the present run
	tls      *tlsconf.Endpoint             // nil: none
	doctor   *linkdoctor.Doctor
	book     *linkbook.Book
	running  atomic.Bool
	dial     iec104.DialFunc // nil: over the network
	listen   func(ctx context.Context, address string) (net.Listener, error)
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
	_ connector.Presetter = (*Settings)(nil)
)

func build(settings Settings, env connector.Env) (connector.Connector, error) {
	return newClient(settings, env, nil)
}

// newClient makes an instance that connects with dial; nil: over the network.
func newClient(settings Settings, env connector.Env, dial iec104.DialFunc) (*Client, error) {
	c := &Client{env: env, settings: settings, dial: dial, listen: connector.Listen, wake: make(chan struct{}, 1), plan: &plan{}, asked: make(map[uint16]*station)}
	c.condition = newCondition(&settings, env)
	c.intake = newIntake(c)
	c.book = linkbook.New(env, settings.Octets.Sizes(), settings.Time.Location, func(e iec104.LinkEvent) string { return strconv.Itoa(e.Link + 1) })
	c.doctor = linkdoctor.New(linkdoctor.Options{Role: linkdoctor.Controlling, Params: settings.params(), Location: settings.Time.Location})
	if settings.TLS.Enabled() {
		c.tls = tlsconf.New(settings.security(), settings.use(), env.Log)
	}
	link, err := c.newLink()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", connector.ErrConfig, err)
	}
	c.link.Store(link)
	return c, nil
}

// newLink makes the client of the station. By further options its connections come
// from an acceptor.
func (c *Client) newLink(further ...iec104.Option) (*iec104.Client, error) {
	s := &c.settings
	opts := []iec104.Option{
		iec104.WithLogger(c.env.Log), iec104.WithTrace(c.doctor.Trace(tracer(c.env.Log))), iec104.WithReceipts(c.intake.take),
		iec104.WithLinkEvents(c.moved), iec104.WithAddresses(c.addresses[1:]...), iec104.WithOriginator(uint8(s.Originator)),
		iec104.WithTime(c.stamp), iec104.WithRetry(retryLeast, retryMost),
		iec104.WithTap(c.book.Open),
	}
	if s.Single {
		opts = append(opts, iec104.WithSingleConnection())
	}
	switch {
	case c.dial != nil:
		opts = append(opts, iec104.WithDialer(c.dial))
	case c.tls != nil:
		opts = append(opts, iec104.WithDialer(c.tls.DialContext))
	}
	return iec104.NewClient(c.addresses[0], s.params(), append(opts, further...)...)
}

// Limits of the pause before a connection is tried again. The least is shorter than
// the hold time, so that a connection that is renewed is no absence.
const (
	retryLeast = 300 * time.Millisecond
	retryMost  = time.Minute
)

// stamp returns the present time as a time tag for the station.
func (c *Client) stamp() asdu.Time {
	t := asdu.TimeOf(c.env.Now(), c.settings.Time.Location)
	if !c.settings.SummerTime {
		t &^= asdu.TimeSummer
	}
	if !c.settings.Weekday {
		t = t.WithoutWeekday()
	}
	return t
}

// Run implements [connector.Connector]. It connects again and again by itself, so
// that an outage of the station is no failure of the connector.
func (c *Client) Run(parent context.Context) error {
	acceptor, err := c.accept(parent)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(parent)
	c.begin()
	c.running.Store(true)
	defer c.running.Store(false)
	c.intake.begin(ctx)
	var parts sync.WaitGroup
	if c.tls != nil {
		parts.Go(func() { c.tls.Run(ctx) })
	}
	if acceptor != nil {
		parts.Go(func() { cancel(acceptor.Run(ctx)) })
	}
	parts.Go(func() { c.doctor.Watch(ctx, c.env.Log, c.severe) })
	parts.Go(func() { c.ask(ctx) })
	err = c.link.Load().Run(ctx)
	cancel(err)
	parts.Wait()
	if err != nil || parent.Err() != nil {
		return err
	}
	return context.Cause(ctx) // the listener has failed
}

// attend has the doctor look at a connection, and TLS end it in order.
func (c *Client) attend(e iec104.LinkEvent) {
	tlsconf.OnEnd(e.NetConn, func(grace time.Duration, reason error) { c.link.Load().Renew(e.Conn, grace, reason) })
	if c.settings.listens() && e.NetConn != nil {
		e.Addr = hostOf(e.NetConn.RemoteAddr())
	}
	c.doctor.LinkEvent(e)
	if e.State == iec104.LinkDown && e.Conn != 0 {
		c.book.End(e.Conn, "", nil)
	}
}
