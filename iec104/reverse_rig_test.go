package iec104

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
)

// pipeTo dials a server in the process: it sees connections from that address.
func pipeTo(t *testing.T, s *Server, from string) DialFunc {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go s.ServeConn(ctx, at(far, from))
		return newSocket(near), nil
	}
}

// at gives a connection the address of its peer.
func at(c net.Conn, peer string) net.Conn {
	if peer == "" {
		return c
	}
	return tcpPipe{c, peer}
}

// pipes is a listener in the process.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), ended: make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// reach connects to the listener and returns the near end; the far end is a
// socket and comes from the given address.
func (l *pipes) reach(ctx context.Context, from string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- at(newSocket(far), from):
		return near, nil
	case <-l.ended:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hall is an acceptor that runs, and what it has refused.
type hall struct {
	t *testing.T
	l *pipes
	a *Acceptor

	mu      sync.Mutex
	refused []string
}

func newHall(t *testing.T, cfg AcceptorConfig) *hall {
	t.Helper()
	h := &hall{t: t, l: newPipes()}
	cfg.Refused = func(_ net.Addr, err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.refused = append(h.refused, err.Error())
	}
	h.a = NewAcceptor(h.l, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	return h
}

// visit connects from an address and returns the peer that the client sees.
func (h *hall) visit(from string) *peer {
	h.t.Helper()
	p, far := newPeer(h.t)
	h.l.conns <- at(newSocket(far), from)
	synctest.Wait()
	return p
}

// client runs the client of the station at an address.
func (h *hall) client(from string, opts ...Option) *Client {
	h.t.Helper()
	match := FromAddresses(netip.MustParsePrefix(from))
	c, err := NewClient(from, Params{}, append(opts, h.a.Station(match))...)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// run keeps the client connected until the test ends.
func (h *hall) run(c *Client) *Client {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
		synctest.Wait()
	})
	synctest.Wait()
	return c
}

// expectRefused checks what was refused since the last call, and why.
func (h *hall) expectRefused(want ...string) {
	h.t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	same := len(h.refused) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = h.refused[i] == want[i]
	}
	if !same {
		h.t.Fatalf("refused %q, want %q", h.refused, want)
	}
	h.refused = nil
}

// expectGone checks that the connection was closed.
func (p *peer) expectGone() {
	p.t.Helper()
	synctest.Wait()
	if b := p.next(); b != nil || !p.closed() {
		p.t.Fatalf("received %x, closed %v, want the end of the connection", b, p.closed())
	}
}

// confirmStart is what the station does when data transfer is to be started.
func (p *peer) confirmStart() {
	p.t.Helper()
	p.expect(startDTAct)
	p.send(startDTCon)
}
