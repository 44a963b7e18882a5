package iec104

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

// received collects what a client's handler gets.
type received struct {
	mu   sync.Mutex
	objs []string
}

func (r *received) take(a asdu.ASDU) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range a.AppendObjects(nil) {
		r.objs = append(r.objs, fmt.Sprintf("%v %v %d/%d=%d", a.Type, a.Cause, a.CA, o.IOA, o.Int()))
	}
}

func (r *received) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.objs)
}

// pair returns a client connected to a server of the station, data transfer
// stopped. It belongs into a bubble.
func pair(t *testing.T, st Station, cfg ServerConfig, opts ...Option) *Client {
	t.Helper()
	s := newTestServer(t, st, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	dial := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go s.ServeConn(ctx, far)
		return near, nil
	}
	c, err := Dial(ctx, "station", cfg.Params, append(opts, WithDialer(dial))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	return c
}

func TestClientRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		st := newTestStation()
		st.addresses = []uint16{1, 2}
		st.points[1] = []Item{single(100, 1), single(102, 0)}
		st.points[2] = []Item{single(7, 1)}
		st.counters = []Item{{Type: asdu.M_IT_NA_1, Object: asdu.Object{IOA: 800, Value: 5}}}
		var got received
		c := pair(t, st, ServerConfig{}, WithHandler(got.take), WithOriginator(9))
		if _, err := c.Interrogate(ctx, 1, 20); !errors.Is(err, ErrNotStarted) {
			t.Errorf("interrogation before start: %v, want ErrNotStarted", err)
		}
		if err := c.StartDT(ctx); err != nil {
			t.Fatal(err)
		}
		result, err := c.Interrogate(ctx, asdu.GlobalCA, 20)
		if diff := cmp.Diff(Result{Stations: []uint16{1, 2}, Objects: 3}, result); diff != "" || err != nil {
			t.Errorf("interrogation of all (-want +got): %v\n%s", err, diff)
		}
		result, err = c.Counters(ctx, 1, 5, 0)
		if diff := cmp.Diff(Result{Stations: []uint16{1}, Objects: 1}, result); diff != "" || err != nil {
			t.Errorf("counters (-want +got): %v\n%s", err, diff)
		}
		if _, err = c.Counters(ctx, 1, 5, 1); err != nil {
			t.Errorf("freeze: %v", err)
		}
		reading, err := c.Read(ctx, 1, 100)
		if err != nil || reading.Object.Value != 1 || reading.Header.OA != 9 {
			t.Errorf("read: %+v, %v", reading, err)
		}
		_, err = c.Read(ctx, 1, 5)
		if diff := cmp.Diff(&NegativeError{Type: asdu.C_RD_NA_1, CA: 1, IOA: 5, Cause: asdu.UnknownIOA}, err); diff != "" {
			t.Errorf("read of nothing (-want +got):\n%s", diff)
		}
		if _, err := c.ClockSync(ctx, 1, nil); err != nil {
			t.Errorf("clock: %v", err)
		}
		if err := c.Test(ctx, 1, 513); err != nil {
			t.Errorf("test: %v", err)
		}
		if _, err := c.Reset(ctx, 2, 1); !errors.As(err, new(*NegativeError)) {
			t.Errorf("reset: %v, want a refusal", err)
		}
		if err := c.StopDT(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		want := []string{
			"C_IC_NA_1 activation-con 1/0=0",
			"M_SP_NA_1 interrogated-general 1/100=1", "M_SP_NA_1 interrogated-general 1/102=0",
			"C_IC_NA_1 activation-term 1/0=0",
			"C_IC_NA_1 activation-con 2/0=0", "M_SP_NA_1 interrogated-general 2/7=1", "C_IC_NA_1 activation-term 2/0=0",
		}
		if diff := cmp.Diff(want, got.all()[:len(want)]); diff != "" {
			t.Errorf("handler (-want +got):\n%s", diff)
		}
	})
}

// TestSequenceWrap sends more events than there are sequence numbers.
func TestSequenceWrap(t *testing.T) {
	t.Parallel()
	const events = 34_000
	synctest.Test(t, func(t *testing.T) {
		st := newTestStation()
		next, bad := uint32(0), 0
		handler := func(a asdu.ASDU) {
			for _, o := range a.AppendObjects(nil) {
				if o.IOA != next {
					bad++
				}
				next = o.IOA + 1
			}
		}
		c := pair(t, st, ServerConfig{MaxObjectsPerASDU: 1}, WithHandler(handler))
		if err := c.StartDT(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range events {
			st.put(event(uint32(i), 1))
		}
		synctest.Wait()
		if next != events || bad != 0 {
			t.Errorf("%d events received, %d out of order, want %d and none", next, bad, events)
		}
		time.Sleep(11 * time.Second) // t2
		synctest.Wait()
		if n, _ := st.queue.Len(); n != 0 {
			t.Errorf("%d events not confirmed, want none", n)
		}
	})
}

func TestClientTimesOut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script func(p *peer)
		call   func(c *Client) error
		want   error
		after  time.Duration
	}{
		"no startdt con": {
			call:  func(c *Client) error { return c.StartDT(context.Background()) },
			want:  ErrTimeout,
			after: 15 * time.Second,
		},
		"i frame before startdt con": {
			script: func(p *peer) { p.send(giNumbered) },
			call:   func(c *Client) error { return c.StartDT(context.Background()) },
			want:   ErrClosed,
		},
		"no termination": {
			script: func(p *peer) {
				p.send(startDTCon)
				p.wait(time.Second)
				p.send("68 0e 00 00 02 00"+giCon, "68 0e 02 00 02 00 01 01 14 00 01 00 64 00 00 01")
			},
			call: func(c *Client) error {
				if err := c.StartDT(context.Background()); err != nil {
					return err
				}
				_, err := c.Interrogate(context.Background(), 1, 20)
				return err
			},
			want:  ErrIncomplete,
			after: 31 * time.Second,
		},
		"refusal without p/n": {
			script: func(p *peer) {
				p.send(startDTCon)
				p.wait(time.Second)
				p.send("68 0e 00 00 02 00 64 01 2e 00 01 00 00 00 00 14")
			},
			call: func(c *Client) error {
				if err := c.StartDT(context.Background()); err != nil {
					return err
				}
				_, err := c.Interrogate(context.Background(), 1, 20)
				if !errors.As(err, new(*NegativeError)) {
					return fmt.Errorf("%w, want a refusal", err)
				}
				return nil
			},
			after: time.Second,
		},
		"confirmation without qualifier": {
			script: func(p *peer) {
				p.send(startDTCon)
				p.wait(time.Second)
				p.send("68 0a 00 00 02 00 64 01 07 00 01 00", "68 0a 02 00 02 00 64 01 0a 00 01 00")
			},
			call: func(c *Client) error {
				if err := c.StartDT(context.Background()); err != nil {
					return err
				}
				_, err := c.Interrogate(context.Background(), 1, 20)
				return err
			},
			after: time.Second,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, far := newPeer(t)
				dial := func(context.Context, string, string) (net.Conn, error) { return far, nil }
				c, err := Dial(t.Context(), "station", Params{}, WithDialer(dial))
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				result := make(chan error, 1)
				go func() { result <- tt.call(c) }()
				synctest.Wait()
				if tt.script != nil {
					tt.script(p)
				}
				if err := <-result; !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if d := time.Since(begin); d != tt.after {
					t.Errorf("after %v, want %v", d, tt.after)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestEventsSurviveTheLossOfConnections breaks the connection again and again
// at changing moments: every event arrives at least once, none before an older
// one has, and what the station was told of as confirmed had arrived.
func TestEventsSurviveTheLossOfConnections(t *testing.T) {
	t.Parallel()
	const events = 5000
	synctest.Test(t, func(t *testing.T) {
		st := newTestStation()
		for i := range events {
			st.put(event(uint32(i), 1))
		}
		s := newTestServer(t, st, ServerConfig{MaxObjectsPerASDU: 3, ConnectRate: -1})
		next, breaks := 0, 0
		for next < events {
			p := connect(t, s)
			p.start()
			for range breaks%7 + 1 {
				for a := p.nextASDU(); a != nil; a = p.nextASDU() {
					for o := a[6:]; len(o) > 0; o = o[4:] {
						ioa := int(o[0]) | int(o[1])<<8 | int(o[2])<<16
						if ioa > next {
							t.Fatalf("event %d before %d", ioa, next)
						}
						next = max(next, ioa+1)
					}
				}
				p.ack()
			}
			for range breaks % 5 { // some of those after the last acknowledgement
				p.next()
			}
			p.conn.Close()
			<-p.served
			breaks++
		}
		if breaks < 10 {
			t.Errorf("%d connections, want many", breaks)
		}
	})
}
