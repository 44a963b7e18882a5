package iec104

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// TestRunTakesEveryEventOnce breaks the connection of a client that keeps itself
// connected again and again while a server has events for it, and interrogates
// after each start: every event arrives, in order, and once after the replays are
// left out.
func TestRunTakesEveryEventOnce(t *testing.T) {
	t.Parallel()
	const events, breaks = 6000, 60
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 104))
		st := newTestStation()
		st.points[1] = many(1, 300)
		s := newTestServer(t, st, ServerConfig{ConnectRate: -1})
		serving, stop := context.WithCancel(context.Background())
		var mu sync.Mutex
		var last net.Conn
		dial := func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go s.ServeConn(serving, far)
			mu.Lock()
			defer mu.Unlock()
			last = near
			return newSocket(near), nil
		}
		replays, next, twice, starts := NewReplays(200), uint32(0), 0, make(chan struct{}, breaks+1)
		handler := func(a asdu.ASDU) {
			for _, o := range a.AppendObjects(nil) {
				switch {
				case a.Type != asdu.M_SP_TB_1:
				case replays.Seen(&a.Header, &o):
					twice++
				case o.IOA != next:
					t.Errorf("event %d, want %d", o.IOA, next)
					next = o.IOA + 1
				default:
					next++
				}
			}
		}
		c, err := NewClient("station", Params{}, WithDialer(dial), WithHandler(handler), WithLinkEvents(func(e LinkEvent) {
			if e.State == LinkStarted {
				replays.Started()
				starts <- struct{}{}
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		var parts sync.WaitGroup
		parts.Go(func() {
			if err := c.Run(serving); err != nil {
				t.Error(err)
			}
		})
		parts.Go(func() {
			for i := range uint32(events) {
				time.Sleep(time.Duration(i%20) * time.Millisecond)
				e := event(i, 1)
				e.Type, e.Time = asdu.M_SP_TB_1, utcNow()
				st.put(e)
			}
		})
		for range breaks {
			<-starts
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(1500))*time.Millisecond)
			_, _ = c.Interrogate(ctx, 1, 20) // the break may come first
			<-ctx.Done()
			cancel()
			mu.Lock()
			last.Close()
			mu.Unlock()
		}
		time.Sleep(5 * time.Minute)
		stop()
		parts.Wait()
		synctest.Wait()
		if next != events {
			t.Errorf("%d events, want %d", next, events)
		}
		if twice == 0 {
			t.Error("no event came twice: nothing was tested")
		}
	})
}

func TestALinkThatHasLastedIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dials []time.Time
		dial := func(context.Context, string, string) (net.Conn, error) {
			dials = append(dials, time.Now())
			if n := len(dials); n%3 != 0 { // two attempts fail, the third connects for 5 s
				return nil, errors.New("refused")
			}
			near, far := net.Pipe()
			go func() {
				buf := make([]byte, 6)
				_, _ = far.Read(buf)
				_, _ = far.Write([]byte{0x68, 4, 0x0b, 0, 0, 0})
				time.Sleep(5 * time.Second)
				far.Close()
			}()
			return near, nil
		}
		c, err := NewClient("station", Params{}, WithDialer(dial), WithRetry(time.Second, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second) // the station has gone, too
		for i := 1; i < len(dials); i++ {
			if gap := dials[i].Sub(dials[i-1]); gap > 6200*time.Millisecond {
				t.Errorf("attempt %d came %v after the one before, want at most 6.2s", i, gap)
			}
		}
		if len(dials) < 20 {
			t.Errorf("%d attempts in two minutes, want 20", len(dials))
		}
	})
}
