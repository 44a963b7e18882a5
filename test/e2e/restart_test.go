package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"busbar/test/rig"
)

// lastPlant has a measured value, a status and a counter, and a point that is
// never received.
func lastPlant(source, listen string) string {
	return fmt.Sprintf(`version: 1
connectors:
  sensors: %s
  scada: {kind: iec104-server, listen: %q, interrogation: tagged}
points:
  power: {type: float, hold: 300s, from: {connector: sensors, topic: last/power, value: v, time: t}, to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]}
  switch: {type: single, hold: 300s, from: {connector: sensors, topic: last/switch, value: v, time: t}, to: [{connector: scada, ca: 1, ioa: 2, as: M_SP_TB_1}]}
  energy: {type: counter, hold: 300s, from: {connector: sensors, topic: last/energy, value: v, time: t}, to: [{connector: scada, ca: 1, ioa: 3, as: M_IT_TB_1}]}
  never: {type: float, hold: 300s, from: {connector: sensors, topic: last/never, value: v, time: t}, to: [{connector: scada, ca: 1, ioa: 4, as: M_ME_TF_1}]}
`, source, listen)
}

var lastTime = time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)

// lastValues are what lastRig has published, by address; those of never are not.
var lastValues = map[uint32]string{1: "23.5", 2: "1", 3: "4711"}

// restarted is Busbar after an end in order and one by kill -9, with values from
// before.
type restarted struct {
	broker    *rig.Broker // nil: the embedded one
	busbar    *rig.Busbar
	listen    string
	publisher func() *rig.Publisher
}

// lastRig publishes values, has a control centre take them, stops Busbar in order, so that no
// event comes again, and kills it after the next start.
func lastRig(t *testing.T, embedded bool) restarted {
	t.Helper()
	r := restarted{listen: rig.FreeAddr(t)}
	ingest := rig.FreeAddr(t)
	source := fmt.Sprintf("{kind: mqtt-broker, listen: %q}", ingest)
	if !embedded {
		r.broker = rig.StartBroker(t)
		ingest = r.broker.Addr()
		source = fmt.Sprintf("{kind: mqtt, url: %q}", "mqtt://"+ingest)
	}
	r.busbar = rig.Exec(t, builtBinary(t), lastPlant(source, r.listen))
	if !embedded {
		r.broker.AwaitSubscription(0, "last/switch")
	}
	r.publisher = func() *rig.Publisher { return rig.NewPublisher(t, ingest) }
	master, publisher := rig.StartMaster(t, r.listen), r.publisher()
	for ioa, topic := range []string{1: "power", 2: "switch", 3: "energy"} {
		if topic != "" {
			publisher.Publish("last/"+topic, fmt.Sprintf(`{"v":%s,"t":%q}`, lastValues[uint32(ioa)], lastTime.Format(time.RFC3339)))
			master.Await(topic, spontaneous(1, uint32(ioa)))
		}
	}
	master.Test() // until then not everything is confirmed
	r.busbar.Signal(syscall.SIGTERM)
	if code := r.busbar.Exit(); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	master.AwaitEnd()
	r.busbar.Start()
	r.busbar.Kill()
	return r
}

// checkLast interrogates: the last values are there with the quality, that of a
// counter IV instead of NT.
func checkLast(t *testing.T, m *rig.Master, when string, quality byte) {
	t.Helper()
	answer := append(m.Interrogate(1), m.Counters(1)...)
	for ioa, want := range lastValues {
		o := only(t, answer, 1, ioa)
		got, q := fmt.Sprint(o.Int()), quality
		switch ioa {
		case 1:
			got = fmt.Sprint(o.Float())
		case 3:
			if q == rig.NT {
				q = rig.IV
			}
		}
		if got != want || o.Quality() != q {
			t.Errorf("%s: IOA %d is %s quality %#x, want %s quality %#x", when, ioa, got, o.Quality(), want, q)
		}
		if o.Type >= 30 && !o.Time().Equal(lastTime) {
			t.Errorf("%s: IOA %d has time %v, want that of the source, %v", when, ioa, o.Time(), lastTime)
		}
	}
	if o := only(t, answer, 1, 4); o.Quality() != rig.IV|rig.NT {
		t.Errorf("%s: the point that was never received has quality %#x, want IV and NT", when, o.Quality())
	}
}

// checkOnlyEvents fails unless the events are those of the addresses, in any order.
func checkOnlyEvents(t *testing.T, m *rig.Master, when string, want ...uint32) {
	t.Helper()
	count := map[uint32]int{}
	for _, ioa := range want {
		count[ioa]++
	}
	for _, o := range m.Objects(0) {
		if o.Type <= 40 && o.Cause == 3 {
			if count[o.IOA]--; count[o.IOA] < 0 {
				t.Errorf("%s: IOA %d has an event, quality %#x; want events of %v only", when, o.IOA, o.Quality(), want)
			}
		}
	}
}

func TestRestartWithoutTheBrokerShowsLastValuesNotTopical(t *testing.T) {
	t.Parallel()
	r := lastRig(t, false)
	r.broker.Stop()
	r.busbar.Start()
	master := rig.StartMaster(t, r.listen)
	checkLast(t, master, "before the broker is back", rig.NT)
	checkOnlyEvents(t, master, "before the broker is back")

	r.broker.Start() // it has kept the session
	for ioa := range lastValues {
		if o := master.Await("good quality", spontaneous(1, ioa)); o.Quality() != 0 {
			t.Errorf("IOA %d: event with quality %#x, want good: the session has lost nothing", ioa, o.Quality())
		}
	}
	checkLast(t, master, "after the broker is back", 0)
	checkOnlyEvents(t, master, "after the broker is back", 1, 2, 3)
}

func TestRestartWithTheSessionKeptIsNoEvent(t *testing.T) {
	t.Parallel()
	r := lastRig(t, false)
	r.busbar.Start()
	r.busbar.AwaitMetric(float64(len(lastValues)), "busbar_points_quality", `quality="good"`)
	master := rig.StartMaster(t, r.listen)
	checkLast(t, master, "after the restart", 0)
	r.publisher().Publish("last/power", fmt.Sprintf(`{"v":24,"t":%q}`, lastTime.Add(time.Minute).Format(time.RFC3339)))
	if o := master.Await("the next value", spontaneous(1, 1)); o.Float() != 24 || o.Quality() != 0 {
		t.Errorf("first event: %v quality %#x, want the next value 24, good", o.Float(), o.Quality())
	}
	checkOnlyEvents(t, master, "after the next value", 1)
}

func TestRestartWithTheSessionLostKeepsNotTopicalUntilTheNextValue(t *testing.T) {
	t.Parallel()
	for name, embedded := range map[string]bool{"mqtt": false, "mqtt-broker": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := lastRig(t, embedded)
			n := r.busbar.Log.Len()
			if embedded {
				r.busbar.Start()
			} else {
				r.broker.Kill()
				logged := r.broker.Log.Len()
				r.broker.Start()
				r.busbar.Start()
				r.broker.AwaitSubscription(logged, "last/switch")
			}
			r.busbar.Log.Await(t, n, "source back", "lossless=false")
			master := rig.StartMaster(t, r.listen)
			checkLast(t, master, "after the restart", rig.NT)
			checkOnlyEvents(t, master, "after the restart")
			r.publisher().Publish("last/switch", fmt.Sprintf(`{"v":%s,"t":%q}`, lastValues[2], lastTime.Add(time.Minute).Format(time.RFC3339)))
			if o := master.Await("the same value again", spontaneous(1, 2)); o.Int() != 1 || o.Quality() != 0 {
				t.Errorf("the same value again: %d quality %#x, want 1, good: NT was seen", o.Int(), o.Quality())
			}
			if o := only(t, master.Interrogate(1), 1, 1); o.Quality() != rig.NT {
				t.Errorf("the point without news: quality %#x, want NT still", o.Quality())
			}
			checkOnlyEvents(t, master, "after one value", 2)
		})
	}
}

func TestRestartClearsNotTopicalThatNobodyHasSeenWithoutAnEvent(t *testing.T) {
	t.Parallel()
	r := lastRig(t, true)
	r.busbar.Start()
	master, publisher := rig.StartMaster(t, r.listen), r.publisher()
	later := func(v string) string {
		return fmt.Sprintf(`{"v":%s,"t":%q}`, v, lastTime.Add(time.Minute).Format(time.RFC3339))
	}
	publisher.Publish("last/switch", later(lastValues[2]))
	publisher.Publish("last/power", later("24"))
	master.Await("the next value", spontaneous(1, 1))
	checkOnlyEvents(t, master, "after the same value and another one", 1)
	if o := only(t, master.Interrogate(1), 1, 2); o.Quality() != 0 {
		t.Errorf("the point that came again: quality %#x, want good", o.Quality())
	}
}
