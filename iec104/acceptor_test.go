package iec104

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

const (
	plantA, plantB, nobody = "192.0.2.1/32", "192.0.2.2/32", "198.51.100.9:1"
	fromA, alsoA, fromB    = "192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"
)

func TestAcceptor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cfg    AcceptorConfig
		script func(t *testing.T, h *hall)
	}{
		{"the controlling station starts a connection that it has not made", AcceptorConfig{}, func(t *testing.T, h *hall) {
			c := h.run(h.client(plantA))
			time.Sleep(time.Hour) // far beyond t0: the station comes when it likes
			p := h.visit(fromA)
			p.confirmStart()
			p.tell(spont(1))
			if info := c.Links()[0]; info.State != LinkStarted || info.Conn.Peer != fromA {
				t.Errorf("link is %+v, want started with %s", info, fromA)
			}
			h.expectRefused()
		}},
		{"stations are told apart", AcceptorConfig{}, func(t *testing.T, h *hall) {
			a, b := h.run(h.client(plantA)), h.run(h.client(plantB))
			h.visit(fromB).expect(startDTAct)
			if a.Links()[0].State != LinkDown || b.Links()[0].State != LinkConnected {
				t.Error("the connection of b went to a")
			}
			h.visit(fromA).expect(startDTAct)
		}},
		{"an unknown station is refused with a reason", AcceptorConfig{}, func(t *testing.T, h *hall) {
			h.run(h.client(plantA))
			h.visit(nobody).expectGone()
			h.expectRefused("connection from 198.51.100.9:1 refused: iec104: address not allowed: no known station")
			if n := h.a.Refused()[NotAllowed]; n != 1 {
				t.Errorf("%d refused, want 1", n)
			}
		}},
		{"a second connection is refused while the first one answers", AcceptorConfig{}, func(t *testing.T, h *hall) {
			h.run(h.client(plantA))
			first := h.visit(fromA)
			first.confirmStart()
			second := h.visit(alsoA)
			first.expect(testFRAct)
			second.expectSilence()
			first.send(testFRCon)
			second.expectGone()
			h.expectRefused("connection from 192.0.2.1:2 refused: iec104: already connected: the connection before it answers")
			first.expectSilence()
		}},
		{"a second connection takes the place of a dead one, once that is dead", AcceptorConfig{}, func(t *testing.T, h *hall) {
			h.run(h.client(plantA))
			first := h.visit(fromA)
			first.confirmStart()
			second := h.visit(alsoA)
			first.expect(testFRAct)
			time.Sleep(15*time.Second - time.Millisecond)
			synctest.Wait()
			first.expectSilence()
			second.expectSilence()
			time.Sleep(time.Millisecond)
			synctest.Wait()
			first.expectGone()
			second.confirmStart()
			h.expectRefused()
		}},
		{"a second connection of a first one that is not started", AcceptorConfig{}, func(t *testing.T, h *hall) {
			h.run(h.client(plantA, WithStandby()))
			first := h.visit(fromA)
			second := h.visit(alsoA)
			first.expect(testFRAct)
			first.conn.Close()
			synctest.Wait()
			second.expectSilence() // the client has it
			second.send(testFRAct)
			second.expect(testFRCon)
		}},
		{"after a loss the next connection is used at once", AcceptorConfig{}, func(t *testing.T, h *hall) {
			h.run(h.client(plantA))
			for range 10 {
				p := h.visit(fromA)
				p.confirmStart()
				p.conn.Close()
				synctest.Wait()
			}
			h.visit(fromA).confirmStart()
		}},
		{"of two that wait the newer is kept", AcceptorConfig{}, func(t *testing.T, h *hall) {
			c := h.client(plantA)
			older, newer := h.visit(fromA), h.visit(alsoA)
			older.expectGone()
			h.expectRefused("connection from 192.0.2.1:1 refused: iec104: superseded: by a newer connection of the station")
			h.run(c)
			newer.confirmStart()
		}},
		{"a client that does not run", AcceptorConfig{T0: 5 * time.Second}, func(t *testing.T, h *hall) {
			h.client(plantA)
			p := h.visit(fromA)
			time.Sleep(5*time.Second - time.Millisecond)
			p.expectSilence()
			time.Sleep(time.Millisecond)
			p.expectGone()
			h.expectRefused("connection from 192.0.2.1:1 refused: iec104: refused by station: " +
				"the station is known, but its client takes no connection")
		}},
		{"no more wait than may", AcceptorConfig{MaxWaiting: 1}, func(t *testing.T, h *hall) {
			h.client(plantA)
			p := h.visit(fromA)
			h.visit(alsoA).expectGone()
			h.expectRefused("connection from 192.0.2.1:2 refused: iec104: too many connections")
			p.expectSilence()
		}},
		{"no more come than may", AcceptorConfig{ConnectRate: 0.1}, func(t *testing.T, h *hall) {
			for range 100 {
				h.visit(nobody).expectGone()
			}
			h.mu.Lock()
			h.refused = nil
			h.mu.Unlock()
			h.visit(nobody).expectGone()
			h.expectRefused("connection from 198.51.100.9:1 refused: iec104: too many attempts")
		}},
		{"a handshake that does not come", AcceptorConfig{T0: 5 * time.Second}, func(t *testing.T, h *hall) {
			h.run(h.client(plantA))
			p, far := newPeer(t)
			h.l.conns <- shy{at(far, fromA)}
			time.Sleep(5 * time.Second)
			p.expectGone()
			h.expectRefused("connection from 192.0.2.1:1 refused: iec104: handshake failed: context deadline exceeded")
		}},
		{"connecting without Run waits as long as its caller", AcceptorConfig{}, func(t *testing.T, h *hall) {
			c := h.client(plantA)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			begun := time.Now()
			if err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
				t.Errorf("connect = %v after %v, want the end of the minute", err, time.Since(begun))
			}
			connected := make(chan error, 1)
			go func() { connected <- c.Connect(t.Context()) }()
			synctest.Wait()
			h.visit(fromA)
			if err := <-connected; err != nil {
				t.Error(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}},
		{"Close ends the waiting", AcceptorConfig{}, func(t *testing.T, h *hall) {
			c := h.client(plantA)
			connected := make(chan error, 1)
			go func() { connected <- c.Connect(t.Context()) }()
			synctest.Wait()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := <-connected; !errors.Is(err, ErrClosed) {
				t.Errorf("connect = %v, want ErrClosed", err)
			}
		}},
		{"a renewed connection waits for the station to come again", AcceptorConfig{}, func(t *testing.T, h *hall) {
			c := h.run(h.client(plantA))
			p := h.visit(fromA)
			p.confirmStart()
			c.Renew(c.Info().ID, 0, errTooOld)
			synctest.Wait()
			p.expect(stopDTAct)
			p.send(stopDTCon)
			p.expectGone()
			h.visit(alsoA).confirmStart()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { tt.script(t, newHall(t, tt.cfg)) })
		})
	}
}

// shy is a connection whose handshake never ends.
type shy struct{ net.Conn }

func (shy) HandshakeContext(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAcceptorClosesThoseThatWaitAtItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		a := NewAcceptor(l, AcceptorConfig{})
		a.Station(FromAddresses(netip.MustParsePrefix(plantA)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		p, far := newPeer(t)
		l.conns <- at(far, fromA)
		synctest.Wait()
		p.expectSilence()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.expectGone()
		if a.Refused() != (ClosedCount{}) {
			t.Errorf("refused %v, want none: it was on purpose", a.Refused())
		}
	})
}

func TestAStationThatDialsOutHasOneConnection(t *testing.T) {
	t.Parallel()
	a := NewAcceptor(newPipes(), AcceptorConfig{})
	if _, err := NewClient("rtu", Params{}, WithAddresses("b:2404"), a.Station(FromAddresses())); err == nil {
		t.Error("a further address is taken")
	}
}
