package e2e

import (
	"fmt"
	"testing"
	"time"

	"busbar/test/rig"
)

// referencePayload is the worked example of what sensors send.
const referencePayload = `{"data":{"temperature":23.5,"humidity":61.2},"timestamp":"2026-01-15T10:30:00Z"}`

const referenceTopic = "ons/4711/sensors"

var referenceTime = time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)

// referencePlant is a plant with one point; source is the connector "sensors".
func referencePlant(source, listen string) string {
	return fmt.Sprintf(`version: 1
connectors:
  sensors: %s
  scada: {kind: iec104-server, listen: "%s"}
points:
  ons4711/t1/oil-temperature:
    type: float
    unit: °C
    from: {connector: sensors, topic: %s, value: data.temperature, time: timestamp}
    deadband: 0.5
    to:
      - {connector: scada, ca: 225, ioa: 100, as: M_ME_TF_1}
`, source, listen, referenceTopic)
}

func TestReferenceExample(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		t.Run("mqtt "+version, func(t *testing.T) {
			t.Parallel()
			broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
			rig.Run(t, referencePlant(fmt.Sprintf("{kind: mqtt, url: mqtt://%s, version: %s}", broker.Addr(), version), listen))
			broker.AwaitSubscription(0, referenceTopic)
			checkReferenceExample(t, listen, broker.Addr())
		})
	}
	t.Run("mqtt-broker", func(t *testing.T) {
		t.Parallel()
		ingest, listen := rig.FreeAddr(t), rig.FreeAddr(t)
		rig.Run(t, referencePlant(fmt.Sprintf("{kind: mqtt-broker, listen: %s}", ingest), listen))
		checkReferenceExample(t, listen, ingest)
	})
}

// checkReferenceExample publishes the example to an MQTT broker and looks at it
// as a controlling station.
func checkReferenceExample(t *testing.T, station, broker string) {
	t.Helper()
	master := rig.StartMaster(t, station)
	before := only(t, master.Interrogate(225), 225, 100)
	if before.Type != 13 || before.Quality() != rig.IV|rig.NT {
		t.Errorf("before the first message: type %d quality %#x, want 13 with IV and NT", before.Type, before.Quality())
	}
	n := master.Received()
	rig.NewPublisher(t, broker).Publish(referenceTopic, referencePayload)

	event := master.AwaitAfter(n, "the event", hasAddress(225, 100))
	if event.Type != 36 || event.Cause != 3 || event.Float() != 23.5 || event.Quality() != 0 {
		t.Errorf("event: type %d cause %d value %v quality %#x, want 36, 3, 23.5, good", event.Type, event.Cause, event.Float(), event.Quality())
	}
	if !event.Time().Equal(referenceTime) || event.TimeInvalid() || event.TimeSubstituted() {
		t.Errorf("event: time tag % x, want %v, valid, from the source", event.Element[5:], referenceTime)
	}
	answer := only(t, master.Interrogate(225), 225, 100)
	if answer.Type != 13 || answer.Cause != 20 || answer.Float() != 23.5 || answer.Quality() != 0 {
		t.Errorf("interrogated: type %d cause %d value %v quality %#x, want 13, 20, 23.5, good", answer.Type, answer.Cause, answer.Float(), answer.Quality())
	}
}
