package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"busbar/test/rig"
)

// publication is what a subscriber looks at in a message that Busbar publishes.
type publication struct {
	Value int    `json:"value"`
	Seq   uint64 `json:"seq"`
}

// follow subscribes to a topic for as long as the test lasts.
func follow(t *testing.T, addr, topic string) <-chan publication {
	t.Helper()
	got := make(chan publication, 1_000_000)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("follower").SetOrderMatters(true))
	await := func(token mqtt.Token) {
		if !token.WaitTimeout(rig.Patience) || token.Error() != nil {
			t.Fatalf("subscriber: %v", token.Error())
		}
	}
	await(client.Connect())
	await(client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) {
		var p publication
		if err := json.Unmarshal(m.Payload(), &p); err != nil {
			t.Errorf("%s: %v", m.Payload(), err)
		}
		got <- p
	}))
	t.Cleanup(func() { client.Disconnect(0) })
	return got
}

// TestKillsWhilePublishingLoseNothing kills Busbar again and again while it publishes
// what it receives.
func TestKillsWhilePublishingLoseNothing(t *testing.T) {
	for version, qos := range map[string]int{"5": 1, "3.1.1": 2} {
		t.Run("mqtt "+version, func(t *testing.T) {
			t.Parallel()
			source, sink := rig.StartBroker(t), rig.StartBroker(t)
			busbar := rig.Exec(t, builtBinary(t), fmt.Sprintf(`version: 1
connectors:
  in: {kind: mqtt, url: "mqtt://%s"}
  out: {kind: mqtt, url: "mqtt://%s", version: %s, qos: %d}
points:
  a: {type: int, hold: 300s, from: {connector: in, topic: in/a, value: v, time: t}, to: [{connector: out, topic: out/a}]}
`, source.Addr(), sink.Addr(), version, qos))
			source.AwaitSubscription(0, "in/a")
			busbar.AwaitCursor("out/out")
			got := follow(t, sink.Addr(), "out/a")
			begin := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
			stream := rig.StartStream(t, source.Addr(), func(n int) (topic, payload string) {
				return "in/a", fmt.Sprintf(`{"v":%d,"t":%d}`, n, begin.Add(time.Duration(n)*time.Millisecond).UnixMilli())
			})
			stream.Pace(3000)
			last := 0
			for range rounds(t) {
				last = stream.Extend(500 + rand.IntN(2000))
				stream.AwaitAcknowledged(last - rand.IntN(400))
				busbar.Kill()
				busbar.Start()
			}
			last = stream.Extend(100)
			stream.AwaitAcknowledged(last)
			wantAll(t, got, last)
		})
	}
}

// wantAll takes messages up to the number last, and checks that none is missing and
// that they are in order once those are dropped that come again, by their numbers in
// the change log.
func wantAll(t *testing.T, got <-chan publication, last int) {
	t.Helper()
	deadline := time.After(rig.Patience)
	number, seq, again := 0, uint64(0), 0
	for number < last {
		select {
		case p := <-got:
			if p.Seq <= seq {
				again++
				continue
			}
			seq = p.Seq
			if p.Value > number+1 {
				t.Fatalf("number %d after %d", p.Value, number)
			}
			number = max(number, p.Value)
		case <-deadline:
			t.Fatalf("no number %d in %v, but up to %d", last, rig.Patience, number)
		}
	}
	t.Logf("soak: %d messages, none missing, all in order; %d came again and were told by their numbers", number, again)
}
