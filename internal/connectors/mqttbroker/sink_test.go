package mqttbroker

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	v5packets "github.com/eclipse/paho.golang/packets"
	v5 "github.com/eclipse/paho.golang/paho"
	v3 "github.com/eclipse/paho.mqtt.golang"

	"busbar/internal/connector"
)

// patience bounds every wait of a test that something must happen.
const patience = 30 * time.Second

// delivery is a message as the sink got it.
type delivery struct {
	topic, payload string
	commit         func(error) // nil with QoS 0
}

// sink takes down what the broker does. By default it keeps every message at
// once; with hold set the test commits.
type sink struct {
	hold      bool
	failure   atomic.Pointer[error] // of Deliver
	panics    atomic.Bool
	delivered chan delivery
	presence  chan string
	states    chan string
	duties    duties
}

// duties are the commands that a connector carries out.
type duties []any

// Ends implements [connector.Executions].
func (d duties) Ends() ([]any, <-chan struct{}) { return d, nil }

func newSink() *sink {
	return &sink{delivered: make(chan delivery, 20000), presence: make(chan string, 100), states: make(chan string, 100)}
}

func (s *sink) Deliver(_ context.Context, m connector.Message, committed func(error)) error {
	if s.panics.Load() {
		panic("boom")
	}
	if err := s.failure.Load(); err != nil {
		return *err
	}
	if committed != nil && !s.hold {
		committed(nil)
	}
	s.delivered <- delivery{m.Selector, string(m.Payload), committed}
	return nil
}

func (s *sink) Away(string, bool) { s.presence <- "away" }

func (s *sink) Back(lossless bool) {
	if lossless {
		s.presence <- "back lossless"
	} else {
		s.presence <- "back"
	}
}

func (s *sink) Sources() ([]any, <-chan struct{}) { return nil, nil }

func (s *sink) expect(t testing.TB, topic, payload string) delivery {
	t.Helper()
	d := next(t, "message "+topic+" "+payload, s.delivered)
	if d.topic != topic || d.payload != payload {
		t.Fatalf("message %s %.40q, want %s %q", d.topic, d.payload, topic, payload)
	}
	return d
}

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

// running is a broker that runs until the test ends.
type running struct {
	*instance
	sink *sink
	addr string
	log  *logged
	stop func()
}

// logged keeps the log of the connector, and tells where it listens.
type logged struct {
	slog.Handler
	addr chan string
}

func (l *logged) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "listening" {
		r.Attrs(func(a slog.Attr) bool {
			l.addr <- a.Value.String()
			return true
		})
	}
	return l.Handler.Handle(ctx, r)
}

func (l *logged) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logged{l.Handler.WithAttrs(attrs), l.addr}
}

// start runs a broker on a free port.
func start(t testing.TB, s *sink, change func(*Settings)) *running {
	t.Helper()
	return startLogged(t, s, slog.NewTextHandler(t.Output(), nil), change)
}

func startLogged(t testing.TB, s *sink, h slog.Handler, change func(*Settings)) *running {
	t.Helper()
	return startTimed(t, s, h, times{connect: patience, write: patience}, change)
}

// startTimed runs a broker that waits this long for its clients.
func startTimed(t testing.TB, s *sink, h slog.Handler, waits times, change func(*Settings)) *running {
	t.Helper()
	return startSink(t, s, s, h, waits, change)
}

// startSink runs a broker whose messages go to another sink.
func startSink(t testing.TB, to connector.Sink, s *sink, h slog.Handler, waits times, change func(*Settings)) *running {
	t.Helper()
	settings := defaults()
	settings.Listen = "127.0.0.1:0"
	if change != nil {
		change(&settings)
	}
	log := &logged{Handler: h, addr: make(chan string, 1)}
	made, err := build(settings, connector.Env{
		ID: "test", Log: slog.New(log), Sink: to, Executions: s.duties, Now: time.Now,
		Report: func(state connector.State, reason string) { s.states <- state.String() + ": " + reason },
	})
	if err != nil {
		t.Fatal(err)
	}
	made.(*instance).times = waits
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- made.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := next(t, "end of Run", done); err != nil {
				t.Errorf("Run = %v after its context ended, want nil", err)
			}
		})
	}
	t.Cleanup(stop)
	r := &running{instance: made.(*instance), sink: s, log: log, stop: stop}
	select {
	case r.addr = <-log.addr:
	case err := <-done:
		done <- err
		t.Fatalf("Run = %v", err)
	case <-time.After(patience):
		t.Fatal("the broker does not listen")
	}
	return r
}

func (r *running) figure(t testing.TB, name string) float64 {
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

// device is a client that publishes.
type device interface {
	// publish returns when the broker has acknowledged.
	publish(topic string, qos byte, payload string) error
	close()
}

// options of a device.
type options struct {
	id, user, password string
	tls                *tls.Config
	will               string // topic of a last will
	delay              uint32 // of the last will, with MQTT 5, in seconds
	retain             bool
}

// connect connects a device with this version of MQTT.
func (r *running) connect(t testing.TB, version string, o options) (device, error) {
	t.Helper()
	conn, err := dialBroker(r.addr, o.tls)
	if err != nil {
		return nil, err
	}
	if version == "5" {
		return connect5(conn, o)
	}
	return connect3(conn, o)
}

func (r *running) device(t testing.TB, version string, o options) device {
	t.Helper()
	d, err := r.connect(t, version, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

func dialBroker(addr string, config *tls.Config) (net.Conn, error) {
	if config != nil {
		return tls.Dial("tcp", addr, config)
	}
	return net.Dial("tcp", addr)
}

type device5 struct {
	client *v5.Client
	conn   net.Conn
	retain bool
}

func connect5(conn net.Conn, o options) (device, error) {
	// The library writes a packet to TLS in parts, from more than one goroutine.
	client := v5.NewClient(v5.ClientConfig{Conn: v5packets.NewThreadSafeConn(conn), PacketTimeout: patience})
	packet := &v5.Connect{ClientID: o.id, CleanStart: true, KeepAlive: 30}
	if o.user != "" {
		packet.UsernameFlag, packet.Username, packet.PasswordFlag, packet.Password = true, o.user, true, []byte(o.password)
	}
	if o.will != "" {
		packet.WillMessage = &v5.WillMessage{Topic: o.will, Payload: []byte("gone"), QoS: 1}
		packet.WillProperties = &v5.WillProperties{WillDelayInterval: &o.delay}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := client.Connect(ctx, packet); err != nil {
		return nil, err
	}
	return &device5{client, conn, o.retain}, nil
}

func (d *device5) publish(topic string, qos byte, payload string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() { // the library waits beyond the end of the connection
		select {
		case <-d.client.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	_, err := d.client.Publish(ctx, &v5.Publish{Topic: topic, QoS: qos, Payload: []byte(payload), Retain: d.retain})
	return err
}

func (d *device5) close() { _ = d.conn.Close() }

type device3 struct {
	client v3.Client
	conn   net.Conn
	retain bool
	lost   chan error
}

func connect3(conn net.Conn, o options) (device, error) {
	d := &device3{conn: conn, retain: o.retain, lost: make(chan error, 1)}
	opts := v3.NewClientOptions().AddBroker("tcp://broker").SetClientID(o.id).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectTimeout(patience).SetUsername(o.user).SetPassword(o.password).
		SetConnectionLostHandler(func(_ v3.Client, err error) { d.lost <- err })
	opts.CustomOpenConnectionFn = func(*url.URL, v3.ClientOptions) (net.Conn, error) { return conn, nil }
	if o.will != "" {
		opts.SetWill(o.will, "gone", 1, false)
	}
	d.client = v3.NewClient(opts)
	token := d.client.Connect()
	token.WaitTimeout(patience)
	return d, token.Error()
}

// publish of MQTT 3.1.1 also ends when the connection is lost, of which the
// library does not tell in its token.
func (d *device3) publish(topic string, qos byte, payload string) error {
	token := d.client.Publish(topic, qos, d.retain, payload)
	select {
	case <-token.Done():
		return token.Error()
	case err := <-d.lost:
		return err
	}
}

func (d *device3) close() { _ = d.conn.Close() }

type secret = connector.Secret

var errReset = syscall.ECONNRESET

func envOf(t testing.TB, s *sink) connector.Env {
	return connector.Env{
		ID: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sink: s, Executions: s.duties, Now: time.Now,
		Report: func(state connector.State, reason string) { s.states <- state.String() + ": " + reason },
	}
}

// synced lets many goroutines write.
type synced struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// until waits for what a test cannot be told of.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-end:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// clients waits until so many are signed in.
func (r *running) clients(t testing.TB, want float64) {
	t.Helper()
	until(t, "number of clients", func() bool { return r.figure(t, "mqtt_broker_clients") == want })
}
