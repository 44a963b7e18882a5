package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// joint is a connector of points whose tests reach as many stations as it says.
type joint struct {
	stations int
	sent     []point.Update
}

func (*joint) Run(ctx context.Context) error { <-ctx.Done(); return nil }

func (j *joint) SendTest(_ connector.TargetID, u point.Update) (string, int, error) {
	j.sent = append(j.sent, u)
	if j.stations == 0 {
		return "1/2", 0, errors.New("nobody is there")
	}
	return "1/2", j.stations, nil
}

// deaf is a connector without test values.
type deaf struct{}

func (deaf) Run(ctx context.Context) error { <-ctx.Done(); return nil }

type topicEnd struct {
	Topic string `json:"topic"`
}

func kindOf(name string, c connector.Connector) connector.Kind {
	return connector.Define(name, connector.Spec[noSettings, topicEnd, topicEnd]{
		New:      func(noSettings, connector.Env) (connector.Connector, error) { return c, nil },
		Selector: func(e topicEnd) string { return e.Topic },
	})
}

// valuesPlant has points of every type.
const valuesPlant = `
version: 1
connectors: {joint: {kind: joint}, deaf: {kind: deaf}}
points:
  a/single: {type: single, from: {connector: deaf, topic: x, value: v}}
  a/double: {type: double}
  a/step: {type: step}
  b/bits: {type: bits}
  b/int: {type: int}
  b/float: {type: float, to: [{connector: joint, topic: x}, {connector: deaf, topic: y}]}
  b/counter: {type: counter}
  c/text: {type: text}
  sys/journal/fill: {to: [{connector: deaf, topic: z}]}
`

// values is an API with points.
type values struct {
	*rig
	image   *image.Memory
	manager *connector.Manager
	kinds   *connector.Registry
	joint   *joint
}

func newValues(t *testing.T, edit ...func(*Deps)) *values {
	t.Helper()
	v := &values{image: image.New(image.Options{Log: 1024}), joint: &joint{stations: 2}}
	t.Cleanup(v.image.Close)
	var err error
	if v.kinds, err = connector.NewRegistry(kindOf("joint", v.joint), kindOf("deaf", deaf{})); err != nil {
		t.Fatal(err)
	}
	v.manager = connector.NewManager(slog.New(slog.DiscardHandler), v.image, v.kinds, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- v.manager.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	v.rig = newRig(t, append([]func(*Deps){func(d *Deps) { d.Manager, d.Image = v.manager, v.image }}, edit...)...)
	v.apply(valuesPlant)
	return v
}

func (v *values) apply(text string) {
	v.t.Helper()
	p, problems := plant.Decode("plant.yaml", []byte(text), v.kinds, plant.Options{})
	if len(problems) > 0 {
		v.t.Fatal(problems)
	}
	if err := v.manager.Apply(v.t.Context(), p); err != nil {
		v.t.Fatal(err)
	}
}

var valuesNoon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// publish publishes a value of a point that happened so long after noon.
func (v *values) publish(id string, value point.Value, after time.Duration, q ...point.Quality) {
	v.t.Helper()
	p, _ := v.image.Lookup(id)
	at := point.InstantOf(valuesNoon.Add(after))
	u := point.Update{Point: p, Value: value, Time: at, Arrival: at + 41e6}
	for _, bit := range q {
		u.Quality |= bit
	}
	if err := v.image.Publish(v.t.Context(), []point.Update{u}, nil); err != nil {
		v.t.Fatal(err)
	}
}

// publishAll publishes a value of every point, a second after the other.
func (v *values) publishAll() {
	v.t.Helper()
	v.publish("a/single", point.SingleValue(true), 1*time.Second)
	v.publish("a/double", point.DoubleValue(point.Intermediate), 2*time.Second)
	v.publish("a/step", point.StepValue(-7, true), 3*time.Second)
	v.publish("b/bits", point.BitsValue(1<<31), 4*time.Second)
	v.publish("b/int", point.IntValue(9007199254740993), 5*time.Second, point.NotTopical)
	v.publish("b/float", point.FloatValue(float64(float32(23.1))), 6*time.Second, point.Overflow)
	v.publish("c/text", point.TextValue("Größe <1>"), 7*time.Second, point.Invalid)
}

func (v *values) get(id string) PointValue {
	v.t.Helper()
	return decoded[PointValue](v.t, v.do(http.MethodGet, "/values/"+id, nil, as("viewer")), http.StatusOK)
}

// ids returns the ids on all pages of a list of values.
func (v *values) ids(query, who string, limit int) (ids []string) {
	v.t.Helper()
	cursor := ""
	for range 20 {
		path := fmt.Sprintf("/values?limit=%d&%s&cursor=%s", limit, query, cursor)
		l := decoded[list[PointValue]](v.t, v.do(http.MethodGet, path, nil, as(who)), http.StatusOK)
		for _, item := range l.Items {
			ids = append(ids, item.Point)
		}
		if cursor = l.Next; cursor == "" {
			return ids
		}
	}
	v.t.Fatal("the list does not end")
	return nil
}

func (v *values) put(path string, body any, who string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.do(http.MethodPut, "/values/"+path, body, as(who))
}
