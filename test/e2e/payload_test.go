package e2e

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"busbar/test/rig"
)

// payloadCase is what a message makes of a point that had the value 5, good.
type payloadCase struct {
	name    string
	point   string // keys of the point beside those that all have
	as      string
	payload string
	value   float64 // then, −1: no event
	quality byte
	reason  string // in the figures; empty: nothing is counted
}

var payloadCases = []payloadCase{
	{name: "not JSON", payload: `{"v":`, value: 5, quality: rig.IV, reason: "not_json"},
	{name: "NaN is not JSON", payload: `{"v":NaN}`, value: 5, quality: rig.IV, reason: "not_json"},
	{name: "text", payload: `{"v":"warm"}`, value: 5, quality: rig.IV, reason: "wrong_type"},
	{name: "object", payload: `{"v":{"w":1}}`, value: 5, quality: rig.IV, reason: "wrong_type"},
	{name: "null", payload: `{"v":null}`, value: 5, quality: rig.IV, reason: "null"},
	{name: "not finite", point: "expr: value / (value - 7)", payload: `{"v":7}`, value: 5.0 / -2, quality: rig.IV, reason: "not_finite"},
	{name: "path absent", payload: `{"w":1}`, value: -1, reason: "missing"},
	{name: "path absent and missed", point: "missing: invalid", payload: `{"w":1}`, value: 5, quality: rig.IV, reason: "missing"},
	{name: "nested too deep", payload: strings.Repeat("[", 20000) + strings.Repeat("]", 20000), value: 5, quality: rig.IV, reason: "too_deep"},
	{name: "number beyond the float of the wire", payload: `{"v":1e39}`, value: math.MaxFloat32, quality: rig.OV},
	{name: "number beyond scaled values", as: "M_ME_TE_1", payload: `{"v":-70000}`, value: -32768, quality: rig.OV},
}

// limitCases have keys of the point, not of its source.
var limitCases = []payloadCase{
	{name: "above the limit", point: "limits: {low: 0, high: 100}", payload: `{"v":200}`, value: 100, quality: rig.OV, reason: "out_of_range"},
	{name: "below the limit", point: "limits: {low: 0, high: 100}", payload: `{"v":-3}`, value: 0, quality: rig.OV, reason: "out_of_range"},
	{name: "above a limit that does not clamp", point: "limits: {low: 0, high: 100, clamp: false}", payload: `{"v":200}`, value: 200, quality: rig.OV, reason: "out_of_range"},
}

// payloadPlant has one point for each case, at the address of its place, from a
// broker connection of its own, so that reasons are counted apart.
func payloadPlant(broker, listen string, cases []payloadCase, ofPoint int) string {
	var connectors, points strings.Builder
	for i, c := range cases {
		fmt.Fprintf(&connectors, "  in%d: {kind: mqtt, url: \"mqtt://%s\"}\n", i, broker)
		as, source, keys := c.as, c.point, ""
		if as == "" {
			as = "M_ME_TF_1"
		}
		if i >= ofPoint {
			source, keys = "", c.point
		}
		if source != "" {
			source = ", " + source
		}
		fmt.Fprintf(&points, "  p%d:\n    type: float\n    from: {connector: in%d, topic: in/%d, value: v%s}\n", i, i, i, source)
		if keys != "" {
			fmt.Fprintf(&points, "    %s\n", keys)
		}
		fmt.Fprintf(&points, "    to: [{connector: scada, ca: 1, ioa: %d, as: %s}]\n", i+1, as)
	}
	return "version: 1\nconnectors:\n  scada: {kind: iec104-server, listen: \"" + listen + "\"}\n" +
		connectors.String() + "points:\n" + points.String()
}

func TestBadPayloadHasHonestQualityAndIsCounted(t *testing.T) {
	t.Parallel()
	cases := append(append([]payloadCase{}, payloadCases...), limitCases...)
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	busbar := rig.Run(t, payloadPlant(broker.Addr(), listen, cases, len(payloadCases)))
	for i := range cases {
		broker.AwaitSubscription(0, fmt.Sprintf("in/%d", i))
	}
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	for i := range cases {
		publisher.Publish(fmt.Sprintf("in/%d", i), `{"v":5}`)
		master.Await("the first value", spontaneous(1, uint32(i+1)))
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := master.Received()
			publisher.Publish(fmt.Sprintf("in/%d", i), c.payload)
			checkPayload(t, c, master, publisher, i, n)
			if c.reason != "" {
				busbar.AwaitMetric(1, faultMetric, fmt.Sprintf("connector=%q", fmt.Sprintf("in%d", i)), fmt.Sprintf("reason=%q", c.reason))
			}
		})
	}
	if busbar.Metric(failureMetric) != 0 {
		t.Error("a bad payload made a connector restart")
	}
}

func checkPayload(t *testing.T, c payloadCase, master *rig.Master, publisher *rig.Publisher, i, n int) {
	t.Helper()
	want, quality := c.value, c.quality
	if want < 0 && c.quality == 0 && c.reason == "missing" { // no event: the next message makes the first
		publisher.Publish(fmt.Sprintf("in/%d", i), `{"v":6}`)
		want = 6
	}
	event := master.AwaitAfter(n, "the event", spontaneous(1, uint32(i+1)))
	answer := only(t, master.Interrogate(1), 1, uint32(i+1))
	for _, o := range []rig.Object{event, answer} {
		got := float64(o.Int())
		if o.Type == 13 || o.Type == 36 {
			got = float64(o.Float())
		}
		if got != want || o.Quality() != quality {
			t.Errorf("type %d cause %d: value %v quality %#x, want %v, %#x", o.Type, o.Cause, got, o.Quality(), want, quality)
		}
	}
}

func TestPayloadAboveTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	busbar := rig.Run(t, referencePlant(fmt.Sprintf("{kind: mqtt, url: mqtt://%s}", broker.Addr()), listen))
	broker.AwaitSubscription(0, referenceTopic)
	master, publisher := rig.StartMaster(t, listen), rig.NewPublisher(t, broker.Addr())
	publisher.Publish(referenceTopic, `{"data":{"temperature":1},"fill":"`+strings.Repeat("x", 2<<20)+`"}`)
	publisher.Publish(referenceTopic, referencePayload)
	if o := master.Await("a value", spontaneous(225, 100)); o.Float() != 23.5 || o.Quality() != 0 {
		t.Errorf("first value %v quality %#x, want 23.5, good: a payload of 2 MiB is not read", o.Float(), o.Quality())
	}
	busbar.AwaitMetric(1, faultMetric, `connector="sensors"`)
}
