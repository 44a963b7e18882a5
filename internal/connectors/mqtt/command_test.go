package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	paho5 "github.com/eclipse/paho.golang/paho"
	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// commanded is a plant with a command of a type that is requested on cmd/q0 and
// carried out on dev/q0.
func commanded(t *testing.T, m *mosquitto, version, typ, keys, from string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), texts: m.at(version, ""), deaf: true, points: "  fb: {type: double, from: {connector: c, topic: fb, value: v}}\n"}
	s.orders = fmt.Sprintf(`commands:
  q0: {type: %s%s, from: [{connector: c, topic: cmd/q0%s}], to: {connector: c, topic: dev/q0, payload: "{{.Value}} {{.Qualifier}}"}}
`, typ, keys, from)
	s.start()
	s.await("up")
	s.until("subscription", func() bool { return s.figure("busbar_mqtt_subscriptions") == 2 })
	return s
}

// answer is what is told of a request, without its time.
func answer(t *testing.T, payload string) string {
	t.Helper()
	v := object(t, payload)
	if _, err := time.Parse(time.RFC3339, fmt.Sprint(v["time"])); err != nil {
		t.Errorf("%s: %v", payload, err)
	}
	delete(v, "time")
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func later() string { return time.Now().Add(10 * time.Second).Format(time.RFC3339Nano) }

func TestCommandsComeFromATopic(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		commanded(t, m, version, "double", ", terminate: feedback, feedback: fb, qualifiers: [0, 3]", ", respond: ans/q0")
		answers, device := m.listen("ans/q0"), m.listen("dev/q0")
		p := m.publisher()
		p.publish("cmd/q0", 1, `{"value":"on","qualifier":3,"id":"one","expires":"`+later()+`"}`)
		if h := next(t, "order", device); h.payload != "on 3" || h.retained {
			t.Errorf("order %+v", h)
		}
		if got, want := answer(t, next(t, "answer", answers).payload), `{"command":"q0","id":"one","ok":true,"stage":"confirmed"}`; got != want {
			t.Errorf("answer %s, want %s", got, want)
		}
		p.publish("fb", 1, `{"v":"on"}`)
		if got, want := answer(t, next(t, "answer", answers).payload), `{"command":"q0","id":"one","ok":true,"stage":"terminated"}`; got != want {
			t.Errorf("answer %s, want %s", got, want)
		}
	})
}

func TestRequestsThatAreNotExecuted(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := commanded(t, m, version, "double", "", ", respond: ans/q0")
		answers, device := m.listen("ans/q0"), m.listen("dev/#")
		p := m.publisher()
		p.publish("cmd/q0", 1, `{"value":"on","id":"known","expires":"`+later()+`"}`)
		next(t, "order", device)
		next(t, "answer", answers)
		want := func(what, reason string) {
			t.Helper()
			got := object(t, next(t, "answer to "+what, answers).payload)
			if got["ok"] != false || got["stage"] != "confirmed" || !strings.Contains(fmt.Sprint(got["reason"]), reason) {
				t.Errorf("%s: answer %v, want the reason %q", what, got, reason)
			}
		}
		for request, reason := range map[string]string{
			`on`: "want a JSON object with value",
			``:   "want a JSON object with value",
			`{"value":"on","id":"a","expires":"` + later() + `"} 1`: "something follows the object",
			`{"value":"on","expire":"` + later() + `"}`:             "unknown field",
			`{"value":"on"}`: "does not say when it expires",
			`{"value":"on","expires":"` + later() + `","id":""}`:        "id: want 1 to 100 printable characters",
			`{"value":2,"expires":"` + later() + `"}`:                   "value: is 2, want true, false, on or off",
			`{"expires":"` + later() + `"}`:                             "value: is ",
			`{"value":"on","qualifier":9,"expires":"` + later() + `"}`:  "qualifier 9 is not accepted",
			`{"value":"on","qualifier":-1,"expires":"` + later() + `"}`: "want a JSON object",
			`{"value":"on","expires":"2026-01-01T00:00:00Z"}`:           "has expired",
			`{"value":"on","expires":10}`:                               "want a JSON object",
			`{"value":"on","id":"known","expires":"` + later() + `"}`:   "an order with this id was given before",
		} {
			p.publish("cmd/q0", 1, request)
			want(request, reason)
		}
		p.retain("cmd/q0", `{"value":"off","id":"live","expires":"`+later()+`"}`) // now it is one of many
		if h := next(t, "order", device); h.payload != "off 0" {
			t.Errorf("order %+v", h)
		}
		next(t, "answer", answers)
		s.stop()
		s.start() // it asks for retained messages again
		s.until("the retained request", func() bool { return s.figure("busbar_mqtt_command_retained_requests_total") == 1 })
		m.publisher().publish("dev/end", 1, "end")
		if h := next(t, "end", device); h.payload != "end" {
			t.Errorf("executed: %+v", h)
		}
	})
}

func TestAnswersGoWhereTheRequestSays(t *testing.T) {
	t.Parallel()
	m := broker(t)
	commanded(t, m, "5", "float", ", range: {low: 0, high: 10}", "")
	answers, device := m.listen5("my/#"), m.listen("dev/q0")
	ask := func(payload string) {
		t.Helper()
		expiry := uint32(10)
		m.publish5(&paho5.Publish{QoS: 1, Topic: "cmd/q0", Payload: []byte(payload), Properties: &paho5.PublishProperties{
			ResponseTopic: "my/answers", CorrelationData: []byte{0, 1, 0xff}, MessageExpiry: &expiry,
		}})
	}
	ask(`{"value":2.5,"id":"x"}`)
	if h := next(t, "order", device); h.payload != "2.5 0" {
		t.Errorf("order %+v", h)
	}
	a := next(t, "answer", answers)
	if diff := cmp.Diff([]byte{0, 1, 0xff}, a.Properties.CorrelationData); diff != "" || a.Topic != "my/answers" || a.Properties.ContentType != "application/json" {
		t.Errorf("answer %+v %s", a, diff)
	}
	ask(`{"value":11}`)
	if got := object(t, string(next(t, "answer", answers).Payload)); got["ok"] != false || !strings.Contains(fmt.Sprint(got["reason"]), "beyond the range") {
		t.Errorf("answer %v", got)
	}
}

// TestNoAnswerGoesWhereItWouldBeAnOrder covers response topics that are those of
// commands, or none at all.
func TestNoAnswerGoesWhereItWouldBeAnOrder(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"dev/q0", "cmd/q0", "$SYS/x"} {
		t.Run(topic, func(t *testing.T) {
			t.Parallel()
			m := broker(t)
			s := commanded(t, m, "5", "float", "", ", expires: optional")
			all := m.listen5("#")
			m.publish5(&paho5.Publish{QoS: 1, Topic: "cmd/q0", Payload: []byte(`{"value":1}`), Properties: &paho5.PublishProperties{ResponseTopic: topic}})
			next(t, "request", all)
			if p := next(t, "order", all); p.Topic != "dev/q0" || string(p.Payload) != "1 0" {
				t.Errorf("order %+v", p)
			}
			s.until("end of the order", func() bool { return s.figure("busbar_mqtt_command_lost_answers_total") == 1 })
			s.stop()
			m.publisher().publish("end", 1, "end")
			if p := next(t, "end", all); p.Topic != "end" {
				t.Errorf("published %s: %s", p.Topic, p.Payload)
			}
		})
	}
}

// TestARequestIsAcknowledgedWhenItIsRecorded and not before: otherwise the end of the
// process would lose it.
func TestARequestIsAcknowledgedWhenItIsRecorded(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "a"})
		host := &slowHost{issued: make(chan func(), 10)}
		env := s.env(t)
		env.Commands = host
		made, err := New(m.settings(version), env)
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, made.(*Connector), s)
		s.state(t, "up: ")
		p := m.publisher()
		p.publish("cmd", 1, `{"value":true,"expires":"`+later()+`"}`)
		recorded := next(t, "order", host.issued)
		if got := r.figure(t, "mqtt_acknowledgements_total"); got != 0 {
			t.Errorf("%v acknowledged before the order was recorded", got)
		}
		r.stop()
		r = run(t, r.Connector, s) // the broker sends it again, marked as such, and nobody knows its id
		until(t, "refusal", ticks(t), func(time.Time) bool { return r.figure(t, "mqtt_command_bad_requests_total") == 1 })
		if len(host.issued) > 0 {
			t.Error("a request without an id was executed again")
		}
		recorded()
		p.publish("cmd", 1, `{"value":true,"expires":"`+later()+`"}`)
		next(t, "order", host.issued)()
		until(t, "acknowledgement", ticks(t), func(time.Time) bool { return r.figure(t, "mqtt_acknowledgements_total") == 2 })
	})
}

// slowHost takes orders and lets the test record them.
type slowHost struct {
	connector.Commands
	issued chan func()
}

func (*slowHost) Ends() ([]connector.CommandEnd, <-chan struct{}) {
	return []connector.CommandEnd{{Command: "q0", Type: point.Single, Direct: true, End: &Requester{Topic: "cmd", QoS: 1}}}, nil
}

func (h *slowHost) IssueRecorded(_ point.Order, recorded func(), _ func(point.Result)) {
	h.issued <- recorded
}

// ticks returns what a test looks at something with again and again.
func ticks(t *testing.T) <-chan time.Time {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	t.Cleanup(ticker.Stop)
	return ticker.C
}

func FuzzRequest(f *testing.F) {
	for _, seed := range []string{`{"value":true}`, `{"value":-1.5,"qualifier":3,"id":"a","expires":"2026-01-02T03:04:05Z"}`, `{"value":"on"} x`, `[]`, `{"id":"\u0000"}`} {
		f.Add([]byte(seed), byte(point.Single))
	}
	f.Fuzz(func(t *testing.T, payload []byte, typ byte) {
		o, err := parseRequest(payload, point.Type(typ%6)+1)
		if err == nil && (o.Value.Type() != point.Type(typ%6)+1 || !json.Valid(payload)) {
			t.Errorf("%q is taken as %v", payload, o.Value)
		}
		if text := answerJSON(time.Now(), o.ID, "c", point.Result{Reason: fmt.Sprint(err)}); !json.Valid(text) {
			t.Errorf("answer %s", text)
		}
	})
}

// publish5 publishes with MQTT 5.
func (m *mosquitto) publish5(p *paho5.Publish) {
	m.t.Helper()
	c := m.client5()
	if _, err := c.Publish(context.Background(), p); err != nil {
		m.t.Fatal(err)
	}
}
