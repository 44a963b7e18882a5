package plant_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// secrets stands in for the environment.
func secrets() plant.Options {
	return plant.Options{Secrets: plant.Secrets{Env: func(name string) (string, bool) {
		return "s3cret-of-mqtt", name == "BUSBAR_SECRET_MQTT"
	}}}
}

func mustDecode(t *testing.T, name, data string) *plant.Plant {
	t.Helper()
	p, problems := plant.Decode(name, []byte(data), kinds(t), secrets())
	if len(problems) > 0 {
		t.Fatalf("problems:\n%v", problems)
	}
	return p
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestExampleIsDecoded(t *testing.T) {
	t.Parallel()
	got := mustDecode(t, "example.good.yaml", readFile(t, "example.good.yaml"))
	server := &serverSettings{Listen: "127.0.0.1:2404", Allow: []string{"127.0.0.0/8"}, K: 12, W: 8,
		T1: 15 * time.Second, T2: 10 * time.Second, T3: 20 * time.Second, Time: "utc"}
	server.Buffer.Events = 1000000
	want := &plant.Plant{
		Connectors: []plant.Connector{
			{ID: "scada", Kind: "iec104-server", Settings: server},
			{ID: "sensors", Kind: "mqtt", Settings: &mqttSettings{URL: "mqtt://127.0.0.1:1883", Username: "station", Password: "s3cret-of-mqtt", QoS: 1}},
		},
		Points: []plant.Point{
			{
				ID: "ons4711/q0/position", Type: point.Double, Hold: -1,
				From: &plant.Source{Connector: "sensors", Value: "state", Scale: 1,
					Map: map[string]string{"open": "off", "closed": "on", "moving": "intermediate"}, End: &mqttSource{Topic: "ons/4711/q0"}},
				To: []plant.Target{{Connector: "scada", Scale: 1, End: &serverTarget{CA: 225, IOA: 200, As: "M_DP_TB_1"}}},
			},
			{
				ID: "ons4711/t1/oil-temperature", Type: point.Float, Unit: "°C", Hold: -1, Deadband: plant.Deadband{Value: 0.5},
				From: &plant.Source{Connector: "sensors", Value: "data.temperature", Time: "timestamp", Scale: 1, End: &mqttSource{Topic: "ons/4711/sensors"}},
				To:   []plant.Target{{Connector: "scada", Scale: 1, End: &serverTarget{CA: 225, IOA: 100, As: "M_ME_TF_1"}}},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plant (-want +got):\n%s", diff)
	}
}

func TestEveryGenericKeyIsDecoded(t *testing.T) {
	t.Parallel()
	got := mustDecode(t, "everything.good.yaml", readFile(t, "everything.good.yaml")).Points
	want := []plant.Point{
		{
			ID: "p/all", Type: point.Float, Name: "Oil", Description: "Two\nlines\n", Unit: "%",
			Range: &plant.Range{Low: -20, High: 120}, Limits: &plant.Limits{Low: -40, High: math.Inf(1)},
			Deadband: plant.Deadband{Value: 5, Percent: true}, Validity: 10 * time.Minute, SinceSource: true, Hold: 0,
			From: &plant.Source{
				Connector: "a", Value: `a\.b.0`, Time: "ts", Scale: 0.1, Offset: -3, Expr: "value * 2 + 1", Missing: plant.MissingInvalid,
				Quality: &plant.QualityMap{Value: "q", Map: map[string]point.Quality{"bad": point.Invalid | point.NotTopical, "fine": 0, "ok": 0}},
				End:     &mqttSource{Topic: "t"},
			},
			To: []plant.Target{
				{Connector: "b", Scale: 1, End: &serverTarget{CA: 1, IOA: 0x000102, As: "M_ME_NC_1", Groups: []int{1, 2}}},
				{Connector: "b", Scale: 2, Offset: 1, OnUpdate: true, Latest: true, Deadband: &plant.Deadband{Value: 0.25}, Range: &plant.Range{Low: 0, High: 1},
					End: &serverTarget{CA: 1, IOA: 4, As: "M_ME_NC_1", Groups: []int{1, 2}}},
			},
		},
		{
			ID: "p/inverted", Type: point.Single, Hold: -1,
			From: &plant.Source{Connector: "a", Value: "@", Scale: 1, Invert: true,
				Map: map[string]string{"1": "on", "0": "off", "true": "true", "off": "0"}, End: &mqttSource{Topic: "t"}},
			To: []plant.Target{},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}

func TestCommandsAreDecoded(t *testing.T) {
	t.Parallel()
	got := mustDecode(t, "commands.good.yaml", readFile(t, "commands.good.yaml")).Commands
	want := []plant.Command{
		{
			ID: "ons4711/p/set", Type: point.Float, Name: "Set point", Description: "of the active power", Unit: "kW",
			Range: &plant.Range{Low: 0, High: 100}, Qualifiers: []uint8{0, 3}, Confirm: plant.ConfirmAccepted, Terminate: plant.TerminateNone,
			Interlock: `point("ons4711/q0/position")`, Authority: `point("ons4711/authority")`, Local: "ons4711/local",
			Timeout: 3 * time.Second, SelectTimeout: 20 * time.Second, FeedbackTimeout: 30 * time.Second,
			From: []plant.Request{
				{Connector: "scada", Direct: true, Select: true, End: &serverRequester{CA: 225, IOA: 5001, As: "C_SE_NC_1"}},
				{Connector: "centre", Direct: true, End: &serverRequester{CA: 1, IOA: 1, As: "C_SE_NC_1"}},
			},
			To: &plant.Execution{Connector: "sensors", End: &mqttExecutor{Topic: "p/set", Payload: "{{.Value}}"}},
		},
		{
			ID: "ons4711/q0/switch", Type: point.Double, Qualifiers: []uint8{0}, Confirm: plant.ConfirmReplied, Terminate: plant.TerminateFeedback,
			Feedback: "ons4711/q0/position", Timeout: 10 * time.Second, SelectTimeout: 10 * time.Second, FeedbackTimeout: 30 * time.Second,
			From: []plant.Request{{Connector: "scada", Select: true, End: &serverRequester{CA: 225, IOA: 5000, As: "C_DC_NA_1"}}},
			To: &plant.Execution{Connector: "sensors", Replies: true, End: &mqttExecutor{
				Topic: "ons/4711/q0/set", Payload: `{"to":"{{.Value}}","id":"{{.ID}}"}`,
				Reply: &mqttReply{Topic: "ons/4711/q0/set/reply", ID: "id", OK: `result == "ok"`, Timeout: 5 * time.Second},
			}},
		},
		{
			ID: "ons4711/setpoint/api", Type: point.Float, Qualifiers: []uint8{0},
			Timeout: 10 * time.Second, SelectTimeout: 10 * time.Second, FeedbackTimeout: 30 * time.Second,
			To: &plant.Execution{Connector: "sensors", End: &mqttExecutor{Topic: "p/set", Payload: "{{.Value}}"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

// TestPoliciesOfACommand checks the defaults of confirm and terminate.
func TestPoliciesOfACommand(t *testing.T) {
	t.Parallel()
	const (
		file  = "version: 1\nconnectors: {a: {kind: mqtt, url: mqtt://a}, b: {kind: iec104-server, listen: x}}\npoints: {p: {type: single}}\n"
		begin = "commands: {c: {type: single, from: [{connector: b, ca: 1, ioa: 1, as: C_SC_NA_1}], to: {connector: a, payload: x"
		topic = ", topic: t"
		reply = topic + ", reply: {topic: r}"
		both  = ", topic: staged, reply: {topic: r}"
	)
	tests := []struct {
		name, rest string
		confirm    plant.Confirm
		terminate  plant.Terminate
	}{
		{"nothing", topic + "}", plant.ConfirmAccepted, plant.TerminateNone},
		{"reply", reply + "}", plant.ConfirmReplied, plant.TerminateNone},
		{"reply that only terminates", reply + "}, confirm: accepted, terminate: replied", plant.ConfirmAccepted, plant.TerminateReplied},
		{"reply in two stages", both + "}", plant.ConfirmAccepted, plant.TerminateReplied},
		{"reply in two stages of which one is wanted", both + "}, confirm: replied, terminate: none", plant.ConfirmReplied, plant.TerminateNone},
		{"reply in two stages and feedback", both + "}, feedback: p", plant.ConfirmAccepted, plant.TerminateFeedback},
		{"feedback", topic + "}, feedback: p", plant.ConfirmAccepted, plant.TerminateFeedback},
		{"feedback that only is shown", topic + "}, feedback: p, terminate: none", plant.ConfirmAccepted, plant.TerminateNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := mustDecode(t, "f.yaml", file+begin+tt.rest+"}}").Commands[0]
			if c.Confirm != tt.confirm || c.Terminate != tt.terminate {
				t.Errorf("confirm %d, terminate %d, want %d, %d", c.Confirm, c.Terminate, tt.confirm, tt.terminate)
			}
		})
	}
}

func TestJSONAndYAMLGiveTheSamePlant(t *testing.T) {
	t.Parallel()
	text := readFile(t, "example.json")
	if diff := cmp.Diff(mustDecode(t, "example.good.yaml", readFile(t, "example.good.yaml")), mustDecode(t, "example.json", text)); diff != "" {
		t.Errorf("JSON (-YAML +JSON):\n%s", diff)
	}
	if diff := cmp.Diff(mustDecode(t, "j.json", text), mustDecode(t, "j.yaml", text)); diff != "" {
		t.Errorf("JSON read as YAML (-JSON +YAML):\n%s", diff)
	}
}

// TestBadFilesGiveTheirProblems compares the problems of each bad file with
// the list beside it.
func TestBadFilesGiveTheirProblems(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.bad.*")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, file := range files {
		name := filepath.Base(file)
		if filepath.Ext(name) == ".want" {
			continue
		}
		tested++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, problems := plant.Decode(name, []byte(readFile(t, name)), kinds(t), secrets())
			if p != nil {
				t.Error("there is a plant in spite of problems")
			}
			want := strings.Split(strings.TrimSpace(readFile(t, name+".want")), "\n")
			if diff := cmp.Diff(want, strings.Split(problems.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	if tested < 10 {
		t.Errorf("%d bad files, want all of them", tested)
	}
}

// TestDocumentedPlantsAreRight decodes the whole plants in the reference.
func TestDocumentedPlantsAreRight(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/plant.md")
	if err != nil {
		t.Fatal(err)
	}
	plants := 0
	for i, block := range strings.Split(string(data), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "version: 1\n") {
			continue
		}
		plants++
		if _, problems := plant.Decode("plant.yaml", []byte(block), kinds(t), secrets()); len(problems) > 0 {
			t.Errorf("block %d:\n%v", i+1, problems)
		}
	}
	if plants < 2 {
		t.Errorf("%d whole plants in the reference, want 2 or more", plants)
	}
}
