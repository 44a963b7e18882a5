package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"busbar/iec104"
	"busbar/internal/tlsconf"
)

// masterLink is how `busbar master` and its station come together.
type masterLink struct {
	listen string   // the station dials out; empty: it is dialled
	others []string // addresses of the station beside the first
	tls    tlsFlags
}

func (l *masterLink) define(fs *flag.FlagSet) {
	fs.StringVar(&l.listen, "listen", "", "`address` to wait on for a station that dials out, in place of ADDR")
	l.tls.define(fs)
}

// several reports whether the station has several addresses, of which one has data
// transfer.
func (l *masterLink) several() bool { return len(l.others) > 0 }

// connectionFlags belong to the connection, and cannot be in a line of a script.
func connectionFlags() []string {
	return append([]string{"listen", "oa", "json", "k", "w", "t1", "t2", "t3"}, tlsFlagNames[:]...)
}

// checkLine refuses in a line what belongs to the connection.
func checkLine(fs *flag.FlagSet, r *masterRequest, line bool) (err error) {
	if !line {
		return nil
	}
	fs.Visit(func(f *flag.Flag) {
		if slices.Contains(connectionFlags(), f.Name) && err == nil {
			err = fmt.Errorf("--%s belongs to the connection, want it on the command line", f.Name)
		}
	})
	if r.name == "script" || r.name == "interactive" || r.name == "monitor" && !given(fs, "timeout") && !given(fs, "count") {
		err = fmt.Errorf("%s does not end by itself, want it on the command line", r.name)
	}
	if r.name == "doctor" {
		err = errors.New("doctor has a connection of its own, want it on the command line")
	}
	return err
}

// place takes what is no flag: the addresses, the request, and a file.
func (o *masterOptions) place(rest []string, line bool) (*masterRequest, error) {
	if err := o.link.tls.check(); err != nil {
		return nil, err
	}
	if !line && o.link.listen == "" {
		if len(rest) < 2 {
			return nil, errors.New("want an address and a request, such as: busbar master 127.0.0.1:2404 gi")
		}
		for i, addr := range strings.Split(rest[0], ",") {
			switch {
			case addr == "":
				return nil, fmt.Errorf("address %q, want host:port, several with a comma between them", rest[0])
			case i == 0:
				o.addr = withPort(addr)
			default:
				o.link.others = append(o.link.others, withPort(addr))
			}
		}
		rest = rest[1:]
	}
	if o.link.listen != "" {
		o.link.listen = withPort(o.link.listen)
	}
	if len(rest) == 0 {
		return nil, errors.New("want a request, such as: busbar master --listen 0.0.0.0:2404 gi")
	}
	o.request = rest[0]
	r, err := findRequest(o.request, line)
	switch {
	case err != nil:
		return nil, err
	case r.name == "script" && len(rest) != 2:
		return nil, errors.New("want one file for script, - is standard input")
	case r.name == "script":
		o.script = rest[1]
	case len(rest) > 1:
		return nil, fmt.Errorf("unexpected argument %q behind %s", rest[1], r.name)
	}
	return r, nil
}

// linking is the link of `busbar master` while it is there.
type linking struct {
	client *iec104.Client
	tls    *tlsconf.Endpoint      // nil: none
	accept *iec104.Acceptor       // nil: the station is dialled
	run    bool                   // the client keeps itself connected
	told   func(iec104.LinkEvent) // gets the events of the link too; nil: nobody does

	stop  context.CancelFunc
	parts sync.WaitGroup
}

// newLinking makes the client of a station and what it needs. Nothing is connected
// yet. What the connection tells is printed by notice, a line at a time.
func (o *masterOptions) newLinking(ctx context.Context, notice func(string), opts ...iec104.Option) (l *linking, err error) {
	l = &linking{run: o.link.several()}
	role := tlsconf.Client
	if o.link.listen != "" {
		role = tlsconf.Server
	}
	if l.tls, err = o.link.tls.endpoint(role); err != nil {
		return nil, err
	}
	name := o.addr
	switch {
	case o.link.listen != "":
		var listener net.Listener
		if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", o.link.listen); err != nil {
			return nil, fmt.Errorf("--listen: %w", err)
		}
		if l.tls != nil {
			listener = l.tls.Listen(listener)
		}
		l.accept = iec104.NewAcceptor(listener, iec104.AcceptorConfig{Refused: func(_ net.Addr, reason error) { notice(reason.Error()) }})
		opts = append(opts, l.accept.Station(func(net.Conn) bool { return true }))
		name = "station"
	case l.tls != nil:
		opts = append(opts, iec104.WithDialer(l.tls.DialContext))
	}
	opts = append(opts, iec104.WithAddresses(o.link.others...), iec104.WithLinkEvents(func(e iec104.LinkEvent) { l.event(e, notice) }))
	l.client, err = iec104.NewClient(name, o.params, opts...)
	return l, err
}

// event takes what the connections tell. With several addresses it is said which
// one has data transfer; the end of the only one ends the command and is said there.
func (l *linking) event(e iec104.LinkEvent, notice func(string)) {
	tlsconf.OnEnd(e.NetConn, func(grace time.Duration, reason error) { l.client.Renew(e.Conn, grace, reason) })
	if l.told != nil {
		l.told(e)
	}
	switch {
	case !l.run:
	case e.State == iec104.LinkStarted:
		notice("data transfer with " + e.Addr)
	case e.State == iec104.LinkDown && e.Retry > 0:
		notice(fmt.Sprintf("%s: %v, again in %v", e.Addr, e.Err, e.Retry.Round(100*time.Millisecond)))
	}
}

// attend runs what the connection needs beside the client, until end.
func (l *linking) attend(ctx context.Context) (running context.Context) {
	running, l.stop = context.WithCancel(ctx)
	if l.tls != nil {
		l.parts.Go(func() { l.tls.Run(running) })
	}
	if l.accept != nil {
		l.parts.Go(func() { _ = l.accept.Run(running) }) // it fails when the listener does: then no station comes
	}
	return running
}

// begin establishes the connection and starts data transfer.
func (l *linking) begin(ctx context.Context, timeout time.Duration) error {
	running := l.attend(ctx)
	connecting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if l.run {
		l.parts.Go(func() { _ = l.client.Run(running) }) // it cannot fail: nothing is connected yet
		err := l.client.AwaitStart(connecting)
		if lost := l.client.Err(); err != nil && lost != nil {
			return lost
		}
		return err
	}
	if err := l.client.Connect(connecting); err != nil {
		if l.accept != nil && ctx.Err() == nil {
			return fmt.Errorf("no station that is known has connected in %v: %w", timeout, err)
		}
		return err
	}
	if err := l.client.StartDT(connecting); err != nil {
		return fmt.Errorf("STARTDT: %w", err)
	}
	return nil
}

// end closes the connection and waits until everything has ended.
func (l *linking) end() error {
	err := l.client.Close()
	if l.stop != nil {
		l.stop()
	}
	l.parts.Wait()
	return err
}
