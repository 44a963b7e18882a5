package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho5 "github.com/eclipse/paho.golang/paho"
	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"

	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// site is a Busbar whose points are published by the test itself: a manager with
// one connector "c" and an image on a journal.
type site struct {
	t       testing.TB
	dir     string
	opts    image.Options
	img     *image.Embedded
	manager *connector.Manager
	stop    func() // ends the process in order
	texts   string // of the connector
	points  string
	orders  string // the commands of the plant
	deaf    bool   // no point goes to the connector

	follower image.Follower // from the beginning
}

func newSite(t testing.TB, settings, points string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), texts: settings, points: points}
	s.start()
	return s
}

// start starts a process.
func (s *site) start() {
	s.t.Helper()
	fs, err := journal.NewDisk(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	s.until("lock of the journal", func() bool { // a process that is just being started may hold it for a moment
		s.img, err = image.Open(fs, s.opts)
		return !errors.Is(err, journal.ErrLocked)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	registry, err := connector.NewRegistry(Kind())
	if err != nil {
		s.t.Fatal(err)
	}
	out := s.t.Output()
	if _, ok := s.t.(*testing.B); ok {
		out = nopWriter{}
	}
	s.manager = connector.NewManager(slog.New(slog.NewTextHandler(out, nil)), s.img, registry, time.Now)
	ended := make(chan error, 1)
	img, m := s.img, s.manager
	running, halt := context.WithCancel(context.Background())
	go func() { ended <- m.Run(running) }()
	s.follower = img.Follow(image.Every)
	s.apply(s.points)
	s.until("begin of the feed", func() bool {
		if s.deaf {
			return true
		}
		_, ok := s.img.Cursors()["c/"+cursor]
		return ok
	})
	var once sync.Once
	s.stop = func() {
		once.Do(func() {
			halt()
			next(s.t, "end of the manager", ended)
			if err := img.Close(); err != nil {
				s.t.Error(err)
			}
		})
	}
	s.t.Cleanup(func() { s.stop() })
}

type nopWriter struct{}

func (nopWriter) Write(p []byte) (int, error) { return len(p), nil }

// apply makes these the points.
func (s *site) apply(points string) {
	s.t.Helper()
	registry, err := connector.NewRegistry(Kind())
	if err != nil {
		s.t.Fatal(err)
	}
	s.points = points
	p, problems := plant.Decode("plant.yaml",
		[]byte("version: 1\nconnectors:\n  c: {kind: mqtt, "+s.texts+"}\npoints:\n"+points+s.orders), registry, plant.Options{})
	if len(problems) > 0 {
		s.t.Fatalf("problems: %v", problems)
	}
	if err := s.manager.Apply(context.Background(), p); err != nil {
		s.t.Fatal(err)
	}
}

// publish publishes values of a point.
func (s *site) publish(id string, values ...point.Value) {
	s.t.Helper()
	updates := make([]point.Update, len(values))
	for i, v := range values {
		updates[i] = point.Update{Value: v}
	}
	s.update(id, updates...)
}

// update publishes updates of a point; without a time they are of now.
func (s *site) update(id string, updates ...point.Update) {
	s.t.Helper()
	p, ok := s.img.Lookup(id)
	if !ok {
		s.t.Fatalf("no point %s", id)
	}
	now := point.InstantOf(time.Now())
	for i := range updates {
		u := &updates[i]
		u.Point = p
		if u.Time == 0 {
			u.Time, u.TimeQuality = now, u.TimeQuality|point.TimeSubstituted
		}
		if u.Arrival == 0 {
			u.Arrival = now
		}
	}
	if err := s.img.Publish(context.Background(), updates, nil); err != nil {
		s.t.Fatal(err)
	}
}

// await waits until the state of the connector begins with a text.
func (s *site) await(want string) {
	s.t.Helper()
	s.until("state "+want, func() bool {
		r := s.manager.Reports()[0]
		return strings.HasPrefix(fmt.Sprintf("%s: %s", r.State, r.Reason), want)
	})
}

// until waits until something is so.
func (s *site) until(what string, is func() bool) {
	s.t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(patience); !is(); {
		select {
		case <-ticker.C:
		case <-deadline:
			s.t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// saved returns how far the connector has saved that the broker has acknowledged.
func (s *site) saved() uint64 { return s.img.Cursors()["c/"+cursor][point.ClassMeasured] }

// settled waits until everything that was published has been acknowledged.
func (s *site) settled() {
	s.t.Helper()
	seq := s.img.Seq()
	s.until("acknowledgement of everything", func() bool { return s.saved() >= seq })
}

// heard is a message as a subscriber gets it.
type heard struct {
	topic, payload string
	retained       bool
}

// listen subscribes to a filter.
func (m *mosquitto) listen(filter string, change ...func(*paho.ClientOptions)) <-chan heard {
	m.t.Helper()
	got := make(chan heard, 20_000)
	p := m.publisher(append(change, func(o *paho.ClientOptions) { o.SetOrderMatters(true) })...)
	p.done(p.client.Subscribe(filter, 2, func(_ paho.Client, msg paho.Message) {
		got <- heard{msg.Topic(), string(msg.Payload()), msg.Retained()}
	}))
	return got
}

// audience is a subscriber whose session the broker keeps while it is away.
type audience struct {
	m   *mosquitto
	got chan heard
}

// keep subscribes to a filter and leaves; the broker holds what comes from then on,
// also if it is killed before anything else comes.
func (m *mosquitto) keep(filter string) *audience {
	m.t.Helper()
	a := &audience{m, make(chan heard, 20_000)}
	p := a.connect()
	p.done(p.client.Subscribe(filter, 2, nil))
	m.save(p)
	p.client.Disconnect(100)
	return a
}

// connect comes back to what the broker holds.
func (a *audience) connect() *publisher {
	a.m.t.Helper()
	return a.m.publisher(func(o *paho.ClientOptions) {
		o.SetClientID("audience").SetCleanSession(false).SetOrderMatters(true)
		o.SetDefaultPublishHandler(func(_ paho.Client, msg paho.Message) {
			a.got <- heard{msg.Topic(), string(msg.Payload()), msg.Retained()}
		})
	})
}

// object reads the default JSON.
func object(t testing.TB, payload string) map[string]any {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return v
}

// array reads a batch.
func array(t testing.TB, payload string) []any {
	t.Helper()
	var list []any
	if err := json.Unmarshal([]byte(payload), &list); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return list
}

// figure returns a metric of the connector.
func (s *site) figure(name string) float64 {
	s.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(connector.NewMetrics(s.manager))
	families, err := registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	s.t.Fatalf("no metric %s", name)
	return 0
}

// forget lets the broker start without what it has stored.
func (m *mosquitto) forget() {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.dir, "mosquitto.db")); err != nil {
		m.t.Fatal(err)
	}
}

// startWith starts the broker and subscribes to a filter. What was published before
// comes as retained.
func (m *mosquitto) startWith(filter string) <-chan heard {
	m.t.Helper()
	m.start()
	return m.listen(filter)
}

// client5 connects with MQTT 5.
func (m *mosquitto) client5(received ...func(paho5.PublishReceived) (bool, error)) *paho5.Client {
	m.t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+m.port)
	if err != nil {
		m.t.Fatal(err)
	}
	c := paho5.NewClient(paho5.ClientConfig{Conn: conn, OnPublishReceived: received})
	if _, err := c.Connect(context.Background(), &paho5.Connect{ClientID: rand.Text(), CleanStart: true, KeepAlive: 30}); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = c.Disconnect(&paho5.Disconnect{}) })
	return c
}

// listen5 subscribes to a filter with MQTT 5.
func (m *mosquitto) listen5(filter string) <-chan *paho5.Publish {
	m.t.Helper()
	got := make(chan *paho5.Publish, 1000)
	c := m.client5(func(p paho5.PublishReceived) (bool, error) {
		got <- p.Packet
		return true, nil
	})
	if _, err := c.Subscribe(context.Background(), &paho5.Subscribe{Subscriptions: []paho5.SubscribeOptions{{Topic: filter, QoS: 1}}}); err != nil {
		m.t.Fatal(err)
	}
	return got
}

// newReader is newSite for a plant without targets, which has no cursor.
func newReader(t testing.TB, settings, points string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), texts: settings, points: points, deaf: true}
	s.start()
	return s
}

// history returns the next n changes of a point since the last call, in words.
func (s *site) history(id string, n int) []string {
	s.t.Helper()
	p, _ := s.img.Lookup(id)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var list []string
	dst := make([]image.Change, 512)
	for len(list) < n {
		k, _, err := s.follower.Next(ctx, dst)
		if err != nil {
			s.t.Fatalf("%d changes of %s, want %d: %v", len(list), id, n, err)
		}
		for _, c := range dst[:k] {
			if c.Point == p {
				bits, transit := c.Value.Raw()
				list = append(list, fmt.Sprintf("%x %t %q, quality %v, time %d %d", bits, transit, c.Value.Text(), c.Quality, c.Time, c.TimeQuality))
			}
		}
	}
	return list
}
