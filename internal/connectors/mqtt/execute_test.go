package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	paho "github.com/eclipse/paho.mqtt.golang"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/point"
)

// executorOf is a command with a reply.
func executorOf(topic string) *Executor {
	e := defaultExecutor()
	e.Topic = topic
	e.Reply.Topic, e.Reply.ID, e.Reply.OK = topic+"/reply", "id", `result == "ok"`
	return &e
}

func orderOf(id string) point.Order {
	now := time.Now()
	return point.Order{ID: id, Command: "q0", Value: point.DoubleValue(point.DoubleOn), Issued: point.InstantOf(now), Expires: point.InstantOf(now.Add(8500 * time.Millisecond))}
}

// trial is an order on its way.
type trial struct {
	progress chan string
	result   chan error
}

// execute gives an order to a connector.
func (r *runner) execute(ctx context.Context, o point.Order, e *Executor) *trial {
	x := &trial{make(chan string, 10), make(chan error, 1)}
	go func() {
		x.result <- r.Execute(ctx, o, e, func(p connector.Progress) {
			x.progress <- fmt.Sprintf("replied %t, ok %t", p.Replied, p.OK)
		})
	}()
	return x
}

// want checks what was reported, in this order, and how the execution ended.
func (x *trial) want(t *testing.T, result string, progress ...string) {
	t.Helper()
	for _, p := range progress {
		if got := next(t, "progress "+p, x.progress); got != p {
			t.Errorf("progress %q, want %q", got, p)
		}
	}
	err := next(t, "end of Execute", x.result)
	if got := fmt.Sprint(err); got != result {
		t.Errorf("Execute = %v, want %s", got, result)
	}
	if len(x.progress) > 0 {
		t.Errorf("progress %q too many", <-x.progress)
	}
}

const (
	sent    = "replied false, ok false"
	success = "replied true, ok true"
	denied  = "replied true, ok false"
)

// device subscribes to a topic of commands and hands on what comes.
func (m *mosquitto) device(topic string) (*publisher, <-chan string) {
	m.t.Helper()
	got := make(chan string, 100)
	p := m.publisher()
	p.done(p.client.Subscribe(topic, 1, func(_ paho.Client, msg paho.Message) {
		got <- fmt.Sprintf("retained %t: %s", msg.Retained(), msg.Payload())
	}))
	return p, got
}

func TestDeviceAnswers(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "other"})
		e := executorOf("q0/set")
		e.Payload = `{"to":"{{.Value}}","id":"{{.ID}}"}`
		s.duties.set(e)
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		d, got := m.device("q0/set")
		for i, tt := range []struct {
			replies []string
			result  string
			reports []string
		}{
			{[]string{`{"id":"ID","result":"ok"}`}, "<nil>", []string{sent, success}},
			{[]string{`{"id":"ID","result":"blocked"}`}, "<nil>", []string{sent, denied}},
			{[]string{`{"id":"X","result":"ok"}`, `nonsense`, `{"id":"ID","result":"ok"}`}, "<nil>", []string{sent, success}},
		} {
			id := fmt.Sprint("order-", i)
			x := r.execute(t.Context(), orderOf(id), e)
			if want := `retained false: {"to":"on","id":"` + id + `"}`; next(t, "command", got) != want {
				t.Errorf("not %s", want)
			}
			if p := next(t, "acceptance", x.progress); p != sent { // before the device answers
				t.Errorf("progress %q", p)
			}
			for _, reply := range tt.replies {
				d.publish("q0/set/reply", 1, strings.Replace(reply, "ID", id, 1))
			}
			x.want(t, tt.result, tt.reports[1:]...)
		}
		d.publish("q0/set/reply", 1, `{"id":"order-1","result":"ok"}`)
		until(t, "the reply after all", s.reports(r, "mqtt_command_replies_total"), func(v float64) bool { return v == 6 })
		late, lateGot := m.device("q0/set")
		late.publish("q0/set", 0, "end")
		if msg := next(t, "message", lateGot); msg != "retained false: end" {
			t.Errorf("a late subscriber gets %s: the command was retained", msg)
		}
		s.quiet(t) // replies are no readings
		for name, want := range map[string]float64{
			"mqtt_commands_sent_total": 3, "mqtt_command_unknown_replies_total": 1, "mqtt_command_malformed_replies_total": 1,
		} {
			if got := r.figure(t, name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	})
}

// reports looks at a figure again and again.
func (s *sink) reports(r *runner, name string) <-chan float64 {
	c := make(chan float64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			value := 0.0
			r.Collect(func(m connector.Metric) {
				if m.Name == name {
					value = m.Value
				}
			})
			select {
			case c <- value:
			case <-time.After(time.Second):
				return
			}
		}
	}()
	return c
}

func TestNobodyListens(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink()
		e := executorOf("q0/set")
		e.Reply = dispatch.DefaultReply()
		s.duties.set(e)
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		if version == "5" {
			r.execute(t.Context(), orderOf("A"), e).want(t, "nobody has subscribed to the topic of the command")
		} else { // the broker does not tell
			r.execute(t.Context(), orderOf("A"), e).want(t, "<nil>", sent)
		}
		m.kill()
		until(t, "end of the connection", s.states, func(got string) bool { return strings.HasPrefix(got, "connecting: ") })
		r.execute(t.Context(), orderOf("B"), e).want(t, "not connected to the broker")
	})
}

func TestReplyTopicMayAlsoFeedPoints(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "q0/#"})
		e := executorOf("q0/set")
		s.duties.set(e)
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		d, got := m.device("q0/set")
		x := r.execute(t.Context(), orderOf("A"), e)
		next(t, "command", got)
		if p := next(t, "acceptance", x.progress); p != sent { // before the device answers
			t.Errorf("progress %q", p)
		}
		d.publish("q0/set/reply", 1, `{"id":"A","result":"ok"}`)
		x.want(t, "<nil>", success)
		until(t, "reading", s.delivered, func(d delivery) bool { return d.topic == "q0/set/reply" })
	})
}

// published reads the PUBLISH of a command with MQTT 5.
func (p *peer) published() *packets.Publish {
	p.t.Helper()
	f := p.expect(publish)
	if len(f.body) == 0 {
		p.t.Fatal("empty PUBLISH")
	}
	c := packets.NewControlPacket(packets.PUBLISH)
	c.Content.(*packets.Publish).QoS = 1
	out := c.Content.(*packets.Publish)
	if err := out.Unpack(bytes.NewBuffer(f.body)); err != nil {
		p.t.Fatal(err)
	}
	return out
}

func TestCommandSaysWhatMQTT5Knows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		r, peers := script(t, s, func(s *Settings) { s.Version = "5" })
		p := <-peers
		p.welcome5("00")
		s.state(t, "up: ")
		e := executorOf("q0/set")
		e.Reply.Timeout = 10 * time.Second
		s.duties.set(e)
		x := r.execute(t.Context(), orderOf("A"), e)
		f := p.expect(subscribe)
		p.send("90 04 " + fmt.Sprintf("%x", f.body[:2]) + " 00 01")
		m := p.published()
		if m.Topic != "q0/set" || m.Properties.ResponseTopic != "q0/set/reply" || string(m.Properties.CorrelationData) != "A" ||
			m.Properties.ContentType != "application/json" || *m.Properties.MessageExpiry != 9 || *m.Properties.PayloadFormat != 1 {
			t.Errorf("PUBLISH %v", m)
		}
		p.send(fmt.Sprintf("40 02 %04x", m.PacketID))
		if got := <-x.progress; got != sent {
			t.Errorf("progress %s", got)
		}
		// The reply has correlation data (09) only.
		p.send("30 22 000c 71302f7365742f7265706c79 04 09 0001 41" + fmt.Sprintf("%x", `{"result":"ok"}`))
		x.want(t, "<nil>", success)
	})
}

// TestCommandIsNeverSentAgain breaks the connection between PUBLISH and PUBACK.
func TestCommandIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSink(Source{Topic: "a"})
				e := executorOf("q0/set")
				e.Reply = dispatch.DefaultReply()
				s.duties.set(e)
				r, peers := script(t, s, func(s *Settings) { s.Version = version })
				enter := func(p *peer, present string) {
					if version == "5" {
						p.welcome5(present)
					} else {
						p.welcome(present)
					}
				}
				p := <-peers
				enter(p, "00")
				s.state(t, "up: ")
				x := r.execute(t.Context(), orderOf("A"), e)
				p.expect(publish)
				if err := p.conn.Close(); err != nil {
					t.Fatal(err)
				}
				x.want(t, "connection lost before the broker acknowledged the command: outcome unknown")
				p = <-peers
				enter(p, "01")
				s.state(t, "up: ")
				p.silent(20 * time.Second)
				x = r.execute(t.Context(), orderOf("B"), e)
				f := p.expect(publish)
				id := f.body[len("\x00\x06q0/set"):][:2]
				p.send(fmt.Sprintf("40 02 %x", id))
				x.want(t, "<nil>", sent)
			})
		})
	}
}

func TestSilentBroker(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSink(Source{Topic: "a"})
				e := executorOf("q0/set")
				e.Reply = dispatch.DefaultReply()
				r, peers := script(t, s, func(s *Settings) { s.Version = version })
				p := <-peers
				if version == "5" {
					p.welcome5("00")
				} else {
					p.welcome("00")
				}
				s.state(t, "up: ")
				ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond)
				defer cancel()
				x := r.execute(ctx, orderOf("A"), e)
				f := p.expect(publish)
				x.want(t, context.DeadlineExceeded.Error())
				id := f.body[len("\x00\x06q0/set"):][:2]
				p.send(fmt.Sprintf("40 02 %x", id)) // the host raises the alarm
				if got := next(t, "late acceptance", x.progress); got != sent {
					t.Errorf("progress %s", got)
				}
				o := orderOf("B")
				o.Expires = point.InstantOf(time.Now())
				r.execute(t.Context(), o, e).want(t, dispatch.ErrExpired.Error())
				p.silent(time.Second)
			})
		})
	}
}

// TestBrokerThatAcknowledgesNothing takes one command at a time, and acknowledges it long after it has expired: no
// other waits for that.
func TestBrokerThatAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		e := executorOf("q0/set")
		e.Reply = dispatch.DefaultReply()
		r, peers := script(t, s, func(s *Settings) { s.Version, s.KeepAlive = "5", time.Hour })
		p := <-peers
		p.expect(connect)
		p.send("20 06 00 00 03 21 0001") // Receive Maximum 1
		f := p.expect(subscribe)
		p.send("90 04 " + fmt.Sprintf("%x", f.body[:2]) + " 00 01")
		s.state(t, "up: ")
		give := func(id string) *trial {
			ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond)
			t.Cleanup(cancel)
			return r.execute(ctx, orderOf(id), e)
		}
		first := give("A")
		m := p.published()
		first.want(t, context.DeadlineExceeded.Error())
		for i := range 10 {
			began := time.Now()
			give(fmt.Sprint("B", i)).want(t, "broker acknowledges no commands")
			if d := time.Since(began); d > atOnce {
				t.Errorf("refused after %v, want %v: it was checked then", d, atOnce)
			}
			p.silent(8 * time.Second)
		}
		p.send(fmt.Sprintf("40 02 %04x", m.PacketID))
		if got := next(t, "late acceptance", first.progress); got != sent {
			t.Errorf("late acceptance %s", got)
		}
		p.silent(time.Second)
		last := give("C")
		p.send(fmt.Sprintf("40 02 %04x", p.published().PacketID))
		last.want(t, "<nil>", sent)
	})
}

func TestBrokerRefusesTheCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		e := executorOf("q0/set")
		e.Reply = dispatch.DefaultReply()
		r, peers := script(t, s, func(s *Settings) { s.Version = "5" })
		p := <-peers
		p.welcome5("00")
		s.state(t, "up: ")
		for code, want := range map[string]string{
			"87": "broker refuses the message: not authorized", "97": "broker refuses the message: quota exceeded", "10": errNobody.Error(),
		} {
			x := r.execute(t.Context(), orderOf(code), e)
			m := p.published()
			p.send(fmt.Sprintf("40 03 %04x %s", m.PacketID, code))
			x.want(t, want)
		}
	})
}

func TestReplyTopicIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		e := executorOf("q0/set")
		s.duties.set(e)
		r, peers := script(t, s, nil)
		p := <-peers
		p.expect(connect)
		p.send("20 02 00 00")
		f := p.expect(subscribe)
		p.send(fmt.Sprintf("90 03 %x 80", f.body[:2]))
		s.state(t, "degraded: broker refuses the subscription to q0/set/reply: refused by the broker")
		r.execute(t.Context(), orderOf("A"), e).want(t, "broker refuses the subscription to the reply topic q0/set/reply: refused by the broker")
		p.silent(time.Second)
	})
}

func TestReplyTopicIsNotGrantedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		r, peers := script(t, s, func(s *Settings) { s.Version = "5" })
		p := <-peers
		p.welcome5("00")
		s.state(t, "up: ")
		e := executorOf("q0/set")
		s.duties.set(e)
		began := time.Now()
		x := r.execute(t.Context(), orderOf("A"), e)
		f := p.expect(subscribe)
		x.want(t, "broker has not granted the subscription to the reply topic q0/set/reply")
		if d := time.Since(began); d != atOnce {
			t.Errorf("refused after %v, want %v", d, atOnce)
		}
		p.send("90 04 " + fmt.Sprintf("%x", f.body[:2]) + " 00 01")
		p.silent(10 * time.Second)
	})
}

func TestExecutorsAreChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Executor)
		want   string
	}{
		{"all in order", func(*Executor) {}, "[]"},
		{"wildcard", func(e *Executor) { e.Topic = "a/+" }, "[topic: want the topic of one device, without + and # and not beginning with $]"},
		{"topic of the broker", func(e *Executor) { e.Topic = "$SYS/x" }, "[topic: want the topic of one device, without + and # and not beginning with $]"},
		{"qos", func(e *Executor) { e.QoS = 2 }, "[qos: is 2, want 1: "},
		{"reply to everything", func(e *Executor) { e.Reply.Topic = "a/#" }, "[reply.topic: want a topic, in which + may stand for a level]"},
		{"plus within a level", func(e *Executor) { e.Reply.Topic = "a/b+" }, "[reply.topic: want a topic, in which + may stand for a level]"},
		{"reply on the topic of the command", func(e *Executor) { e.Reply.Topic = e.Topic }, "[reply.topic: is the topic of the command, want another one]"},
		{"another Busbar", func(e *Executor) { e.Format, e.Reply.ID, e.Reply.OK = "busbar", "", "" }, "[]"},
		{"another Busbar with keys of its own", func(e *Executor) { e.Format, e.Payload = "busbar", "x" },
			"[payload: is given by format: busbar, want one of them reply.id: is given by format: busbar, want one of them reply.ok: is given by"},
	} {
		e := executorOf("q0/set")
		tt.change(e)
		if got := fmt.Sprint(e.Validate()); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if !errors.Is(errBroken, connector.ErrOutcomeUnknown) {
		t.Error("a broken connection leaves the outcome unknown")
	}
}
