package iec104

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// post is where the connections of one station that dials out arrive.
type post struct {
	acceptor *Acceptor
	match    func(net.Conn) bool

	mu      sync.Mutex
	offered *visitor       // waits for the client
	asking  chan *accepted // of a client that waits for a connection; nil: none does
	open    *accepted      // that the client has
}

// visitor is a connection that waits for the client of its station.
type visitor struct {
	conn    net.Conn
	verdict chan *LinkError // nil: the client has it
}

// offer waits until the client has taken the connection, and returns nil; or
// why it will not.
func (p *post) offer(ctx context.Context, conn net.Conn) *LinkError {
	o := &visitor{conn: conn, verdict: make(chan *LinkError, 1)}
	p.mu.Lock()
	if old := p.offered; old != nil {
		old.verdict <- &LinkError{Reason: Superseded, Err: errors.New("by a newer connection of the station")}
		p.offered = nil
	}
	if p.asking != nil {
		p.asking <- p.hand(conn)
		p.asking = nil
		p.mu.Unlock()
		return nil
	}
	p.offered = o
	if p.open != nil && p.open.probe != nil {
		p.open.probe()
	}
	p.mu.Unlock()
	timer := time.NewTimer(p.acceptor.cfg.T0)
	defer timer.Stop()
	fault := &LinkError{Reason: ClosedLocally}
	select {
	case fault := <-o.verdict:
		return fault
	case <-timer.C:
		fault = &LinkError{Reason: StationRefused, Err: errors.New("the station is known, but its client takes no connection")}
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.offered != o {
		return <-o.verdict // it came at the same time
	}
	p.offered = nil
	return fault
}

// hand makes a connection that of the client. The lock is held.
func (p *post) hand(conn net.Conn) *accepted {
	p.open = &accepted{Conn: conn, post: p}
	return p.open
}

// take implements [DialFunc]: it waits for a connection.
func (p *post) take(ctx context.Context, _, _ string) (net.Conn, error) {
	p.mu.Lock()
	if p.asking != nil {
		p.mu.Unlock()
		return nil, errors.New("another client waits for the station")
	}
	if o := p.offered; o != nil {
		p.offered = nil
		conn := p.hand(o.conn)
		p.mu.Unlock()
		o.verdict <- nil
		return conn, nil
	}
	asking := make(chan *accepted, 1)
	p.asking = asking
	p.mu.Unlock()
	select {
	case conn := <-asking:
		return conn, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asking != asking {
		return <-asking, nil // it came at the same time
	}
	p.asking = nil
	return nil, ctx.Err()
}

// accepted is a connection that the client of a station has.
type accepted struct {
	net.Conn
	post  *post
	probe func() // tests it; guarded by the lock of post
}

// NetConn returns the connection below.
func (a *accepted) NetConn() net.Conn { return a.Conn }

// watch sets how the connection is tested when another one of the station comes.
func (a *accepted) watch(probe func()) {
	a.post.mu.Lock()
	defer a.post.mu.Unlock()
	a.probe = probe
	if a.post.offered != nil {
		probe()
	}
}

// alive tells that the station has answered a test: the one that waits is refused.
func (a *accepted) alive() {
	p := a.post
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == a && p.offered != nil {
		p.offered.verdict <- &LinkError{Reason: AlreadyConnected, Err: errors.New("the connection before it answers")}
		p.offered = nil
	}
}

// Close implements [net.Conn].
func (a *accepted) Close() error {
	a.post.mu.Lock()
	if a.post.open == a {
		a.post.open = nil
	}
	a.post.mu.Unlock()
	return a.Conn.Close()
}
