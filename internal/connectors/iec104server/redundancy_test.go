package iec104server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/point"
)

// addressed is a connection in memory that comes from an address, and that can be
// cut: nothing passes any more, and nobody is told.
type addressed struct {
	net.Conn
	from netip.Addr
	cut  chan struct{}
	end  chan struct{}
	once sync.Once
}

func (c *addressed) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 40000))
}

func (c *addressed) isCut() bool {
	select {
	case <-c.cut:
		return true
	default:
		return false
	}
}

func (c *addressed) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.isCut() {
		<-c.end
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *addressed) Write(b []byte) (int, error) {
	if c.isCut() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *addressed) Close() error {
	c.once.Do(func() { close(c.end) })
	return c.Conn.Close()
}

// centre is a controlling station that notes the values it gets.
type centre struct {
	*iec104.Client
	conn *addressed // the end of the server
	slow time.Duration

	mu  sync.Mutex
	got []int
	at  []time.Time
}

func (c *centre) handle(a asdu.ASDU) {
	time.Sleep(c.slow)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range a.AppendObjects(nil) {
		if a.Cause == asdu.Spontaneous {
			c.got = append(c.got, int(o.Float()))
			c.at = append(c.at, time.Now())
		}
	}
}

// received returns the values so far.
func (c *centre) received() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int{}, c.got...)
}

// centre connects from an address, without data transfer.
func (r *running) centre(t *testing.T, from netip.Addr, slow time.Duration) *centre {
	t.Helper()
	c := &centre{slow: slow}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		here, there := net.Pipe()
		c.conn = &addressed{Conn: there, from: from, cut: make(chan struct{}), end: make(chan struct{})}
		select {
		case r.pipe.conns <- c.conn:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	client, err := iec104.Dial(t.Context(), "station", iec104.Params{}, iec104.WithDialer(dial), iec104.WithHandler(c.handle))
	if err != nil {
		t.Fatal(err)
	}
	c.Client = client
	return c
}

func (c *centre) start(t *testing.T) {
	t.Helper()
	if err := c.StartDT(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (c *centre) leave(t *testing.T) {
	t.Helper()
	if err := c.Close(); err != nil && !errors.Is(err, iec104.ErrClosed) {
		t.Error(err)
	}
	<-c.Done()
}

// stream publishes the values 1 to n of point 1, one in each millisecond.
func (r *running) stream(n int) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			r.feed.publish(news(1, point.FloatValue(float64(i+1))))
			time.Sleep(time.Millisecond)
		}
	}()
	return done
}

func groupServer(t *testing.T, groups map[string]Group) *running {
	t.Helper()
	r := startServer(t, true, named(groups))
	r.feed.targets(at(1, 1, 1, asdu.M_ME_TF_1, point.Float))
	<-r.up
	return r
}

// follows checks that values come in order, and that they go on from what came
// before: nothing is missing, and what comes twice was on its way at the switch.
func follows(t *testing.T, last int, got []int) int {
	t.Helper()
	for i, v := range got {
		if i == 0 && (v > last+1 || v < last+1-outstanding) || i > 0 && v != got[i-1]+1 {
			t.Fatalf("event %d after %d", v, last)
		}
		last = v
	}
	return last
}

// outstanding is how many events may be on their way: k frames with full ASDUs.
const outstanding = 12 * 16

func TestSwitchOverAtAThousandEventsPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20_000
		r := groupServer(t, map[string]Group{"scada": clients("one", "10.9.0.1/32", "10.9.0.2/32")})
		rnd := rand.New(rand.NewPCG(1, 2))
		addresses := [2]netip.Addr{addressA, addressB}
		active, standby := r.centre(t, addresses[0], 0), r.centre(t, addresses[1], 0)
		active.start(t)
		synctest.Wait()
		done := r.stream(n)
		last := 0
		for turn := 0; ; turn++ {
			time.Sleep(time.Duration(100+rnd.IntN(400)) * time.Millisecond)
			select {
			case <-done:
				synctest.Wait()
				if last = follows(t, last, active.received()); last != n {
					t.Fatalf("the last event is %d, want %d", last, n)
				}
				active.leave(t)
				standby.leave(t)
				r.stop(t)
				if c := metric(t, r.server, "iec104_connections_closed_total", "superseded"); c == 0 {
					t.Error("no connection was superseded")
				}
				return
			default:
			}
			reconnect := true
			switch turn % 3 {
			case 0: // the old one is still started
				standby.start(t)
				<-active.Done()
			case 1: // planned
				if err := active.StopDT(t.Context()); err != nil {
					t.Fatal(err)
				}
				reconnect = false
				standby.start(t)
			case 2: // after a break
				active.leave(t)
				time.Sleep(50 * time.Millisecond)
				standby.start(t)
			}
			synctest.Wait()
			last = follows(t, last, active.received())
			active.mu.Lock()
			active.got = nil
			active.mu.Unlock()
			active, standby = standby, active
			if reconnect {
				standby = r.centre(t, addresses[(turn+1)%2], 0)
			}
		}
	})
}

func TestGroupsOfDifferentSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		r := groupServer(t, map[string]Group{"slow": clients("one", "10.9.0.1/32"), "fast": clients("one", "10.9.0.2/32")})
		slow, fast := r.centre(t, addressA, 300*time.Millisecond), r.centre(t, addressB, 0)
		slow.start(t)
		fast.start(t)
		synctest.Wait()
		begin := time.Now()
		<-r.stream(n)
		synctest.Wait()
		if got := fast.received(); follows(t, 0, got) != n || len(got) != n {
			t.Errorf("the fast group got %d events, want %d", len(got), n)
		}
		for i, at := range fast.at {
			if late := at.Sub(begin.Add(time.Duration(i) * time.Millisecond)); late != 0 {
				t.Fatalf("event %d comes %v late", i+1, late)
			}
		}
		if got := len(slow.received()); got > n/2 {
			t.Fatalf("the slow group got %d events already: it is not slow", got)
		}
		time.Sleep(2 * time.Minute)
		if got := slow.received(); follows(t, 0, got) != n || len(got) != n {
			t.Errorf("the slow group got %d events, want %d", len(got), n)
		}
		slow.leave(t)
		fast.leave(t)
		r.stop(t)
	})
}

func TestCutWithoutASign(t *testing.T) {
	for name, groups := range map[string]map[string]Group{
		"address as group": nil, "named group": {"scada": clients("one", "10.9.0.0/16")}, "all active": {"psi": clients("all", "10.9.0.0/16")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 4000
				r := groupServer(t, groups)
				first := r.centre(t, addressA, 0)
				first.start(t)
				synctest.Wait()
				done := r.stream(n)
				time.Sleep(time.Second)
				close(first.conn.cut)
				time.Sleep(time.Second)
				second := r.centre(t, addressA, 0)
				second.start(t)
				<-done
				time.Sleep(16 * time.Second) // the first is given up after t1 at the latest
				last := follows(t, 0, first.received())
				if last = follows(t, last, second.received()); last != n {
					t.Errorf("the last event is %d, want %d", last, n)
				}
				second.leave(t)
				r.stop(t)
			})
		})
	}
}

func TestStandbyIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := groupServer(t, map[string]Group{"scada": clients("one", "10.9.0.0/16")})
		active, standby := r.centre(t, addressA, 0), r.centre(t, addressB, 0)
		active.start(t)
		r.feed.publish(news(1, point.FloatValue(1)))
		time.Sleep(time.Hour)
		if got := standby.received(); len(got) != 0 {
			t.Errorf("the standby connection got %v", got)
		}
		standby.start(t)
		<-active.Done()
		r.feed.publish(news(1, point.FloatValue(2)))
		synctest.Wait()
		if got := standby.received(); len(got) != 1 || got[0] != 2 {
			t.Errorf("events %v after the switch, want 2 only: the first was acknowledged", got)
		}
		standby.leave(t)
		r.stop(t)
	})
}

func TestClientInNoGroupIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := groupServer(t, map[string]Group{"scada": clients("one", "10.8.0.0/16")})
		c := r.centre(t, addressA, 0)
		<-c.Done()
		r.stop(t)
		if n := metric(t, r.server, "iec104_connections_closed_total", "refused_by_station"); n != 1 {
			t.Errorf("%v connections counted as refused, want 1", n)
		}
	})
}

// TestGroupUnderRandomSchedules plays real connections of three kinds of groups
// against each other: every group gets every event, in order.
func TestGroupUnderRandomSchedules(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			const n = 4000
			rnd := rand.New(rand.NewPCG(seed, 9))
			r := groupServer(t, map[string]Group{"scada": clients("one", "10.9.0.0/16"), "rest": {Clients: Allow{Given: true}, Active: "all"}})
			first := r.centre(t, addressA, 0)
			first.start(t)
			synctest.Wait()
			done := r.stream(n)
			open := []*centre{first}
			seen := make([]int, n+1)
			for over := false; !over; {
				time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
				at := rnd.IntN(len(open))
				c := open[at]
				switch rnd.IntN(5) {
				case 0:
					if len(open) < 3 {
						open = append(open, r.centre(t, [2]netip.Addr{addressA, addressB}[rnd.IntN(2)], 0))
					}
				case 1, 2:
					// It fails on one that was superseded.
					if err := c.StartDT(t.Context()); err != nil && !errors.Is(err, iec104.ErrClosed) {
						t.Log(err)
					}
				case 3:
					if err := c.StopDT(t.Context()); err != nil && !errors.Is(err, iec104.ErrClosed) {
						t.Log(err)
					}
				case 4:
					if len(open) > 1 {
						tally(t, seen, c)
						open = append(open[:at], open[at+1:]...)
					}
				}
				select {
				case <-done:
					over = true
				default:
				}
			}
			last := r.centre(t, addressB, 0)
			last.start(t)
			time.Sleep(time.Second)
			for _, c := range append(open, last) {
				tally(t, seen, c)
			}
			for v, times := range seen[1:] {
				if times == 0 {
					t.Fatalf("seed %d: event %d was lost", seed, v+1)
				}
			}
			r.stop(t)
		})
	}
}

// tally ends a connection and counts what it got, which must be in order.
func tally(t *testing.T, seen []int, c *centre) {
	t.Helper()
	c.leave(t)
	last := 0
	for _, v := range c.received() {
		if v <= last {
			t.Errorf("event %d after %d", v, last)
		}
		last = v
		seen[v]++
	}
}
