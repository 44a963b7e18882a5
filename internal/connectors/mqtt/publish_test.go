package mqtt

import (
	"fmt"
	"testing"

	"busbar/internal/point"
)

// at are the settings of a connector at the broker.
func (m *mosquitto) at(version, more string) string {
	return fmt.Sprintf("url: %q, version: %s%s", m.url(), version, more)
}

func ints(from, to int) []point.Value {
	var list []point.Value
	for i := from; i < to; i++ {
		list = append(list, point.IntValue(int64(i)))
	}
	return list
}

func TestPointsArePublished(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		got := m.listen("out/#")
		s := newSite(t, m.at(version, ""), `  a/temperature: {type: float, unit: °C, to: [{connector: c, topic: "out/{{.Point}}"}]}
  a/q0: {type: double, to: [{connector: c, topic: out/q0, qos: 2}]}
  a/x: {type: int, to: [{connector: c, topic: out/x, qos: 0, payload: "{{.Name}}|{{.Value}}|{{json .Quality}}"}], name: counter}
`)
		s.await("up")
		s.publish("a/temperature", point.FloatValue(23.5))
		h := next(t, "message", got)
		v := object(t, h.payload)
		if h.topic != "out/a/temperature" || h.retained || v["point"] != "a/temperature" || fmt.Sprint(v["value"]) != "23.5" || v["unit"] != "°C" ||
			fmt.Sprint(v["quality"]) != "[]" || v["time"] == nil || v["received"] == nil || fmt.Sprint(v["seq"]) != "1" || v["timeSubstituted"] != true {
			t.Errorf("%+v", h)
		}
		s.publish("a/q0", point.DoubleValue(point.DoubleOn))
		if h := next(t, "message", got); h.topic != "out/q0" || object(t, h.payload)["value"] != "on" {
			t.Errorf("%+v", h)
		}
		s.update("a/x", point.Update{Value: point.IntValue(-7), Quality: point.Overflow | point.NotTopical})
		if h := next(t, "message", got); h.payload != `counter|-7|["not-topical","overflow"]` {
			t.Errorf("%+v", h)
		}
		s.settled()
	})
}

func TestBrokerThatWasAwayGetsEverythingInOrder(t *testing.T) {
	for _, qos := range []int{1, 2} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			eachVersion(t, func(t *testing.T, version string) {
				const n = 5000
				m := broker(t)
				s := newSite(t, m.at(version, ""), fmt.Sprintf("  a: {type: int, to: [{connector: c, topic: out/a, qos: %d}]}\n", qos))
				s.await("up")
				a := m.keep("out/#")
				m.kill()
				s.await("connecting")
				s.publish("a", ints(0, n/2)...)
				m.start()
				a.connect()
				s.publish("a", ints(n/2, n)...)
				for i := range n {
					if h := next(t, "message", a.got); fmt.Sprint(object(t, h.payload)["value"]) != fmt.Sprint(i) {
						t.Fatalf("message %s, want the value %d", h.payload, i)
					}
				}
				s.settled()
			})
		})
	}
}
