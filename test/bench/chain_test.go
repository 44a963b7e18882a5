package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/test/rig"
)

// sink counts what arrives at the end of a chain and notes when.
type sink struct {
	count atomic.Int64
	at    []atomic.Int64 // by message, nanoseconds since begin
	begin time.Time
	done  chan struct{}
	want  int64
}

func newSink(n int) *sink {
	return &sink{at: make([]atomic.Int64, n), begin: time.Now(), done: make(chan struct{}), want: int64(n)}
}

func (s *sink) take(message int) {
	if message < 0 || message >= len(s.at) || !s.at[message].CompareAndSwap(0, int64(time.Since(s.begin))) {
		return
	}
	if s.count.Add(1) == s.want {
		close(s.done)
	}
}

func (s *sink) await(b *testing.B) {
	b.Helper()
	select {
	case <-s.done:
	case <-time.After(2 * time.Minute):
		b.Fatalf("%d of %d messages arrived in two minutes", s.count.Load(), s.want)
	}
}

// plantFor returns a plant with a point for each topic.
func plantFor(source, station string) string {
	var p strings.Builder
	fmt.Fprintf(&p, "version: 1\nconnectors:\n  in: %s\n  scada: {kind: iec104-server, listen: %q}\npoints:\n", source, station)
	for i := range topics {
		fmt.Fprintf(&p, "  p%04d: {type: float, from: {connector: in, topic: bench/%04d, value: data.temperature, time: timestamp}, "+
			"to: [{connector: scada, ca: 1, ioa: %d, as: M_ME_TF_1}]}\n", i, i, i+1)
	}
	return p.String()
}

// controlCentre connects a controlling station whose events go to the sink.
func controlCentre(b *testing.B, addr string, s **sink) {
	b.Helper()
	var objs []asdu.Object
	c, err := iec104.Dial(b.Context(), addr, iec104.Params{}, iec104.WithHandler(func(a asdu.ASDU) {
		objs = a.AppendObjects(objs[:0])
		for i := range objs {
			if a.Type == asdu.M_ME_TF_1 && objs[i].Quality == 0 {
				(*s).take(int(objs[i].Float()))
			}
		}
	}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	if err := c.StartDT(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// subscribe connects a bare MQTT 5 subscriber with manual acknowledgement.
func subscribe(b *testing.B, broker string, s **sink) {
	b.Helper()
	u, err := url.Parse("mqtt://" + broker)
	if err != nil {
		b.Fatal(err)
	}
	ready := make(chan struct{})
	var client *autopaho.ConnectionManager
	config := autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, KeepAlive: 30, CleanStartOnInitialConnection: true,
		OnConnectionUp: func(cm *autopaho.ConnectionManager, _ *paho.Connack) {
			_, err := cm.Subscribe(b.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "bench/#", QoS: 1}}})
			if err != nil {
				b.Error(err)
			}
			close(ready)
		},
		ClientConfig: paho.ClientConfig{
			ClientID: "floor", EnableManualAcknowledgment: true, SendAcksInterval: time.Millisecond,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
				(*s).take(messageOf(r.Packet.Payload))
				return true, r.Client.Ack(r.Packet)
			}},
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	client, err = autopaho.NewConnection(ctx, config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		<-client.Done()
	})
	select {
	case <-ready:
	case <-time.After(30 * time.Second):
		b.Fatal("the subscriber did not connect in 30 s")
	}
}

// messageOf reads the number of a message out of its payload.
func messageOf(payload []byte) int {
	_, number, _ := bytes.Cut(payload, []byte(`"temperature":`))
	n := 0
	for _, c := range number {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// chain is one of the ways that are compared. start returns the address to
// publish to.
type chain struct {
	name  string
	start func(b *testing.B, s **sink) string
}

func chains() []chain {
	all := []chain{{"floor=bare_subscriber", func(b *testing.B, s **sink) string {
		broker := rig.StartBroker(b)
		subscribe(b, broker.Addr(), s)
		return broker.Addr()
	}}}
	for journal, image := range map[string]string{"on": "embedded", "off": "memory"} {
		settings := []string{"--log-level", "error", "--image", image}
		all = append(all, chain{"mosquitto/journal=" + journal, func(b *testing.B, s **sink) string {
			broker, station := rig.StartBroker(b), rig.FreeAddr(b)
			seen := broker.Log.Len()
			rig.Run(b, plantFor(fmt.Sprintf("{kind: mqtt, url: %q}", "mqtt://"+broker.Addr()), station), settings...)
			broker.AwaitSubscription(seen, fmt.Sprintf("bench/%04d", topics-1))
			controlCentre(b, station, s)
			return broker.Addr()
		}}, chain{"embedded_broker/journal=" + journal, func(b *testing.B, s **sink) string {
			broker, station := rig.FreeAddr(b), rig.FreeAddr(b)
			rig.Run(b, plantFor(fmt.Sprintf("{kind: mqtt-broker, listen: %q}", broker), station), settings...)
			controlCentre(b, station, s)
			return broker
		}})
	}
	slices.SortFunc(all[1:], func(x, y chain) int { return strings.Compare(y.name, x.name) })
	return all
}

// BenchmarkMQTTToFrameRate measures how many messages a second arrive at the
// control centre when the publisher sends as fast as the broker takes them.
func BenchmarkMQTTToFrameRate(b *testing.B) {
	const messages = 100_000
	var floor float64
	for _, c := range chains() {
		b.Run(c.name, func(b *testing.B) {
			s := newSink(messages)
			f := newFlood(b, c.start(b, &s))
			stamp := time.Now().UTC().Format(time.RFC3339Nano)
			b.ResetTimer()
			for range b.N {
				s = newSink(messages)
				for n := range messages {
					if err := f.publish(n, stamp); err != nil {
						b.Fatal(err)
					}
				}
				if err := f.flush(); err != nil {
					b.Fatal(err)
				}
				s.await(b)
			}
			rate := messages * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "msg/s")
			if strings.HasPrefix(c.name, "floor") {
				floor = rate
			} else if floor > 0 {
				b.ReportMetric(rate/floor, "x_floor")
			}
		})
	}
}

// BenchmarkMQTTToFrameLatency measures the time from publishing to receipt at
// the control centre at 10,000 messages a second.
func BenchmarkMQTTToFrameLatency(b *testing.B) {
	const perSecond, messages = 10_000, 30_000
	for _, c := range chains() {
		b.Run(c.name, func(b *testing.B) {
			s := newSink(messages)
			f := newFlood(b, c.start(b, &s))
			go func() {
				// acknowledgements are read beside, until the connection closes
				_, _ = io.Copy(io.Discard, f.acks)
			}()
			sent := make([]time.Duration, messages)
			var delays []time.Duration
			for range b.N {
				s = newSink(messages)
				stamp := time.Now().UTC().Format(time.RFC3339Nano)
				tick := time.NewTicker(time.Millisecond)
				for n := 0; n < messages; {
					<-tick.C
					due := min(int(time.Since(s.begin).Seconds()*perSecond), messages)
					for ; n < due; n++ {
						f.open = 0
						sent[n] = time.Since(s.begin)
						if err := f.publish(n, stamp); err != nil {
							b.Fatal(err)
						}
					}
					if err := f.w.Flush(); err != nil {
						b.Fatal(err)
					}
				}
				tick.Stop()
				s.await(b)
				for n := range sent {
					delays = append(delays, time.Duration(s.at[n].Load())-sent[n])
				}
			}
			slices.Sort(delays)
			b.ReportMetric(float64(delays[len(delays)/2].Microseconds()), "p50_us")
			b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds()), "p99_us")
		})
	}
}
