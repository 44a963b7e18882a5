package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"busbar/test/rig"
)

// overlaid is a Busbar with one measured value, and a control centre.
type overlaid struct {
	t         *testing.T
	busbar    *rig.Busbar
	listen    string
	master    *rig.Master
	publisher *rig.Publisher
	ingest    string
}

func newOverlaid(t *testing.T) *overlaid {
	t.Helper()
	o := &overlaid{t: t, listen: rig.FreeAddr(t), ingest: rig.FreeAddr(t)}
	o.busbar = rig.Exec(t, builtBinary(t), fmt.Sprintf(`version: 1
connectors:
  sensors: {kind: mqtt-broker, listen: %q}
  scada: {kind: iec104-server, listen: %q}
points:
  ons/oil: {type: float, deadband: 100, hold: 300s, from: {connector: sensors, topic: oil, value: "@"}, to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]}
`, o.ingest, o.listen))
	o.connect()
	return o
}

func (o *overlaid) connect() {
	o.t.Helper()
	o.master, o.publisher = rig.StartMaster(o.t, o.listen), rig.NewPublisher(o.t, o.ingest)
}

// api changes something; what is answered is kept.
func (o *overlaid) api(method, path, body string) string {
	o.t.Helper()
	return o.busbar.Change(method, "/values/"+rig.Escape("ons/oil")+path, body)
}

// restart kills Busbar and starts it again.
func (o *overlaid) restart() {
	o.t.Helper()
	o.busbar.Kill()
	o.master.AwaitEnd()
	o.busbar.Start()
	o.connect()
}

// event waits for the event with this value and quality.
func (o *overlaid) event(value float32, quality byte) {
	o.t.Helper()
	o.master.Await(fmt.Sprintf("event %v %#x", value, quality), func(e rig.Object) bool {
		return spontaneous(1, 1)(e) && e.Float() == value && e.Quality() == quality
	})
}

// interrogated fails unless an interrogation shows this value and quality.
func (o *overlaid) interrogated(when string, value float32, quality byte) {
	o.t.Helper()
	got := only(o.t, o.master.Interrogate(1), 1, 1)
	if got.Float() != value || got.Quality() != quality {
		o.t.Errorf("%s: interrogation shows %v %#x, want %v %#x", when, got.Float(), got.Quality(), value, quality)
	}
}

func TestSubstitutedAndBlockedValuesOutliveKills(t *testing.T) {
	t.Parallel()
	const sb, bl = rig.SB, rig.BL
	o := newOverlaid(t)
	o.publisher.Publish("oil", "1")
	o.event(1, 0)
	o.api(http.MethodPut, "/substitution", `{"value":42.5,"comment":"sensor is being changed"}`)
	o.event(42.5, sb)
	o.restart()
	o.interrogated("substituted, killed", 42.5, sb)
	o.publisher.Publish("oil", "500") // beneath
	o.restart()
	o.interrogated("with an update beneath, killed", 42.5, sb)
	got := o.api(http.MethodGet, "", "")
	for _, want := range []string{`"value":42.5,"quality":["substituted"]`, `"author":"token test"`, `"comment":"sensor is being changed"`, `"beneath":{"value":500,"quality":["not-topical"]`} {
		if !strings.Contains(got, want) {
			t.Errorf("value %s, want %s in it", got, want)
		}
	}
	o.publisher.Publish("oil", "600")
	o.api(http.MethodPut, "/blocking", `{}`)
	o.event(42.5, sb|bl)
	o.publisher.Publish("oil", "700")
	o.api(http.MethodDelete, "/substitution", "")
	o.event(600, bl)
	o.restart()
	o.interrogated("blocked, killed", 600, bl)
	o.publisher.Publish("oil", "701")
	o.api(http.MethodDelete, "/blocking", "")
	o.event(701, 0)
	o.interrogated("released", 701, 0)
	if n := o.busbar.Metric("busbar_points_overlaid"); n != 0 {
		t.Errorf("%v points have an overlay, want none", n)
	}
}

func TestTestValueChangesNothing(t *testing.T) {
	t.Parallel()
	o := newOverlaid(t)
	o.publisher.Publish("oil", "1")
	o.event(1, 0)
	if got := o.api(http.MethodPost, "/test", `{"value":7}`); !strings.Contains(got, `{"connector":"scada","target":"1/1 M_ME_TF_1","stations":1}`) {
		t.Errorf("answer %s", got)
	}
	e := o.master.Await("the test value", func(e rig.Object) bool { return spontaneous(1, 1)(e) && e.Float() == 7 })
	if !e.Test || e.Type != 36 || e.Cause != 3 || e.IOA != 1 {
		t.Errorf("test value %+v", e)
	}
	o.interrogated("after a test value", 1, 0)
}
