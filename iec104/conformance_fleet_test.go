package iec104

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fleetCheck is one row for a controlling station that keeps itself connected.
type fleetCheck struct {
	row    string
	addrs  int // addresses of the station, a, b, c
	p      Params
	opts   []Option
	script func(f *fleet)
}

// fleet is a client that is running, and the connections of its station.
type fleet struct {
	t    *testing.T
	c    *Client
	m    medium
	got  received
	stop context.CancelFunc
	done chan error

	mu     sync.Mutex
	refuse map[string]error
	dials  []string // address and second since the beginning
	events []string
	retry  []time.Duration
	peers  map[string]*peer // the last connection of each address
	begin  time.Time
}

func playFleet(t *testing.T, checks []fleetCheck) {
	for _, c := range checks {
		for _, m := range media() {
			t.Run(c.row+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, c, m)
					c.script(f)
				})
			})
		}
	}
}

func newFleet(t *testing.T, c fleetCheck, m medium) *fleet {
	t.Helper()
	f := &fleet{t: t, m: m, refuse: map[string]error{}, peers: map[string]*peer{}, begin: time.Now(), done: make(chan error, 1)}
	addrs := []string{"a", "b", "c"}[:max(1, c.addrs)]
	opts := append([]Option{WithDialer(f.dial), WithHandler(f.got.take), WithLinkEvents(f.event), WithAddresses(addrs[1:]...)}, c.opts...)
	client, err := NewClient(addrs[0], c.p, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.c, f.stop = client, cancel
	t.Cleanup(func() {
		cancel()
		for _, p := range f.peers {
			p.resume()
		}
		if err := <-f.done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	go func() { f.done <- client.Run(ctx) }()
	f.wait(time.Duration(len(addrs)-1) * time.Microsecond)
	return f
}

// dial connects to the addresses in their order at first.
func (f *fleet) dial(_ context.Context, _, addr string) (net.Conn, error) {
	if time.Since(f.begin) == 0 {
		time.Sleep(time.Duration(addr[0]-'a') * time.Microsecond)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, addr)
	if err := f.refuse[addr]; err != nil {
		return nil, err
	}
	p, far := newPeer(f.t)
	p.served = make(chan error, 1)
	f.peers[addr] = p
	return f.m.wrap(far), nil
}

func (f *fleet) event(e LinkEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := fmt.Sprintf("%s %v", e.Addr, e.State)
	if e.State == LinkDown {
		var le *LinkError
		if errors.As(e.Err, &le) {
			line += ": " + le.Reason.String()
			if p := f.peers[e.Addr]; p != nil {
				select {
				case p.served <- e.Err:
				default:
				}
			}
		}
		f.retry = append(f.retry, e.Retry)
	}
	f.events = append(f.events, line)
}

// peer returns the station's end of the last connection to an address.
func (f *fleet) peer(addr string) *peer {
	f.t.Helper()
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.peers[addr]
	if p == nil {
		f.t.Fatalf("no connection to %s", addr)
	}
	return p
}

// start confirms the start of data transfer that the client asks for.
func (f *fleet) start(addr string) *peer {
	f.t.Helper()
	p := f.peer(addr)
	p.expect(startDTAct)
	p.send(startDTCon)
	return p
}

// saw checks what the client told of its connections since the last call.
func (f *fleet) saw(want ...string) {
	f.t.Helper()
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.events, want) {
		f.t.Fatalf("told\n\t%s\nwant\n\t%s", strings.Join(f.events, "\n\t"), strings.Join(want, "\n\t"))
	}
	f.events = nil
}

// dialled checks which addresses were dialled since the last call, in order.
func (f *fleet) dialled(want ...string) {
	f.t.Helper()
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.dials, want) {
		f.t.Fatalf("dialled %q, want %q", f.dials, want)
	}
	f.dials = nil
}

// lastRetry returns the waiting time told last.
func (f *fleet) lastRetry() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.retry[len(f.retry)-1]
}

// refusing has the station refuse connections to an address, or take them again.
func (f *fleet) refusing(addr string, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse[addr] = nil
	if on {
		f.refuse[addr] = errors.New("connection refused")
	}
}

func (f *fleet) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// after runs what waits in a goroutine and returns where its error comes.
func (f *fleet) after(run func(ctx context.Context) error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- run(context.Background()) }()
	synctest.Wait()
	return result
}

// ended returns what came, and fails if nothing did.
func (f *fleet) ended(result <-chan error) error {
	f.t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		return err
	default:
		f.t.Fatal("still waiting")
		return nil
	}
}

// waiting checks that nothing came.
func (f *fleet) waiting(result <-chan error) {
	f.t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		f.t.Fatalf("returned %v, want it to wait", err)
	default:
	}
}
