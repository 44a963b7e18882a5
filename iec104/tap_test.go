package iec104

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// tapped keeps what taps and traces of both sides of a connection have seen.
type tapped struct {
	mu           sync.Mutex
	tap, trace   map[bool][]byte // by whether it was sent
	calls, pairs int
	order        []byte // both directions, as the tap has seen them
}

func newTapped() *tapped {
	return &tapped{tap: map[bool][]byte{}, trace: map[bool][]byte{}}
}

func (r *tapped) options() []Option {
	return []Option{
		WithTap(func(LinkEvent) TapFunc {
			return func(sent bool, apdus []byte) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.calls++
				r.tap[sent] = append(r.tap[sent], apdus...)
				r.order = append(r.order, apdus...)
			}
		}),
		WithTrace(func(_ uint64, sent bool, apdu []byte) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.pairs++
			r.trace[sent] = append(r.trace[sent], apdu...)
		}),
	}
}

func TestTapSeesWhatTheTraceSees(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const events = 5000
	station, controlling := newTapped(), newTapped()
	srv, err := NewServer(backlog(events), ServerConfig{MaxObjectsPerASDU: 1}, station.options()...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	got, all := 0, make(chan struct{})
	c, err := Dial(ctx, l.Addr().String(), Params{}, append(controlling.options(), WithHandler(func(a asdu.ASDU) {
		if got += a.Count(); got == events {
			close(all)
		}
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartDT(ctx); err != nil {
		t.Fatal(err)
	}
	<-all
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	for name, side := range map[string]*tapped{"station": station, "controlling station": controlling} {
		for _, sent := range []bool{false, true} {
			if !bytes.Equal(side.tap[sent], side.trace[sent]) {
				t.Errorf("%s, sent %v: the tap has seen %d octets, the trace %d", name, sent, len(side.tap[sent]), len(side.trace[sent]))
			}
		}
	}
	if station.calls >= station.pairs {
		t.Errorf("the tap was called %d times for %d frames", station.calls, station.pairs)
	}
}

func TestTapSeesWhatIsNoFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTapped()
		srv, err := NewServer(newTestStation(), ServerConfig{}, r.options()[0])
		if err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- srv.ServeConn(t.Context(), far) }()
		bad := append(octetsOf(startDTAct), 0x68, 0x04, 0x99, 0, 0, 0)
		go func() {
			buf := make([]byte, 100)
			for {
				if _, err := near.Read(buf); err != nil {
					return
				}
			}
		}()
		if _, err := near.Write(bad); err != nil {
			t.Fatal(err)
		}
		<-done
		if !bytes.Equal(r.tap[false], bad) {
			t.Errorf("the tap has seen % x, want % x", r.tap[false], bad)
		}
	})
}

func TestInfoTellsTimersAndRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := NewServer(newTestStation(), ServerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- srv.ServeConn(t.Context(), far) }()
		info := func() ConnInfo { synctest.Wait(); return srv.Conns()[0] }
		if got := info().Timers; got != (Timers{T3: 20 * time.Second}) {
			t.Errorf("timers %+v at the start", got)
		}
		buf := make([]byte, 6)
		if _, err := near.Read(buf); err != nil { // TESTFR act, after t3
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if got := info(); !got.Testing || got.Timers.T3 != 0 || got.Timers.T1 != 12*time.Second {
			t.Errorf("testing %v, timers %+v while the test is not confirmed", got.Testing, got.Timers)
		}
		if _, err := near.Write(apci.AppendU(nil, apci.TestFRCon)); err != nil {
			t.Fatal(err)
		}
		if got := info(); got.Testing || got.RoundTrip.Round(time.Millisecond) != 3*time.Second || got.Timers.T1 != 0 {
			t.Errorf("testing %v, round trip %v, timers %+v", got.Testing, got.RoundTrip, got.Timers)
		}
		near.Close()
		<-done
	})
}

func TestInfoTellsTheLastInterrogation(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv, err := NewServer(&supply{testSession: testSession{testStation: newTestStation()}, items: 1234}, ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	c, err := Dial(ctx, l.Addr().String(), Params{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartDT(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Interrogate(ctx, 1, 20); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]InterrogationInfo{"station": srv.Conns()[0].Interrogation, "controlling station": c.Info().Interrogation} {
		if got.CA != 1 || got.Qualifier != 20 || got.Objects != 1234 || got.Result != "completed" || got.Took <= 0 || got.Begun.IsZero() {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := c.Interrogate(ctx, 1, 99); err == nil {
		t.Error("interrogation with qualifier 99 was answered")
	}
	if got := c.Info().Interrogation; got.Result != "refused" || got.Qualifier != 99 {
		t.Errorf("after a refusal: %+v", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
}
