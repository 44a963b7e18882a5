package iec104

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// AcceptorConfig is the configuration of an [Acceptor]. The zero value is the
// default of each field.
type AcceptorConfig struct {
	// T0 is how long the handshake of a connection, such as TLS, may take, and how
	// long a connection waits for the client of its station. Default 30 s.
	T0 time.Duration
	// MaxWaiting is how many connections may be in that state at a time. Default
	// 100. Further ones are closed at once.
	MaxWaiting int
	// ConnectRate is how many connections per second one address may open on
	// average, after a burst of 100. Default 10; negative is no limit.
	ConnectRate float64
	// Refused is told of each connection that is refused, and why; the error is a
	// *[LinkError]. It must not block. nil: nobody is told, it is logged only.
	Refused func(peer net.Addr, reason error)
}

// Acceptor takes the connections of stations that dial out (reverse connect) on
// one listener, and hands each to the client of its station. Only who
// establishes the connection differs: STARTDT and all requests remain with the
// controlling station. With TLS the side that listens is the TLS server.
//
// Make one with [NewAcceptor], make the clients with [Acceptor.Station], and have
// [Acceptor.Run] running while they are.
//
// A station has one connection. When a further one of it comes, the one before is
// tested with TESTFR: if the station answers, the further one is refused as
// [AlreadyConnected]; if it does not within T1, that connection was dead: it is
// closed and the further one takes its place. Nothing is read from a connection
// that waits. Of several that wait the newest is kept.
type Acceptor struct {
	listener net.Listener
	cfg      AcceptorConfig
	log      *slog.Logger
	quiet    quieter

	mu      sync.Mutex
	posts   []*post
	rates   rates
	waiting int // connections that are handed to no client yet
	refused ClosedCount
}

// NewAcceptor returns an acceptor of the connections of l; of the options it uses
// [WithLogger].
func NewAcceptor(l net.Listener, cfg AcceptorConfig, opts ...Option) *Acceptor {
	cfg.T0 = orDefault(cfg.T0, 30*time.Second)
	cfg.MaxWaiting = orDefault(cfg.MaxWaiting, 100)
	cfg.ConnectRate = orDefault(cfg.ConnectRate, 10)
	return &Acceptor{listener: l, cfg: cfg, log: newOptions(opts).log, rates: newRates(cfg.ConnectRate, 100)}
}

// Station returns the option that has a [Client] take the connections of a station
// that dials out, in place of dialling: those for which match returns true,
// which is asked after the handshake. A connection that several stations match
// belongs to the one made first. The address of the client is a name only; it
// may have no other. The client waits for a connection as long as it takes, and
// without back-off, which is up to the station.
//
// See [FromAddresses] for a match; with TLS a certificate is better, because
// behind NAT addresses are shared and change.
func (a *Acceptor) Station(match func(net.Conn) bool) Option {
	p := &post{acceptor: a, match: match}
	a.mu.Lock()
	a.posts = append(a.posts, p)
	a.mu.Unlock()
	return func(o *options) { o.dial, o.reverse = p.take, true }
}

// FromAddresses matches connections from these addresses, for [Acceptor.Station].
func FromAddresses(prefixes ...netip.Prefix) func(net.Conn) bool {
	return func(c net.Conn) bool {
		from := addressOf(c.RemoteAddr())
		for _, p := range prefixes {
			if from.IsValid() && p.Contains(from) {
				return true
			}
		}
		return false
	}
}

// Refused counts the connections that were refused, by reason: [NotAllowed] (of no
// known station), [HandshakeFailed], [TooManyAttempts], [TooManyConnections],
// [AlreadyConnected], [Superseded] (by a newer one, while it waited) and
// [StationRefused] (its client does not run).
func (a *Acceptor) Refused() ClosedCount {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

// Run accepts connections until ctx ends. Then it closes the listener and the
// connections that were not handed to a client, waits for them and returns nil.
// If accepting fails it does the same and returns the error. It is called once.
func (a *Acceptor) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { closeQuietly(a.listener) })
	defer stop()
	defer closeQuietly(a.listener)
	return accept(ctx, a.listener, a.log, &a.quiet, func(conn net.Conn) {
		conns.Go(func() {
			if err := a.receive(ctx, conn); err != nil {
				a.refuse(ctx, conn, err)
			}
		})
	})
}

// receive hands a connection to its client, or returns why it does not.
func (a *Acceptor) receive(ctx context.Context, conn net.Conn) *LinkError {
	if reason := a.admit(conn); reason != 0 {
		return &LinkError{Reason: reason}
	}
	defer a.dismiss()
	if err := shakeHands(ctx, conn, a.cfg.T0); err != nil {
		return &LinkError{Reason: HandshakeFailed, Err: err}
	}
	p := a.find(conn)
	if p == nil {
		return &LinkError{Reason: NotAllowed, Err: errors.New("no known station")}
	}
	return p.offer(ctx, conn)
}

// admit lets a connection wait, or returns why it may not.
func (a *Acceptor) admit(conn net.Conn) Reason {
	a.mu.Lock()
	defer a.mu.Unlock()
	addr := addressOf(conn.RemoteAddr())
	switch {
	case addr.IsValid() && !a.rates.take(addr, time.Now()):
		return TooManyAttempts
	case a.waiting >= a.cfg.MaxWaiting:
		return TooManyConnections
	}
	a.waiting++
	return 0
}

func (a *Acceptor) dismiss() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting--
}

// find returns the station of a connection; nil: none.
func (a *Acceptor) find(conn net.Conn) *post {
	a.mu.Lock()
	posts := a.posts
	a.mu.Unlock()
	for _, p := range posts {
		if p.match(conn) {
			return p
		}
	}
	return nil
}

// refuse closes a connection and tells why.
func (a *Acceptor) refuse(ctx context.Context, conn net.Conn, err *LinkError) {
	peer := conn.RemoteAddr()
	closeQuietly(conn)
	if ctx.Err() != nil {
		return // by this side on purpose
	}
	a.mu.Lock()
	a.refused[err.Reason]++
	a.mu.Unlock()
	if skipped, ok := a.quiet.due(err.Reason, addressOf(peer)); ok {
		a.log.WarnContext(ctx, "connection refused", "peer", addrString(peer), "skipped", skipped, "error", err)
	}
	if a.cfg.Refused != nil {
		a.cfg.Refused(peer, fmt.Errorf("connection from %s refused: %w", addrString(peer), err))
	}
}
