package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"busbar/test/capture"
	"busbar/test/rig"
)

func TestStopsInOrderWithConnectedStations(t *testing.T) {
	t.Parallel()
	ingest, listen := rig.FreeAddr(t), rig.FreeAddr(t)
	busbar := rig.Exec(t, builtBinary(t), referencePlant(fmt.Sprintf("{kind: mqtt-broker, listen: %s}", ingest), listen))
	publisher := rig.NewPublisher(t, ingest)
	proxy := capture.Start(t, listen)
	masters := []*rig.Master{rig.StartMaster(t, proxy.Addr()), rig.StartMaster(t, listen), rig.StartMaster(t, listen), rig.ConnectMaster(t, listen)}
	publisher.Publish(referenceTopic, referencePayload)
	for _, m := range masters[:3] {
		m.Await("the event", spontaneous(225, 100))
	}

	proxy.Hold() // one of them does not read any more, and has not acknowledged
	publisher.Publish(referenceTopic, `{"data":{"temperature":-40}}`)
	masters[1].Await("the next event", func(o rig.Object) bool { return o.Type == 36 && o.Float() == -40 })
	asked := time.Now()
	busbar.Signal(syscall.SIGTERM)
	code, took := busbar.Exit(), time.Since(asked)
	if code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	if took > 5*time.Second {
		t.Errorf("stopped after %v, want 5 s at most", took)
	}
	proxy.Release()
	for _, m := range masters {
		m.AwaitEnd()
	}
}

func TestStartsAgainAfterKill(t *testing.T) {
	t.Parallel()
	ingest, listen := rig.FreeAddr(t), rig.FreeAddr(t)
	busbar := rig.Exec(t, builtBinary(t), referencePlant(fmt.Sprintf("{kind: mqtt-broker, listen: %s}", ingest), listen))
	for round := range 3 {
		master := rig.StartMaster(t, listen)
		master.Await("end of initialisation", func(o rig.Object) bool { return o.Type == 70 && o.CA == 225 })
		n := master.Received()
		value := float32(round)
		rig.NewPublisher(t, ingest).Publish(referenceTopic, fmt.Sprintf(`{"data":{"temperature":%v}}`, value))
		if o := master.AwaitAfter(n, "the event", spontaneous(225, 100)); o.Float() != value || o.Quality() != 0 {
			t.Errorf("round %d: value %v quality %#x, want %v, good", round, o.Float(), o.Quality(), value)
		}
		busbar.Signal(syscall.SIGKILL)
		busbar.Exit()
		master.AwaitEnd()
		busbar.Start()
	}
}
