package iec104

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// abuseCases are the edge cases of connections. E094, a TLS handshake that
// stalls, belongs to TLS, which the suite does not play; what plain TCP has in
// its place, a connection that says nothing, is supervised by t3 and t1 and
// stands behind E096.
func abuseCases() []check {
	return []check{
		{row: "E093 more TCP connections than permitted", cfg: ServerConfig{MaxConnections: 2}, script: func(e *edge) {
			e.start()
			first := e.peer
			e.renew()
			e.expectClosed(TooManyConnections)
			e.closings[TooManyConnections]++
			e.peer = first
			e.put(event(100, 1))
			e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
			e.conn.Close()
			e.wait(0)
			e.closes(ClosedByPeer)
			e.renew() // its place is free again
			e.start()
		}},
		{row: "E095 peer does not read, events", pipe: true, script: func(e *edge) {
			e.start()
			e.pause()
			for i := range 1000 {
				e.put(event(uint32(i), 1))
			}
			e.wait(15*time.Second - time.Millisecond)
			if n := e.info().Outstanding; n < 1 || n > 12 {
				e.t.Errorf("%d frames outstanding, want at most k", n)
			}
			if _, taken := e.st.queue.Len(); taken > 64 {
				e.t.Errorf("%d events taken that cannot be sent", taken)
			}
			e.wait(time.Millisecond)
			e.resume()
			e.closes(NoAck)
			if n, _ := e.st.queue.Len(); n != 1000 {
				e.t.Errorf("%d events kept, want all 1000", n)
			}
		}},
		{row: "E095 peer does not read, link control", pipe: true, script: func(e *edge) {
			e.pause()
			e.send("68 04 43 00 00 00")
			e.wait(15 * time.Second)
			e.resume()
			e.closes(WriteStalled)
		}},
		{row: "E095 peer does not read, answers", pipe: true, script: func(e *edge) {
			e.st.points[1] = many(1, 50_000)
			e.start()
			e.pause()
			e.send("68 0e 00 00 00 00" + giAct)
			e.wait(15 * time.Second)
			e.resume()
			e.closes(NoAck)
		}},
		{row: "E096 peer vanishes without FIN/RST, idle", script: func(e *edge) {
			e.start()
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
			e.closesAfter(15*time.Second, NoTestCon)
		}},
		{row: "E096 peer vanishes without FIN/RST, behind a full line", pipe: true, script: func(e *edge) {
			e.start()
			e.pause()
			e.wait(35 * time.Second)
			e.resume()
			e.closes(NoTestCon)
		}},
		{row: "E096 peer vanishes without FIN/RST, while events are sent", cfg: ServerConfig{MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.start()
			e.silence(19 * time.Second)
			e.put(event(100, 1))
			e.expect(iframe(0, 0, spont(100)))
			e.sendsAfter(time.Second, "68 04 43 00 00 00") // t3 is not prolonged by what is sent
			e.closesAfter(14*time.Second, NoAck)
		}},
		{row: "E096 a connection that says nothing", script: func(e *edge) {
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
			e.closesAfter(15*time.Second, NoTestCon)
		}},
		{row: "E100 system clock jumps", script: func(e *edge) { onlyMonotonic(e.t) }},
		{row: "E101 reconnect storm", cfg: ServerConfig{MaxConnections: 3, ConnectRate: 2}, script: reconnectStorm},
	}
}

// onlyMonotonic checks that the link takes time from nowhere but differences
// to the beginning of the connection and from timers: it is not to know what
// the clock on the wall shows, so that setting that clock changes nothing.
func onlyMonotonic(t *testing.T) {
	t.Helper()
	allowed := []string{"Since", "AfterFunc", "Duration", "Time", "Timer", "Second", "Millisecond"}
	uses := 0
	for _, file := range []string{"link.go", "link_receive.go", "link_send.go", "link_state.go", "link_timers.go", "window.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := s.X.(*ast.Ident); ok && of.Name == "time" {
				uses++
				if !slices.Contains(allowed, s.Sel.Name) {
					t.Errorf("%s uses time.%s", file, s.Sel.Name)
				}
			}
			if of, ok := s.X.(*ast.SelectorExpr); ok && of.Sel.Name == "begun" {
				t.Errorf("%s uses begun.%s", file, s.Sel.Name)
			}
			return true
		})
	}
	if uses == 0 {
		t.Error("the link uses no time at all")
	}
}

// TestLinkTimeIsMonotonic is outside of a bubble, where time has no monotonic
// reading.
func TestLinkTimeIsMonotonic(t *testing.T) {
	t.Parallel()
	opened := make(chan *ServerConn, 1)
	s := newTestServer(t, opener(opened), ServerConfig{})
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- s.ServeConn(t.Context(), far) }()
	if begun := (<-opened).link.begun; !strings.Contains(begun.String(), " m=") {
		t.Error("the link counts its time from an instant without a monotonic reading")
	}
	near.Close()
	<-served
}

// opener hands the connections on that it opens.
type opener chan *ServerConn

func (o opener) Open(c *ServerConn) (Session, error) {
	o <- c
	return newTestStation().Open(c)
}

// reconnectStorm lets one address connect a hundred times a second, and
// another now and then.
func reconnectStorm(e *edge) {
	accepted := 0
	for i := range 500 {
		ctx, cancel := context.WithCancel(e.t.Context())
		switch r := offer(ctx, e.s, "192.0.2.1:40000"); r {
		case 0:
			accepted++
			e.closings[ClosedLocally]++
		case TooManyAttempts:
			e.closings[TooManyAttempts]++
		default:
			e.t.Fatalf("connection %d: %v", i, r)
		}
		cancel()
		e.wait(10 * time.Millisecond)
		if i%100 == 99 {
			ctx, cancel := context.WithCancel(e.t.Context())
			if r := offer(ctx, e.s, "192.0.2.2:40000"); r != 0 {
				e.t.Fatalf("other address: %v", r)
			}
			cancel()
			e.wait(0)
			e.closings[ClosedLocally]++
		}
	}
	if accepted < 100+9 || accepted > 100+10 {
		e.t.Errorf("%d of the storm accepted in 5 s, want a burst of 100 and 2 per second", accepted)
	}
	if stats := e.s.Stats(); stats.Closed != e.closings {
		e.t.Errorf("closed by reason %v, want %v", stats.Closed, e.closings)
	}
}

// lines counts log records by message.
type lines struct {
	slog.Handler
	mu    sync.Mutex
	count map[string]int
	last  map[string]string // attributes of the last one
}

func newLines() *lines {
	return &lines{Handler: slog.DiscardHandler, count: map[string]int{}, last: map[string]string{}}
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count[r.Message]++
	attrs := []string{}
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a.String())
		return true
	})
	l.last[r.Message] = strings.Join(attrs, " ")
	return nil
}

func (l *lines) of(msg string) (int, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count[msg], l.last[msg]
}

// TestOneLogLinePerReasonAndMinute has fifty connections closed for the same
// reason.
func TestOneLogLinePerReasonAndMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newLines()
		s := newTestServer(t, newTestStation(), ServerConfig{}, WithLogger(slog.New(log)))
		garbage := func() {
			p := connect(t, s)
			p.send("de ad be ef")
			p.expectClosed(BadStart)
		}
		for range 50 {
			garbage()
		}
		if n, _ := log.of("connection closed"); n != 1 {
			t.Errorf("%d lines for fifty connections, want 1", n)
		}
		time.Sleep(time.Minute)
		garbage()
		n, last := log.of("connection closed")
		if n != 2 || !strings.Contains(last, "skipped=49") {
			t.Errorf("%d lines, the last %q, want 2 and 49 skipped", n, last)
		}
		n, last = log.of("connection accepted")
		if n != 2 || !strings.Contains(last, "skipped=49") {
			t.Errorf("%d lines of accepted connections, the last %q, want 2 and 49 skipped", n, last)
		}
		if got := s.Stats().Closed[BadStart]; got != 51 {
			t.Errorf("%d counted, want 51", got)
		}
	})
}

// TestEachPeerHasItsLogLines has two controlling stations connect in the same minute.
func TestEachPeerHasItsLogLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newLines()
		s := newTestServer(t, newTestStation(), ServerConfig{}, WithLogger(slog.New(log)))
		for i, from := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.1"} {
			p := connectOver(t, s, func(c net.Conn) net.Conn { return tcpPipe{c, fmt.Sprintf("%s:%d", from, 1024+i)} })
			p.send("de ad be ef")
			p.expectClosed(BadStart)
		}
		for _, msg := range []string{"connection accepted", "connection closed"} {
			if n, last := log.of(msg); n != 2 || !strings.Contains(last, "192.0.2.2") {
				t.Errorf("%s: %d lines, the last %q, want one of each of two addresses", msg, n, last)
			}
		}
	})
}

// TestLogLinesOfManyPeersAreBounded has more addresses connect than are remembered.
func TestLogLinesOfManyPeersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q quieter
		flood := func() (lines, skipped int) {
			peer := netip.MustParseAddr("2001:db8::")
			for range 10 * maxQuiet {
				peer = peer.Next()
				n, ok := q.due(BadStart, peer)
				if skipped += n; ok {
					lines++
				}
			}
			return lines, skipped
		}
		if n, _ := flood(); n != maxQuiet+1 || len(q.lines) > maxQuiet+1 {
			t.Errorf("%d lines, %d remembered, want %d", n, len(q.lines), maxQuiet+1)
		}
		time.Sleep(quietTime)
		if n, _ := flood(); n != maxQuiet+1 || len(q.lines) > maxQuiet+1 {
			t.Errorf("%d lines a minute later, %d remembered, want %d", n, len(q.lines), maxQuiet+1)
		}
	})
}

// brokenListener fails to accept, as without file descriptors.
type brokenListener struct{ net.Listener }

func (brokenListener) Accept() (net.Conn, error) { return nil, syscall.EMFILE }
func (brokenListener) Close() error              { return nil }

func TestFailedAcceptIsLoggedOncePerMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newLines()
		s := newTestServer(t, newTestStation(), ServerConfig{}, WithLogger(slog.New(log)))
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if err := s.Serve(ctx, brokenListener{}); err != nil {
			t.Fatal(err)
		}
		if n, last := log.of("accept failed, will retry"); n != 2 || !strings.Contains(last, "retry_in=1s") || strings.Contains(last, "skipped=0") {
			t.Errorf("%d lines in 90 s, the last %q, want 2", n, last)
		}
	})
}

// TestStrangersAreRefused has an address connect that is not in the list.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, newTestStation(), ServerConfig{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}})
		for i, tt := range []struct {
			from string
			want Reason
		}{{"192.0.2.2", NotAllowed}, {"192.0.2.1", 0}} {
			p := connectOver(t, s, func(c net.Conn) net.Conn { return tcpPipe{c, fmt.Sprintf("%s:%d", tt.from, 1024+i)} })
			if tt.want != 0 {
				p.expectClosed(tt.want)
				continue
			}
			p.start()
		}
	})
}
