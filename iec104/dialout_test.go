package iec104

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// journey is a server that dials out, and what it tells.
type journey struct {
	t    *testing.T
	stop context.CancelFunc
	done chan error

	mu     sync.Mutex
	refuse error
	peers  []*peer
	events []string
	retry  []time.Duration
}

func newJourney(t *testing.T, cfg ServerConfig, opts ...Option) *journey {
	t.Helper()
	j := &journey{t: t, done: make(chan error, 1)}
	s := newTestServer(t, newTestStation(), cfg, append([]Option{WithDialer(j.dial), WithLinkEvents(j.event)}, opts...)...)
	ctx, cancel := context.WithCancel(context.Background())
	j.stop = cancel
	t.Cleanup(cancel)
	go func() { j.done <- s.DialOut(ctx, "control:2404") }()
	synctest.Wait()
	return j
}

func (j *journey) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.refuse != nil {
		return nil, j.refuse
	}
	p, far := newPeer(j.t)
	j.peers = append(j.peers, p)
	return newSocket(at(far, nobody)), nil
}

func (j *journey) event(e LinkEvent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := fmt.Sprintf("%s %v", e.Addr, e.State)
	if e.State == LinkDown {
		line += fmt.Sprint(": ", e.Err)
		j.retry = append(j.retry, e.Retry)
	}
	j.events = append(j.events, line)
}

// peer returns the controlling station's end of the last connection.
func (j *journey) peer() *peer {
	j.t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.peers) == 0 {
		j.t.Fatal("nothing was dialled")
	}
	return j.peers[len(j.peers)-1]
}

func (j *journey) lastRetry() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.retry[len(j.retry)-1]
}

func (j *journey) refusing(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.refuse = err
}

func (j *journey) saw(want ...string) {
	j.t.Helper()
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	if diff := cmp.Diff(want, j.events); diff != "" {
		j.t.Errorf("told (-want +got):\n%s", diff)
	}
	j.events = nil
}

func TestDialOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cfg    ServerConfig
		script func(t *testing.T, j *journey)
	}{
		{"STARTDT remains with the controlling station", ServerConfig{}, func(t *testing.T, j *journey) {
			p := j.peer()
			p.expectSilence()
			p.start()
			p.tell(giAct)
			if b := p.next(); b == nil {
				t.Error("an interrogation is not answered")
			}
		}},
		{"the allow-list and the rate are for those who come", ServerConfig{Allow: []netip.Prefix{}, ConnectRate: 1e-9}, func(t *testing.T, j *journey) {
			for range 150 {
				j.peer().start()
				j.peer().conn.Close()
				synctest.Wait()
				time.Sleep(j.lastRetry())
				synctest.Wait()
			}
		}},
		{"back-off doubles up to a minute, each varied, and begins anew after a steady connection", ServerConfig{}, func(t *testing.T, j *journey) {
			j.refusing(errors.New("connection refused"))
			j.peer().conn.Close()
			synctest.Wait()
			seen := map[time.Duration]bool{}
			for i := range 10 {
				base := min(time.Second<<i, time.Minute)
				retry := j.lastRetry()
				if retry < base*8/10 || retry > base*12/10 {
					t.Fatalf("attempt %d after %v, want %v ± 20 %%", i, retry, base)
				}
				seen[retry*time.Minute/base] = true
				time.Sleep(retry)
				synctest.Wait()
			}
			if len(seen) < 7 {
				t.Errorf("%d different deviations in 10 attempts", len(seen))
			}
			j.refusing(nil)
			time.Sleep(j.lastRetry())
			synctest.Wait()
			time.Sleep(15 * time.Second)
			j.peer().conn.Close()
			synctest.Wait()
			if retry := j.lastRetry(); retry > 1200*time.Millisecond {
				t.Errorf("after a steady connection again after %v, want about 1 s", retry)
			}
		}},
		{"what happens is told", ServerConfig{}, func(t *testing.T, j *journey) {
			j.peer().send("00")
			j.refusing(errors.New("no route"))
			time.Sleep(j.lastRetry())
			j.saw("control:2404 connected", "control:2404 down: iec104: bad start octet: apci: no start octet: 00H in its place", "control:2404 down: iec104: dial out to control:2404: no route")
		}},
		{"the end closes the connection in order", ServerConfig{}, func(t *testing.T, j *journey) {
			p := j.peer()
			p.start()
			j.stop()
			synctest.Wait()
			p.expectGone()
			if err := <-j.done; err != nil {
				t.Error(err)
			}
			j.saw("control:2404 connected", "control:2404 down: iec104: closed locally")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := newJourney(t, tt.cfg)
				tt.script(t, j)
				j.stop()
				synctest.Wait()
			})
		})
	}
}

func TestDialOutIsGivenT0(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		waiting := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		down := make(chan error, 1)
		s := newTestServer(t, newTestStation(), ServerConfig{}, WithDialer(waiting), WithLinkEvents(func(e LinkEvent) { down <- e.Err }))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		begun := time.Now()
		go func() { done <- s.DialOut(ctx, "control:2404") }()
		if err := <-down; !errors.Is(err, ErrTimeout) || time.Since(begun) != 30*time.Second {
			t.Errorf("%v after %v, want a time-out after 30 s", err, time.Since(begun))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestDialOutKeepsTheLimitOfConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := make(chan error, 1)
		j := &journey{t: t}
		s := newTestServer(t, newTestStation(), ServerConfig{MaxConnections: 1}, WithDialer(j.dial), WithLinkEvents(func(e LinkEvent) { down <- e.Err }))
		connect(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.DialOut(ctx, "control:2404") }()
		var le *LinkError
		if err := <-down; !errors.As(err, &le) || le.Reason != TooManyConnections {
			t.Errorf("ended with %v, want too many connections", err)
		}
		cancel()
		<-done
	})
}

// TestBothWaysRound connects a station that dials out with a client that listens,
// breaks their connection again and again, and looks that every event arrives.
func TestBothWaysRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, AcceptorConfig{ConnectRate: -1})
		st := newTestStation()
		st.points[1] = many(1, 50)
		var mu sync.Mutex
		var last net.Conn
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := h.l.reach(ctx, fromA)
			mu.Lock()
			defer mu.Unlock()
			last = conn
			return conn, err
		}
		s := newTestServer(t, st, ServerConfig{}, WithDialer(dial))
		var got received
		starts := make(chan struct{}, 100)
		c := h.run(h.client(plantA, WithHandler(got.take), WithLinkEvents(func(e LinkEvent) {
			if e.State == LinkStarted {
				starts <- struct{}{}
			}
		})))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.DialOut(ctx, "control:2404") }()
		for i := range uint32(20) {
			<-starts
			result, err := c.Interrogate(t.Context(), 1, 20)
			if err != nil || result.Objects != 50 {
				t.Fatalf("interrogation %d: %d objects, %v, want 50", i, result.Objects, err)
			}
			st.put(event(1000+i, 1))
			mu.Lock()
			last.Close()
			mu.Unlock()
		}
		<-starts
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		seen := map[string]bool{}
		for _, o := range got.all() {
			if strings.Contains(o, "spontaneous") {
				seen[o] = true
			}
		}
		if len(seen) != 20 {
			t.Errorf("%d events, want all 20", len(seen))
		}
	})
}
