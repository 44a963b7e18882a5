package e2e

import (
	"fmt"
	"testing"
	"time"

	"busbar/test/capture"
	"busbar/test/rig"
)

// sourcePlant has one point with a target with and one without time tag. more
// are keys of the MQTT connector and of the point.
func sourcePlant(broker, listen, connector, point string) string {
	return fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://%s"%s}
  scada: {kind: iec104-server, listen: "%s"}
points:
  a:
    type: float
    %s
    from: {connector: sensors, topic: plant/a, value: v, time: t}
    to:
      - {connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}
      - {connector: scada, ca: 1, ioa: 2, as: M_ME_NC_1}
`, broker, connector, listen, point)
}

// at is a message with a value and a time of the source.
func at(value float64, t time.Time) string {
	return fmt.Sprintf(`{"v":%v,"t":%q}`, value, t.Format(time.RFC3339Nano))
}

func TestOfflineMessageMakesPointsNotTopicalAtOnce(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, sourcePlant(broker.Addr(), listen, ", alive: {topic: plant/alive, online: up, offline: down}", "hold: 300s"))
	broker.AwaitSubscription(0, "plant/a")
	broker.AwaitSubscription(0, "plant/alive")
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	publisher.Publish("plant/alive", "up")
	publisher.Publish("plant/a", `{"v":1}`)
	master.Await("the value", spontaneous(1, 2))

	n := master.Received()
	publisher.Publish("plant/alive", "down")
	if o := master.AwaitAfter(n, "NT", spontaneous(1, 1)); o.Quality() != rig.NT || o.Float() != 1 {
		t.Errorf("after the offline message: %v quality %#x, want 1, NT", o.Float(), o.Quality())
	}
	n = master.Received()
	publisher.Publish("plant/alive", "up")
	publisher.Publish("plant/a", `{"v":1}`)
	if o := master.AwaitAfter(n, "good quality", spontaneous(1, 1)); o.Quality() != 0 || o.Float() != 1 {
		t.Errorf("after the source is back: %v quality %#x, want 1, good", o.Float(), o.Quality())
	}
}

func TestLateValueIsAnEventWithItsTimeAndNotTheCurrentValue(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, sourcePlant(broker.Addr(), listen, "", "deadband: 0"))
	broker.AwaitSubscription(0, "plant/a")
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	now := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	before := now.Add(-time.Hour)
	publisher.Publish("plant/a", at(10, now))
	master.Await("the value", spontaneous(1, 1))
	master.Await("the value", spontaneous(1, 2))

	n := master.Received()
	publisher.Publish("plant/a", at(7, before))
	late := master.AwaitAfter(n, "the late event", spontaneous(1, 1))
	if late.Float() != 7 || !late.Time().Equal(before) || late.TimeInvalid() {
		t.Errorf("late event: %v at %v, want 7 at %v", late.Float(), late.Time(), before)
	}
	answer := master.Interrogate(1)
	for ioa := range uint32(2) {
		if o := only(t, answer, 1, ioa+1); o.Float() != 10 {
			t.Errorf("interrogated IOA %d: %v, want 10 as before", o.IOA, o.Float())
		}
	}
	publisher.Publish("plant/a", at(11, now.Add(time.Second)))
	if o := master.AwaitAfter(n, "the next value", spontaneous(1, 2)); o.Float() != 11 {
		t.Errorf("target without time tag: %v, want 11 and not the late value", o.Float())
	}
}

func TestTimeOfSourceThatCannotBe(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, sourcePlant(broker.Addr(), listen, "", "deadband: 0"))
	broker.AwaitSubscription(0, "plant/a")
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	for i, tt := range []struct {
		name, payload        string
		invalid, substituted bool
	}{
		{"no time", `{"v":1}`, false, true},
		{"unparseable", `{"v":2,"t":"yesterday"}`, true, false},
		{"ahead by an hour", at(3, time.Now().Add(time.Hour)), true, false},
		{"slightly ahead", at(4, time.Now().Add(time.Minute)), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := master.Received()
			publisher.Publish("plant/a", tt.payload)
			o := master.AwaitAfter(n, "the event", spontaneous(1, 1))
			if o.Float() != float32(i+1) || o.Quality() != 0 {
				t.Errorf("value %v quality %#x, want %d, good", o.Float(), o.Quality(), i+1)
			}
			if o.TimeInvalid() != tt.invalid || o.TimeSubstituted() != tt.substituted {
				t.Errorf("time invalid %v substituted %v, want %v, %v", o.TimeInvalid(), o.TimeSubstituted(), tt.invalid, tt.substituted)
			}
			if age := time.Since(o.Time()); age < -2*time.Minute || age > rig.Patience {
				t.Errorf("time %v, want now", o.Time())
			}
		})
	}
}

func TestRetainedMessageIsTheFirstValue(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	publisher := rig.NewPublisher(t, broker.Addr())
	publisher.Retain("plant/a", at(5, referenceTime))
	rig.Run(t, sourcePlant(broker.Addr(), listen, "", "deadband: 0"))
	broker.AwaitSubscription(0, "plant/a")
	master := rig.StartMaster(t, listen)
	rig.Until(t, "the retained value", func() bool {
		return only(t, master.Interrogate(1), 1, 1).Quality() == 0
	})
	if o := only(t, master.Interrogate(1), 1, 1); o.Float() != 5 {
		t.Errorf("interrogated: %v, want the retained 5", o.Float())
	}
}

func TestValueTooOldIsInvalidAndNotTopical(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, sourcePlant(broker.Addr(), listen, "", "validity: 1s"))
	broker.AwaitSubscription(0, "plant/a")
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	publisher.Publish("plant/a", `{"v":1}`)
	sent := time.Now()
	good := master.Await("the value", spontaneous(1, 1))
	if good.Quality() != 0 {
		t.Fatalf("the value begins with quality %#x, want good", good.Quality())
	}
	old := master.Await("the end of validity", func(o rig.Object) bool { return spontaneous(1, 1)(o) && o.Quality() != 0 })
	if took := time.Since(sent); old.Quality() != rig.IV|rig.NT || old.Float() != 1 || took < time.Second {
		t.Errorf("after %v: %v quality %#x, want 1, IV and NT, after 1 s or more", took, old.Float(), old.Quality())
	}
}

func TestStationServesWhatComesInSingleOctets(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, referencePlant(fmt.Sprintf("{kind: mqtt, url: mqtt://%s}", broker.Addr()), listen))
	broker.AwaitSubscription(0, referenceTopic)
	proxy := capture.Start(t, listen)
	proxy.Disturb(capture.Fault{Split: true})
	checkReferenceExample(t, proxy.Addr(), broker.Addr())
	proxy.Decode(t).NoMarks(t)
}
