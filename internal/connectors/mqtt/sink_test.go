package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"busbar/internal/connector"
)

// patience bounds every wait of a test that something must happen.
const patience = 30 * time.Second

// delivery is a message as the sink got it.
type delivery struct {
	topic, payload string
	retained       bool
	commit         func(error) // nil with QoS 0
}

// sink takes down what a connector does. By default it keeps every message at
// once; with hold set the test commits.
type sink struct {
	hold      bool
	delivered chan delivery
	presence  chan string // "back lossless", "back", "away: reason", "gone: reason"
	states    chan string // "state: reason"
	duties    *duties

	mu      sync.Mutex
	refused error // of every message
	ends    []any
	changed chan struct{}
}

func newSink(sources ...Source) *sink {
	s := &sink{
		delivered: make(chan delivery, 20000), presence: make(chan string, 1000), states: make(chan string, 1000),
		changed: make(chan struct{}), duties: &duties{changed: make(chan struct{})},
	}
	s.ends = ends(sources)
	return s
}

func ends(sources []Source) []any {
	var list []any
	for _, source := range sources {
		list = append(list, &source)
	}
	return list
}

func (s *sink) Deliver(_ context.Context, m connector.Message, committed func(error)) error {
	s.mu.Lock()
	refused := s.refused
	s.mu.Unlock()
	if refused != nil {
		if committed != nil {
			committed(refused)
		}
		return refused
	}
	if committed != nil && !s.hold {
		committed(nil)
	}
	s.delivered <- delivery{m.Selector, string(m.Payload), m.Retained, committed}
	return nil
}

// refuse makes the sink take no more messages, or again with nil.
func (s *sink) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
}

func (s *sink) Away(reason string, now bool) {
	if now {
		s.presence <- "gone: " + reason
	} else {
		s.presence <- "away: " + reason
	}
}

func (s *sink) Back(lossless bool) {
	if lossless {
		s.presence <- "back lossless"
	} else {
		s.presence <- "back"
	}
}

func (s *sink) Sources() ([]any, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends, s.changed
}

// setSources changes what the points need.
func (s *sink) setSources(sources ...Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = ends(sources)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *sink) report(state connector.State, reason string) {
	s.states <- fmt.Sprintf("%s: %s", state, reason)
}

func (s *sink) env(t testing.TB) connector.Env {
	return connector.Env{
		ID: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sink: s, Executions: s.duties, Report: s.report, Now: time.Now, Feed: &idleFeed{},
	}
}

// next returns the next element of what the sink took down.
func next[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

// until returns the first element for which ok is true.
func until[T any](t testing.TB, what string, c <-chan T, ok func(T) bool) T {
	t.Helper()
	deadline := time.After(patience)
	var seen []T
	for {
		select {
		case v := <-c:
			if ok(v) {
				return v
			}
			seen = append(seen, v)
		case <-deadline:
			t.Fatalf("no %s within %v, but %v", what, patience, seen)
		}
	}
}

// expect checks that the next delivery is this one.
func (s *sink) expect(t testing.TB, topic, payload string) delivery {
	t.Helper()
	d := next(t, "message "+topic+" "+payload, s.delivered)
	if d.topic != topic || d.payload != payload {
		t.Fatalf("message %s %.40q, want %s %q", d.topic, d.payload, topic, payload)
	}
	return d
}

// state waits for a state of the connector with this text.
func (s *sink) state(t testing.TB, want string) {
	t.Helper()
	until(t, "state "+want, s.states, func(got string) bool { return got == want })
}

// quiet checks that nothing was delivered but what the test has taken.
func (s *sink) quiet(t testing.TB) {
	t.Helper()
	select {
	case d := <-s.delivered:
		t.Fatalf("message %s %.40q too many", d.topic, d.payload)
	default:
	}
}

// runner is a running connector.
type runner struct {
	*Connector
	sink *sink
	stop func() // ends Run and waits for it
}

// start runs a connector until the test ends or stop is called.
func start(t testing.TB, settings Settings, s *sink) *runner {
	t.Helper()
	made, err := New(settings, s.env(t))
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*Connector)
	return run(t, c, s)
}

func run(t testing.TB, c *Connector, s *sink) *runner {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run = %v after its context ended, want nil", err)
				}
			case <-time.After(patience):
				t.Errorf("Run goes on %v after its context ended", patience)
			}
		})
	}
	t.Cleanup(stop)
	return &runner{Connector: c, sink: s, stop: stop}
}

// figure returns a metric of the connector.
func (r *runner) figure(t testing.TB, name string) float64 {
	t.Helper()
	value, found := 0.0, false
	r.Collect(func(m connector.Metric) {
		if m.Name == name {
			value, found = m.Value, true
		}
	})
	if !found {
		t.Fatalf("no metric %s", name)
	}
	return value
}

// idleFeed is the feed of a connector that no point goes to.
type idleFeed struct{ delivered bool }

func (f *idleFeed) Next(ctx context.Context) (connector.Batch, error) {
	if !f.delivered {
		f.delivered = true
		return connector.Batch{Targets: &[]connector.Target{}}, nil
	}
	<-ctx.Done()
	f.delivered = false
	return connector.Batch{}, ctx.Err()
}

func (*idleFeed) SaveCursor(string, connector.Position) error { return nil }
func (*idleFeed) DropCursor(string)                           {}
func (*idleFeed) Lost() (connector.Position, bool)            { return connector.Position{}, false }
func (*idleFeed) Cursors() map[string]connector.Position      { return nil }

// duties are the commands that a connector carries out.
type duties struct {
	mu      sync.Mutex
	ends    []any
	changed chan struct{}
}

func (d *duties) Ends() ([]any, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ends, d.changed
}

// set changes the commands.
func (d *duties) set(ends ...*Executor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ends = nil
	for _, e := range ends {
		d.ends = append(d.ends, e)
	}
	close(d.changed)
	d.changed = make(chan struct{})
}
