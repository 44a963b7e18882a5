package iec104

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// DialOut keeps the station connected to a controlling station that listens at
// addr, host and port, until ctx ends; then it closes the connection, waits until
// it is gone and returns nil. It is for stations that cannot be reached from
// outside, such as behind NAT (reverse connect). Only who establishes the
// connection differs: STARTDT and all requests remain with the controlling
// station. [Server.Serve] and further DialOut may run beside it.
//
// MaxConnections holds for the connection, Allow and ConnectRate do not. It is
// dialled as set by [WithDialer], which is given T0. One that is lost or cannot be
// established is tried again as with [Client.Run], see [WithRetry]. Each
// establishment and end is logged, and told to the function of [WithLinkEvents]
// as [LinkConnected] and [LinkDown].
func (s *Server) DialOut(ctx context.Context, addr string) error {
	wait := backoff{least: s.opt.retryLeast, most: s.opt.retryMost}
	told := ""
	for {
		begun := time.Now()
		id, err := s.dialOut(ctx, addr)
		if ctx.Err() != nil {
			s.opt.link(LinkEvent{Addr: addr, Conn: id, State: LinkDown, Err: err})
			return nil
		}
		if id != 0 && time.Since(begun) >= steadyTime {
			wait.times = 0
		}
		retry := wait.next()
		level := slog.LevelWarn
		switch {
		case err.Error() == told:
			level = slog.LevelDebug
		case id != 0:
			level = slog.LevelInfo // why it ended has been logged
		}
		told = err.Error()
		s.opt.log.Log(ctx, level, "dial out ended, will retry", "addr", addr, "conn", id, "retry_in", retry, "error", err)
		s.opt.link(LinkEvent{Addr: addr, Conn: id, State: LinkDown, Err: err, Retry: retry})
		if !sleep(ctx, retry) {
			return nil
		}
	}
}

// dialOut makes one connection and serves it. It returns its number, 0 if it was
// not made, and why it ended.
func (s *Server) dialOut(ctx context.Context, addr string) (uint64, error) {
	dialling, cancel := context.WithTimeoutCause(ctx, s.cfg.Params.T0, ErrTimeout)
	conn, err := s.opt.dial(dialling, "tcp", addr)
	cause := context.Cause(dialling)
	cancel()
	switch {
	case err != nil && errors.Is(cause, ErrTimeout):
		return 0, fmt.Errorf("iec104: dial out to %s: %w: %w", addr, cause, err)
	case err != nil:
		return 0, fmt.Errorf("iec104: dial out to %s: %w", addr, err)
	}
	var id uint64
	err = s.serveConn(ctx, conn, func(c *ServerConn) {
		id = c.id
		s.opt.link(LinkEvent{Addr: addr, Conn: id, State: LinkConnected, NetConn: conn})
	})
	return id, err
}
