package iec104server

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// control is a controlling station that listens.
type control struct {
	*iec104.Client
	addr   string
	starts chan struct{}
	stop   func()
}

// newControl listens at an address; with a certificate it is a TLS server and
// takes the station with the certificate called rtu.
func newControl(t *testing.T, addr string, secured *tlsconf.Endpoint) *control {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	must(t, err)
	c := &control{addr: l.Addr().String(), starts: make(chan struct{}, 100)}
	match := iec104.FromAddresses(netip.MustParsePrefix("127.0.0.1/32"))
	if secured != nil {
		l = secured.Listen(l)
		name, err := tlsconf.ParseName("CN=rtu")
		must(t, err)
		match = tlsconf.Peers(tlsconf.Allow{name})
	}
	a := iec104.NewAcceptor(l, iec104.AcceptorConfig{})
	c.Client, err = iec104.NewClient("rtu", iec104.Params{}, a.Station(match), iec104.WithLinkEvents(func(e iec104.LinkEvent) {
		if e.State == iec104.LinkStarted {
			c.starts <- struct{}{}
		}
	}))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	parts.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	c.stop = sync.OnceFunc(func() {
		cancel()
		parts.Wait()
	})
	t.Cleanup(c.stop)
	return c
}

// interrogate waits for the start of data transfer and for the values.
func (c *control) interrogate(t *testing.T) {
	t.Helper()
	select {
	case <-c.starts:
	case <-time.After(patience):
		t.Fatal("data transfer is not started")
	}
	if result, err := c.Interrogate(t.Context(), 1, 20); err != nil || result.Objects != 1 {
		t.Errorf("interrogation: %d objects, %v, want 1", result.Objects, err)
	}
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

// shows waits until a state with a text was reported after the first ones.
func (r *running) shows(t *testing.T, part string) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		states := slices.Clone(r.states)
		r.mu.Unlock()
		if n := len(states); n > 0 && strings.Contains(states[n-1], part) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("states %q, want %q at last", states, part)
		}
	}
}

func dialling(addrs ...string) func(*Settings) {
	return func(s *Settings) { s.Listen, s.Dial = "", addrs }
}

func TestServerDialsOut(t *testing.T) {
	t.Parallel()
	addr := freeAddress(t)
	r := launch(t, false, func(*connector.Env) {}, dialling(addr))
	r.feed.targets(oneInt()...)
	r.shows(t, "connecting dial out to "+addr)
	c := newControl(t, addr, nil)
	c.interrogate(t)
	r.shows(t, "up")
	c.stop()
	r.shows(t, "connecting connection to "+addr+": closed by peer")
	again := newControl(t, addr, nil)
	again.interrogate(t)
	r.stop(t)
	r.shows(t, "up") // the end is no fault
}

func TestServerDialsOutBesideListening(t *testing.T) {
	t.Parallel()
	away, c := freeAddress(t), newControl(t, "127.0.0.1:0", nil)
	r := launch(t, false, func(*connector.Env) {}, func(s *Settings) { s.Dial = []string{c.addr, away} })
	r.feed.targets(oneInt()...)
	c.interrogate(t)
	r.shows(t, "degraded dial out to "+away)
	direct, err := iec104.Dial(t.Context(), (*r.server.addr.Load()).String(), iec104.Params{})
	must(t, err)
	must(t, direct.StartDT(t.Context()))
	must(t, direct.Close())
	r.stop(t)
}

func TestServerDialsOutWithTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ca.issue("rtu")
	ca.issue("other")
	secured := func() *tlsconf.Endpoint {
		return tlsconf.New(ca.settings("control"), tlsconf.Use{Role: tlsconf.Server, Mutual: true}, textLog(newDiary()))
	}
	for _, tt := range []struct {
		name, certificate string
		change            func(*Settings)
		state             string // empty: it is served
	}{
		{name: "served", certificate: "rtu"},
		{name: "served by the name that allow has", certificate: "rtu", change: func(s *Settings) { s.Allow = certificates(t, "CN=control") }},
		{name: "a controlling station that is not allowed", certificate: "rtu", state: "not on the allow-list, want CN=another",
			change: func(s *Settings) { s.Allow = certificates(t, "CN=another") }},
		{name: "a controlling station of another name", certificate: "rtu", state: "the certificate is not for control.example but for 127.0.0.1",
			change: func(s *Settings) { s.TLS.ServerName = "control.example" }},
		{name: "of another authority", certificate: "rtu", state: "tls: unknown authority", change: func(s *Settings) { s.TLS.CA = newAuthority(t).settings("").CA }},
		{name: "a station that is not known", certificate: "other", state: "closed by peer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newControl(t, "127.0.0.1:0", secured())
			r := launch(t, false, func(*connector.Env) {}, dialling(c.addr), func(s *Settings) {
				s.TLS = ca.settings(tt.certificate)
				if tt.change != nil {
					tt.change(s)
				}
			})
			r.feed.targets(oneInt()...)
			if tt.state == "" {
				c.interrogate(t)
			} else {
				r.shows(t, tt.state)
			}
			r.stop(t)
		})
	}
}
