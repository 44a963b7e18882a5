package dispatch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/plant"
	"busbar/internal/point"
)

func keys(typ point.Type) *connector.CommandKeys {
	return &connector.CommandKeys{ID: "ons/q0", Type: typ, Qualifiers: []uint8{0, 3}, Timeout: 10 * time.Second}
}

func TestEndsAreChecked(t *testing.T) {
	t.Parallel()
	reply := Reply{Topic: "a/reply", ID: "id", OK: `result == "ok"`, Timeout: 5 * time.Second}
	with := func(change func(*Reply)) Reply { r := reply; change(&r); return r }
	for _, tt := range []struct {
		name string
		end  End
		want string // beginning of the one problem; empty: none
	}{
		{"nothing", End{Reply: DefaultReply()}, ""},
		{"all", End{Payload: `{"to":"{{.Value}}","id":{{json .ID}},"n":{{.Number}},"q":{{.Qualifier}},"t":"{{.Time}}","o":{{.Originator}},"p":"{{.Point}}","y":"{{.Type}}"}`, Reply: reply}, ""},
		{"choice", End{Payload: `{{if eq .Value "on"}}CLOSE{{else}}TRIP{{end}}`, Reply: DefaultReply()}, ""},
		{"syntax", End{Payload: `{{.Value`, Reply: DefaultReply()}, "payload: line 1: unclosed action"},
		{"unknown field", End{Payload: `{{.Valeu}}`, Reply: DefaultReply()}, "payload: line 1:2: executing"},
		{"unknown function", End{Payload: `{{yaml .Value}}`, Reply: DefaultReply()}, `payload: line 1: function "yaml" not defined`},
		{"loop", End{Payload: `{{range 1000000000}}{{end}}`, Reply: DefaultReply()}, "payload: has a loop"},
		{"loop within", End{Payload: `{{if true}}{{with .ID}}{{range 9}}{{end}}{{end}}{{end}}`, Reply: DefaultReply()}, "payload: has a loop"},
		{"recursion", End{Payload: `{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, Reply: DefaultReply()}, "payload: has a loop or another template"},
		{"long", End{Payload: strings.Repeat("x", 64<<10) + "{{.ID}}", Reply: DefaultReply()}, "payload: yields more than 64 KiB"},
		{"wide", End{Payload: `{{printf "%70000d" 1}}`, Reply: DefaultReply()}, "payload: line 1:2: executing"},
		{"id of a reply without topic", End{Reply: Reply{ID: "id", Timeout: 5 * time.Second}}, "reply.topic: is missing"},
		{"path", End{Reply: with(func(r *Reply) { r.ID = "a..b" })}, "reply.id: has an empty key"},
		{"escape", End{Reply: with(func(r *Reply) { r.ID = `a\` })}, `reply.id: ends with "\"`},
		{"no ok", End{Reply: with(func(r *Reply) { r.OK = "" })}, "reply.ok: is missing"},
		{"ok that is no condition", End{Reply: with(func(r *Reply) { r.OK = "1 + 1" })}, "reply.ok: expected bool"},
		{"ok with syntax error", End{Reply: with(func(r *Reply) { r.OK = "result ==" })}, "reply.ok: unexpected token"},
		{"two answers", End{Reply: with(func(r *Reply) { r.Confirmed, r.Unknown = `stage == "taken"`, `result == "?"` })}, ""},
		{"another Busbar", EndOf("busbar", "", Reply{Topic: "a/reply", Timeout: time.Second}), ""},
		{"another Busbar that is not heard", EndOf("busbar", "", DefaultReply()), ""},
		{"confirmed of a reply without topic", End{Reply: Reply{Confirmed: "x", Timeout: 5 * time.Second}}, "reply.topic: is missing"},
		{"confirmed that is no condition", End{Reply: with(func(r *Reply) { r.Confirmed = "1" })}, "reply.confirmed: expected bool"},
		{"unknown with syntax error", End{Reply: with(func(r *Reply) { r.Unknown = "==" })}, "reply.unknown: unexpected token"},
		{"reply beyond the timeout", End{Reply: with(func(r *Reply) { r.Timeout = 11 * time.Second })}, "reply.timeout: is longer than the timeout of the command, 10s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			problems := tt.end.Validate()
			if len(problems) == 0 {
				problems = tt.end.Check(keys(point.Double))
			}
			got := fmt.Sprint(problems)
			if tt.want == "" && len(problems) > 0 || tt.want != "" && (len(problems) != 1 || !strings.HasPrefix(problems[0].String(), tt.want)) {
				t.Errorf("problems %s, want %q", got, tt.want)
			}
		})
	}
}

func TestConfirmedHasNoEffectWhenTheLastAnswerConfirms(t *testing.T) {
	t.Parallel()
	c := keys(point.Double)
	c.Confirm = plant.ConfirmReplied
	problems := EndOf("busbar", "", Reply{Topic: "r", Timeout: time.Second}).Check(c)
	if got := fmt.Sprint(problems); !strings.HasPrefix(got, "[reply.confirmed: has no effect with confirm: replied") {
		t.Errorf("problems %s", got)
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.FixedZone("", 3600))
	o := func(v point.Value) point.Order {
		return point.Order{ID: "X1", Command: "ons/q0", Value: v, Qualifier: 3, Issued: point.InstantOf(at),
			Expires: point.InstantOf(at.Add(10 * time.Second)), Requester: point.Requester{Originator: 7}}
	}
	const all = `{{.ID}} {{.Point}} {{.Type}} {{.Value}} {{json .Value}} {{.Number}} {{.Qualifier}} {{.Time}} {{.Originator}} {{.Expires}}`
	const rest = " 3 2026-03-04T04:06:07.089Z 7 2026-03-04T04:06:17.089Z"
	for _, tt := range []struct {
		text  string
		value point.Value
		want  string
	}{
		{all, point.SingleValue(true), `X1 ons/q0 single on "on" 1` + rest},
		{all, point.DoubleValue(point.DoubleOff), `X1 ons/q0 double off "off" 1` + rest},
		{all, point.DoubleValue(point.DoubleOn), `X1 ons/q0 double on "on" 2` + rest},
		{all, point.StepValue(-1, false), `X1 ons/q0 step -1 -1 -1` + rest},
		{all, point.BitsValue(1 << 31), `X1 ons/q0 bits 2147483648 2147483648 2147483648` + rest},
		{all, point.IntValue(-32768), `X1 ons/q0 int -32768 -32768 -32768` + rest},
		{all, point.FloatValue(1e6), `X1 ons/q0 float 1000000 1000000 1000000` + rest},
		{all, point.FloatValue(-49.5), `X1 ons/q0 float -49.5 -49.5 -49.5` + rest},
		{`{{printf "%.1f" .Number}}`, point.FloatValue(2.25), "2.2"},
		{"", point.DoubleValue(point.DoubleOn), `{"id":"X1","point":"ons/q0","type":"double","value":"on","qualifier":3,` +
			`"time":"2026-03-04T04:06:07.089Z","expires":"2026-03-04T04:06:17.089Z","originator":7}`},
		{"", point.FloatValue(0.5), `{"id":"X1","point":"ons/q0","type":"float","value":0.5,"qualifier":3,` +
			`"time":"2026-03-04T04:06:07.089Z","expires":"2026-03-04T04:06:17.089Z","originator":7}`},
	} {
		p, err := newPayload(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		order := o(tt.value)
		got, err := p.write(&order)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s of %v: want -, got +\n%s", tt.text, tt.value, diff)
		}
	}
}

func TestTopics(t *testing.T) {
	var set topics
	for _, topic := range []string{"a/b", "a/+/c", "+/x", "d"} {
		set.add(topic)
	}
	for topic, want := range map[string]bool{
		"a/b": true, "a/b/c": true, "a/x/c": true, "a/x": true, "$SYS/x": false, "d": true, "a": false, "a/b/d": false,
		"": false, "a/": false, "/x": true, "d/": false,
	} {
		if got := set.holds(topic); got != want {
			t.Errorf("%q: %t, want %t", topic, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { set.holds("a/some/c") }); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
