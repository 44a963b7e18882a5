package e2e

import (
	"fmt"
	"testing"
	"time"

	"busbar/test/capture"
	"busbar/test/rig"
)

func TestSilentStationIsClosedAfterT1AndOthersGoOn(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	plant := fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s"}
  scada: {kind: iec104-server, listen: "%s", t1: 5s, t2: 1s}
points:
  a:
    type: int
    from: {connector: sensors, topic: plant/a, value: "@"}
    to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]
`, broker.Addr(), listen)
	busbar := rig.Run(t, plant)
	broker.AwaitSubscription(0, "plant/a")
	proxy := capture.Start(t, listen)
	silent, other := rig.StartMaster(t, proxy.Addr()), rig.StartMaster(t, listen)
	publisher := rig.NewPublisher(t, broker.Addr())
	begun := time.Now() // before the first frame that may stay unacknowledged
	publisher.Publish("plant/a", "0")
	silent.Await("the first event", spontaneous(1, 1))

	proxy.Hold()
	const events = 200 // far more than the window
	for i := 1; i <= events; i++ {
		publisher.Publish("plant/a", fmt.Sprint(i))
	}
	other.Await("the last event", func(o rig.Object) bool { return spontaneous(1, 1)(o) && o.Float() == events })
	want := float32(0)
	for _, o := range other.Objects(0) {
		if o.Type == 36 {
			if o.Float() != want {
				t.Fatalf("the other station got %v, want %v next", o.Float(), want)
			}
			want++
		}
	}
	busbar.Log.Await(t, 0, "connection closed", "t1")
	if took := time.Since(begun); took < 5*time.Second {
		t.Errorf("the silent station was closed after %v, want t1, which is 5 s", took)
	}
	proxy.Release()
	silent.AwaitEnd()
	other.Test()
}
