package plant_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestSystemPointsHaveTheirTypeBuiltIn(t *testing.T) {
	t.Parallel()
	p := mustDecode(t, "system.good.yaml", readFile(t, "system.good.yaml"))
	target := func(address ioa, as string) plant.Target {
		return plant.Target{Connector: "scada", Scale: 1, End: &serverTarget{CA: 1, IOA: address, As: as}}
	}
	fill := target(3, "M_ME_NC_1")
	fill.Deadband, fill.Range = &plant.Deadband{Value: 10, Percent: true}, &plant.Range{Low: 0, High: 100}
	want := []plant.Point{
		{ID: "sys/connectors/scada/groups/north-1/fill", Type: point.Float, Unit: "%", Deadband: plant.Deadband{Value: 5}, Hold: -1, To: []plant.Target{fill}},
		{ID: "sys/connectors/scada/state", Type: point.Int, Hold: -1, To: []plant.Target{target(2, "M_ME_NC_1")}},
		{ID: "sys/connectors/sensors/up", Type: point.Single, Name: "Sensors", Description: "Connection to the sensors", Hold: -1,
			To: []plant.Target{target(1, "M_SP_TB_1")}},
		{ID: "sys/journal/fill", Type: point.Float, Unit: "%", Deadband: plant.Deadband{Value: 2.5}, Hold: -1, To: []plant.Target{target(4, "M_ME_NC_1")}},
		{ID: "sys/journal/lag", Type: point.Float, Unit: "s", Deadband: plant.Deadband{Value: 0.1}, Hold: -1},
	}
	if diff := cmp.Diff(p.Points, want); diff != "" {
		t.Errorf("points (-got +want):\n%s", diff)
	}
	var warnings []string
	for _, w := range p.Warnings {
		warnings = append(warnings, w.String())
	}
	if diff := cmp.Diff(warnings, []string{"system.good.yaml:18:3: points.sys/journal/lag: has no target, so it is seen only inside"}); diff != "" {
		t.Errorf("warnings (-got +want):\n%s", diff)
	}
}

func TestSystemPointsInJSON(t *testing.T) {
	t.Parallel()
	const text = `{"version": 1,
"connectors": {"scada": {"kind": "iec104-server", "listen": "127.0.0.1:2404"}},
"points": {
"sys/connectors/scada/up": {"to": [{"connector": "scada", "ca": 1, "ioa": 1, "as": "M_SP_TB_1"}]},
"sys/journal/damaged": {"type": "int"}}}`
	_, problems := plant.Decode("plant.json", []byte(text), kinds(t), secrets())
	want := "plant.json:5:25: points.sys/journal/damaged.type: cannot be given for a system point, whose type, unit and source are built in; " +
		"want only deadband, description, name, to"
	if diff := cmp.Diff(problems.Error(), want); diff != "" {
		t.Errorf("problems (-got +want):\n%s", diff)
	}
	p := mustDecode(t, "plant.json", strings.Replace(text, `{"type": "int"}`, "{}", 1))
	if len(p.Points) != 2 || p.Points[0].Type != point.Single || p.Points[1].Type != point.Int {
		t.Errorf("points %+v, want a single and an int", p.Points)
	}
}

func TestSystemPointMatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, pattern, given string
		want                 bool
	}{
		{"the same", "up", "up", true},
		{"another", "up", "state", false},
		{"longer", "up", "up/now", false},
		{"shorter", "link/up", "link", false},
		{"any segment", "groups/*/fill", "groups/10.0.0.1/fill", true},
		{"any segment at the end", "links/*", "links/a", true},
		{"no segment", "groups/*/fill", "groups//fill", false},
		{"two segments", "groups/*/fill", "groups/a/b/fill", false},
		{"another end", "groups/*/fill", "groups/a/dropped", false},
		{"nothing", "up", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := plant.SystemPoint{Name: tt.pattern}
			if got := p.Matches(tt.given); got != tt.want {
				t.Errorf("%q matches %q = %v, want %v", tt.pattern, tt.given, got, tt.want)
			}
		})
	}
}

// TestSystemPointsAreDocumented looks for each system point in the reference.
func TestSystemPointsAreDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/plant.md")
	if err != nil {
		t.Fatal(err)
	}
	check := func(id string, p plant.SystemPoint) {
		if row := "| `" + id + "` | " + p.Type.String() + " |"; !strings.Contains(string(data), row) {
			t.Errorf("docs/plant.md has no row that begins with %s", row)
		}
	}
	for _, p := range plant.ConnectorPoints() {
		check(plant.ConnectorPoint("<connector>", p.Name), p)
	}
	for _, p := range plant.JournalPoints() {
		check(plant.JournalPoint(p.Name), p)
	}
}
