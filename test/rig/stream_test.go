package rig_test

import (
	"strconv"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"busbar/test/capture"
	"busbar/test/rig"
)

func TestStreamGoesOnWithWhatIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	broker := rig.StartBroker(t)
	proxy := capture.Start(t, broker.Addr())
	got := make(chan int, 100_000)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker.Addr()).SetClientID("subscriber"))
	if token := client.Connect(); !token.WaitTimeout(rig.Patience) || token.Error() != nil {
		t.Fatalf("connect: %v", token.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	take := func(_ mqtt.Client, m mqtt.Message) {
		n, err := strconv.Atoi(string(m.Payload()))
		if err != nil {
			t.Error(err)
		}
		got <- n
	}
	if token := client.Subscribe("numbers", 1, take); !token.WaitTimeout(rig.Patience) || token.Error() != nil {
		t.Fatalf("subscribe: %v", token.Error())
	}

	stream := rig.StartStream(t, proxy.Addr(), func(n int) (string, string) { return "numbers", strconv.Itoa(n) })
	const breaks = 5
	last := 0
	for i := range breaks {
		stream.Pace(i % 2 * 5000)
		last = stream.Extend(1000)
		stream.AwaitAcknowledged(last - 500)
		proxy.ResetAll()
	}
	stream.AwaitAcknowledged(last)
	next := 1
	for next <= last {
		n := <-got
		if n > next {
			t.Fatalf("%d comes before %d", n, next)
		}
		if n == next {
			next++
		}
	}
	if got := stream.Breaks(); got != breaks || stream.Sent() != last {
		t.Errorf("%d breaks, %d sent, want %d, %d", got, stream.Sent(), breaks, last)
	}
}
