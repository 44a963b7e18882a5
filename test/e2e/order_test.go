package e2e

import (
	"fmt"
	"testing"

	"busbar/test/rig"
)

// orderPlant has a float, a scaled and a bitstring point that each message
// number feeds in turn.
func orderPlant(broker, listen string) string {
	return fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s"}
  scada: {kind: iec104-server, listen: "%s"}
points:
  a: {type: int, from: {connector: sensors, topic: order/0, value: "@"}, to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]}
  b: {type: int, from: {connector: sensors, topic: order/1, value: "@"}, to: [{connector: scada, ca: 1, ioa: 2, as: M_ME_NB_1}]}
  c: {type: bits, from: {connector: sensors, topic: order/2, value: "@"}, to: [{connector: scada, ca: 2, ioa: 1, as: M_BO_TB_1}]}
`, broker, listen)
}

// orderNumber returns the number that an object carries.
func orderNumber(o rig.Object) int {
	switch o.Type {
	case 13, 36:
		return int(o.Float())
	case 7, 33:
		return int(o.Element[0]) | int(o.Element[1])<<8
	default:
		return o.Int()
	}
}

func TestEventsOfAllPointsKeepTheOrderOfOccurrence(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, orderPlant(broker.Addr(), listen))
	broker.AwaitSubscription(0, "order/2")
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	const events = 6000
	for i := 1; i <= events; i++ {
		token := publisher.Queue(fmt.Sprintf("order/%d", i%3), fmt.Sprint(i))
		if i%200 == 0 || i == events {
			publisher.Acknowledged(token)
		}
	}
	master.Await("the last event", func(o rig.Object) bool { return o.Cause == 3 && orderNumber(o) == events })
	next := 1
	for _, o := range master.Objects(0) {
		if o.Cause != 3 {
			continue
		}
		if orderNumber(o) != next {
			t.Fatalf("event %d comes as number %d, want the order of occurrence over types and common addresses", orderNumber(o), next)
		}
		next++
	}
}

func TestInterrogatedValuesNeverOvertakeEvents(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, orderPlant(broker.Addr(), listen))
	broker.AwaitSubscription(0, "order/2")
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	const rounds = 30
	number := 0
	publish := func(n int) {
		for range n {
			number++
			token := publisher.Queue(fmt.Sprintf("order/%d", number%3), fmt.Sprint(number))
			if number%50 == 0 {
				publisher.Acknowledged(token)
			}
		}
	}
	for i := range rounds {
		publish(100)
		if got := len(master.Interrogate(uint16(i%2 + 1))); got != 2-i%2 {
			t.Fatalf("interrogation %d has %d objects, want %d", i, got, 2-i%2)
		}
	}
	master.Await("the last event", func(o rig.Object) bool { return o.Cause == 3 && orderNumber(o) == number })
	last := map[string]int{}
	for _, o := range master.Objects(0) {
		if o.Type > 40 {
			continue
		}
		point := fmt.Sprintf("CA %d IOA %d", o.CA, o.IOA)
		if n := orderNumber(o); n < last[point] {
			t.Fatalf("%s: %d with cause %d comes after %d", point, n, o.Cause, last[point])
		}
		last[point] = orderNumber(o)
	}
}
