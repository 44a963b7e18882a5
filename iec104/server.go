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

	"busbar/iec104/asdu"
)

// ServerConfig is the configuration of a [Server]. The zero value serves
// anybody with the defaults of the standard.
type ServerConfig struct {
	Params Params
	// Allow lists the addresses that may connect. nil allows any, an empty list
	// none. Others are accepted and closed at once.
	Allow []netip.Prefix
	// MaxConnections is how many connections may be open, at most half of them of one
	// address before their handshake, such as TLS. Range 1 … 10000,
	// default 100. Further ones are accepted and closed at once.
	MaxConnections int
	// ConnectRate is how many connections per second one address may open on
	// average, after a burst of the larger of 100 and MaxConnections. Default
	// 10; negative is no limit. Further ones are accepted and closed at once.
	ConnectRate float64
	// MaxObjectsPerASDU limits the information objects put into one ASDU, for
	// peers that take few. Range 1 … 127; the default 0 fills ASDUs.
	MaxObjectsPerASDU int
	// Test104 answers the test command C_TS_NA_1, which belongs to -101. By
	// default it is an unknown type; C_TS_TA_1 is always answered.
	Test104 bool
	// FileTimeout is how long a controlling station may take for each step of a
	// file transfer. Default 30 s.
	FileTimeout time.Duration
	// NoOriginator sends the originator address 0 in every answer, for peers
	// that do not take another. By default that of the request is mirrored.
	NoOriginator bool
	// ConfirmUnknown answers requests of an unknown type, cause, common address
	// or object address with a negative confirmation, for peers that do not know
	// the causes 44 … 47, which are the default. A read has no confirmation, and is
	// answered with them all the same.
	ConfirmUnknown bool
}

func (c ServerConfig) complete() (ServerConfig, error) {
	var errs []error
	p, err := c.Params.Complete()
	if err != nil {
		errs = append(errs, err)
	}
	c.Params = p
	c.MaxConnections = orDefault(c.MaxConnections, 100)
	c.ConnectRate = orDefault(c.ConnectRate, 10)
	c.FileTimeout = orDefault(c.FileTimeout, 30*time.Second)
	if c.MaxConnections < 1 || c.MaxConnections > 10000 {
		errs = append(errs, fmt.Errorf("connections %d: want 1 to 10000", c.MaxConnections))
	}
	if c.MaxObjectsPerASDU < 0 || c.MaxObjectsPerASDU > 127 {
		errs = append(errs, fmt.Errorf("objects per ASDU %d: want 0 to 127", c.MaxObjectsPerASDU))
	}
	c.MaxObjectsPerASDU = orDefault(c.MaxObjectsPerASDU, 127)
	return c, errors.Join(errs...)
}

// Server is a controlled station: it serves any number of controlling
// stations, each connection with a [Session] of its own. Its methods may be
// called from any goroutine.
type Server struct {
	cfg     ServerConfig
	opt     options
	station Station
	works   sync.Pool // of *work
	quiet   quieter
	packing [256]packing // by type

	mu     sync.Mutex
	conns  map[uint64]*ServerConn
	lastID uint64
	rates  rates
	stats  ServerStats

	handshakes handshakes
}

// NewServer returns a server for the station. It fails with all faults of the
// configuration together.
func NewServer(s Station, cfg ServerConfig, opts ...Option) (*Server, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("iec104: server: %w", err)
	}
	srv := &Server{cfg: cfg, opt: newOptions(opts), station: s, conns: make(map[uint64]*ServerConn)}
	srv.packing = cfg.packings()
	srv.works.New = func() any { return new(work) }
	srv.rates = newRates(cfg.ConnectRate, max(100, cfg.MaxConnections))
	srv.handshakes = newHandshakes(cfg.MaxConnections)
	return srv, nil
}

// Params returns the parameters in force, with the defaults filled in.
func (s *Server) Params() Params { return s.cfg.Params }

// Serve accepts connections until ctx ends. Then it closes the listener and
// its connections, waits for them and returns nil. If accepting fails it does
// the same and returns the error.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	// The listener is closed before the connections, so that a controlling station
	// that loses one does not come back to what is about to end.
	open, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		closeQuietly(l)
		cancel()
	})
	defer stop()
	defer closeQuietly(l)
	return accept(ctx, l, s.opt.log, &s.quiet, func(conn net.Conn) {
		conns.Go(func() { s.serve(open, conn) })
	})
}

// serve is ServeConn for accepted connections: the reason has been logged.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	// The reason a connection ended is not the concern of the listener.
	_ = s.ServeConn(ctx, conn)
}

// ServeConn serves one connection until it ends or ctx does, and returns the
// reason, a *[LinkError]. The limits on address, number and rate hold for it
// too. A connection with a HandshakeContext method, such as TLS, is given T0
// for it.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn) error {
	return s.serveConn(ctx, conn, nil)
}

// serveConn serves a connection that was accepted, or dialled: then the function
// is called when it is served.
func (s *Server) serveConn(ctx context.Context, conn net.Conn, dialled func(*ServerConn)) error {
	remote := conn.RemoteAddr()
	c, reason := s.admit(conn, dialled != nil)
	if reason != 0 {
		err := &LinkError{Reason: reason}
		closeQuietly(conn)
		if skipped, ok := s.quiet.due(reason, addressOf(remote)); ok {
			s.opt.log.WarnContext(ctx, "connection refused", "peer", addrString(remote), "skipped", skipped, "error", err)
		}
		return err
	}
	if skipped, ok := s.quiet.due(connAccepted, addressOf(remote)); ok {
		s.opt.log.InfoContext(ctx, "connection accepted", "conn", c.id, "peer", addrString(remote), "dialled", dialled != nil, "skipped", skipped)
	}
	if dialled != nil {
		dialled(c)
	}
	err := c.serve(ctx)
	s.release(c, err)
	s.logEnd(ctx, c, err)
	return err
}

// logEnd logs why a connection ended, as a warning if it was not on purpose.
func (s *Server) logEnd(ctx context.Context, c *ServerConn, err *LinkError) {
	skipped, ok := s.quiet.due(err.Reason, addressOf(c.remote))
	if !ok {
		return
	}
	level := slog.LevelWarn
	if err.Reason == ClosedLocally || err.Reason == ClosedByPeer || err.Reason == Superseded {
		level = slog.LevelInfo
	}
	s.opt.log.Log(ctx, level, "connection closed",
		"conn", c.id, "peer", addrString(c.remote), "skipped", skipped, "error", err)
}

// Disconnect closes the connection with the given id; false: there is none.
func (s *Server) Disconnect(id uint64) bool { return s.DisconnectFor(id, errors.New("disconnected")) }

// DisconnectFor is Disconnect with a reason, see [ServerConn.Close].
func (s *Server) DisconnectFor(id uint64, reason error) bool {
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c != nil {
		c.Close(reason)
	}
	return c != nil
}

func addrString(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// packing is how objects of a type are put into ASDUs.
type packing struct {
	encoder asdu.Encoder
	object  int   // octets of one with its address, 0: not fixed
	element int   // octets of one without
	single  uint8 // objects in one ASDU, with an address each; at least 1
	serial  uint8 // objects with consecutive addresses, 0: not for this type
}

func (c ServerConfig) packings() (all [256]packing) {
	for t := range all {
		most := func(sq bool) uint8 {
			n := asdu.Capacity(asdu.TypeID(t), sq, c.Params.Sizes, c.Params.maxASDU())
			return uint8(min(n, c.MaxObjectsPerASDU))
		}
		p := packing{single: max(1, most(false)), serial: most(true)}
		var fixed bool
		if p.encoder, fixed = asdu.NewEncoder(asdu.TypeID(t), c.Params.Sizes); fixed {
			p.object, p.element = p.encoder.Size()
		}
		all[t] = p
	}
	return all
}
