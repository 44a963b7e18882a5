package iec104

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errTooOld = errors.New("too old")

func TestRenew(t *testing.T) {
	t.Parallel()
	interrogate := func(f *fleet) <-chan error {
		return f.after(func(ctx context.Context) error { _, err := f.c.Interrogate(ctx, 1, 20); return err })
	}
	renew := func(f *fleet, link int, grace time.Duration) {
		f.t.Helper()
		if !f.c.Renew(f.c.Links()[link].Conn.ID, grace, errTooOld) {
			f.t.Fatal("there is no such connection")
		}
		synctest.Wait()
	}
	playFleet(t, []fleetCheck{
		{row: "acknowledged, stopped, confirmed, closed with the reason, and made again at once", script: func(f *fleet) {
			p := f.start("a")
			p.tell(spont(1))
			f.dialled("a")
			renew(f, 0, 0)
			p.expect(sframe(1), stopDTAct)
			p.tell(spont(2)) // it was under way
			p.wait(5 * time.Second)
			f.dialled()
			p.send(stopDTCon)
			p.expect(sframe(2))
			f.dialled("a")
			p.expectClosed(ClosedLocally)
			if retry := f.lastRetry(); retry != 0 {
				f.t.Errorf("connects again after %v, want at once", retry)
			}
			f.start("a")
			f.saw("a connected", "a started", "a connected", "a down: closed locally", "a connected", "a started")
			if n := len(f.got.all()); n != 2 {
				f.t.Errorf("%d objects, want both", n)
			}
		}},
		{row: "the reason is told", script: func(f *fleet) {
			p := f.start("a")
			f.refusing("a", true)
			down := make(chan error, 2)
			f.c.opt.link = func(e LinkEvent) { down <- e.Err }
			renew(f, 0, 0)
			p.expect(stopDTAct)
			p.send(stopDTCon)
			<-down // connected, stopped
			if err := <-down; !errors.Is(err, errTooOld) || !strings.Contains(err.Error(), "closed locally: too old") {
				f.t.Errorf("ended with %v, want closed locally: too old", err)
			}
		}},
		{row: "a station that does not confirm is closed after t1", script: func(f *fleet) {
			p := f.start("a")
			renew(f, 0, 0)
			p.expect(stopDTAct)
			p.wait(15 * time.Second)
			p.expectClosed(NoStopCon)
			if retry := f.lastRetry(); retry != 0 {
				f.t.Errorf("connects again after %v, want at once", retry)
			}
		}},
		{row: "what is refused afterwards is tried with back-off", script: func(f *fleet) {
			p := f.start("a")
			f.refusing("a", true)
			renew(f, 0, 0)
			p.send(stopDTCon)
			if retry := f.lastRetry(); retry < 800*time.Millisecond || retry > 1200*time.Millisecond {
				f.t.Errorf("connects again after %v, want about 1 s", retry)
			}
		}},
		{row: "a request that is running may end", script: func(f *fleet) {
			p := f.start("a")
			result := interrogate(f)
			p.expectASDU(giAct)
			p.tell(giCon)
			renew(f, 0, 10*time.Second)
			p.wait(5 * time.Second)
			p.expectSilence()
			p.tell(giEnd)
			if err := f.ended(result); err != nil {
				f.t.Errorf("interrogation = %v", err)
			}
			p.expect(sframe(2), stopDTAct)
			p.send(stopDTCon)
			p.expectClosed(ClosedLocally)
		}},
		{row: "a request that takes longer fails, and so does a new one", script: func(f *fleet) {
			p := f.start("a")
			result := interrogate(f)
			p.expectASDU(giAct)
			p.tell(giCon)
			renew(f, 0, 5*time.Second)
			p.wait(5 * time.Second)
			p.expect(sframe(1), stopDTAct)
			if _, err := f.c.Read(f.t.Context(), 1, 1); !errors.Is(err, ErrNotStarted) {
				f.t.Errorf("read = %v, want ErrNotStarted", err)
			}
			p.send(stopDTCon)
			if err := f.ended(result); !errors.Is(err, ErrNotStarted) {
				f.t.Errorf("interrogation = %v, want ErrNotStarted", err)
			}
		}},
		{row: "a second one may shorten the time", script: func(f *fleet) {
			p := f.start("a")
			interrogate(f)
			p.expectASDU(giAct)
			p.tell(giCon)
			renew(f, 0, time.Minute)
			p.expectSilence()
			renew(f, 0, 0)
			p.expect(sframe(1), stopDTAct)
		}},
		{row: "one that is about to start is started and stopped", script: func(f *fleet) {
			p := f.peer("a")
			p.expect(startDTAct)
			renew(f, 0, 0)
			p.expectSilence()
			p.send(startDTCon)
			p.expect(stopDTAct)
			p.send(stopDTCon)
			p.expectClosed(ClosedLocally)
		}},
		{row: "a standby is closed and made again", addrs: 2, script: func(f *fleet) {
			p := f.start("a")
			b := f.peer("b")
			f.dialled("a", "b")
			renew(f, 1, 0)
			b.expectClosed(ClosedLocally)
			f.dialled("b")
			p.expectSilence()
		}},
		{row: "data transfer goes to a standby", addrs: 2, script: func(f *fleet) {
			p := f.start("a")
			renew(f, 0, 0)
			p.expect(stopDTAct)
			p.send(stopDTCon)
			f.start("b")
			f.peer("a").expectSilence()
		}},
		{row: "one address at a time: the same one again", addrs: 2, opts: []Option{WithSingleConnection()}, script: func(f *fleet) {
			p := f.start("a")
			f.dialled("a")
			renew(f, 0, 0)
			p.expect(stopDTAct)
			p.send(stopDTCon)
			f.dialled("a")
		}},
		{row: "there is no such connection", script: func(f *fleet) {
			f.start("a")
			if f.c.Renew(99, 0, errTooOld) {
				f.t.Error("renews a connection that there is not")
			}
		}},
	})
}

func TestRenewWithoutRunEndsTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, newTestStation(), ServerConfig{})
		c, err := Dial(t.Context(), "station", Params{}, WithDialer(pipeTo(t, s, "")))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.StartDT(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Renew(c.Info().ID, 0, errTooOld)
		<-c.Done()
		if err := c.Err(); !errors.Is(err, errTooOld) {
			t.Errorf("ended with %v, want too old", err)
		}
		synctest.Wait()
		if n := s.Stats().Closed[ClosedByPeer]; n != 1 {
			t.Errorf("%d connections closed by peer, want 1", n)
		}
	})
}
