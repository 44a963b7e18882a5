package iec104

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// givingStation gives back what was not sent when data transfer stops, and notes
// when its connections answer.
type givingStation struct {
	*testStation
	conns []*ServerConn
}

func (s *givingStation) Open(c *ServerConn) (Session, error) {
	s.conns = append(s.conns, c)
	session, err := s.testStation.Open(c)
	return &givingSession{session.(*testSession)}, err
}

type givingSession struct{ *testSession }

func (s *givingSession) Alive() { s.note("alive") }

func (s *givingSession) Started(on bool) {
	if on {
		s.note("started")
		return
	}
	s.note("stopped, %d not sent", s.conn.Discard())
}

func TestDiscardGivesBackWhatIsInNoFrame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := &givingStation{testStation: newTestStation()}
		s := newTestServer(t, st, ServerConfig{Params: Params{K: 2, W: 1}, MaxObjectsPerASDU: 1})
		p := connect(t, s)
		for i := range uint32(10) {
			st.put(event(i+1, 1))
		}
		p.send(startDTAct)
		synctest.Wait()
		_, taken := st.queue.Len()
		if taken <= 2 {
			t.Fatalf("%d events are taken, want some ahead of the window of 2", taken)
		}
		p.send(stopDTAct)
		p.send("68 04 01 00 04 00") // both frames are acknowledged
		st.expectRecord(t, "started", "stopped, 8 not sent", "confirm 2")
		// The frames that were given back are not sent when it starts again: all
		// that follows is what the session gives then.
		before := s.Conns()[0].SentEvents
		p.send(startDTAct)
		if sent := s.Conns()[0].SentEvents - before; sent != 0 {
			t.Errorf("%d events are sent that were given back", sent)
		}
		p.conn.Close()
		synctest.Wait()
	})
}

func TestProbe(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*givingStation, *peer, *ServerConn) {
		st := &givingStation{testStation: newTestStation()}
		p := connect(t, newTestServer(t, st, ServerConfig{}))
		p.send(startDTAct)
		p.expect(startDTCon)
		st.expectRecord(t, "started")
		st.conns[0].Probe()
		synctest.Wait()
		p.expect(testFRAct)
		return st, p, st.conns[0]
	}
	t.Run("answered", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			st, p, c := start(t)
			c.Probe() // one is running
			synctest.Wait()
			p.expectSilence()
			p.send(testFRCon)
			st.expectRecord(t, "alive")
			p.send(testFRCon) // of nothing
			st.expectRecord(t)
			p.conn.Close()
			synctest.Wait()
		})
	})
	t.Run("not answered", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			_, p, _ := start(t)
			time.Sleep(15 * time.Second)
			synctest.Wait()
			var le *LinkError
			if err := <-p.served; !errors.As(err, &le) || le.Reason != NoTestCon {
				t.Errorf("closed by %v, want that the test was not answered", err)
			}
		})
	})
}

func TestCloseOfAClientAcknowledgesWhatItHasTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newTestStation()
		s := newTestServer(t, st, ServerConfig{})
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- s.ServeConn(context.Background(), far) }()
		c, err := Dial(t.Context(), "station", Params{}, WithDialer(func(context.Context, string, string) (net.Conn, error) { return near, nil }))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.StartDT(t.Context()); err != nil {
			t.Fatal(err)
		}
		st.put(event(1, 1), event(2, 1))
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-done
		if events, taken := st.queue.Len(); events != 0 {
			t.Errorf("%d events are left, %d of them taken", events, taken)
		}
	})
}

func TestCloseTakesAReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := &givingStation{testStation: newTestStation()}
		s := newTestServer(t, st, ServerConfig{})
		near, far := newPeer(t)
		done := make(chan error, 1)
		go func() { done <- s.ServeConn(context.Background(), far) }()
		near.send(startDTAct)
		st.conns[0].Close(&LinkError{Reason: Superseded, Err: errors.New("by another")})
		synctest.Wait()
		if err := <-done; err == nil || err.Error() != "iec104: superseded: by another" {
			t.Errorf("ServeConn = %v", err)
		}
		if n := s.Stats().Closed[Superseded]; n != 1 {
			t.Errorf("%d connections counted as superseded, want 1", n)
		}
	})
}
