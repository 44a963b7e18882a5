package iec104

import (
	"context"
	"log/slog"
	"net"

	"busbar/iec104/asdu"
)

// Option changes how a [Server] or a [Client] behaves; the defaults suit most.
type Option func(*options)

type options struct {
	log     *slog.Logger
	trace   TraceFunc
	dial    DialFunc
	handler func(asdu.ASDU)
	oa      uint8
	limits  RequestLimits
}

func newOptions(opts []Option) options {
	o := options{log: slog.New(slog.DiscardHandler), handler: func(asdu.ASDU) {}}
	o.dial = new(net.Dialer).DialContext
	for _, opt := range opts {
		opt(&o)
	}
	o.limits = o.limits.withDefaults()
	return o
}

// WithLogger sets the logger. The default discards everything.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// TraceFunc takes every frame sent or received, with the number of the
// connection. The octets are valid until it returns. It must not block, and
// must not call the server, the connection or the client.
type TraceFunc func(conn uint64, sent bool, apdu []byte)

// WithTrace sets a function that sees every frame. Tracing costs time per frame.
func WithTrace(f TraceFunc) Option { return func(o *options) { o.trace = f } }

// DialFunc establishes a connection, as [net.Dialer.DialContext] does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// WithDialer sets how a [Client] connects, such as with TLS. The handshake is
// part of it. The default is TCP.
func WithDialer(dial DialFunc) Option { return func(o *options) { o.dial = dial } }

// WithHandler sets the function that takes every ASDU a [Client] receives, in
// order, also answers to requests. The ASDU is valid until it returns. It may
// send, but must not wait for an answer. Frames are acknowledged after it
// returned, so that a slow one slows down the station.
func WithHandler(f func(asdu.ASDU)) Option { return func(o *options) { o.handler = f } }

// WithOriginator sets the originator address of the requests of a [Client],
// 1 … 255. The default 0 is none.
func WithOriginator(oa uint8) Option { return func(o *options) { o.oa = oa } }

// WithRequestLimits sets how long the requests of a [Client] wait.
func WithRequestLimits(l RequestLimits) Option { return func(o *options) { o.limits = l } }
