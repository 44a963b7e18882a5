package rig_test

import (
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"busbar/test/rig"
)

func TestBrokerKeepsPortAndSessionsOverStop(t *testing.T) {
	t.Parallel()
	broker := rig.StartBroker(t)
	got, subscribed := make(chan string, 10), make(chan struct{}, 2)
	subscribe := func(c mqtt.Client) {
		token := c.Subscribe("a/#", 1, func(_ mqtt.Client, m mqtt.Message) { got <- string(m.Payload()) })
		if !token.WaitTimeout(rig.Patience) || token.Error() != nil {
			t.Errorf("subscribe: %v", token.Error())
		}
		subscribed <- struct{}{}
	}
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker.Addr()).SetClientID("durable").
		SetCleanSession(false).SetOnConnectHandler(subscribe))
	if token := client.Connect(); !token.WaitTimeout(rig.Patience) || token.Error() != nil {
		t.Fatalf("connect: %v", token.Error())
	}
	broker.AwaitSubscription(0, "a/#")
	<-subscribed // the client has been told as well
	client.Disconnect(100)
	rig.NewPublisher(t, broker.Addr()).Publish("a/b", "kept")

	broker.Stop()
	n := broker.Log.Len()
	broker.Start()
	if token := client.Connect(); !token.WaitTimeout(rig.Patience) || token.Error() != nil {
		t.Fatalf("connect again: %v", token.Error())
	}
	defer client.Disconnect(0)
	broker.AwaitSubscription(n, "a/#")
	<-subscribed
	if m := <-got; m != "kept" {
		t.Errorf("got %q, want what was published while away", m)
	}
}
