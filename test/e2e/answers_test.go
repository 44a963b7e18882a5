package e2e

import (
	"fmt"
	"testing"

	"busbar/test/capture"
	"busbar/test/rig"
)

func TestFrozenCounterIsReadUntilTheNextFreeze(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, fmt.Sprintf(`version: 1
connectors:
  meters: {kind: mqtt, url: "mqtt://%s"}
  scada: {kind: iec104-server, listen: "%s"}
points:
  energy:
    type: counter
    from: {connector: meters, topic: meter/1, value: "@"}
    to: [{connector: scada, ca: 1, ioa: 300, as: M_IT_TB_1, counter: {group: 2}}]
  power: # tells when a message has arrived
    type: float
    from: {connector: meters, topic: meter/1, value: "@"}
    to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]
`, broker.Addr(), listen))
	broker.AwaitSubscription(0, "meter/1")
	proxy, publisher := capture.Start(t, listen), rig.NewPublisher(t, broker.Addr())
	events := rig.StartMaster(t, listen)
	count := func(value string) {
		n := events.Received()
		publisher.Publish("meter/1", value)
		events.AwaitAfter(n, "the message", spontaneous(1, 1))
	}
	freeze := func(how string) rig.Object {
		n := events.Received()
		master(t, 0, proxy.Addr(), "counters", "--ca", "1", "--freeze", how)
		return events.AwaitAfter(n, "the frozen reading", spontaneous(1, 300))
	}
	read := func(group ...string) reading {
		t.Helper()
		got := jsonReadings(t, master(t, 0, append([]string{proxy.Addr(), "counters", "--ca", "1", "--json"}, group...)...))
		if len(got) != 1 {
			t.Fatalf("%d counters, want 1", len(got))
		}
		return got[0]
	}
	count("100")
	if r := read(); r.Value != "100" || r.Cause != 37 || r.Type != 15 || r.Quality != "" {
		t.Errorf("before a freeze: %+v, want the running value 100", r)
	}
	if o := freeze("freeze"); o.Type != 37 || o.Int() != 100 || o.Quality() != 0 {
		t.Errorf("the freeze makes the event %+v, want type 37, 100, good", o)
	}
	count("150")
	first := read("--group", "2")
	if first.Value != "100" || first.Cause != 39 {
		t.Errorf("after the freeze: %+v, want the frozen 100 with the cause of group 2", first)
	}
	freeze("freeze-reset")
	second := read()
	if second.Value != "150" || second.Sequence != (first.Sequence+1)%32 {
		t.Errorf("after freeze with reset: %+v, want 150 and the next sequence number after %d", second, first.Sequence)
	}
	count("175")
	freeze("freeze")
	if r := read(); r.Value != "25" {
		t.Errorf("after the reset: %+v, want what was counted since, 25", r)
	}
	if code, _, _ := command(t, "master", proxy.Addr(), "counters", "--ca", "1", "--group", "3"); code != 2 {
		t.Errorf("a group without counters: exit code %d, want 2", code)
	}
	proxy.Decode(t).NoMarks(t)
}

func TestTaggedInterrogationInLocalTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, utc          string
		hour, day, dow, su int
	}{
		{"winter", "2026-01-15T23:30:00.250Z", 0, 16, 5, 0},
		{"summer", "2026-07-14T23:30:00.250Z", 1, 15, 3, 1},
		{"the hour before the change to winter", "2026-10-25T00:30:00.250Z", 2, 25, 7, 1},
		{"the same hour again", "2026-10-25T01:30:00.250Z", 2, 25, 7, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
			rig.Exec(t, builtBinary(t), fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s"}
  scada: {kind: iec104-server, listen: "%s", time: Europe/Berlin, interrogation: tagged}
points:
  a:
    type: float
    from: {connector: sensors, topic: plant/a, value: v, time: t}
    to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]
`, broker.Addr(), listen))
			broker.AwaitSubscription(0, "plant/a")
			proxy := capture.Start(t, listen)
			station := rig.StartMaster(t, proxy.Addr())
			rig.NewPublisher(t, broker.Addr()).Publish("plant/a", fmt.Sprintf(`{"v":1,"t":%q}`, tt.utc))
			station.Await("the event", spontaneous(1, 1))
			station.Interrogate(1)

			decoded, causes := proxy.Decode(t), map[int]bool{}
			decoded.NoMarks(t)
			for _, a := range decoded.Sent(true) {
				if a.Type != 36 {
					continue
				}
				causes[a.Cause] = true
				o := a.Objects[0]
				for field, want := range map[string]int{"hour": tt.hour, "day": tt.day, "dow": tt.dow, "su": tt.su, "min": 30, "ms": 250, "year": 26, "iv": 0, "gen": 0} {
					if got := o.Int(t, "cp56time."+field); got != want {
						t.Errorf("cause %d: %s is %d, want %d", a.Cause, field, got, want)
					}
				}
			}
			if !causes[3] || !causes[20] {
				t.Errorf("type 36 came with the causes %v, want 3 and 20", causes)
			}
		})
	}
}
