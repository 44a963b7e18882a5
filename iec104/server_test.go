package iec104

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tcpPipe is a net.Pipe that claims to come from an address.
type tcpPipe struct {
	net.Conn
	from string
}

func (p tcpPipe) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.from))
}

// offer has the server serve a connection from an address and returns why it
// was not accepted, 0 if it was. It is closed with ctx.
func offer(ctx context.Context, s *Server, from string) Reason {
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() {
		defer near.Close()
		done <- s.ServeConn(ctx, tcpPipe{far, from})
	}()
	synctest.Wait()
	select {
	case err := <-done:
		var le *LinkError
		if errors.As(err, &le) {
			return le.Reason
		}
		return reasons
	default:
		return 0
	}
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	prefixes := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")}
	tests := []struct {
		name  string
		cfg   ServerConfig
		from  []string
		want  []Reason
		pause time.Duration // before the last
	}{
		{"anybody", ServerConfig{}, []string{"198.51.100.1:1"}, []Reason{0}, 0},
		{"nobody", ServerConfig{Allow: []netip.Prefix{}}, []string{"192.0.2.1:1"}, []Reason{NotAllowed}, 0},
		{"listed", ServerConfig{Allow: prefixes},
			[]string{"192.0.2.7:1", "192.0.3.7:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[::ffff:192.0.2.8]:1"},
			[]Reason{0, NotAllowed, 0, NotAllowed, 0}, 0},
		{"connections", ServerConfig{MaxConnections: 2},
			[]string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"}, []Reason{0, 0, TooManyConnections}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newTestServer(t, newTestStation(), tt.cfg)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var got []Reason
				for _, from := range tt.from {
					got = append(got, offer(ctx, s, from))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("reasons (-want +got):\n%s", diff)
				}
				for _, r := range Reasons() {
					want := 0
					for _, w := range tt.want {
						if w == r {
							want++
						}
					}
					if n := s.Stats().Closed[r]; n != uint64(want) {
						t.Errorf("%v counted %d times, want %d", r, n, want)
					}
				}
			})
		})
	}
}

func TestConnectRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, newTestStation(), ServerConfig{ConnectRate: 2})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range 100 {
			if r := offer(ctx, s, fmt.Sprintf("192.0.2.1:%d", i+1)); r != 0 {
				t.Fatalf("connection %d: %v", i, r)
			}
		}
		if r := offer(ctx, s, "192.0.2.1:999"); r != TooManyAttempts {
			t.Errorf("after the burst: %v, want %v", r, TooManyAttempts)
		}
		time.Sleep(time.Second)
		cancel()
		synctest.Wait()
		for i, want := range []Reason{ClosedLocally, ClosedLocally, TooManyAttempts} {
			if r := offer(ctx, s, "192.0.2.1:999"); r != want {
				t.Errorf("connection %d a second later: %v, want %v", i, r, want)
			}
		}
	})
}

func TestServeEndsInOrder(t *testing.T) {
	t.Parallel()
	st := newTestStation()
	s := newTestServer(t, st, ServerConfig{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(octets(t, startDTAct)); err != nil {
		t.Fatal(err)
	}
	con := make([]byte, 6)
	if _, err := io.ReadFull(conn, con); err != nil {
		t.Fatal(err)
	}
	infos := s.Conns()
	if len(infos) != 1 || infos[0].State != "started" || infos[0].ReceivedU != 1 || infos[0].SentU != 1 {
		t.Errorf("connections: %+v", infos)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if _, err := conn.Read(con); !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v, want the end", err)
	}
	st.expectRecord(t, "started true", "closed: iec104: closed locally")
	if stats := s.Stats(); stats.Open != 0 || stats.Accepted != 1 || stats.Closed[ClosedLocally] != 1 {
		t.Errorf("figures: %+v", stats)
	}
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, newTestStation(), ServerConfig{})
		p := connect(t, s)
		if s.Disconnect(7) || !s.Disconnect(1) {
			t.Error("connection 1 is there, 7 is not")
		}
		p.expectClosed(ClosedLocally)
	})
}

func TestRefusedByTheStation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, refusing{}, ServerConfig{})
		connect(t, s).expectClosed(StationRefused)
	})
}

type refusing struct{}

func (refusing) Open(*ServerConn) (Session, error) { return nil, errors.New("not today") }

func TestConfigFaultsAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := NewServer(newTestStation(), ServerConfig{
		Params:         Params{K: 4, W: 8, T1: 5 * time.Second, T2: 5 * time.Second, MaxAPDU: 300},
		MaxConnections: -1,
	})
	want := "iec104: server: w 8: want at most k, which is 4\nt2 5s: want less than t1, which is 5s\n" +
		"longest APDU 300: want 40 to 253\nconnections -1: want 1 to 10000"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%v", err, want)
	}
}

func TestParamsDefaults(t *testing.T) {
	t.Parallel()
	p, err := Params{}.Complete()
	if err != nil {
		t.Fatal(err)
	}
	if p.K != 12 || p.W != 8 || p.T0 != 30*time.Second || p.T1 != 15*time.Second || p.T2 != 10*time.Second || p.T3 != 20*time.Second {
		t.Errorf("defaults %+v", p)
	}
	if p, err := (Params{K: 1, T1: time.Second}).Complete(); err != nil || p.W != 1 || p.T2 >= p.T1 {
		t.Errorf("defaults beside small values: %+v, %v", p, err)
	}
}

// logLines keeps log lines.
type logLines struct {
	mu  sync.Mutex
	all []string
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(b))
	return len(b), nil
}

func TestClosesAreLoggedOncePerReasonAndMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log logLines
		s := newTestServer(t, newTestStation(), ServerConfig{},
			WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))))
		for range 3 {
			p := connect(t, s)
			p.send("00")
			p.expectClosed(BadStart)
		}
		p := connect(t, s)
		p.send("68 03")
		p.expectClosed(BadLength)
		time.Sleep(time.Minute)
		p = connect(t, s)
		p.send("00")
		p.expectClosed(BadStart)
		want := []string{"skipped=0", "skipped=0", "skipped=2"}
		if len(log.all) != len(want) {
			t.Fatalf("logged %q, want %d lines", log.all, len(want))
		}
		for i := range want {
			if !strings.Contains(log.all[i], want[i]) {
				t.Errorf("logged %q, want %s", log.all[i], want[i])
			}
		}
	})
}

// TestOthersAreUndisturbed has three peers that keep to the rules beside one
// that sends garbage and one that never reads.
func TestOthersAreUndisturbed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const events = 1000
		var stations []*testStation
		s := newTestServer(t, stationFunc(func(c *ServerConn) (Session, error) {
			st := newTestStation()
			stations = append(stations, st)
			return st.Open(c)
		}), ServerConfig{MaxObjectsPerASDU: 1})
		var peers []*peer
		for range 5 {
			p := connect(t, s)
			p.start()
			peers = append(peers, p)
		}
		garbage, deaf, good := peers[0], peers[1], peers[2:]
		deaf.pause()
		garbage.send("de ad be ef")
		garbage.expectClosed(BadStart)
		for i := range events {
			for _, st := range stations {
				st.put(event(uint32(i), 1))
			}
		}
		for _, p := range good {
			for got := 0; got < events; p.ack() {
				for a := p.nextASDU(); a != nil; a = p.nextASDU() {
					if ioa := int(a[6]) | int(a[7])<<8; ioa != got {
						t.Fatalf("event %d, want %d", ioa, got)
					}
					got++
				}
			}
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		deaf.resume()
		if n := s.Stats().Closed[NoAck]; n != 1 {
			t.Errorf("%d connections closed for want of acknowledgement, want that which does not read", n)
		}
		if n := len(s.Conns()); n != len(good) {
			t.Errorf("%d connections open, want %d", n, len(good))
		}
	})
}

// stationFunc is a station that is a function.
type stationFunc func(c *ServerConn) (Session, error)

func (f stationFunc) Open(c *ServerConn) (Session, error) { return f(c) }

func TestMirrorsAreLimited(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{Params: Params{K: 2000, W: 1}}, func(t *testing.T, _ *testStation, p *peer) {
		p.start()
		unknown := slices.Repeat([]string{"34 01 06 00 01 00 00 00 00 01"}, mirrorBurst+10)
		mirrored := func() (n int) {
			for b := p.next(); b != nil; b = p.next() {
				if b[2]&1 == 0 {
					p.vr++
					n++
				}
			}
			return n
		}
		p.tell(unknown...)
		if n := mirrored(); n != mirrorBurst {
			t.Errorf("%d mirrored at once, want %d", n, mirrorBurst)
		}
		p.wait(20 * time.Millisecond)
		p.tell(unknown...)
		if n := mirrored(); n != mirrorRate/50 {
			t.Errorf("%d mirrored 20 ms later, want %d", n, mirrorRate/50)
		}
	})
}
