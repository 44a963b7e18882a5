package tlsconf

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/pki"
)

// substation is a controlled station with one point. A connection whose peer
// must leave is closed with the reason.
type substation struct {
	*iec104.Queue
	peers chan string
}

func (s substation) Open(c *iec104.ServerConn) (iec104.Session, error) {
	secured := c.NetConn().(*Conn)
	secured.OnEnd(func(reason *Error) { c.Close(reason) })
	s.peers <- secured.Peer().CommonName
	return s, nil
}

// one is an interrogation of one object.
type one struct{ left int }

func (o *one) Next(dst []iec104.Item) (int, bool) {
	n := min(o.left, len(dst))
	if n > 0 {
		dst[0] = iec104.Item{Type: asdu.M_SP_NA_1, Object: asdu.Object{IOA: 1, Value: 1}}
	}
	o.left -= n
	return n, o.left == 0
}

func (substation) Started(bool)                                       {}
func (substation) Background([]iec104.Event) int                      { return 0 }
func (substation) Addresses() []uint16                                { return []uint16{1} }
func (substation) Interrogate(uint16, uint8) iec104.Interrogation     { return &one{1} }
func (substation) Counters(uint16, uint8, uint8) iec104.Interrogation { return nil }
func (substation) Read(uint16, uint32) (iec104.Item, bool)            { return iec104.Item{}, false }
func (substation) Clock(uint16, asdu.Time) bool                       { return false }
func (substation) Reset(uint16, uint8) bool                           { return false }
func (substation) Command(iec104.Command) iec104.Verdict              { return iec104.UnknownObject }
func (substation) Closed(error)                                       {}

// serve serves connections of e one after the other; each end is sent.
func serve(t *testing.T, e *Endpoint) (addr string, peers chan string, ends chan error) {
	t.Helper()
	st := substation{iec104.NewQueue(10), make(chan string, 10)}
	server, err := iec104.NewServer(st, iec104.ServerConfig{Params: iec104.Params{T0: patience}})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ends = make(chan error, 10)
	served := make(chan struct{})
	secured := e.Listen(l)
	go func() {
		defer close(served)
		for {
			conn, err := secured.Accept()
			if err != nil {
				return
			}
			ends <- server.ServeConn(ctx, conn)
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		<-served
	})
	return l.Addr().String(), st.peers, ends
}

func TestIEC104OverTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Plant CA")
	a.issue("rtu1", nil)
	a.issue("scada1", nil)
	rtu := a.settings("rtu1")
	rtu.CRL = []string{a.path(pki.ListFile)}
	server, client := endpoint(t, rtu, Server), endpoint(t, a.settings("scada1"), Client)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		server.Run(ctx)
	}()
	defer func() {
		cancel()
		<-watched
	}()
	addr, peers, ends := serve(t, server)

	scada, err := iec104.Dial(t.Context(), addr, iec104.Params{}, iec104.WithDialer(client.DialContext))
	must(t, err)
	must(t, scada.StartDT(t.Context()))
	result, err := scada.Interrogate(t.Context(), 1, 20)
	if err != nil || result.Objects != 1 {
		t.Errorf("interrogation: %d objects, %v, want 1", result.Objects, err)
	}
	if got := <-peers; got != "scada1" {
		t.Errorf("the server sees %q, want scada1", got)
	}

	a.revoke("scada1")
	must(t, server.Reload())
	if err := <-ends; !errors.Is(err, Revoked) || reasonOf(err) != iec104.ClosedLocally {
		t.Errorf("the connection of the revoked one ended with %v, want closed locally: revoked", err)
	}
	<-scada.Done()
	if err := scada.Err(); reasonOf(err) != iec104.ClosedByPeer {
		t.Errorf("the client ended with %v, want closed by peer", err)
	}

	again, err := iec104.Dial(t.Context(), addr, iec104.Params{}, iec104.WithDialer(client.DialContext))
	if err == nil { // with TLS 1.3 the client learns it by reading
		<-again.Done()
		err = again.Err()
	}
	if !errors.Is(err, RefusedByPeer) {
		t.Errorf("the client is told %v, want refused by peer", err)
	}
	if err := <-ends; !errors.Is(err, Revoked) || reasonOf(err) != iec104.HandshakeFailed {
		t.Errorf("the server has refused with %v, want handshake failed: revoked", err)
	}

	plain, err := iec104.Dial(t.Context(), addr, iec104.Params{T1: 2 * time.Second, T2: time.Second})
	must(t, err)
	if err := plain.StartDT(t.Context()); err == nil {
		t.Error("a plain client is served")
	}
	if err := <-ends; !errors.Is(err, NotTLS) || reasonOf(err) != iec104.HandshakeFailed {
		t.Errorf("the plain client was refused with %v, want handshake failed: not tls", err)
	}
}

func reasonOf(err error) iec104.Reason {
	if le, ok := errors.AsType[*iec104.LinkError](err); ok {
		return le.Reason
	}
	return 0
}
