package mqtt

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"busbar/internal/connector"
)

// payload is a usual sensor message.
const payload = `{"device":"ons4711","data":{"temperature":23.5,"humidity":41.2,"status":"ok"},"timestamp":"2026-01-15T10:30:00.000Z"}`

// counting is a sink that keeps every message and does nothing else.
type counting struct {
	*sink
	received chan<- struct{}
}

func (c counting) Deliver(_ context.Context, _ connector.Message, committed func(error)) error {
	committed(nil)
	c.received <- struct{}{}
	return nil
}

// BenchmarkQoS1 measures messages of QoS 1 from mosquitto, with manual
// acknowledgement, for the connector and for a bare subscriber beside it.
// Publisher, broker and receiver share the machine; the publisher sends the next
// message when an earlier one has been received, so that no queue builds up.
func BenchmarkQoS1(b *testing.B) {
	var bare float64
	b.Run("bare MQTT 5 subscriber", func(b *testing.B) { bare = benchmark(b, subscribeBare) })
	for _, version := range []string{"5", "3.1.1"} {
		b.Run("connector MQTT "+version, func(b *testing.B) {
			rate := benchmark(b, func(b *testing.B, m *mosquitto, received chan<- struct{}) {
				subscribeConnector(b, m, version, received)
			})
			if bare > 0 {
				b.ReportMetric(rate/bare, "x-bare")
			}
		})
	}
}

// benchmark returns the rate of messages per second.
func benchmark(b *testing.B, subscribe func(b *testing.B, m *mosquitto, received chan<- struct{})) float64 {
	m := broker(b)
	received := make(chan struct{}, 4096)
	subscribe(b, m, received)
	out := newFeeder(b, m)
	const window = 500 // messages on their way
	b.ResetTimer()
	began, cpu := time.Now(), cpuTime(b)
	sent := 0
	for done := 0; done < b.N; {
		n := min(b.N-sent, window-(sent-done))
		if n > 0 {
			out.publish(n)
			sent += n
		}
		<-received
		done++
		for more := true; more && done < sent; {
			select {
			case <-received:
				done++
			default:
				more = false
			}
		}
	}
	rate := float64(b.N) / time.Since(began).Seconds()
	b.ReportMetric(rate, "msg/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/float64(b.N), "cpu-ns/msg") // publisher included, broker not
	return rate
}

// cpuTime returns what the process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// feeder publishes with QoS 1 over 1000 topics, with as little work as can be.
type feeder struct {
	b       *testing.B
	conn    net.Conn
	payload int // its length
	packets [1000][]byte
	next    int
	id      uint16
	out     []byte
}

func newFeeder(b *testing.B, m *mosquitto) *feeder {
	b.Helper()
	f := &feeder{b: b}
	f.dial(m, payload)
	go func() { _, _ = io.Copy(io.Discard, f.conn) }()
	return f
}

// dial connects, to publish messages with a payload.
func (f *feeder) dial(m *mosquitto, payload string) {
	b := f.b
	b.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+m.port)
	if err != nil {
		b.Fatal(err)
	}
	f.conn, f.payload = conn, len(payload)
	b.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write(append(unhex(b, "10 12 0004 4d515454 04 02 003c 0006"), "feeder"...)); err != nil {
		b.Fatal(err)
	}
	connack := make([]byte, 4)
	if _, err := io.ReadFull(conn, connack); err != nil || connack[3] != 0 {
		b.Fatalf("CONNACK % x, %v", connack, err)
	}
	for i := range f.packets {
		topic := fmt.Sprintf("bench/%03d/data", i)
		length := 2 + len(topic) + 2 + len(payload)
		p := []byte{0x32, byte(length) | 0x80, byte(length >> 7), 0, byte(len(topic))}
		p = append(append(p, topic...), 0, 0)
		f.packets[i] = append(p, payload...)
	}
}

// publish sends n messages with one write.
func (f *feeder) publish(n int) {
	f.out = f.out[:0]
	for range n {
		p := f.packets[f.next]
		f.next = (f.next + 1) % len(f.packets)
		if f.id++; f.id == 0 {
			f.id = 1
		}
		at := len(p) - f.payload
		p[at-2], p[at-1] = byte(f.id>>8), byte(f.id)
		f.out = append(f.out, p...)
	}
	if _, err := f.conn.Write(f.out); err != nil {
		f.b.Fatal(err)
	}
}

func subscribeConnector(b *testing.B, m *mosquitto, version string, received chan<- struct{}) {
	b.Helper()
	s := newSink(Source{Topic: "bench/#"})
	env := s.env(b)
	env.Sink = counting{s, received}
	env.Log = slog.New(slog.DiscardHandler)
	made, err := New(m.settings(version), env)
	if err != nil {
		b.Fatal(err)
	}
	run(b, made.(*Connector), s)
	s.state(b, "up: ")
}

// subscribeBare is what the library does by itself: autopaho with manual
// acknowledgement every millisecond.
func subscribeBare(b *testing.B, m *mosquitto, received chan<- struct{}) {
	b.Helper()
	u, err := url.Parse(m.url())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	up := make(chan error, 1)
	receive := uint16(1000)
	config := autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, KeepAlive: 30, SessionExpiryInterval: 3600,
		ConnectPacketBuilder: func(c *paho.Connect, _ *url.URL) (*paho.Connect, error) {
			c.Properties.ReceiveMaximum = &receive
			return c, nil
		},
		OnConnectionUp: func(c *autopaho.ConnectionManager, _ *paho.Connack) {
			go func() {
				_, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "bench/#", QoS: 1}}})
				up <- err
			}()
		},
		ClientConfig: paho.ClientConfig{
			ClientID: "bare", EnableManualAcknowledgment: true, SendAcksInterval: time.Millisecond,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
				err := p.Client.Ack(p.Packet)
				received <- struct{}{}
				return true, err
			}},
		},
	}
	config.ReconnectBackoff = func(int) time.Duration { return 0 }
	c, err := autopaho.NewConnection(ctx, config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		<-c.Done()
	})
	if err := next(b, "subscription of the bare subscriber", up); err != nil {
		b.Fatal(err)
	}
}
