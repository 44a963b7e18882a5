package iec104

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// quick is a connection whose handshake is made at once.
type quick struct{ net.Conn }

func (*quick) HandshakeContext(context.Context) error { return nil }

func TestHandshakesOfOneAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, newTestStation(), ServerConfig{MaxConnections: 10, Params: Params{T0: 30 * time.Second}})
		ctx, cancel := context.WithCancel(t.Context())
		defer func() {
			cancel()
			synctest.Wait()
		}()
		slow := func(c net.Conn) net.Conn { return &stalling{c} }
		fast := func(c net.Conn) net.Conn { return &quick{c} }
		want := func(what, from string, wrap func(net.Conn) net.Conn, want Reason) {
			t.Helper()
			near, far := net.Pipe()
			t.Cleanup(func() { _ = near.Close() })
			done := make(chan error, 1)
			go func() { done <- s.ServeConn(ctx, wrap(tcpPipe{far, from})) }()
			synctest.Wait()
			got := Reason(0)
			select {
			case err := <-done:
				if le, ok := errors.AsType[*LinkError](err); ok {
					got = le.Reason
				}
			default:
			}
			if got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		for i := range 5 {
			want("slow one", fmt.Sprintf("192.0.2.1:%d", i+1), slow, 0)
		}
		want("sixth slow one", "192.0.2.1:6", slow, TooManyHandshakes)
		want("quick one of the same address", "192.0.2.1:7", fast, TooManyHandshakes)
		want("one without a handshake", "192.0.2.1:8", func(c net.Conn) net.Conn { return c }, 0)
		want("another address", "192.0.2.2:1", fast, 0)
		time.Sleep(31 * time.Second) // the slow ones are over
		for i := range 6 {
			want("quick one later", fmt.Sprintf("192.0.2.1:%d", i+10), fast, 0)
		}
		if n := s.Stats().Closed[TooManyHandshakes]; n != 2 || len(s.handshakes.count) != 0 {
			t.Errorf("%d refused, %v under way, want 2 and none", n, s.handshakes.count)
		}
	})
}
