package connector

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

type fakeSettings struct {
	Name   string `json:"name"`
	Listen string `json:"listen"`
	Dial   string `json:"dial"`
	Broken bool   `json:"broken"`
}

func (s fakeSettings) Validate() []Problem {
	if s.Name == "bad" {
		return []Problem{Faultf("name", `is "bad", want another`), Warnf("name", "is odd")}
	}
	if s.Name == "odd" {
		return []Problem{Warnf("name", "is odd")}
	}
	return nil
}

type fakeSource struct {
	Topic string `json:"topic" required:"true"`
}

type fakeTarget struct {
	Address int    `json:"address" min:"1"`
	Frozen  string `json:"frozen"` // names of own points
	Offset  string `json:"offset"`
}

// own are an int and a counter.
func (t fakeTarget) own() [2]OwnPoint {
	return [2]OwnPoint{{Name: t.Offset, Type: point.Int}, {Name: t.Frozen, Type: point.Counter}}
}

// fakeSystem are the system points of every fake.
func fakeSystem() []SystemPoint {
	return []SystemPoint{
		{Name: "links/*/up", Type: point.Single}, {Name: "fill", Type: point.Float, Unit: "%"}, {Name: "dropped", Type: point.Counter},
	}
}

// fake is a connector that runs what its test wants.
type fake struct {
	settings fakeSettings
	env      Env
	started  chan struct{} // a token per run
	die      chan struct{} // a token ends the run of a device
	run      func(ctx context.Context, f *fake) error
}

func (f *fake) Run(ctx context.Context) error {
	f.started <- struct{}{}
	return f.run(ctx, f)
}

func runUp(ctx context.Context, f *fake) error {
	f.env.Report(Up, "")
	<-ctx.Done()
	return nil
}

// fakes makes fakes and keeps them by id, in the order in which they were made.
type fakes struct {
	mu   sync.Mutex
	made map[string][]*fake
	run  func(ctx context.Context, f *fake) error

	execute func(ctx context.Context, o point.Order, report func(Progress)) error // of every device
}

func (fs *fakes) last(id string) *fake {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := fs.made[id]
	return list[len(list)-1]
}

func (fs *fakes) count(id string) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.made[id])
}

func (fs *fakes) kind(name string) Kind {
	return Define(name, Spec[fakeSettings, fakeSource, fakeTarget]{
		New: func(s fakeSettings, env Env) (Connector, error) {
			if s.Broken {
				return nil, errors.New("is broken")
			}
			f := &fake{settings: s, env: env, started: make(chan struct{}, 1000), run: fs.run}
			fs.mu.Lock()
			defer fs.mu.Unlock()
			fs.made[env.ID] = append(fs.made[env.ID], f)
			return f, nil
		},
		Selector: func(s fakeSource) string { return s.Topic },
		CheckTarget: func(_ fakeTarget, p *plant.Point, _ *plant.Target) []Problem {
			if p.Type == point.Text {
				return []Problem{Faultf("", "a text cannot go here")}
			}
			return nil
		},
		CheckConnector: func(_ fakeSettings, _ []End[fakeSource], targets []End[fakeTarget]) []Problem {
			var problems []Problem
			for i := range targets {
				if i > 0 && targets[i].End.Address == targets[i-1].End.Address {
					problems = append(problems, targets[i].Faultf("address", "is that of %s in line %d", targets[i-1].Point, targets[i-1].Line()))
				}
			}
			return problems
		},
		Own:     fakeTarget.own,
		System:  fakeSystem(),
		Listens: func(s fakeSettings) []string { return nonEmpty(s.Listen) },
		Dials:   func(s fakeSettings) []string { return nonEmpty(s.Dial) },
	})
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// host is a manager under test, in a synctest bubble.
type host struct {
	*Manager
	t     *testing.T
	image *image.Memory
	moody *moody // in front of image
	fakes *fakes
}

// moody is an image that refuses updates when it is told to, and has the status
// that it is told to have.
type moody struct {
	image.Image
	refuses atomic.Bool
	takes   atomic.Int64                 // not 0: so many batches more, then it refuses
	loses   atomic.Bool                  // takes what it does not keep in the end
	behind  atomic.Bool                  // waits for its disk, as long as it may
	status  atomic.Pointer[image.Status] // nil: that of the image
}

var errFull = errors.New("full")

func (m *moody) Publish(ctx context.Context, batch []point.Update, committed func(error)) error {
	if m.takes.Load() > 0 && m.takes.Add(-1) == 0 {
		defer m.refuses.Store(true)
	}
	err := errFull
	switch {
	case m.behind.Load():
		<-ctx.Done()
		err = ctx.Err()
	case !m.refuses.Load() && m.loses.Load():
		if err := m.Image.Publish(ctx, batch, nil); err != nil || committed == nil {
			return err
		}
		time.AfterFunc(time.Millisecond, func() { committed(errFull) })
		return nil
	case !m.refuses.Load():
		return m.Image.Publish(ctx, batch, committed)
	}
	if committed != nil {
		committed(err)
	}
	return err
}

func (m *moody) Status() image.Status {
	if s := m.status.Load(); s != nil {
		return *s
	}
	if m.refuses.Load() {
		return image.Status{Reason: errFull.Error()}
	}
	return m.Image.Status()
}

// newHost returns a running manager whose fakes run as given. It stops at the
// end of the test.
func newHost(t *testing.T, run func(ctx context.Context, f *fake) error) *host {
	t.Helper()
	return newLoggingHost(t, slog.New(slog.DiscardHandler), run)
}

func newLoggingHost(t *testing.T, log *slog.Logger, run func(ctx context.Context, f *fake) error) *host {
	t.Helper()
	return newHostOn(t, image.New(image.Options{Log: 1024}), log, run)
}

// newHostOn is newHost on an image that may hold something already.
func newHostOn(t *testing.T, img *image.Memory, log *slog.Logger, run func(ctx context.Context, f *fake) error) *host {
	t.Helper()
	fs := &fakes{made: make(map[string][]*fake), run: run}
	registry, err := NewRegistry(fs.kind("fake"), fs.kind("other"), fs.keyed(), fs.desk(), fs.device())
	if err != nil {
		t.Fatal(err)
	}
	front := &moody{Image: img}
	m := NewManager(log, front, registry, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		img.Close()
	})
	return &host{Manager: m, t: t, image: img, moody: front, fakes: fs}
}

func (h *host) mustApply(p *plant.Plant) {
	h.t.Helper()
	if err := h.Apply(context.Background(), p); err != nil {
		h.t.Fatalf("Apply = %v, want nil", err)
	}
	synctest.Wait()
}

// deliver delivers a JSON number for the points with the topic.
func (h *host) deliver(connector, topic, payload string) {
	h.t.Helper()
	h.deliverMessage(connector, Message{Selector: topic, Payload: []byte(payload)})
}

func (h *host) deliverMessage(connector string, m Message) {
	h.t.Helper()
	kept := make(chan error, 1)
	if err := h.fakes.last(connector).env.Sink.Deliver(context.Background(), m, func(err error) { kept <- err }); err != nil {
		h.t.Fatalf("Deliver = %v, want nil", err)
	}
	if err := <-kept; err != nil {
		h.t.Fatalf("committed with %v, want nil", err)
	}
}

func (h *host) state(id string) point.State {
	h.t.Helper()
	p, ok := h.image.Lookup(id)
	if !ok {
		h.t.Fatalf("point %s is not in the image", id)
	}
	s, _ := h.image.State(p)
	return s
}

func (h *host) wantQuality(id string, want point.Quality) {
	h.t.Helper()
	synctest.Wait()
	if got := h.state(id).Quality; got != want {
		h.t.Errorf("quality of %s = %v, want %v", id, got, want)
	}
}

// plantOf makes a plant of connectors and points, sorted as a plant is.
func plantOf(connectors []plant.Connector, points ...plant.Point) *plant.Plant {
	slices.SortFunc(connectors, func(a, b plant.Connector) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(points, func(a, b plant.Point) int { return cmp.Compare(a.ID, b.ID) })
	return &plant.Plant{Connectors: connectors, Points: points}
}

func connectorOf(id, name string) plant.Connector {
	return plant.Connector{ID: id, Kind: "fake", Settings: &fakeSettings{Name: name}}
}

// pointOf is a float with a source whose topic is the id.
func pointOf(id, connector string, change ...func(*plant.Point)) plant.Point {
	p := plant.Point{ID: id, Type: point.Float, Hold: -1, From: &plant.Source{
		Connector: connector, Value: "@", Scale: 1, End: &fakeSource{Topic: id},
	}}
	for _, c := range change {
		c(&p)
	}
	return p
}

// to adds a target.
func to(connector string, address int) func(*plant.Point) {
	return func(p *plant.Point) {
		p.To = append(p.To, plant.Target{Connector: connector, Scale: 1, End: &fakeTarget{Address: address}})
	}
}
