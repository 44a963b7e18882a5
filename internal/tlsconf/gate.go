package tlsconf

import (
	"context"
	"net"
	"sync"
)

// atATime is how many handshakes with one address are made at a time.
const atATime = 8

// gate bounds the handshakes with each address, so that one peer cannot take all
// processors.
type gate struct {
	mu    sync.Mutex
	doors map[string]*door // by host
}

type door struct {
	slots chan struct{}
	users int // in it or waiting
}

// enter waits for a place; leave gives it back.
func (g *gate) enter(ctx context.Context, addr net.Addr) (leave func(), err error) {
	host := ""
	if addr != nil {
		host = hostOf(addr.String())
	}
	g.mu.Lock()
	d := g.doors[host]
	if d == nil {
		d = &door{slots: make(chan struct{}, atATime)}
		g.doors[host] = d
	}
	d.users++
	g.mu.Unlock()
	out := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if d.users--; d.users == 0 {
			delete(g.doors, host)
		}
	}
	select {
	case d.slots <- struct{}{}:
		return func() {
			<-d.slots
			out()
		}, nil
	case <-ctx.Done():
		out()
		return nil, &Error{Reason: TimedOut, Text: "too many handshakes with this address at a time", Err: ctx.Err()}
	}
}
