package iec104

import (
	"context"
	"log/slog"
	"net"
	"time"

	"busbar/iec104/asdu"
)

// Option changes how a [Server] or a [Client] behaves; the defaults suit most.
type Option func(*options)

type options struct {
	log      *slog.Logger
	trace    TraceFunc
	tap      func(LinkEvent) TapFunc
	dial     DialFunc
	handler  func(asdu.ASDU)
	receipts func(asdu.ASDU, Receipt) // takes the place of handler; nil: none
	link     func(LinkEvent)
	stamp    func() asdu.Time
	limits   RequestLimits

	addresses  []string // beside the first
	stations   []uint16
	retryLeast time.Duration
	retryMost  time.Duration
	oa         uint8
	alone      bool // one connection at a time
	standby    bool
	reverse    bool // dial waits for the station to connect
	strict     bool
}

func newOptions(opts []Option) options {
	o := options{
		log: slog.New(slog.DiscardHandler), handler: func(asdu.ASDU) {}, link: func(LinkEvent) {}, stamp: utcNow,
	}
	o.dial = new(net.Dialer).DialContext
	for _, opt := range opts {
		opt(&o)
	}
	o.limits = o.limits.withDefaults()
	o.retryLeast = orDefault(max(0, o.retryLeast), time.Second)
	o.retryMost = max(o.retryLeast, orDefault(o.retryMost, time.Minute))
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

// TapFunc takes the frames of one connection: whole ones, one or more behind each other, as
// they are about to be written together or were received together, in the order of
// the link. Octets that are no frame, for which the connection is closed, come
// alone. The octets are valid until it returns. It must not block, and must not call the
// server, the connection or the client.
type TapFunc func(sent bool, apdus []byte)

// WithTap sets a function that is asked for each connection, once it is established, who
// sees its frames; nil: nobody. It is as [WithTrace], but costs time per write and not
// per frame. Of the event State is not set, and Addr not where the connection was accepted by
// a server. open must not call the server or client.
func WithTap(open func(LinkEvent) TapFunc) Option {
	return func(o *options) { o.tap = open }
}

// DialFunc establishes a connection, as [net.Dialer.DialContext] does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// WithDialer sets how a [Client] or [Server.DialOut] connects, such as with TLS. The handshake is
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

// WithAddresses adds addresses of the same station, host and port, that
// [Client.Run] connects to as well: a redundancy group. [Client.Connect] uses the
// first address only.
func WithAddresses(addrs ...string) Option {
	return func(o *options) { o.addresses = append(o.addresses, addrs...) }
}

// WithSingleConnection has [Client.Run] connect to one address at a time, for
// stations that take one connection only or close those that stay stopped. When
// it is lost, the next address is tried at once.
func WithSingleConnection() Option { return func(o *options) { o.alone = true } }

// WithStandby has [Client.Run] begin with all connections stopped, until
// [Client.StartDT].
func WithStandby() Option { return func(o *options) { o.standby = true } }

// WithRetry sets how long [Client.Run] and [Server.DialOut] wait before they connect
// again: least after the first failure, twice as long after each further one, most at last, each
// varied by a fifth. The defaults are 1 s and 60 s; zero stands for them.
func WithRetry(least, most time.Duration) Option {
	return func(o *options) { o.retryLeast, o.retryMost = least, most }
}

// WithLinkEvents sets the function that is told how the connections of a
// [Client], or of [Server.DialOut], change. For one connection the calls come one after the other, in
// step with those of the handler: the start of data transfer before its first
// ASDU, the end of the connection after its last; the start on another
// connection after that. It must not wait for the client.
func WithLinkEvents(f func(LinkEvent)) Option { return func(o *options) { o.link = f } }

// WithStations tells which common addresses there are behind the connection. A
// request to all of them is complete when each has answered, and [ErrIncomplete]
// if one does not; without, it ends when no more come for a while.
func WithStations(cas ...uint16) Option {
	return func(o *options) { o.stations = append(o.stations, cas...) }
}

// WithTime sets the time of a [Client] for clock synchronisation, test commands
// and the tags of commands. It is asked at the moment of writing, and must not call
// the client. The default is the time of this computer in UTC.
func WithTime(now func() asdu.Time) Option { return func(o *options) { o.stamp = now } }

// WithStrictASDUs has a [Client] close the connection when it receives a malformed
// ASDU. The default is to acknowledge, discard and count it.
func WithStrictASDUs() Option { return func(o *options) { o.strict = true } }
