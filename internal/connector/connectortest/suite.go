// Package connectortest is the conformance suite that every kind of connector
// passes.
package connectortest

import (
	"context"

	"log/slog"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// patience is how long the suite waits for what must happen.
const patience = 20 * time.Second

// Case is what the suite needs to know of a kind. Settings are the keys of a
// connector besides kind, as in a YAML map in one line: `listen: "127.0.0.1:0"`.
type Case struct {
	Kind connector.Kind
	// Good are settings with which an instance can run, be it that it does not
	// reach its peer.
	Good string
	// Bad are settings with the path of the problem that each has.
	Bad map[string]string
	// Points is a map of points, in one line, whose ends are at the connector
	// "c"; empty if the kind has none worth a try.
	Points string
}

// Run runs the suite.
func Run(t *testing.T, c Case) {
	t.Helper()
	registry, err := connector.NewRegistry(c.Kind)
	if err != nil {
		t.Fatal(err)
	}
	s := suite{Case: c, registry: registry}
	t.Run("good settings are accepted", s.acceptsGood)
	t.Run("unknown settings are refused", s.refusesUnknown)
	t.Run("bad settings are refused at their path", s.refusesBad)
	t.Run("runs without points, stops, and runs again", s.runsTwice)
	t.Run("points come and go while it runs", s.pointsChange)
}

type suite struct {
	Case
	registry *connector.Registry
}

// plant decodes a plant with one connector "c".
func (s suite) plant(settings, points string) (*plant.Plant, plant.Problems) {
	text := "version: 1\nconnectors:\n  c: {kind: " + s.Kind.Name()
	if settings != "" {
		text += ", " + settings
	}
	text += "}\n"
	if points != "" {
		text += "points: {" + points + "}\n"
	}
	return plant.Decode("plant.yaml", []byte(text), s.registry, plant.Options{})
}

func (s suite) good(t *testing.T, points string) *plant.Plant {
	t.Helper()
	p, problems := s.plant(s.Good, points)
	if len(problems) > 0 {
		t.Fatalf("good settings are refused:\n%v", problems)
	}
	return p
}

func (s suite) acceptsGood(t *testing.T) { s.good(t, s.Points) }

func (s suite) refusesUnknown(t *testing.T) {
	settings := "no-such-key: 1"
	if s.Good != "" {
		settings = s.Good + ", " + settings
	}
	_, problems := s.plant(settings, "")
	wantProblem(t, problems, "connectors.c.no-such-key")
}

func (s suite) refusesBad(t *testing.T) {
	if len(s.Bad) == 0 {
		t.Fatal("the case has no bad settings")
	}
	for settings, path := range s.Bad {
		t.Run(settings, func(t *testing.T) {
			_, problems := s.plant(settings, "")
			wantProblem(t, problems, "connectors.c."+path)
		})
	}
}

func wantProblem(t *testing.T, problems plant.Problems, path string) {
	t.Helper()
	for _, p := range problems {
		if p.Path == path && p.Line > 0 && p.Text != "" {
			return
		}
	}
	t.Errorf("no problem at %s, but:\n%v", path, problems)
}

// runsTwice runs an instance twice; it must report, end with nil when it is
// told to, and leave no goroutine.
func (s suite) runsTwice(t *testing.T) {
	p := s.good(t, "")
	reports := make(chan connector.State, 1)
	env := connector.Env{
		Executions: idle{},
		System:     func(string, point.Value) {}, PublishOwn: func([]point.Update) error { return nil },
		ID: "c", Log: slog.New(slog.DiscardHandler), Sink: newDeafSink(), Feed: &emptyFeed{}, Now: time.Now,
		Report: func(state connector.State, _ string) {
			select {
			case reports <- state:
			default:
			}
		},
	}
	conn, err := s.Kind.New(p.Connectors[0].Settings, env)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	for _, run := range []string{"first", "second"} {
		env.Feed.(*emptyFeed).restart()
		ctx, cancel := context.WithCancel(t.Context())
		done, label := runLabelled(ctx, conn)
		select {
		case <-reports:
		case err := <-done:
			t.Fatalf("%s Run = %v before it was told to end", run, err)
		case <-time.After(patience):
			t.Errorf("%s Run reports no state", run)
		}
		collect(conn)
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s Run = %v after its context ended, want nil", run, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s Run does not end", run)
		}
		wantNoGoroutines(t, label)
		drain(reports)
	}
	collect(conn)
}

// collect asks for the figures, which must be possible at any time.
func collect(conn connector.Connector) {
	if c, ok := conn.(connector.Collector); ok {
		c.Collect(func(connector.Metric) {})
	}
}

func drain(reports chan connector.State) {
	select {
	case <-reports:
	default:
	}
}

// pointsChange runs an instance below a manager and changes its points.
func (s suite) pointsChange(t *testing.T) {
	img := image.New(image.Options{})
	defer img.Close()
	m := connector.NewManager(slog.New(slog.DiscardHandler), img, s.registry, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("manager: %v", err)
		}
	}()
	for _, points := range []string{"", s.Points, "", s.Points} {
		if err := m.Apply(ctx, s.good(t, points)); err != nil {
			t.Fatalf("Apply = %v", err)
		}
		s.wantAlive(t, m)
	}
}

// wantAlive waits until the connector says something of itself. That it does not
// reach its peer is no fault; a panic is.
func (s suite) wantAlive(t *testing.T, m *connector.Manager) {
	t.Helper()
	for range poll(t.Context(), patience) {
		r := m.Reports()[0]
		if strings.HasPrefix(r.LastError, "panic") || r.State == connector.Refused {
			t.Fatalf("it is %v: %s", r.State, r.LastError)
		}
		if r.State != connector.Starting && r.State != connector.Stopped {
			return
		}
	}
	t.Error("it reports no state")
}

// idle is a host that has no commands.
type idle struct{}

// Ends implements [connector.Executions].
func (idle) Ends() ([]any, <-chan struct{}) { return nil, nil }
