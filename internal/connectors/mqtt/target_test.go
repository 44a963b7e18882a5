package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/point"
)

func TestProblemsOfTargets(t *testing.T) {
	t.Parallel()
	target := func(typ, keys string) string {
		return fmt.Sprintf("p: {type: %s, to: [{connector: c, %s}]}", typ, keys)
	}
	for _, tt := range []struct{ name, settings, points, want string }{
		{"no topic", "", target("int", "qos: 1"), "points.p.to[0].topic: is missing"},
		{"a wildcard", "", target("int", `topic: "a/#"`), "points.p.to[0].topic: yields a/#, want a topic without + and #"},
		{"a wildcard from the point", "", "p: {type: int, name: a+b, to: [{connector: c, topic: \"x/{{.Name}}\"}]}", "points.p.to[0].topic: yields x/a+b, want"},
		{"a topic of the broker", "", target("int", "topic: $SYS/a"), "points.p.to[0].topic: yields $SYS/a, want"},
		{"a topic that is empty", "", target("int", `topic: "{{.Name}}"`), "points.p.to[0].topic: is empty, want a topic"},
		{"a topic with NUL", "", target("int", `topic: "a\0b"`), "points.p.to[0].topic: want UTF-8 without NUL"},
		{"a long topic", "", target("int", "topic: "+strings.Repeat("a", maxTopic+1)), "points.p.to[0].topic: is longer than 65535 octets"},
		{"an unknown field in the topic", "", target("int", `topic: "{{.Value}}"`), "points.p.to[0].topic: line 1:"},
		{"a topic that is no template", "", target("int", `topic: "{{"`), "points.p.to[0].topic: line 1:"},
		{"a loop in the payload", "", target("int", `topic: a, payload: "{{range .Quality}}x{{end}}"`), "points.p.to[0].payload: has a loop"},
		{"an unknown field in the payload", "", target("int", `topic: a, payload: "{{.Val}}"`), "points.p.to[0].payload: line 1:"},
		{"a batch of what is no JSON", "", target("int", `topic: a, payload: "{{.Value}} A", batch: {count: 2}`), "points.p.to[0].payload: yields "},
		{"a batch of one", "", target("int", "topic: a, batch: {count: 1}"), "points.p.to[0].batch.count: is 1, want"},
		{"a batch without end", "", target("int", "topic: a, batch: {count: 2, within: 2h}"), "points.p.to[0].batch.within"},
		{"a QoS that is none", "", target("int", "topic: a, qos: 3"), "points.p.to[0].qos"},
		{"an unknown key", "", target("int", "topic: a, retained: true"), "points.p.to[0].retained: unknown key"},
		{"a topic in two ways", "", "p: {type: int, to: [{connector: c, topic: a}]}, q: {type: int, to: [{connector: c, topic: a, retain: true}]}",
			"points.q.to[0].topic: a is the topic of p, too, in line 4: want the same qos, retain, batch and expiry"},
		{"properties with 3.1.1", ", version: 3.1.1", target("int", "topic: a, properties: true"), "points.p.to[0]: expiry and properties have no effect"},
		{"scale of a state", "", target("single", "topic: a, scale: 2"), "scale and offset have no effect on a point of type single"},
		{"a buffer for nothing", ", buffer: {events: 0}", "", "connectors.c.buffer.events: is 0, want"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := decode(t, `url: "mqtt://127.0.0.1"`+tt.settings, tt.points); !strings.Contains(got, tt.want) {
				t.Errorf("problems:\n%s\nwant one with %q", got, tt.want)
			}
		})
	}
}

func TestProblemsOfRequesters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, settings, from, more, want string }{
		{"no topic", "", "", "", "from[0].topic: is missing"},
		{"a wildcard", "", `, topic: "cmd/+"`, "", "from[0].topic: is cmd/+, want a topic without + and #"},
		{"a shared subscription", "", `, topic: "$share/g/cmd"`, "", "from[0].topic: want no shared subscription"},
		{"QoS 0", "", ", topic: cmd, qos: 0", "", "from[0].qos: is 0, want"},
		{"answers to itself", "", ", topic: cmd, respond: cmd", "", "from[0].respond: is the topic of the requests"},
		{"answers to many", "", `, topic: cmd, respond: "a/#"`, "", "from[0].respond: is a/#, want"},
		{"selecting", "", ", topic: cmd, mode: select", "", "from[0].mode: a request by MQTT has one step, want direct"},
		{"the topic of another command", "", ", topic: cmd", ", r: {type: int, from: [{connector: c, topic: cmd}], to: {connector: c, topic: dev2}}", "commands.r.from[0].topic: cmd is the topic of command q already, in line 5"},
		{"the topic of a device", "", ", topic: dev", "", "from[0].topic: dev is the topic of command q already"},
		{"no answers", ", version: 3.1.1", ", topic: cmd", "", "from[0].respond: is missing: with version 3.1.1 nobody is told"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			commands := fmt.Sprintf("}\ncommands: {q: {type: int, from: [{connector: c%s}], to: {connector: c, topic: dev}}%s", tt.from, tt.more)
			if got := decode(t, `url: "mqtt://127.0.0.1"`+tt.settings, commands); !strings.Contains(got, tt.want) {
				t.Errorf("problems:\n%s\nwant one with %q", got, tt.want)
			}
		})
	}
}

func TestDefaultJSON(t *testing.T) {
	t.Parallel()
	const at = point.Instant(1_768_473_000_123_000_000)
	a := &about{Point: "a/b", Unit: "\u00b0C \"%\"\x01"}
	for _, tt := range []struct {
		r    reading
		want string
	}{
		{reading{value: point.FloatValue(23.5), time: at, arrival: at + 1000, seq: 7},
			`{"point":"a/b","value":23.5,"unit":"°C \"%\"\u0001","quality":[],"time":"2026-01-15T10:30:00.123Z","received":"2026-01-15T10:30:00.123001Z","seq":7}`},
		{reading{value: point.StepValue(-3, true), time: at + 1, timeQ: point.TimeInvalid, quality: point.Overflow | point.Invalid},
			`{"point":"a/b","value":-3,"transient":true,"unit":"°C \"%\"\u0001","quality":["invalid","overflow"],"time":"2026-01-15T10:30:00.123000001Z","timeInvalid":true,"seq":0}`},
		{reading{quality: point.Invalid | point.NotTopical}, `{"point":"a/b","value":null,"unit":"°C \"%\"\u0001","quality":["invalid","not-topical"],"seq":0}`},
	} {
		tt.r.about = a
		if diff := cmp.Diff(tt.want, string(appendJSON(nil, &tt.r))); diff != "" {
			t.Errorf("JSON (-want +got):\n%s", diff)
		}
	}
}

func TestValuesAsJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v    point.Value
		c    connector.Linear
		want string
	}{
		{point.SingleValue(true), connector.Linear{}, "true"},
		{point.DoubleValue(point.Indeterminate), connector.Linear{}, `"indeterminate"`},
		{point.BitsValue(1 << 31), connector.Linear{}, "2147483648"},
		{point.IntValue(-9007199254740993), connector.Linear{Scale: 1}, "-9007199254740993"},
		{point.IntValue(3), connector.Linear{Scale: 0.5, Offset: 1}, "2.5"},
		{point.CounterValue(1 << 62), connector.Linear{}, "4611686018427387904"},
		{point.FloatValue(1e-7), connector.Linear{}, "1e-07"},
		{point.FloatValue(1e20), connector.Linear{}, "100000000000000000000"},
		{point.FloatValue(0.1), connector.Linear{}, "0.1"},
		{point.FloatValue(float64(float32(0.1))), connector.Linear{}, "0.1"},
		{point.FloatValue(0.30000000000000004), connector.Linear{}, "0.30000000000000004"},
		{point.TextValue("\xff<&>"), connector.Linear{}, "\"\ufffd<&>\""},
		{point.Value{}, connector.Linear{}, "null"},
	} {
		if got := string(appendValue(nil, tt.v, tt.c)); got != tt.want {
			t.Errorf("%v %v: %s, want %s", tt.v.Type(), tt.v, got, tt.want)
		}
	}
}

func TestWritingTheDefaultAllocatesNothing(t *testing.T) {
	r := reading{about: &about{Point: "a/b", Unit: "°C"}, value: point.FloatValue(23.25), time: 1_768_473_000_123_000_000, arrival: 1_768_473_000_123_456_000, seq: 1}
	payload, packet := make([]byte, 0, 1024), make([]byte, 0, 1024)
	m := outgoing{topic: "out/a/b", qos: 1, isJSON: true}
	if n := testing.AllocsPerRun(100, func() {
		m.payload = appendJSON(payload, &r)
		packet = appendPublish(packet[:0], true, 1, &m)
	}); n > 0 {
		t.Errorf("%v allocations for a message, want none", n)
	}
}
