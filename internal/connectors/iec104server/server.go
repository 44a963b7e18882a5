// Package iec104server is the connector that makes points readable as a
// controlled station of IEC 60870-5-104.
//
// Each instance is a server with its own address plan. Its feed keeps the
// current value of every target in a table and appends what is an event to a
// log; each redundancy group reads that log with a cursor of its own, over the
// connection of it that is started, and answers interrogations from the table.
// Values are encoded when they are sent.
package iec104server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// Kind returns the connector kind "iec104-server".
func Kind() connector.Kind {
	return connector.Define("iec104-server", connector.Spec[Settings, connector.None, Target]{
		Settings:       defaults(),
		Target:         targetDefaults(),
		New:            build,
		CheckTarget:    checkTarget,
		Address:        Target.address,
		Tagged:         func(t Target) bool { return forms[t.As.TypeID].tagged },
		CheckConnector: checkConnector,
		Requester:      connector.RequesterOf(requesterDefaults(), checkRequester),
		CheckCommands:  checkCommands,
		Test:           test,
		Listens:        Settings.listens,
		Dials:          func(s Settings) []string { return s.Dial },
		Own:            own,
		System:         systemPoints(),
	})
}

// server is one instance.
type server struct {
	env     connector.Env
	station *station
	link    *iec104.Server
	tls     *tlsconf.Endpoint // nil: none
	listen  func(ctx context.Context, address string) (net.Listener, error)
	began   atomic.Pointer[time.Time] // the last run, or the instance
	addr    atomic.Pointer[net.Addr]  // where it listens, while it does
}

var (
	_ connector.Connector = (*server)(nil)
	_ connector.Collector = (*server)(nil)
	_ iec104.Station      = (*station)(nil)
	_ iec104.Session      = (*session)(nil)
	_ iec104.CommandTypes = (*session)(nil)
	_ iec104.FileSession  = (*session)(nil)
)

func build(settings Settings, env connector.Env) (connector.Connector, error) {
	return newServer(settings, env)
}

func newServer(settings Settings, env connector.Env) (*server, error) {
	st := newStation(settings, env)
	s := &server{env: env, station: st, listen: connector.Listen}
	s.begin()
	opts := []iec104.Option{
		iec104.WithLogger(env.Log), iec104.WithTrace(st.doctor.Trace(tracer(env.Log))), iec104.WithLinkEvents(st.face.linked), iec104.WithTap(st.book.Open),
	}
	if settings.TLS.Enabled() {
		s.tls = tlsconf.New(settings.security(), settings.use(), env.Log)
		opts = append(opts, iec104.WithDialer(s.tls.DialContext))
	}
	link, err := iec104.NewServer(st, settings.config(), opts...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", connector.ErrConfig, err)
	}
	s.link = link
	return s, nil
}

// levelTrace is the level of frames, below debug.
const levelTrace = slog.LevelDebug - 4

// tracer logs every frame while the level is enabled.
func tracer(log *slog.Logger) iec104.TraceFunc {
	ctx := context.Background()
	return func(conn uint64, sent bool, apdu []byte) {
		if !log.Enabled(ctx, levelTrace) {
			return
		}
		direction := "received"
		if sent {
			direction = "sent"
		}
		log.Log(ctx, levelTrace, "frame", "conn", conn, "direction", direction, "apdu", fmt.Sprintf("%x", apdu))
	}
}

// begin notes when it began.
func (s *server) begin() {
	now := s.env.Now()
	s.began.Store(&now)
}

// Run implements [connector.Connector]. It serves until ctx ends, or until the
// address cannot be listened on; a controlling station that cannot be dialled is
// no failure. Counters and what was frozen of them, the
// redundancy groups with the events that wait for them, and who was told the end of
// initialisation outlast a run.
func (s *server) Run(ctx context.Context) error {
	if s.tls != nil {
		if err := s.tls.Reload(); err != nil {
			return err // the files may be put right while the plant stays as it is
		}
	}
	l, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer s.addr.Store(nil)
	s.begin()
	s.station.askKernel(ctx)
	if s.station.files != nil {
		s.station.files.sweep()
	}
	if err := s.station.begin(ctx, s.env.Feed); err != nil {
		if l != nil {
			err = errors.Join(ended(ctx, err), l.Close())
		}
		return ended(ctx, err)
	}
	s.station.desk.load() // nobody is served before that
	if l != nil {
		s.env.Log.InfoContext(ctx, "listening", "address", l.Addr().String())
	}
	s.station.face.begin(&s.station.settings)
	return s.serve(ctx, l)
}

// open opens the listener; nil if the server only dials out.
func (s *server) open(ctx context.Context) (net.Listener, error) {
	if s.station.settings.Listen == "" {
		return nil, nil
	}
	l, err := s.listen(ctx, s.station.settings.Listen)
	if err != nil {
		return nil, err
	}
	if s.tls != nil {
		l = s.tls.Listen(l)
	}
	addr := l.Addr()
	s.addr.Store(&addr)
	return l, nil
}

// serve runs the parts of the server until one of them fails or ctx ends, and
// returns when all of them have returned.
func (s *server) serve(parent context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancelCause(parent)
	var parts sync.WaitGroup
	keeper := newKeeper(s.station, s.env)
	parts.Go(func() { cancel(s.station.follow(ctx, s.env.Feed)) })
	parts.Go(func() { s.station.keepTime(ctx) })
	parts.Go(func() { keeper.run(ctx) })
	parts.Go(func() { s.station.desk.follow(ctx.Done()) })
	parts.Go(func() { s.station.doctor.Watch(ctx, s.env.Log, s.station.face.setLink) })
	if s.tls != nil {
		parts.Go(func() { s.tls.Run(ctx) })
	}
	if l != nil {
		parts.Go(func() { cancel(s.link.Serve(ctx, l)) })
	}
	for _, addr := range s.station.settings.Dial {
		parts.Go(func() { cancel(s.link.DialOut(ctx, addr)) })
	}
	parts.Wait()
	keeper.end()
	return ended(parent, context.Cause(ctx))
}

// ended returns err, or nothing if the run was told to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
