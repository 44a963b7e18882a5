package app

import (
	"errors"
	"net"
	"testing"
)

// pipes is a listener whose connections come from the addresses that are sent to it.
type pipes chan net.Addr

func (p pipes) Accept() (net.Conn, error) {
	from, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	ours, theirs := net.Pipe()
	return peer{Conn: ours, from: from}, theirs.Close()
}

func (pipes) Close() error   { return nil }
func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

type peer struct {
	net.Conn
	from net.Addr
}

func (p peer) RemoteAddr() net.Addr { return p.from }

func TestConnectionsAreLimited(t *testing.T) {
	t.Parallel()
	dialled := make(pipes, 4*httpConnections)
	dial := func(last byte, count int) {
		for range count {
			dialled <- &net.TCPAddr{IP: net.IPv4(192, 0, 2, last), Port: 1}
		}
	}
	l := limitConnections(dialled)
	accept := func(count int) (open []net.Conn) {
		t.Helper()
		for range count {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
		return open
	}
	dial(1, httpConnectionsOwn+10)
	dial(2, 1)
	first := accept(httpConnectionsOwn)
	if c := accept(1)[0]; c.RemoteAddr().(*net.TCPAddr).IP[15] != 2 {
		t.Errorf("accepted %v, want that one address does not take the places of others", c.RemoteAddr())
	}
	for range 2 { // the second time leaves no place
		if err := first[0].Close(); err != nil {
			t.Fatal(err)
		}
	}
	dial(1, 2)
	dial(3, httpConnections)
	close(dialled)
	accept(1 + httpConnections - httpConnectionsOwn - 1)
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted one more, want %d in all", httpConnections)
	}
	if l.all != httpConnections || len(l.from) != 3 {
		t.Errorf("%d connections of %d addresses, want %d of 3", l.all, len(l.from), httpConnections)
	}
}
