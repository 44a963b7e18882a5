package iec104client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"busbar/iec104"
	"busbar/internal/connector"
)

// accept listens for a station that dials out, and makes the client that takes its
// connections, for one run; nil: the station is dialled.
func (c *Client) accept(ctx context.Context) (*iec104.Acceptor, error) {
	if !c.settings.listens() {
		return nil, nil
	}
	if c.tls != nil {
		if err := c.tls.Reload(); err != nil {
			return nil, err // the files may be put right while the plant stays as it is
		}
	}
	l, err := c.listen(ctx, c.settings.Listen)
	if err != nil {
		return nil, err
	}
	address := l.Addr()
	if c.tls != nil {
		l = c.tls.Listen(l)
	}
	a := iec104.NewAcceptor(l, iec104.AcceptorConfig{T0: c.settings.T0, Refused: c.refused}, iec104.WithLogger(c.env.Log))
	link, err := c.newLink(a.Station(c.settings.expects()))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", connector.ErrConfig, err), l.Close())
	}
	c.link.Store(link)
	c.env.Log.InfoContext(ctx, "listening", "address", address.String())
	return a, nil
}

// expects returns which connections are those of the station. Names of certificates
// were looked at in the handshake.
func (s *Settings) expects() func(net.Conn) bool {
	if len(s.Allow.Prefixes) == 0 {
		return func(net.Conn) bool { return true }
	}
	return iec104.FromAddresses(s.Allow.Prefixes...)
}

// refused takes that a connection was refused, which was logged. It is in the state as
// long as the station is not connected: it may be what is wrong with it.
func (c *Client) refused(peer net.Addr, reason error) {
	c.figures.strangers.Add(1)
	if le, ok := errors.AsType[*iec104.LinkError](reason); ok {
		reason = le
	}
	c.turnedAway("connection from " + hostOf(peer) + " refused: " + strings.TrimPrefix(reason.Error(), "iec104: "))
}

// hostOf returns an address without its port, which is another one each time.
func hostOf(peer net.Addr) string {
	host, _, err := net.SplitHostPort(peer.String())
	if err != nil {
		return peer.String()
	}
	return host
}
