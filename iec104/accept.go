package iec104

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// accept hands the connections of a listener to each, which must not wait, until
// ctx ends: then it returns nil. It goes on when accepting fails for a while, and
// leaves the listener open.
func accept(ctx context.Context, l net.Listener, log *slog.Logger, quiet *quieter, each func(net.Conn)) error {
	var delay time.Duration
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			each(conn)
		case ctx.Err() != nil:
			return nil
		case !passing(err):
			return fmt.Errorf("iec104: accept: %w", err)
		default:
			// Out of file descriptors or the like: what is open goes on.
			delay = min(max(2*delay, 10*time.Millisecond), time.Second)
			if skipped, ok := quiet.due(acceptFailed, netip.Addr{}); ok {
				log.WarnContext(ctx, "accept failed, will retry", "retry_in", delay, "skipped", skipped, "error", err)
			}
			select {
			case <-time.After(delay):
			case <-ctx.Done():
			}
		}
	}
}

// passing reports whether accepting may succeed again.
func passing(err error) bool {
	return !errors.Is(err, net.ErrClosed)
}

// closeQuietly closes what is of no further use; an error changes nothing.
func closeQuietly(c interface{ Close() error }) { _ = c.Close() }

// shakeHands gives a connection such as TLS a time for its handshake.
func shakeHands(ctx context.Context, conn net.Conn, longest time.Duration) error {
	h, ok := conn.(shaker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return h.HandshakeContext(ctx)
}
