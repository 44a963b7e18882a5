package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"busbar/test/rig"
)

// reloadPlant is a plant with the given points, one line each.
func reloadPlant(broker, listen string, points ...string) string {
	return fmt.Sprintf("version: 1\nconnectors:\n  sensors: {kind: mqtt, url: \"mqtt://%s\", clientId: busbar-reload}\n"+
		"  scada: {kind: iec104-server, listen: \"%s\"}\npoints:\n  ", broker, listen) + strings.Join(points, "\n  ") + "\n"
}

// reloadPoint is a point on a topic of its name.
func reloadPoint(name string, ioa int, deadband float64) string {
	return fmt.Sprintf("%s: {type: float, deadband: %v, from: {connector: sensors, topic: plant/%s, value: \"@\"}, "+
		"to: [{connector: scada, ca: 1, ioa: %d, as: M_ME_TF_1}]}", name, deadband, name, ioa)
}

func TestHangupAppliesTheDifferenceAndKeepsTheLink(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	busbar := rig.Exec(t, builtBinary(t), reloadPlant(broker.Addr(), listen, reloadPoint("a", 1, 10), reloadPoint("b", 2, 0)))
	broker.AwaitSubscription(0, "plant/b")
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	publisher.Publish("plant/a", "1")
	publisher.Publish("plant/b", "1")
	master.Await("a", spontaneous(1, 1))
	master.Await("b", spontaneous(1, 2))

	// b is removed, c is added, and the dead band of a is smaller.
	logged := broker.Log.Len()
	busbar.Reload(reloadPlant(broker.Addr(), listen, reloadPoint("a", 1, 1), reloadPoint("c", 3, 0)))
	broker.AwaitSubscription(logged, "plant/c")
	rig.Until(t, "the new point", func() bool { return has(master.Interrogate(1), 3) })
	answer := master.Interrogate(1)
	if has(answer, 2) {
		t.Error("the removed point is still interrogated")
	}
	if q := only(t, answer, 1, 3).Quality(); q != rig.IV|rig.NT {
		t.Errorf("the new point begins with quality %#x, want IV and NT", q)
	}
	if v := only(t, answer, 1, 1); v.Float() != 1 || v.Quality() != 0 {
		t.Errorf("the changed point is %v quality %#x, want 1, good, as before", v.Float(), v.Quality())
	}
	n := master.Received()
	publisher.Publish("plant/a", "3")
	publisher.Publish("plant/c", "7")
	if o := master.AwaitAfter(n, "a", spontaneous(1, 1)); o.Float() != 3 {
		t.Errorf("a is %v, want 3: beyond the new dead band, within the old one", o.Float())
	}
	if o := master.AwaitAfter(n, "c", spontaneous(1, 3)); o.Float() != 7 || o.Quality() != 0 {
		t.Errorf("c is %v quality %#x, want 7, good", o.Float(), o.Quality())
	}
	master.Test()
	if count := strings.Count(broker.Log.String(), " as busbar-reload "); count != 1 {
		t.Errorf("the MQTT client has connected %d times, want once", count)
	}
}

func TestHangupWithAFaultyFileChangesNothing(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	busbar := rig.Exec(t, builtBinary(t), reloadPlant(broker.Addr(), listen, reloadPoint("a", 1, 0)))
	broker.AwaitSubscription(0, "plant/a")
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())

	n := busbar.Reload(reloadPlant(broker.Addr(), listen, reloadPoint("a", 1, 0), reloadPoint("c", 0, 0), "d: {tpye: float}"))
	busbar.Log.Await(t, n, busbar.Plant()+":7:", "ioa")
	busbar.Log.Await(t, n, busbar.Plant()+":8:7", "tpye")
	publisher.Publish("plant/a", "4")
	if o := master.Await("a", spontaneous(1, 1)); o.Float() != 4 || o.Quality() != 0 {
		t.Errorf("a is %v quality %#x after a faulty reload, want 4, good", o.Float(), o.Quality())
	}
	if answer := master.Interrogate(1); len(answer) != 1 {
		t.Errorf("%d objects after a faulty reload, want 1", len(answer))
	}
	if code, _, err := busbar.Get("/readyz"); err != nil || code != 200 {
		t.Errorf("/readyz: %d, %v", code, err)
	}
}

func TestHangupReadsTheLogLevel(t *testing.T) {
	t.Parallel()
	ingest, listen := rig.FreeAddr(t), rig.FreeAddr(t)
	config := filepath.Join(t.TempDir(), "busbar.yaml")
	level := func(l string) {
		if err := os.WriteFile(config, []byte("log: {level: "+l+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	level("info")
	busbar := rig.Exec(t, builtBinary(t), referencePlant(fmt.Sprintf("{kind: mqtt-broker, listen: %s}", ingest), listen), "--config", config)
	master := rig.StartMaster(t, listen)
	master.Test()
	const testFR = "680443000000"
	if strings.Contains(busbar.Log.String(), testFR) {
		t.Error("frames are logged at level info")
	}
	level("trace")
	n := busbar.Log.Len()
	busbar.Signal(syscall.SIGHUP)
	rig.Until(t, "frames in the log", func() bool {
		master.Test()
		return strings.Contains(busbar.Log.After(n), testFR)
	})
}

func TestHangupRestartsOnlyTheConnectorThatChanged(t *testing.T) {
	t.Parallel()
	broker, first, second := rig.StartBroker(t), rig.FreeAddr(t), rig.FreeAddr(t)
	plant := func(k int) string {
		return fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s", clientId: busbar-part}
  first: {kind: iec104-server, listen: "%s"}
  second: {kind: iec104-server, listen: "%s", k: %d}
points:
  a:
    type: float
    from: {connector: sensors, topic: plant/a, value: "@"}
    to:
      - {connector: first, ca: 1, ioa: 1, as: M_ME_TF_1}
      - {connector: second, ca: 2, ioa: 1, as: M_ME_TF_1}
`, broker.Addr(), first, second, k)
	}
	busbar := rig.Run(t, plant(12))
	broker.AwaitSubscription(0, "plant/a")
	unchanged, changed, publisher := rig.StartMaster(t, first), rig.StartMaster(t, second), rig.NewPublisher(t, broker.Addr())
	publisher.Publish("plant/a", "1")
	unchanged.Await("the value", spontaneous(1, 1))

	busbar.Reload(plant(20))
	changed.AwaitEnd()
	changed = rig.StartMaster(t, second)
	if o := only(t, changed.Interrogate(2), 2, 1); o.Float() != 1 || o.Quality() != 0 {
		t.Errorf("at the changed server: %v quality %#x, want 1, good: the value does not belong to it", o.Float(), o.Quality())
	}
	publisher.Publish("plant/a", "2")
	for ca, m := range map[uint16]*rig.Master{1: unchanged, 2: changed} {
		m.Await("the next value", func(o rig.Object) bool { return spontaneous(ca, 1)(o) && o.Float() == 2 })
	}
	if count := strings.Count(broker.Log.String(), " as busbar-part "); count != 1 {
		t.Errorf("the MQTT client has connected %d times, want once", count)
	}
}

func has(objects []rig.Object, ioa uint32) bool {
	for _, o := range objects {
		if o.IOA == ioa {
			return true
		}
	}
	return false
}
