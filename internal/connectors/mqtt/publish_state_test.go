package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

// values returns the values of the next n messages, with their topics.
func values(t testing.TB, got <-chan heard, n int) []string {
	t.Helper()
	var list []string
	for range n {
		h := next(t, fmt.Sprintf("message behind %v", list), got)
		v := object(t, h.payload)
		text := fmt.Sprintf("%s %v", h.topic, v["value"])
		if q := v["quality"].([]any); len(q) > 0 {
			text += fmt.Sprint(" ", q)
		}
		if h.retained {
			text += " retained"
		}
		list = append(list, text)
	}
	return list
}

func wantValues(t testing.TB, got <-chan heard, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, values(t, got, len(want))); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// none checks that nothing comes before a last message that the test publishes.
func (m *mosquitto) nothingMore(got <-chan heard) {
	m.t.Helper()
	m.publisher().publish("out/end", 1, "end")
	if h := next(m.t, "end", got); h.payload != "end" {
		m.t.Errorf("message too many: %+v", h)
	}
}

func TestEventsOfAnEarlierProcessArePublishedOnce(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		got := m.listen("out/#")
		s := newSite(t, m.at(version, ""), "  a: {type: int, to: [{connector: c, topic: out/a}]}\n")
		s.await("up")
		s.publish("a", ints(0, 10)...)
		for i := range 10 {
			wantValues(t, got, fmt.Sprint("out/a ", i))
		}
		s.settled()
		s.stop()
		s.start()
		s.await("up")
		s.publish("a", point.IntValue(10))
		wantValues(t, got, "out/a 10")
		s.settled()
		s.stop()
		s.texts = strings.Replace(s.texts, m.port, freePort(t), 1)
		s.start() // the broker is not there
		s.publish("a", ints(11, 20)...)
		s.stop()
		s.texts = m.at(version, "")
		s.start()
		for i := 11; i < 20; i++ {
			wantValues(t, got, fmt.Sprint("out/a ", i))
		}
		m.nothingMore(got)
	})
}

func TestStatesAreRetained(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		got := m.listen("out/#")
		plant := `  a: {type: int, to: [{connector: c, topic: out/a, retain: true}]}
  b: {type: int, to: [{connector: c, topic: out/b, retain: true}]}
  n: {type: int, to: [{connector: c, topic: out/n}]}
`
		s := newSite(t, m.at(version, ""), plant)
		wantValues(t, got, "out/a <nil> [invalid not-topical]", "out/b <nil> [invalid not-topical]")
		s.publish("a", ints(1, 3)...)
		s.publish("n", point.IntValue(9))
		wantValues(t, got, "out/a 1", "out/a 2", "out/n 9")
		s.settled()
		wantValues(t, m.listen("out/a"), "out/a 2 retained")

		// A target that is new, or has another topic, gets the state; others do not.
		s.apply(strings.Replace(plant, "out/b", "out/c", 1) + `  d: {type: int, to: [{connector: c, topic: out/d, retain: true}]}
`)
		wantValues(t, got, "out/c <nil> [invalid not-topical]", "out/d <nil> [invalid not-topical]")
		m.nothingMore(got)

		// A new process publishes what it has, which is not topical.
		s.stop()
		s.start()
		list := values(t, got, 3)
		for i, want := range []string{"out/c <nil>", "out/d <nil>", "out/a 2"} {
			if !strings.HasPrefix(list[i], want) {
				t.Errorf("message %s, want %s", list[i], want)
			}
		}
		// A broker that has lost its sessions may have lost them, too.
		m.kill()
		m.forget()
		a := m.startWith("out/#")
		list = values(t, a, 3)
		for i, want := range []string{"out/c <nil>", "out/d <nil>", "out/a 2"} {
			if !strings.HasPrefix(list[i], want) {
				t.Errorf("message %s, want %s", list[i], want)
			}
		}
	})
}

func TestLateValuesAreNotRetained(t *testing.T) {
	t.Parallel()
	m := broker(t)
	got := m.listen("out/#")
	s := newSite(t, m.at("5", ""), "  a: {type: int, to: [{connector: c, topic: out/a, retain: true}]}\n")
	s.await("up")
	wantValues(t, got, "out/a <nil> [invalid not-topical]")
	const day = point.Instant(1_767_225_600_000_000_000)
	s.update("a", point.Update{Value: point.IntValue(2), Time: day + 2})
	s.update("a", point.Update{Value: point.IntValue(1), Time: day + 1})
	wantValues(t, got, "out/a 2", "out/a 1")
	s.settled()
	wantValues(t, m.listen("out/a"), "out/a 2 retained")
}

func TestChangesOfATopicShareAMessage(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		got := m.listen("out/#")
		s := newSite(t, m.at(version, ""), `  a: {type: int, to: [{connector: c, topic: out/both, batch: {count: 3, within: 50ms}}]}
  b: {type: int, to: [{connector: c, topic: out/both, batch: {count: 3, within: 50ms}, payload: '{{json .Value}}'}]}
`)
		s.await("up")
		s.publish("a", ints(0, 2)...)
		s.publish("b", ints(2, 5)...)
		for _, want := range []string{"0 1 2", "3 4"} {
			h := next(t, "batch", got)
			var list []string
			for _, v := range array(t, h.payload) {
				if o, ok := v.(map[string]any); ok {
					v = o["value"]
				}
				list = append(list, fmt.Sprint(v))
			}
			if strings.Join(list, " ") != want {
				t.Errorf("batch %s, want the values %s", h.payload, want)
			}
		}
		s.settled()
	})
}

func TestOnlyTheNewestIsPublishedOfKeepLatest(t *testing.T) {
	t.Parallel()
	m := broker(t)
	a := m.keep("out/#")
	m.kill()
	s := newSite(t, m.at("5", ""), `  a: {type: int, to: [{connector: c, topic: out/a, keep: latest}]}
  b: {type: int, to: [{connector: c, topic: out/b}]}
`)
	s.publish("a", ints(0, 100)...)
	s.publish("b", ints(100, 103)...)
	s.publish("a", point.IntValue(200))
	m.start()
	a.connect()
	wantValues(t, a.got, "out/b 100", "out/b 101", "out/b 102", "out/a 200")
	s.settled()
}

func TestAFullBufferDropsTheOldestMeasuredValues(t *testing.T) {
	t.Parallel()
	m := broker(t)
	a := m.keep("out/#")
	m.kill()
	s := newSite(t, m.at("5", ", buffer: {events: 10}"), `  a: {type: int, to: [{connector: c, topic: out/a}]}
  q: {type: single, to: [{connector: c, topic: out/q}]}
  sys/connectors/c/overflow: {}
`)
	s.publish("q", point.SingleValue(false), point.SingleValue(true), point.SingleValue(false))
	s.publish("a", ints(0, 100)...)
	s.until("overflow", func() bool { return s.figure("busbar_mqtt_publish_dropped_total") == 93 })
	overflow, _ := s.img.Lookup("sys/connectors/c/overflow")
	s.until("overflow shown", func() bool { state, _ := s.img.State(overflow); return state.Value.Single() })
	m.start()
	a.connect()
	want := []string{"out/q false", "out/q true", "out/q false"}
	for i := 93; i < 100; i++ {
		want = append(want, fmt.Sprint("out/a ", i))
	}
	wantValues(t, a.got, want...)
	s.until("end of the overflow", func() bool { state, _ := s.img.State(overflow); return !state.Value.Single() })
}

func TestPropertiesOfMQTT5(t *testing.T) {
	t.Parallel()
	m := broker(t)
	got := m.listen5("out/#")
	s := newSite(t, m.at("5", ""), `  a: {type: int, to: [{connector: c, topic: out/a, properties: true, expiry: 1h}]}
  t: {type: text, to: [{connector: c, topic: out/t, payload: "{{.Value}}"}]}
`)
	s.await("up")
	s.publish("a", point.IntValue(1))
	p := next(t, "message", got)
	if p.Properties.ContentType != "application/json" || *p.Properties.PayloadFormat != 1 || *p.Properties.MessageExpiry > 3600 ||
		p.Properties.User.Get("point") != "a" || p.Properties.User.Get("seq") != "1" {
		t.Errorf("%+v", p.Properties)
	}
	s.publish("t", point.TextValue("ä\n\"b\""))
	if p := next(t, "message", got); string(p.Payload) != "ä\n\"b\"" || p.Properties.ContentType != "" {
		t.Errorf("%s %+v", p.Payload, p.Properties)
	}
}
