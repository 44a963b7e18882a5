package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"busbar/test/rig"
)

// busy listens on an address until released.
func busy(t *testing.T, addr string) (release func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return func() { l.Close() }
}

func TestPortInUseIsVisibleAndTheRestRuns(t *testing.T) {
	t.Parallel()
	broker, first, second := rig.StartBroker(t), rig.FreeAddr(t), rig.FreeAddr(t)
	release := busy(t, second)
	plant := fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s"}
  first: {kind: iec104-server, listen: "%s"}
  second: {kind: iec104-server, listen: "%s"}
points:
  a:
    type: float
    from: {connector: sensors, topic: plant/a, value: "@"}
    to:
      - {connector: first, ca: 1, ioa: 1, as: M_ME_TF_1}
      - {connector: second, ca: 2, ioa: 2, as: M_ME_TF_1}
`, broker.Addr(), first, second)
	busbar := rig.Run(t, plant)
	broker.AwaitSubscription(0, "plant/a")
	busbar.Log.Await(t, 0, "connector=second", second, "address already in use")
	busbar.AwaitMetric(1, "busbar_connector_state", `connector="second"`, `state="failed"`)
	busbar.AwaitMetric(1, "busbar_connector_state", `connector="first"`, `state="up"`)

	master, publisher := rig.StartMaster(t, first), rig.NewPublisher(t, broker.Addr())
	publisher.Publish("plant/a", "1")
	master.Await("the event at the other server", spontaneous(1, 1))

	release()
	busbar.AwaitMetric(1, "busbar_connector_state", `connector="second"`, `state="up"`)
	if o := only(t, rig.StartMaster(t, second).Interrogate(2), 2, 2); o.Float() != 1 || o.Quality() != 0 {
		t.Errorf("after the port is free: value %v quality %#x, want 1, good", o.Float(), o.Quality())
	}
}

func TestDemoNamesTheFlagOfABusyPort(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--listen", "--mqtt-listen", "--http-listen"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			args := []string{"demo", "--data", t.TempDir()}
			for _, f := range []string{"--listen", "--mqtt-listen", "--http-listen"} {
				addr := rig.FreeAddr(t)
				if f == flag {
					busy(t, addr)
				}
				args = append(args, f, addr)
			}
			code, _, stderr := command(t, args...)
			if code != 1 || !strings.Contains(stderr, flag) {
				t.Errorf("exit code %d, want 1 and %s named in:\n%s", code, flag, stderr)
			}
		})
	}
}

func TestDemoShowsItsPoints(t *testing.T) {
	t.Parallel()
	addrs := []string{rig.FreeAddr(t), rig.FreeAddr(t), rig.FreeAddr(t)}
	demo := rig.Start(t, "demo", "--data", t.TempDir(), "--listen", addrs[0], "--mqtt-listen", addrs[1], "--http-listen", addrs[2])
	demo.Await(t, 0, "master "+addrs[0]+" gi")

	station := rig.StartMaster(t, addrs[0])
	for _, ca := range []uint16{225, 226} {
		o := station.Await("oil temperature", func(o rig.Object) bool { return spontaneous(ca, 100)(o) && o.Quality() == 0 })
		if v := o.Float(); v < 20 || v > 90 || o.TimeInvalid() || o.TimeSubstituted() {
			t.Errorf("CA %d: oil temperature %v, time % x, want a transformer in service and the source's time", ca, v, o.Element[5:])
		}
		if n := len(station.Interrogate(ca)); n < 8 {
			t.Errorf("CA %d: %d objects in the interrogation, want all but the counter", ca, n)
		}
	}
	counters := master(t, 0, addrs[0], "counters", "--json")
	if n := strings.Count(counters, `"type":"M_IT_`); n != 2 {
		t.Errorf("%d counters, want one of each substation:\n%s", n, counters)
	}
}
