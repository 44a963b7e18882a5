package iec104

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// linkRows are what a controlling station does to stay connected.
func linkRows() []fleetCheck {
	return []fleetCheck{
		{row: "E078 STARTDT con does not come: closed after t1, again with back-off", script: func(f *fleet) {
			for _, most := range []time.Duration{1200, 2400, 4800} {
				p := f.peer("a")
				p.expect(startDTAct)
				p.wait(15*time.Second - time.Millisecond)
				p.expectSilence()
				p.wait(time.Millisecond)
				p.expectClosed(NoStartCon)
				f.dialled("a")
				retry := f.lastRetry()
				if least := most * 2 / 3; retry < least*time.Millisecond || retry > most*time.Millisecond {
					f.t.Fatalf("connects again after %v, want %v to %v ms", retry, int64(least), int64(most))
				}
				f.wait(retry - time.Millisecond)
				f.dialled()
				f.wait(time.Millisecond)
			}
		}},
		{row: "E101 controlling: back-off doubles up to its limit, each varied", script: func(f *fleet) {
			f.refusing("a", true)
			f.peer("a").conn.Close()
			synctest.Wait()
			seen := map[time.Duration]bool{}
			for i := range 12 {
				base := min(time.Second<<i, time.Minute)
				retry := f.lastRetry()
				if retry < base*8/10 || retry > base*12/10 {
					f.t.Fatalf("attempt %d after %v, want %v ± 20 %%", i, retry, base)
				}
				seen[retry*time.Minute/base] = true
				f.wait(retry)
			}
			if len(seen) < 8 {
				f.t.Errorf("%d different deviations in 12 attempts, want nearly as many", len(seen))
			}
			f.refusing("a", false)
			f.wait(f.lastRetry())
			f.start("a")
			f.wait(15 * time.Second)
			f.peer("a").conn.Close() // it was steady: from the beginning
			synctest.Wait()
			if retry := f.lastRetry(); retry > 1200*time.Millisecond {
				f.t.Errorf("after a steady connection again after %v, want about 1 s", retry)
			}
		}},
		{row: "1.5 controlling a station that closes at once is not dialled at once again and again", script: func(f *fleet) {
			for range 6 {
				f.start("a").conn.Close()
				synctest.Wait()
				f.wait(f.lastRetry())
			}
			if retry := f.retry[5]; retry < 25*time.Second {
				f.t.Errorf("sixth attempt after %v, want about 32 s", retry)
			}
		}},
		{row: "1.5 controlling data transfer is started, told and awaited", script: func(f *fleet) {
			started := f.after(f.c.AwaitStart)
			f.waiting(started)
			if _, err := f.c.Interrogate(f.t.Context(), 1, 20); !errors.Is(err, ErrNotStarted) {
				f.t.Errorf("interrogation = %v, want ErrNotStarted", err)
			}
			p := f.start("a")
			f.saw("a connected", "a started")
			if err := f.ended(started); err != nil {
				f.t.Fatal(err)
			}
			p.tell(spont(100))
			if n := len(f.got.all()); n != 1 {
				f.t.Errorf("%d objects, want 1", n)
			}
		}},
		{row: "1.5 controlling without a connection requests fail and say why", script: func(f *fleet) {
			f.refusing("a", true)
			f.start("a").conn.Close()
			synctest.Wait()
			_, err := f.c.Read(f.t.Context(), 1, 1)
			var le *LinkError
			if !errors.Is(err, ErrNotStarted) || !errors.As(err, &le) || le.Reason != ClosedByPeer {
				f.t.Errorf("read = %v, want ErrNotStarted, closed by peer", err)
			}
			if f.c.Connect(f.t.Context()) == nil || f.c.Run(f.t.Context()) == nil {
				f.t.Error("connected twice")
			}
		}},
		{row: "1.5 controlling a request ends with its connection, the next one goes to the next", script: func(f *fleet) {
			p := f.start("a")
			result := f.after(func(ctx context.Context) error { _, err := f.c.Interrogate(ctx, 1, 20); return err })
			p.expectASDU(giAct)
			p.conn.Close()
			if err := f.ended(result); !errors.Is(err, ErrClosed) {
				f.t.Errorf("interrogation = %v, want ErrClosed", err)
			}
			f.wait(f.lastRetry())
			p = f.start("a")
			result = f.after(func(ctx context.Context) error { _, err := f.c.Interrogate(ctx, 1, 20); return err })
			p.expectASDU(giAct) // N(S) from 0
			p.tell(giCon, giEnd)
			if err := f.ended(result); err != nil {
				f.t.Error(err)
			}
		}},
		{row: "1.5 controlling the end acknowledges what was taken", script: func(f *fleet) {
			p := f.start("a")
			p.tell(spont(1), spont(2))
			f.stop()
			synctest.Wait()
			p.expect(sframe(2))
			p.expectClosed(ClosedLocally)
			f.saw("a connected", "a started", "a down: closed locally")
		}},
		{row: "1.5 controlling the end waits for the handler, and acknowledges what that took", script: func(f *fleet) {
			release := make(chan struct{})
			f.c.opt.handler = func(asdu.ASDU) { <-release }
			p := f.start("a")
			p.tell(spont(1), spont(2))
			f.stop()
			p.expectSilence()
			close(release)
			synctest.Wait()
			p.expect(sframe(1))
			p.expectClosed(ClosedLocally)
		}},
		{row: "1.5 controlling a handler that does not return does not hold the connection", script: func(f *fleet) {
			release := make(chan struct{})
			f.c.opt.handler = func(asdu.ASDU) { <-release }
			p := f.start("a")
			p.tell(spont(1))
			f.stop()
			p.expectSilence()
			f.wait(time.Second)
			if !p.closed() {
				f.t.Error("connection open a second after the end")
			}
			close(release)
		}},
		{row: "E089 events sent again after a reconnect", script: func(f *fleet) {
			replays, fresh := NewReplays(200), 0
			f.c.opt.link = func(e LinkEvent) {
				f.event(e)
				if e.State == LinkStarted {
					replays.Started()
				}
			}
			f.c.opt.handler = func(a asdu.ASDU) {
				for _, o := range a.AppendObjects(nil) {
					if !replays.Seen(&a.Header, &o) {
						fresh++
					}
				}
			}
			const tag = " f3 69 2d 8d 4e 07 1a"
			tagged := func(ioa string) string { return "1e 01 03 00 01 00 " + ioa + " 00 00 01" + tag }
			p := f.start("a")
			p.tell(tagged("01"), tagged("02"), tagged("02"), spont(7))
			p.conn.Close()
			synctest.Wait()
			f.wait(f.lastRetry())
			p = f.start("a")
			p.tell("1e 02 03 00 01 00 02 00 00 01"+tag+"02 00 00 01"+tag, tagged("03"), tagged("02"), spont(7))
			if fresh != 4+3 { // the third of object 2 is another event; untagged is never the same
				f.t.Errorf("%d events, want 7", fresh)
			}
		}},
	}
}

// groupRows are the rows of redundancy groups as a controlling station has them.
func groupRows() []fleetCheck {
	return []fleetCheck{
		{row: "1.6 controlling one connection is started, the others are standbys kept alive by TESTFR", addrs: 3, script: func(f *fleet) {
			f.start("a")
			f.dialled("a", "b", "c")
			for _, addr := range []string{"a", "b", "c"} {
				f.peer(addr).expectSilence()
			}
			f.wait(20 * time.Second)
			for _, addr := range []string{"a", "b", "c"} {
				p := f.peer(addr)
				p.expect(testFRAct)
				p.send(testFRCon)
			}
		}},
		{row: "1.6 controlling a standby that does not answer is replaced, the started one goes on", addrs: 2, script: func(f *fleet) {
			a, b := f.start("a"), f.peer("b")
			f.wait(19 * time.Second)
			a.tell(spont(1))
			f.wait(time.Second)
			b.expect(testFRAct)
			f.wait(15 * time.Second)
			b.expectClosed(NoTestCon)
			f.wait(f.lastRetry())
			f.peer("b").expectSilence()
			if s := f.c.Links()[0].State; s != LinkStarted {
				f.t.Errorf("first link is %v, want it started", s)
			}
		}},
		{row: "1.6 controlling after a failure the next standby is started at once", addrs: 3, script: func(f *fleet) {
			f.start("a").conn.Close()
			b := f.start("b") // no time has passed
			f.peer("c").expectSilence()
			b.tell(spont(5))
			f.wait(f.lastRetry())
			f.peer("a").expectSilence() // back, as a standby
			f.dialled("a", "b", "c", "a")
			b.conn.Close()
			f.start("c")
			f.saw("a connected", "b connected", "c connected", "a started", "a down: closed by peer", "b started",
				"a connected", "b down: closed by peer", "c started")
		}},
		{row: "1.6 controlling STARTDT con that does not come starts the next standby", addrs: 2, script: func(f *fleet) {
			f.peer("a").expect(startDTAct)
			f.wait(15 * time.Second)
			f.peer("b").expect(startDTAct)
			f.peer("b").send(startDTCon)
			f.saw("a connected", "b connected", "a down: no startdt con", "b started")
		}},
		{row: "1.6 controlling planned switch: STOPDT, its con, STARTDT on the other", addrs: 2, script: func(f *fleet) {
			a, b := f.start("a"), f.peer("b")
			a.tell(spont(1))
			result := f.after(func(ctx context.Context) error { return f.c.Switch(ctx, "b") })
			a.expect(sframe(1), stopDTAct)
			b.expectSilence()
			a.tell(spont(2)) // not yet stopped
			a.expect(sframe(2))
			a.send(stopDTCon)
			b.expect(startDTAct)
			f.waiting(result)
			b.send(startDTCon)
			if err := f.ended(result); err != nil {
				f.t.Fatal(err)
			}
			b.tell(spont(3))
			if n := len(f.got.all()); n != 3 {
				f.t.Errorf("%d objects, want 3", n)
			}
			f.saw("a connected", "b connected", "a started", "a connected", "b started")
			if err := f.c.Switch(f.t.Context(), "b"); err != nil {
				f.t.Errorf("switch to where it is: %v", err)
			}
		}},
		{row: "1.6 controlling a switch to a connection that is lost leaves the data transfer where it is", addrs: 2, script: func(f *fleet) {
			a, b := f.start("a"), f.peer("b")
			result := f.after(func(ctx context.Context) error { return f.c.Switch(ctx, "b") })
			a.expect(stopDTAct)
			f.refusing("b", true)
			b.conn.Close()
			if err := f.ended(result); !errors.Is(err, ErrClosed) {
				f.t.Errorf("switch = %v, want ErrClosed", err)
			}
			a.send(stopDTCon)
			a.expect(startDTAct)
			a.send(startDTCon)
			if err := f.c.Switch(f.t.Context(), "b"); !errors.Is(err, ErrClosed) {
				f.t.Errorf("switch = %v, want ErrClosed", err)
			}
			if err := f.c.Switch(f.t.Context(), "d"); err == nil {
				f.t.Error("switched to an unknown address")
			}
		}},
		{row: "1.6 controlling a switch when the station does not confirm STOPDT goes on after t1", addrs: 2, script: func(f *fleet) {
			a, b := f.start("a"), f.peer("b")
			result := f.after(func(ctx context.Context) error { return f.c.Switch(ctx, "b") })
			a.expect(stopDTAct)
			f.wait(15 * time.Second)
			a.expectClosed(NoStopCon)
			b.expect(startDTAct)
			b.send(startDTCon)
			if err := f.ended(result); err != nil {
				f.t.Error(err)
			}
		}},
		{row: "1.6 controlling standby: all connections stopped until StartDT, and after StopDT", addrs: 2, opts: []Option{WithStandby()}, script: func(f *fleet) {
			a, b := f.peer("a"), f.peer("b")
			a.expectSilence()
			b.expectSilence()
			result := f.after(f.c.StartDT)
			a.expect(startDTAct)
			a.send(startDTCon)
			if err := f.ended(result); err != nil {
				f.t.Fatal(err)
			}
			result = f.after(f.c.StopDT)
			a.expect(stopDTAct)
			a.send(stopDTCon)
			if err := f.ended(result); err != nil {
				f.t.Fatal(err)
			}
			if err := f.c.Switch(f.t.Context(), "b"); !errors.Is(err, ErrNotStarted) {
				f.t.Errorf("switch = %v, want ErrNotStarted", err)
			}
			a.conn.Close()
			synctest.Wait()
			b.expectSilence()
			result = f.after(f.c.StartDT)
			b.expect(startDTAct)
			f.stop()
			if err := f.ended(result); !errors.Is(err, ErrClosed) {
				f.t.Errorf("StartDT = %v at the end, want ErrClosed", err)
			}
		}},
		{row: "1.6 controlling data transfer that was stopped starts again where it was", addrs: 3, script: func(f *fleet) {
			f.start("a").conn.Close()
			b := f.start("b")
			f.wait(f.lastRetry())
			f.peer("a").expectSilence()
			stopped := f.after(f.c.StopDT)
			b.expect(stopDTAct)
			b.send(stopDTCon)
			if err := f.ended(stopped); err != nil {
				f.t.Fatal(err)
			}
			f.after(f.c.StartDT)
			f.start("b")
			f.peer("a").expectSilence()
		}},
		{row: "1.6 controlling StartDT during STOPDT starts again after its con", script: func(f *fleet) {
			a := f.start("a")
			stopped := f.after(f.c.StopDT)
			a.expect(stopDTAct)
			started := f.after(f.c.StartDT)
			a.send(stopDTCon)
			a.expect(startDTAct)
			a.send(startDTCon)
			if err := f.ended(started); err != nil {
				f.t.Fatal(err)
			}
			f.waiting(stopped)
		}},
		{row: "1.6 controlling one connection at a time: the next address at once, then back-off", addrs: 3, opts: []Option{WithSingleConnection()}, script: func(f *fleet) {
			f.dialled("a")
			f.refusing("b", true)
			f.refusing("c", true)
			f.start("a").conn.Close()
			f.dialled("b", "c")
			retry := f.lastRetry()
			if retry < 800*time.Millisecond || retry > 1200*time.Millisecond {
				f.t.Errorf("next round after %v, want about 1 s", retry)
			}
			f.wait(retry)
			f.dialled("a")
			f.start("a")
			if links := f.c.Links(); len(links) != 1 || links[0].Addr != "a" || links[0].State != LinkStarted {
				f.t.Errorf("links %+v, want one that is started", links)
			}
		}},
	}
}

// TestT0OfRun has connections that are never established.
func TestT0OfRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dials []time.Duration
		begin := time.Now()
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			dials = append(dials, time.Since(begin))
			<-ctx.Done()
			return nil, ctx.Err()
		}
		var failures []error
		c, err := NewClient("station", Params{T0: 5 * time.Second}, WithDialer(dial), WithRetry(time.Second, time.Second),
			WithLinkEvents(func(e LinkEvent) { failures = append(failures, e.Err) }))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 17*time.Second)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(dials) != 3 || dials[1] < 5800*time.Millisecond || dials[1] > 6200*time.Millisecond {
			t.Errorf("dialled at %v, want after 0 s, about 6 s, about 12 s", dials)
		}
		for _, err := range failures[:2] {
			if !errors.Is(err, ErrTimeout) {
				t.Errorf("failed with %v, want ErrTimeout", err)
			}
		}
	})
}

// TestCloseEndsRun has the client closed at every stage.
func TestCloseEndsRun(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func(f *fleet){
		"connected": func(f *fleet) { f.peer("a") },
		"started":   func(f *fleet) { f.start("a") },
		"waiting": func(f *fleet) {
			f.refusing("a", true)
			f.peer("a").conn.Close()
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, fleetCheck{}, media()[0])
				step(f)
				if err := f.c.Close(); err != nil {
					t.Error(err)
				}
				if err := f.ended(f.done); err != nil {
					t.Error(err)
				}
				f.done <- nil
			})
		})
	}
}
