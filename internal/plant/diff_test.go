package plant_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
)

const diffBefore = `
version: 1
connectors:
  a: {kind: mqtt, url: mqtt://a}
  b: {kind: mqtt, url: mqtt://b}
  gone: {kind: mqtt, url: mqtt://gone}
  s: {kind: iec104-server, listen: ":1"}
  t: {kind: iec104-server, listen: ":2"}
points:
  changed: {type: int, from: {connector: a, topic: t, value: v}, to: [{connector: s, ca: 1, ioa: 1, as: M_ME_NC_1}]}
  gone: {type: int, from: {connector: gone, topic: t, value: v}}
  same: {type: int, from: {connector: b, topic: t, value: v}, to: [{connector: t, ca: 1, ioa: 1, as: M_ME_NC_1}]}
`

func TestDiff(t *testing.T) {
	t.Parallel()
	after := `
version: 1
connectors:
  a: {kind: mqtt, url: mqtt://a}
  b: {kind: mqtt, url: mqtt://b, qos: 0}
  new: {kind: mqtt, url: mqtt://new}
  s: {kind: iec104-server, listen: ":1"}
  t: {kind: iec104-server, listen: ":2"}
points:
  changed: {type: int, from: {connector: a, topic: t, value: v}, to: [{connector: s, ca: 1, ioa: 2, as: M_ME_NC_1}]}
  new: {type: int, from: {connector: new, topic: t, value: v}}
  same: {type: int, from: {connector: b, topic: t, value: v}, to: [{connector: t, ca: 1, ioa: 1, as: M_ME_NC_1}]}
`
	before, changed := mustDecode(t, "before.yaml", diffBefore), mustDecode(t, "after.yaml", after)
	tests := []struct {
		name          string
		before, after *plant.Plant
		want          plant.Changes
	}{
		{"nothing to nothing", nil, nil, plant.Changes{}},
		{"the same file again", before, mustDecode(t, "again.yaml", diffBefore), plant.Changes{}},
		{"changes", before, changed, plant.Changes{
			Connectors: plant.ConnectorChanges{Added: []string{"new"}, Removed: []string{"gone"}, Changed: []string{"b"}, Points: []string{"a", "s"}},
			Points:     plant.PointChanges{Added: []string{"new"}, Removed: []string{"gone"}, Changed: []string{"changed"}},
		}},
		{"first plant", nil, before, plant.Changes{
			Connectors: plant.ConnectorChanges{Added: []string{"a", "b", "gone", "s", "t"}},
			Points:     plant.PointChanges{Added: []string{"changed", "gone", "same"}},
		}},
		{"no plant any more", before, nil, plant.Changes{
			Connectors: plant.ConnectorChanges{Removed: []string{"a", "b", "gone", "s", "t"}},
			Points:     plant.PointChanges{Removed: []string{"changed", "gone", "same"}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := plant.Diff(tt.before, tt.after)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if got.None() != cmp.Equal(tt.want, plant.Changes{}) {
				t.Errorf("None() = %v", got.None())
			}
		})
	}
}

// TestDiffSeesEveryField changes one field of a point at a time.
func TestDiffSeesEveryField(t *testing.T) {
	t.Parallel()
	const file = "version: 1\nconnectors: {a: {kind: mqtt, url: mqtt://a}, b: {kind: iec104-server, listen: x}}\npoints: {p: {"
	from, to := "from: {connector: a, topic: t, value: v", "to: [{connector: b, ca: 1, ioa: 1, as: M_ME_NC_1"
	base := "type: float, " + from + "}, " + to + "}]"
	before := mustDecode(t, "f.yaml", file+base+"}}")
	for _, other := range []string{
		"type: int, " + from + "}, " + to + "}]",
		base + ", name: n", base + ", description: d", base + ", unit: u", base + ", range: {low: 0, high: 1}", base + ", limits: {low: 0}",
		base + ", deadband: 1", base + ", validity: 1s", base + ", hold: 0s", "type: float, " + to + "}]", "type: float, " + from + "}",
		"type: float, " + from + ", scale: 2}, " + to + "}]", "type: float, " + from + ", quality: {value: q}}, " + to + "}]",
		"type: float, " + from + ", expr: value}, " + to + "}]", "type: float, " + from + "}, " + to + ", report: update}]",
		"type: float, " + from + "}, " + to + ", deadband: 0}]", "type: float, " + from + "}, " + to + ", groups: [1]}]",
	} {
		got := plant.Diff(before, mustDecode(t, "f.yaml", file+other+"}}"))
		if diff := cmp.Diff(plant.PointChanges{Changed: []string{"p"}}, got.Points); diff != "" {
			t.Errorf("%s (-want +got):\n%s", other, diff)
		}
	}
}

func TestDiffSeesCommands(t *testing.T) {
	t.Parallel()
	const file = "version: 1\nconnectors: {a: {kind: mqtt, url: mqtt://a}, b: {kind: iec104-server, listen: x}}\npoints: {p: {type: float}}\ncommands:\n"
	const end = "{connector: b, ca: 1, ioa: 1, as: C_SE_NC_1}"
	const ends = "from: [" + end + "], to: {connector: a, topic: t, payload: x}"
	before := mustDecode(t, "f.yaml", file+"  c: {type: float, "+ends+"}")
	touched := []string{"a", "b"}
	tests := []struct {
		name, after string
		want        plant.CommandChanges
	}{
		{"added", "  c: {type: float, " + ends + "}\n  d: {type: float, from: [{connector: b, ca: 1, ioa: 2, as: C_SE_NC_1}], to: {connector: a, topic: t, payload: x}}",
			plant.CommandChanges{Added: []string{"d"}}},
		{"removed", "", plant.CommandChanges{Removed: []string{"c"}}},
		{"type", "  c: {type: int, " + ends + "}", plant.CommandChanges{Changed: []string{"c"}}},
		{"name", "  c: {type: float, name: n, " + ends + "}", plant.CommandChanges{Changed: []string{"c"}}},
		{"range", "  c: {type: float, range: {low: 0, high: 1}, " + ends + "}", plant.CommandChanges{Changed: []string{"c"}}},
		{"qualifiers", "  c: {type: float, qualifiers: [1], " + ends + "}", plant.CommandChanges{Changed: []string{"c"}}},
		{"feedback", "  c: {type: float, feedback: p, " + ends + "}", plant.CommandChanges{Changed: []string{"c"}}},
		{"interlock", "  c: {type: float, interlock: point(\"p\"), " + ends + "}", plant.CommandChanges{Changed: []string{"c"}}},
		{"timeout", "  c: {type: float, timeout: 1s, " + ends + "}", plant.CommandChanges{Changed: []string{"c"}}},
		{"mode", "  c: {type: float, from: [{connector: b, mode: both, ca: 1, ioa: 1, as: C_SE_NC_1}], to: {connector: a, topic: t, payload: x}}",
			plant.CommandChanges{Changed: []string{"c"}}},
		{"executor", "  c: {type: float, from: [" + end + "], to: {connector: a, topic: t, payload: y}}", plant.CommandChanges{Changed: []string{"c"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := plant.Diff(before, mustDecode(t, "f.yaml", file+tt.after))
			if diff := cmp.Diff(tt.want, got.Commands); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(touched, got.Connectors.Points); diff != "" || got.None() {
				t.Errorf("connectors (-want +got):\n%s, None() = %t", diff, got.None())
			}
		})
	}
}
