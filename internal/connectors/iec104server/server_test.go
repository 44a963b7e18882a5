package iec104server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// testFeed delivers what the test puts into it.
type testFeed struct {
	batches chan connector.Batch
	seq     uint64

	mu      sync.Mutex
	cursors map[string]connector.Position
	lost    *connector.Position
}

func newTestFeed() *testFeed {
	return &testFeed{batches: make(chan connector.Batch, 100), cursors: map[string]connector.Position{}}
}

func (f *testFeed) SaveCursor(name string, pos connector.Position) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursors[name] = pos
	return nil
}

func (f *testFeed) DropCursor(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.cursors, name)
}

func (f *testFeed) Cursors() map[string]connector.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.cursors)
}

func (f *testFeed) Lost() (connector.Position, bool) {
	if f.lost == nil {
		return connector.Position{}, false
	}
	return *f.lost, true
}

func (f *testFeed) Next(ctx context.Context) (connector.Batch, error) {
	select {
	case b, ok := <-f.batches:
		if !ok {
			return connector.Batch{}, errors.New("feed broke")
		}
		return b, nil
	case <-ctx.Done():
		return connector.Batch{}, ctx.Err()
	}
}

func (f *testFeed) targets(targets ...connector.Target) {
	f.batches <- connector.Batch{Targets: &targets}
}

// publish delivers changes, each an event for every target of its point.
func (f *testFeed) publish(changes ...connector.Change) { f.deliver(^uint64(0), changes) }

// quiet delivers changes that are no events.
func (f *testFeed) quiet(changes ...connector.Change) { f.deliver(0, changes) }

// publishOwn delivers changes of own points.
func (f *testFeed) publishOwn(batch []point.Update) error {
	changes := make([]connector.Change, len(batch))
	for i := range batch {
		changes[i].Update = batch[i]
	}
	f.deliver(1, changes)
	return nil
}

func (f *testFeed) deliver(events uint64, changes []connector.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range changes {
		f.seq++
		changes[i].Seq, changes[i].Events = f.seq, events
	}
	f.batches <- connector.Batch{Changes: changes, Seq: f.seq}
}

// pipeListener hands out connections in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// running is a server under test.
type running struct {
	*server
	feed   *testFeed
	pipe   *pipeListener
	done   chan error
	up     chan struct{} // a value for each run that is up
	cancel context.CancelFunc
	mu     sync.Mutex
	states []string
}

func (r *running) report(s connector.State, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, strings.TrimSpace(s.String()+" "+reason))
	if reason == "" {
		r.up <- struct{}{}
	}
}

// startServer runs a server; with pipe it listens in memory.
func startServer(t *testing.T, pipe bool, change ...func(*Settings)) *running {
	t.Helper()
	return launch(t, pipe, func(*connector.Env) {}, change...)
}

// startServerWith runs a server that listens in memory, with a change of its environment.
func startServerWith(t *testing.T, env func(*connector.Env), change ...func(*Settings)) *running {
	t.Helper()
	return launch(t, true, env, change...)
}

func launch(t *testing.T, pipe bool, with func(*connector.Env), change ...func(*Settings)) *running {
	t.Helper()
	s := defaults()
	s.Listen = "127.0.0.1:0"
	for _, f := range change {
		f(&s)
	}
	r := &running{feed: newTestFeed(), done: make(chan error, 1), up: make(chan struct{}, 10)}
	env := connector.Env{
		ID: "scada", Log: slog.New(slog.DiscardHandler), Feed: r.feed, Report: r.report, Now: time.Now,
		PublishOwn: r.feed.publishOwn,
	}
	with(&env)
	srv, err := newServer(s, env)
	if err != nil {
		t.Fatal(err)
	}
	r.server = srv
	if pipe {
		r.pipe = newPipeListener()
		srv.listen = func(context.Context, string) (net.Listener, error) { return r.pipe, nil }
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() { r.done <- srv.Run(ctx) }()
	return r
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		t.Errorf("Run = %v after the end of its context, want nil", err)
	}
}

// master is a controlling station that notes what it receives.
type master struct {
	*iec104.Client
	mu  sync.Mutex
	got []string
}

func (m *master) handle(a asdu.ASDU) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range a.AppendObjects(nil) {
		m.got = append(m.got, fmt.Sprintf("%s %s %d/%d %s", a.Type, a.Cause, a.CA, o.IOA, shown(a.Type, &o)))
	}
}

func (m *master) received() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.got
	m.got = nil
	if got == nil {
		got = []string{}
	}
	return got
}

func (r *running) master(t *testing.T) *master {
	t.Helper()
	m := &master{}
	c, err := iec104.Dial(t.Context(), "station", iec104.Params{}, iec104.WithDialer(r.pipe.dial), iec104.WithHandler(m.handle))
	if err != nil {
		t.Fatal(err)
	}
	m.Client = c
	if err := c.StartDT(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *master) close(t *testing.T) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	<-m.Done()
}

func TestServerServesWhatTheFeedDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startServer(t, true)
		first := at(1, 225, 100, asdu.M_ME_TF_1, point.Float)
		r.feed.targets(first)
		m := r.master(t)
		synctest.Wait()
		expect(t, m.received(), "M_EI_NA_1 initialised 225/0 0")

		r.feed.publish(news(1, point.FloatValue(23.5)))
		synctest.Wait()
		expect(t, m.received(), "M_ME_TF_1 spontaneous 225/100 23.5")
		if res, err := m.Interrogate(t.Context(), 225, 20); err != nil || res.Objects != 1 {
			t.Errorf("interrogation: %+v %v", res, err)
		}
		expect(t, m.received()[1:2], "M_ME_NC_1 interrogated-general 225/100 23.5")

		// A further target does not disturb the connection.
		r.feed.targets(first, at(2, 225, 101, asdu.M_SP_TB_1, point.Single))
		r.feed.publish(news(2, point.SingleValue(true)))
		synctest.Wait()
		expect(t, m.received(), "M_SP_TB_1 spontaneous 225/101 1")
		if reading, err := m.Read(t.Context(), 225, 101); err != nil || reading.Header.Type != asdu.M_SP_NA_1 || !reading.Object.On() {
			t.Errorf("read: %+v %v", reading, err)
		}
		if _, err := m.ClockSync(t.Context(), 225, func() asdu.Time { return asdu.TimeOf(time.Now().Add(2*time.Second), nil) }); err != nil {
			t.Errorf("clock synchronisation: %v", err)
		}
		if err := m.Test(t.Context(), 225, 1); err != nil {
			t.Errorf("test command: %v", err)
		}
		if _, err := m.Reset(t.Context(), 225, 1); err == nil {
			t.Error("reset process is not refused")
		}
		m.close(t)
		r.stop(t)
		if len(r.states) != 2 || r.states[0] != "up" || !strings.Contains(r.states[1], "differs by 2s") {
			t.Errorf("states %q", r.states)
		}
	})
}

func TestOneThatDoesNotReadDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startServer(t, true)
		r.feed.targets(at(1, 1, 1, asdu.M_ME_NB_1, point.Int))
		deaf, err := r.pipe.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := deaf.Write([]byte{0x68, 4, 7, 0, 0, 0}); err != nil { // STARTDT act, and then nothing is read
			t.Fatal(err)
		}
		noise, err := r.pipe.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := noise.Write([]byte("GET / HTTP/1.1\r\n")); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Fatal(err)
		}
		m := r.master(t)
		synctest.Wait()
		m.received()
		var want []string
		for i := range 50 {
			r.feed.publish(news(1, point.IntValue(int64(i))))
			want = append(want, fmt.Sprintf("M_ME_NB_1 spontaneous 1/1 %d", i))
		}
		synctest.Wait()
		expect(t, m.received(), want...)
		m.close(t)
		r.stop(t)
	})
}

func TestRunCanBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startServer(t, true)
		r.feed.targets(at(1, 1, 1, asdu.M_IT_NA_1, point.Counter, totals(Counter{})))
		m := r.master(t)
		r.feed.publish(news(1, point.CounterValue(40)))
		synctest.Wait()
		if _, err := m.Counters(t.Context(), 1, 5, freezeReset); err != nil {
			t.Fatal(err)
		}
		r.stop(t)
		<-m.Done()

		r.pipe = newPipeListener()
		ctx, cancel := context.WithCancel(t.Context())
		r.cancel = cancel
		go func() { r.done <- r.Run(ctx) }()
		r.feed.targets(at(1, 1, 1, asdu.M_IT_NA_1, point.Counter, totals(Counter{})))
		again := r.master(t)
		synctest.Wait()
		again.received()
		if _, err := again.Counters(t.Context(), 1, 5, 0); err != nil {
			t.Fatal(err)
		}
		expect(t, again.received()[1:2], "M_IT_NA_1 counter-general 1/1 40")
		again.close(t)
		r.stop(t)
	})
}

func TestFailureOfTheFeedEndsTheRun(t *testing.T) {
	r := startServer(t, false)
	r.feed.targets()
	close(r.feed.batches)
	if err := <-r.done; err == nil || !strings.Contains(err.Error(), "feed broke") {
		t.Errorf("Run = %v, want the failure of the feed", err)
	}
	r.cancel()
}

// awaitAddress returns where a server listens, once it is up.
func (r *running) awaitAddress(t *testing.T) string {
	t.Helper()
	select {
	case <-r.up:
		return (*r.addr.Load()).String()
	case err := <-r.done:
		t.Fatalf("Run = %v", err)
		return ""
	}
}

func TestAddressThatIsTakenIsAVisibleFailure(t *testing.T) {
	first := startServer(t, false)
	first.feed.targets()
	address := first.awaitAddress(t)
	second := startServer(t, false, func(s *Settings) { s.Listen = address })
	err := <-second.done
	if err == nil || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "port already in use") {
		t.Errorf("Run = %v, want that the port is in use", err)
	}
	if errors.Is(err, connector.ErrConfig) {
		t.Errorf("%v is not retried", err)
	}
	second.cancel()
	first.stop(t)

	// The address is free again: the same instance runs.
	ctx, cancel := context.WithCancel(t.Context())
	second.cancel = cancel
	go func() { second.done <- second.Run(ctx) }()
	second.feed.targets()
	second.awaitAddress(t)
	second.stop(t)
}

func TestUnlistedAddressIsRefused(t *testing.T) {
	r := startServer(t, false, func(s *Settings) {
		s.Allow = Allow{Given: true, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	})
	r.feed.targets()
	conn, err := net.Dial("tcp", r.awaitAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d octets read, want the connection closed", n)
	}
	r.stop(t)
	if n := metric(t, r.server, "iec104_connections_closed_total", "address_not_allowed"); n != 1 {
		t.Errorf("%v connections counted as not allowed, want 1", n)
	}
}

func TestManyServersInOneProcess(t *testing.T) {
	servers := make([]*running, 20)
	for i := range servers {
		servers[i] = startServer(t, false)
		servers[i].feed.targets(at(1, uint16(i+1), 1, asdu.M_SP_NA_1, point.Single))
	}
	for i, r := range servers {
		c, err := iec104.Dial(t.Context(), r.awaitAddress(t), iec104.Params{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.StartDT(t.Context()); err != nil {
			t.Fatal(err)
		}
		if res, err := c.Interrogate(t.Context(), uint16(i+1), 20); err != nil || res.Objects != 1 {
			t.Errorf("server %d: %+v %v", i, res, err)
		}
		if _, err := c.Interrogate(t.Context(), uint16(i+2), 20); err == nil {
			t.Errorf("server %d serves the address of another", i)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range servers {
		r.stop(t)
	}
}

// metric returns the value of a figure, with the value of its first label if
// that is not empty.
func metric(t *testing.T, s *server, name, label string) float64 {
	t.Helper()
	value, found := 0.0, false
	s.Collect(func(m connector.Metric) {
		if m.Name == name && (label == "" || len(m.Labels) > 0 && m.Labels[0].Value == label) {
			value, found = m.Value, true
		}
	})
	if !found {
		t.Errorf("no figure %s %s", name, label)
	}
	return value
}

func TestFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startServer(t, true)
		r.feed.targets(at(1, 1, 1, asdu.M_ME_NB_1, point.Int), at(2, 1, 2, asdu.M_ME_NB_1, point.Int))
		m := r.master(t)
		for i := range int64(5) {
			r.feed.publish(news(1, point.IntValue(2*i)))
			r.feed.quiet(news(1, point.IntValue(2*i+1)))
		}
		if _, err := m.Interrogate(t.Context(), 1, 20); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for name, want := range map[string]float64{
			"iec104_connections": 1, "iec104_connections_started": 1, "iec104_connections_accepted_total": 1,
			"iec104_targets": 2, "iec104_events_total": 5, "iec104_suppressed_total": 5,
			"iec104_conn_queued_events": 0, "iec104_conn_sent_items_total": 2, "iec104_server_requests_total": 1,
		} {
			if got := metric(t, r.server, name, ""); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		seen := map[string]bool{}
		r.Collect(func(m connector.Metric) {
			key := fmt.Sprint(m.Name, m.Labels)
			if seen[key] {
				t.Errorf("%s occurs twice", key)
			}
			seen[key] = true
			if m.Counter != strings.HasSuffix(m.Name, "_total") || m.Help == "" {
				t.Errorf("%s: counter %v, help %q", m.Name, m.Counter, m.Help)
			}
		})
		m.close(t)
		r.stop(t)
	})
}
