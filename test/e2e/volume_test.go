package e2e

import (
	"fmt"
	"testing"

	"busbar/test/rig"
)

// TestSequenceNumbersWrapThroughTheWholeChain sends more events than there are
// sequence numbers, one per APDU, with k 12 and w 8.
func TestSequenceNumbersWrapThroughTheWholeChain(t *testing.T) {
	t.Parallel()
	const events = 33_500
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	plant := fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s"}
  scada: {kind: iec104-server, listen: "%s", k: 12, w: 8, maxObjects: 1}
points:
  count:
    type: int
    from: {connector: sensors, topic: plant/count, value: "@"}
    to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]
`, broker.Addr(), listen)
	busbar := rig.Exec(t, builtBinary(t), plant)
	broker.AwaitSubscription(0, "plant/count")
	master := rig.StartMaster(t, listen)
	publisher := rig.NewPublisher(t, broker.Addr())
	publishNumbers(publisher, "plant/count", 0, events-1, 1, nil)
	awaitNumber(master, 1, 1, events-1)

	next, asdu := 0, -1
	for _, o := range master.Objects(0) {
		if !spontaneous(1, 1)(o) {
			continue // end of initialisation
		}
		if int(o.Float()) != next || o.Quality() != 0 {
			t.Fatalf("event %d has value %v quality %#x, want its number, good", next, o.Float(), o.Quality())
		}
		if o.ASDU == asdu {
			t.Fatalf("event %d shares an ASDU, want one object each", next)
		}
		next, asdu = next+1, o.ASDU
	}
	if asdu < 32768 {
		t.Errorf("the last event came in ASDU %d, want more than there are sequence numbers", asdu)
	}
	if code, _, err := busbar.Get("/livez"); err != nil || code != 200 {
		t.Errorf("/livez: %d, %v", code, err)
	}
}
