package capture

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Kind says what a [Segment] is.
type Kind uint8

// The kinds of a segment.
const (
	Open  Kind = iota // the connection was established
	Data              // octets
	Close             // the end of one direction (FIN)
	Reset             // the end of both (RST)
)

// Segment is one thing that passed through the proxy.
type Segment struct {
	Time     time.Time
	Conn     int // number of the connection, from 0 in order of acceptance
	Port     int // of the client
	Kind     Kind
	ToClient bool // direction; false is from client to server
	Octets   []byte
}

// Proxy is a TCP relay between clients and one server. Its methods may be
// called from any goroutine.
type Proxy struct {
	target   string
	listener net.Listener
	done     chan struct{} // closed by Stop
	wg       sync.WaitGroup

	mu       sync.Mutex
	accepted int
	links    map[*link]struct{}
	record   []Segment
	fault    Fault
	gate     chan struct{} // closed while octets pass
}

// Fault is how the proxy disturbs what passes. The zero Fault does not.
type Fault struct {
	Delay time.Duration // each segment is passed on so much later, one at a time
	Split bool          // each octet is written by itself
}

// Start starts a proxy on a free port of 127.0.0.1 that connects to target,
// host:port, for each client. It stops with the test.
func Start(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("capture proxy: %v", err)
	}
	p := &Proxy{
		target: target, listener: l, done: make(chan struct{}),
		links: map[*link]struct{}{}, gate: make(chan struct{}),
	}
	close(p.gate)
	p.wg.Go(p.accept)
	tb.Cleanup(p.Stop)
	return p
}

// Addr returns the address that clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Stop closes everything and waits for it. Calling it again does nothing.
func (p *Proxy) Stop() {
	p.mu.Lock()
	select {
	case <-p.done:
	default:
		close(p.done)
		p.listener.Close()
		for l := range p.links {
			l.close()
		}
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// Segments returns what has passed until now.
func (p *Proxy) Segments() []Segment {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.record)
}

// Disturb applies to what passes from now on.
func (p *Proxy) Disturb(f Fault) {
	p.mu.Lock()
	p.fault = f
	p.mu.Unlock()
}

// Hold stops passing octets on and keeps the sockets open, so that either side
// sees a peer that has fallen silent and does not read.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		p.gate = make(chan struct{})
	default: // holds already
	}
}

// Release ends Hold; what was held passes.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

// ResetAll breaks every connection with RST to both sides.
func (p *Proxy) ResetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		p.add(Segment{Conn: l.number, Port: l.port, Kind: Reset, ToClient: true})
		l.reset()
	}
}

// add records s with the present time. The caller holds p.mu.
func (p *Proxy) add(s Segment) {
	s.Time = time.Now()
	p.record = append(p.record, s)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // stopped
		}
		p.wg.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// link is one client and its connection to the server.
type link struct {
	number, port   int
	client, server *net.TCPConn
}

func (l *link) close() {
	l.client.Close()
	l.server.Close()
}

func (l *link) reset() {
	// A linger time of 0 makes Close send RST.
	l.client.SetLinger(0)
	l.server.SetLinger(0)
	l.close()
}

func (p *Proxy) serve(client *net.TCPConn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		client.SetLinger(0)
		client.Close()
		return
	}
	l := &link{port: client.RemoteAddr().(*net.TCPAddr).Port, client: client, server: server.(*net.TCPConn)}
	defer l.close()
	if !p.enter(l) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.relay(l, l.server, l.client, false) })
	both.Go(func() { p.relay(l, l.client, l.server, true) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return false
	default:
	}
	l.number = p.accepted
	p.accepted++
	p.links[l] = struct{}{}
	p.add(Segment{Conn: l.number, Port: l.port, Kind: Open})
	return true
}

// relay copies from src to dst until either ends.
func (p *Proxy) relay(l *link, dst, src *net.TCPConn, toClient bool) {
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 && !p.pass(l, dst, buf[:n], toClient) {
			l.reset()
			return
		}
		if err == nil {
			continue
		}
		kind := Close
		if !errors.Is(err, io.EOF) {
			kind = Reset
		}
		p.mu.Lock()
		p.add(Segment{Conn: l.number, Port: l.port, Kind: kind, ToClient: toClient})
		p.mu.Unlock()
		if kind == Reset {
			l.reset()
			return
		}
		dst.CloseWrite()
		return
	}
}

// pass records octets and writes them, after the delay and any hold. It reports
// false when they cannot be passed on.
func (p *Proxy) pass(l *link, dst *net.TCPConn, octets []byte, toClient bool) bool {
	p.mu.Lock()
	fault, gate := p.fault, p.gate
	p.mu.Unlock()
	if fault.Delay > 0 {
		late := time.NewTimer(fault.Delay)
		defer late.Stop()
		select {
		case <-late.C:
		case <-p.done:
			return false
		}
	}
	select {
	case <-gate:
	case <-p.done:
		return false
	}
	step := len(octets)
	if fault.Split {
		step = 1
	}
	for part := range slices.Chunk(octets, step) {
		p.mu.Lock()
		p.add(Segment{Conn: l.number, Port: l.port, Kind: Data, ToClient: toClient, Octets: slices.Clone(part)})
		p.mu.Unlock()
		if _, err := dst.Write(part); err != nil {
			return false
		}
	}
	return true
}
