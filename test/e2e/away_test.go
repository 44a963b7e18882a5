package e2e

import (
	"fmt"
	"testing"
	"time"

	"busbar/test/capture"
	"busbar/test/rig"
)

// awayHold is shorter than the default, and long enough to be told from none.
const awayHold = 700 * time.Millisecond

func awayPlant(broker, listen string) string {
	return fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s", clientId: busbar-away}
  scada: {kind: iec104-server, listen: "%s"}
points:
  a:
    type: float
    hold: %v
    from: {connector: sensors, topic: plant/a, value: "@"}
    to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]
  b:
    type: single
    hold: %v
    from: {connector: sensors, topic: plant/b, value: "@"}
    to: [{connector: scada, ca: 1, ioa: 2, as: M_SP_TB_1}]
`, broker, listen, awayHold, awayHold)
}

// awayRig is Busbar with two points that are good at a control centre.
func awayRig(t *testing.T) (*rig.Broker, *rig.Busbar, *rig.Master) {
	t.Helper()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	busbar := rig.Run(t, awayPlant(broker.Addr(), listen))
	broker.AwaitSubscription(0, "plant/b")
	master := rig.StartMaster(t, listen)
	publisher := rig.NewPublisher(t, broker.Addr())
	publisher.Publish("plant/a", "1.5")
	publisher.Publish("plant/b", "true")
	for ioa := range uint32(2) {
		if o := master.Await("the first values", spontaneous(1, ioa+1)); o.Quality() != 0 {
			t.Fatalf("IOA %d begins with quality %#x, want good", o.IOA, o.Quality())
		}
	}
	return broker, busbar, master
}

func TestBrokerKilledMakesPointsNotTopicalAfterHold(t *testing.T) {
	t.Parallel()
	broker, busbar, master := awayRig(t)
	n, killed := master.Received(), time.Now()
	broker.Kill()
	for ioa := range uint32(2) {
		o := master.AwaitAfter(n, "NT", spontaneous(1, ioa+1))
		if o.Quality() != rig.NT {
			t.Errorf("IOA %d: quality %#x after the broker went, want NT", o.IOA, o.Quality())
		}
	}
	if took := time.Since(killed); took < awayHold || took > awayHold+10*time.Second {
		t.Errorf("NT came %v after the broker was killed, want %v and little more", took, awayHold)
	}
	for _, o := range master.Interrogate(1) {
		if o.Quality() != rig.NT {
			t.Errorf("interrogated IOA %d: quality %#x, want NT", o.IOA, o.Quality())
		}
	}

	// The session is lost with the broker: NT goes with the next value of each
	// point, and with no point before it had one.
	n, logged := master.Received(), broker.Log.Len()
	broker.Start()
	broker.AwaitSubscription(logged, "plant/b")
	publisher := rig.NewPublisher(t, broker.Addr())
	publisher.Publish("plant/a", "2.5")
	if o := master.AwaitAfter(n, "the new value", spontaneous(1, 1)); o.Float() != 2.5 || o.Quality() != 0 {
		t.Errorf("after the broker came back: %v quality %#x, want 2.5, good", o.Float(), o.Quality())
	}
	if o := only(t, master.Interrogate(1), 1, 2); o.Quality() != rig.NT {
		t.Errorf("the point without news: quality %#x, want NT still", o.Quality())
	}
	publisher.Publish("plant/b", "true")
	if o := master.AwaitAfter(n, "good quality", spontaneous(1, 2)); o.Quality() != 0 || o.Int() != 1 {
		t.Errorf("the same value again: %d quality %#x, want 1, good", o.Int(), o.Quality())
	}
	if busbar.Metric(failureMetric) != 0 {
		t.Error("a connector was restarted because the broker was away")
	}
}

func TestBrokerWithKeptSessionClearsNotTopicalAtOnce(t *testing.T) {
	t.Parallel()
	broker, _, master := awayRig(t)
	n := master.Received()
	broker.Stop()
	master.AwaitAfter(n, "NT", func(o rig.Object) bool { return spontaneous(1, 1)(o) && o.Quality() == rig.NT })
	master.AwaitAfter(n, "NT", func(o rig.Object) bool { return spontaneous(1, 2)(o) && o.Quality() == rig.NT })

	n = master.Received()
	broker.Start()
	for ioa := range uint32(2) {
		o := master.AwaitAfter(n, "good quality without a message", spontaneous(1, ioa+1))
		if o.Quality() != 0 {
			t.Errorf("IOA %d: quality %#x after the session resumed, want good", o.IOA, o.Quality())
		}
	}
}

func TestShortAbsenceOfBrokerIsNoEvent(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	plant := fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s", clientId: busbar-blink}
  scada: {kind: iec104-server, listen: "%s"}
points:
  a:
    type: float
    hold: 60s
    from: {connector: sensors, topic: plant/a, value: "@"}
    to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]
`, broker.Addr(), listen)
	rig.Run(t, plant)
	broker.AwaitSubscription(0, "plant/a")
	master := rig.StartMaster(t, listen)
	rig.NewPublisher(t, broker.Addr()).Publish("plant/a", "1")
	master.Await("the value", spontaneous(1, 1))

	n, logged := master.Received(), broker.Log.Len()
	broker.Kill()
	broker.Start()
	broker.AwaitSubscription(logged, "plant/a")
	rig.NewPublisher(t, broker.Addr()).Publish("plant/a", "2")
	o := master.AwaitAfter(n, "the next value", spontaneous(1, 1))
	if o.Float() != 2 || o.Quality() != 0 {
		t.Errorf("first event after the break: %v quality %#x, want 2, good, and no NT before it", o.Float(), o.Quality())
	}
}

// TestBrokerThatFallsSilentMakesPointsNotTopical has a broker whose connection
// stays open, as behind a router that has forgotten it.
func TestBrokerThatFallsSilentMakesPointsNotTopical(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		t.Run("mqtt "+version, func(t *testing.T) {
			t.Parallel()
			broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
			proxy := capture.Start(t, broker.Addr())
			const keepAlive = 5 * time.Second
			rig.Run(t, sourcePlant(proxy.Addr(), listen, fmt.Sprintf(", version: %s, keepAlive: %v", version, keepAlive), "hold: 100ms"))
			broker.AwaitSubscription(0, "plant/a")
			master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
			publisher.Publish("plant/a", `{"v":1}`)
			master.Await("the value", spontaneous(1, 1))

			n, silent := master.Received(), time.Now()
			proxy.Hold()
			o := master.AwaitAfter(n, "NT", spontaneous(1, 1))
			if took := time.Since(silent); o.Quality() != rig.NT || took > 3*keepAlive {
				t.Errorf("quality %#x after %v of silence, want NT after little more than the keep alive of %v", o.Quality(), took, keepAlive)
			}
			n = master.Received()
			proxy.Release()
			publisher.Publish("plant/a", `{"v":2}`)
			o = master.AwaitAfter(n, "the next value", func(o rig.Object) bool { return spontaneous(1, 1)(o) && o.Float() == 2 })
			if o.Quality() != 0 {
				t.Errorf("quality %#x after the broker is heard again, want good", o.Quality())
			}
		})
	}
}
