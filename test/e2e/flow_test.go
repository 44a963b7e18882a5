package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"busbar/test/capture"
	"busbar/test/rig"
)

// publishNumbers publishes the numbers from first to last and returns once the
// broker has them all. Every step-th number calls between, if it is not nil.
func publishNumbers(publisher *rig.Publisher, topic string, first, last, step int, between func()) {
	const window = 200
	var sent []mqtt.Token
	for i := first; i <= last; i++ {
		sent = append(sent, publisher.Queue(topic, fmt.Sprint(i)))
		if len(sent) > window {
			publisher.Acknowledged(sent[len(sent)-1-window])
		}
		if between != nil && i%step == 0 {
			between()
		}
	}
	for _, token := range sent[max(0, len(sent)-window):] {
		publisher.Acknowledged(token)
	}
}

// numbers returns the values of the events of an address, in order of arrival.
func numbers(objects []rig.Object, ca uint16, ioa uint32) []int {
	var out []int
	for _, o := range objects {
		if spontaneous(ca, ioa)(o) {
			out = append(out, int(o.Float()))
		}
	}
	return out
}

// awaitNumber waits for the event with the number.
func awaitNumber(m *rig.Master, ca uint16, ioa uint32, number int) {
	m.Await(fmt.Sprintf("event %d", number), func(o rig.Object) bool {
		return spontaneous(ca, ioa)(o) && int(o.Float()) == number
	})
}

func TestReloadsDoNotDisturbEvents(t *testing.T) {
	t.Parallel()
	broker, listen, extra := rig.StartBroker(t), rig.FreeAddr(t), rig.FreeAddr(t)
	plant := reloadPlant(broker.Addr(), listen, reloadPoint("a", 1, 0))
	busbar := rig.Run(t, plant)
	broker.AwaitSubscription(0, "plant/a")
	master := rig.StartMaster(t, listen)

	reloads := 0
	const events = 3000
	publishNumbers(rig.NewPublisher(t, broker.Addr()), "plant/a", 1, events, 200, func() {
		reloads++
		changed := plant
		if reloads%2 == 1 { // another server, another broker connection, further points
			changed = strings.Replace(plant, "points:", fmt.Sprintf("  other: {kind: mqtt, url: \"mqtt://%s\"}\n"+
				"  more: {kind: iec104-server, listen: \"%s\"}\npoints:\n  %s\n  %s", broker.Addr(), extra,
				strings.NewReplacer("sensors", "other", "scada", "more").Replace(reloadPoint("x", 1, 0)), reloadPoint("y", 7, 0)), 1)
		}
		n := busbar.Reload(changed)
		busbar.Log.Await(t, n, "plant applied")
	})
	awaitNumber(master, 1, 1, events)
	for i, v := range numbers(master.Objects(0), 1, 1) {
		if v != i+1 {
			t.Fatalf("event %d has number %d, want every number once and in order over %d reloads", i+1, v, reloads)
		}
	}
	master.Test()
}

func TestFullBufferDropsTheOldestAndCounts(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	const buffer, events = 100, 1000
	busbar := rig.Run(t, fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s"}
  scada: {kind: iec104-server, listen: "%s", t1: 120s, maxObjects: 1, buffer: {events: %d}}
points:
  a: {type: int, from: {connector: sensors, topic: plant/a, value: "@"}, to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]}
`, broker.Addr(), listen, buffer))
	broker.AwaitSubscription(0, "plant/a")
	proxy := capture.Start(t, listen)
	slow, other := rig.StartMaster(t, proxy.Addr()), rig.StartMaster(t, listen)
	publisher := rig.NewPublisher(t, broker.Addr())
	publishNumbers(publisher, "plant/a", 1, 1, 1, nil)
	awaitNumber(slow, 1, 1, 1)

	proxy.Hold()
	for first := 2; first <= events; first += buffer / 2 { // in steps that the other one's buffer holds
		last := min(first+buffer/2-1, events)
		publishNumbers(publisher, "plant/a", first, last, 1, nil)
		awaitNumber(other, 1, 1, last)
	}
	proxy.Release()
	awaitNumber(slow, 1, 1, events)

	for i, v := range numbers(other.Objects(0), 1, 1) {
		if v != i+1 {
			t.Fatalf("event %d of the other station has number %d: its events are not to be dropped", i+1, v)
		}
	}
	got := numbers(slow.Objects(0), 1, 1)
	for i := 1; i < len(got); i++ {
		if got[i] <= got[i-1] {
			t.Fatalf("%d came after %d, want the order of occurrence", got[i], got[i-1])
		}
	}
	if newest := got[len(got)-buffer+20:]; newest[0] != events-len(newest)+1 {
		t.Errorf("the last %d events begin with %d, want %d: the newest are kept", len(newest), newest[0], events-len(newest)+1)
	}
	lost := events - len(got)
	if dropped := busbar.Metric("busbar_iec104_dropped_events_total", `connector="scada"`); lost < 500 || int(dropped) != lost {
		t.Errorf("%d events are lost, %v are counted, want the same number of most of %d", lost, dropped, events)
	}
}

func TestMessagesThatWaitInTheSessionSurviveKill(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
			busbar := rig.Exec(t, builtBinary(t), referencePlant(fmt.Sprintf("{kind: mqtt, url: mqtt://%s, version: %s}", broker.Addr(), version), listen))
			broker.AwaitSubscription(0, referenceTopic)
			busbar.Signal(syscall.SIGKILL)
			busbar.Exit()
			rig.NewPublisher(t, broker.Addr()).Publish(referenceTopic, referencePayload)
			busbar.Start()
			master := rig.StartMaster(t, listen)
			rig.Until(t, "what was published meanwhile", func() bool {
				return only(t, master.Interrogate(225), 225, 100).Quality() == 0
			})
			if o := only(t, master.Interrogate(225), 225, 100); o.Float() != 23.5 {
				t.Errorf("value %v, want 23.5, published while Busbar was dead", o.Float())
			}
		})
	}
}

func TestLargeInterrogationIsCompleteAndInOrder(t *testing.T) {
	t.Parallel()
	const points = 20_000
	addr := station(t, "--points", fmt.Sprint(points), "--types", "M_ME_NC_1,M_SP_TB_1", "--pack")
	data := rig.StartMaster(t, addr).Interrogate(1)
	if len(data) != points {
		t.Fatalf("%d objects, want %d", len(data), points)
	}
	asdus, last := map[int]bool{}, map[byte]uint32{}
	for i, o := range data {
		if o.IOA <= last[o.Type] || o.Quality() != 0 {
			t.Fatalf("object %d has type %d IOA %d after %d and quality %#x, want ascending addresses, good", i+1, o.Type, o.IOA, last[o.Type], o.Quality())
		}
		asdus[o.ASDU], last[o.Type] = true, o.IOA
	}
	if last[13] != points/2 || last[1] != points {
		t.Errorf("the last addresses are %v, want %d of M_ME_NC_1 and %d of M_SP_NA_1", last, points/2, points)
	}
	// With SQ=1 an ASDU holds 48 short floats or 127 single points.
	if most := points/2/48 + points/2/127 + 4; len(asdus) > most {
		t.Errorf("%d ASDUs, want %d at most", len(asdus), most)
	}
}
