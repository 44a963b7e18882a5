package mqtt

import (
	"fmt"
	"testing"
)

func TestSharedSubscription(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		var sinks []*sink
		var runners []*runner
		for i := range 2 {
			s := newSink(Source{Topic: "$share/group/a/+"}, Source{Topic: "b"})
			settings := m.settings(version)
			settings.ClientID = fmt.Sprint("instance-", i)
			runners = append(runners, start(t, settings, s))
			s.state(t, "up: ")
			sinks = append(sinks, s)
		}
		p := m.publisher()
		const n = 100
		for i := range n {
			p.publish("a/x", 1, fmt.Sprint(i))
		}
		p.publish("b", 1, "end")
		var counts [2]int
		seen := make(map[string]bool)
		for i, s := range sinks {
			for d := next(t, "message", s.delivered); d.topic != "b"; d = next(t, "message", s.delivered) {
				if d.topic != "a/x" || seen[d.payload] {
					t.Errorf("message %s %s, want each once", d.topic, d.payload)
				}
				seen[d.payload] = true
				counts[i]++
			}
		}
		if counts[0] == 0 || counts[1] == 0 || counts[0]+counts[1] != n {
			t.Errorf("%d messages to one and %d to the other, want some to each and %d in all", counts[0], counts[1], n)
		}
		// What comes while one is away goes to the other: nobody says that nothing was lost.
		runners[0].stop()
		s := newSink(Source{Topic: "$share/group/a/+"})
		settings := m.settings(version)
		settings.ClientID = "instance-0"
		start(t, settings, s)
		if got := next(t, "presence", s.presence); got != "back" {
			t.Errorf("presence %q, want back, not lossless", got)
		}
	})
}
