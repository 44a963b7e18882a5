package connector

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
)

// decode decodes a plant file with the kind "fake"; it returns problems and
// warnings as text.
func decodePlant(t *testing.T, text string) (p *plant.Plant, problems, warnings []string) {
	t.Helper()
	fs := &fakes{}
	registry, err := NewRegistry(fs.kind("fake"), fs.desk(), fs.device())
	if err != nil {
		t.Fatal(err)
	}
	p, faults := plant.Decode("plant.yaml", []byte(text), registry, plant.Options{})
	for _, f := range faults {
		problems = append(problems, f.String())
	}
	if p != nil {
		for _, w := range p.Warnings {
			warnings = append(warnings, w.String())
		}
	}
	return p, problems, warnings
}

func TestKindDecodesOverItsDefaults(t *testing.T) {
	t.Parallel()
	p, problems, _ := decodePlant(t, `version: 1
connectors:
  c: {kind: fake, name: x}
points:
  a: {type: float, from: {connector: c, topic: t/1, value: v}, to: [{connector: c, address: 3}]}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(p.Connectors[0].Settings, any(&fakeSettings{Name: "x"})); diff != "" {
		t.Errorf("settings (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(p.Points[0].From.End, any(&fakeSource{Topic: "t/1"})); diff != "" {
		t.Errorf("source (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(p.Points[0].To[0].End, any(&fakeTarget{Address: 3})); diff != "" {
		t.Errorf("target (-got +want):\n%s", diff)
	}
}

func TestKindReportsEveryProblem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []string
	}{
		{"each struct", `version: 1
connectors:
  c: {kind: fake, nme: x}
  d: {kind: fake, name: bad}
  e: {kind: fake}
points:
  a: {type: float, from: {connector: e, value: v}, to: [{connector: e, address: 0}]}
  b: {type: text, to: [{connector: e, address: 1}]}
`, []string{
			`plant.yaml:3:19: connectors.c.nme: `,
			`plant.yaml:4:25: connectors.d.name: is "bad", want another`,
			`plant.yaml:7:26: points.a.from.topic: is missing`,
			`plant.yaml:7:81: points.a.to[0].address: is 0`,
			`plant.yaml:8:24: points.b.to[0]: a text cannot go here`,
		}},
		{"ends together", `version: 1
connectors:
  c: {kind: fake}
points:
  a: {type: float, to: [{connector: c, address: 1}]}
  b: {type: float, to: [{connector: c, address: 1}]}
`, []string{`plant.yaml:6:49: points.b.to[0].address: is that of a in line 5`}},
		{"ends of commands", `version: 1
connectors:
  c: {kind: desk}
  d: {kind: device}
points:
  p: {type: single}
commands:
  a: {type: bits, from: [{connector: c, address: 1}], to: {connector: d, output: 1}}
  b: {type: single, from: [{connector: c, address: 0}], to: {connector: d, outptu: 1}}
  c: {type: single, from: [{connector: d}], to: {connector: c}}
  e: {type: single, from: [{connector: c, address: 2}], to: {connector: d, output: 1}, confirm: replied}
  f: {type: single, from: [{connector: c, address: 3}], to: {connector: d, output: 1}, interlock: point("p") == "closed"}
`, []string{
			`plant.yaml:8:26: commands.a.from[0]: bits cannot be requested here`,
			`plant.yaml:9:52: commands.b.from[0].address: is 0`,
			`plant.yaml:9:61: commands.b.to.output: is missing`,
			`plant.yaml:9:76: commands.b.to.outptu: unknown key; did you mean output?`,
			`plant.yaml:10:40: commands.c.from[0].connector: commands cannot come from a connector of kind device`,
			`plant.yaml:10:61: commands.c.to.connector: commands cannot go to a connector of kind desk`,
			`plant.yaml:11:97: commands.e.confirm: is replied, but `,
			`plant.yaml:12:99: commands.f.interlock: compares point p with "closed", want off or on`,
		}},
		{"ends of commands together", `version: 1
connectors:
  c: {kind: desk}
  d: {kind: device}
commands:
  a: {type: single, from: [{connector: c, address: 1}], to: {connector: d, output: 1, reply: true}, confirm: replied}
  b: {type: single, from: [{connector: c, address: 1}], to: {connector: d, output: 2}}
`, []string{`plant.yaml:7:52: commands.b.from[0].address: is that of a in line 6`}},
		{"listening twice", `version: 1
connectors:
  c: {kind: fake, listen: "127.0.0.1:2404"}
  d: {kind: fake, listen: ":2404"}
`, []string{`connectors.d: listens on :2404, where connector "c" listens`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems, _ := decodePlant(t, tt.text)
			if len(problems) != len(tt.want) {
				t.Fatalf("%d problems, want %d:\n%s", len(problems), len(tt.want), strings.Join(problems, "\n"))
			}
			for i, want := range tt.want {
				if !strings.Contains(problems[i], want) {
					t.Errorf("problem %q, want %q", problems[i], want)
				}
			}
		})
	}
}

func TestCommandsMayShareTheAddressOfTheirFeedback(t *testing.T) {
	t.Parallel()
	p, problems, warnings := decodePlant(t, `version: 1
connectors:
  c: {kind: desk}
  d: {kind: device}
points:
  p: {type: single, to: [{connector: c, address: 1}]}
  q: {type: single, to: [{connector: c, address: 2}]}
commands:
  a: {type: single, from: [{connector: c, address: 1}], to: {connector: d, output: 1, reply: true}, feedback: p}
  b: {type: single, from: [{connector: c, address: 2}], to: {connector: d, output: 2}, feedback: p}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if want := "plant.yaml:10:52: commands.b.from[0].address: is that of point q in line 7"; len(warnings) != 3 || warnings[2] != want {
		t.Errorf("warnings %q, want the last to be %q", warnings, want)
	}
	a := &p.Commands[0]
	if a.Confirm != plant.ConfirmReplied || !a.To.Replies || p.Commands[1].Confirm != plant.ConfirmAccepted {
		t.Errorf("commands %+v, want that only the first waits for a reply", p.Commands)
	}
	if diff := cmp.Diff([]any{&deskEnd{Address: 1}, &deviceEnd{Output: 1, Reply: true}}, []any{a.From[0].End, a.To.End}); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
}

func TestKindWarns(t *testing.T) {
	t.Parallel()
	_, problems, warnings := decodePlant(t, `version: 1
connectors:
  broker: {kind: fake, listen: "0.0.0.0:1883"}
  c: {kind: fake, name: odd, dial: "localhost:1883"}
points:
  a: {type: float, from: {connector: broker, topic: t, value: v}, to: [{connector: c, address: 1}]}
`)
	want := []string{
		`plant.yaml:4:6: connectors.c: connects to localhost:1883, where connector "broker" of this plant listens: points can name "broker" themselves`,
		`plant.yaml:4:25: connectors.c.name: is odd`,
	}
	if len(problems) > 0 {
		t.Errorf("problems %v, want none", problems)
	}
	if diff := cmp.Diff(warnings, want); diff != "" {
		t.Errorf("warnings (-got +want):\n%s", diff)
	}
}

func TestAddressesMeet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b             string
		collide, reaches bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true, true},
		{"127.0.0.1:1", "127.0.0.1:2", false, false},
		{"127.0.0.1:1", "127.0.0.2:1", false, true}, // reaches: both are this machine
		{"10.0.0.1:1", ":1", true, false},
		{"[::1]:1", "[::]:1", true, true},
		{"127.0.0.1:1", "localhost:1", true, true},
		{"localhost:1", "127.0.0.2:1", true, true},
		{"LocalHost:1", "[::1]:1", true, true},
		{":1", "localhost:1", true, false},
		{"127.0.0.1:1", ":1", true, true},
		{"0.0.0.0:1", "[::]:1", true, false},
		{"[0:0::1]:1", "[::1]:1", true, true},
		{"10.0.0.1:1", "localhost:1", false, false},
		{"localhost:1", "0.0.0.0:1", true, true},
		{"example.org:1", "127.0.0.1:1", false, false},
		{"127.0.0.1:0", "127.0.0.1:0", false, true},
		{"nonsense", "127.0.0.1:1", false, false},
	}
	for _, tt := range tests {
		if got := collide(tt.a, tt.b); got != tt.collide {
			t.Errorf("collide(%s, %s) = %t, want %t", tt.a, tt.b, got, tt.collide)
		}
		if got := reaches(tt.a, tt.b); got != tt.reaches {
			t.Errorf("reaches(%s, %s) = %t, want %t", tt.a, tt.b, got, tt.reaches)
		}
	}
}

func TestRegistryRefusesWrongDeclarations(t *testing.T) {
	t.Parallel()
	type hasChannel struct {
		C chan int `json:"c"`
	}
	build := func(fakeSettings, Env) (Connector, error) { return nil, errors.ErrUnsupported }
	twice := Define("twice", Spec[fakeSettings, None, None]{New: build})
	_, err := NewRegistry(twice, twice,
		Define("empty", Spec[fakeSettings, None, None]{}),
		Define("deaf", Spec[fakeSettings, fakeSource, None]{New: build}),
		Define("ends", Spec[fakeSettings, None, None]{New: build, Requester: RequesterOf(hasChannel{}, nil), Executor: ExecutorOf(hasChannel{}, nil, nil)}),
		Define("channel", Spec[hasChannel, None, None]{New: func(hasChannel, Env) (Connector, error) { return nil, errors.ErrUnsupported }}),
	)
	if err == nil {
		t.Fatal("NewRegistry = nil, want an error")
	}
	for _, want := range []string{"kind twice: declared twice", "kind empty: want New, and Selector or Key", "kind deaf: want New, and Selector or Key", "kind channel: ", "kind ends: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("NewRegistry = %v, want %q", err, want)
		}
	}
}

func TestKindWithoutEnds(t *testing.T) {
	t.Parallel()
	registry, err := NewRegistry(Define("island", Spec[struct{}, None, None]{
		New: func(struct{}, Env) (Connector, error) { return nil, errors.ErrUnsupported },
	}))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := registry.Kind("island")
	if k.CanSource() || k.CanTarget() || k.CanRequest() || k.CanExecute() {
		t.Errorf("CanSource %t, CanTarget %t, CanRequest %t, CanExecute %t, want none", k.CanSource(), k.CanTarget(), k.CanRequest(), k.CanExecute())
	}
	if _, ok := registry.Kind("other"); ok {
		t.Error("an unknown kind is found")
	}
}
