package plant

import (
	"fmt"

	"busbar/internal/point"
)

// targetKeys are the generic keys of an entry of `to`.
type targetKeys struct {
	Connector string    `json:"connector" required:"true" doc:"the id of a connector"`
	Deadband  *Deadband `json:"deadband"`
	Report    string    `json:"report" enum:"change,update"`
	Keep      string    `json:"keep" enum:"every,latest"`
	Range     *Range    `json:"range"`
	Scale     float64   `json:"scale"`
	Offset    float64   `json:"offset"`
}

func targetGeneric() generic {
	return generic{
		keys: []string{"connector", "deadband", "report", "keep", "range", "scale", "offset"},
	}
}

// maxTargets is how many targets a point has at most.
const maxTargets = 64

// targets decodes the `to` of a point.
func (d *decoding) targets(path string, f *Field, p *Point) {
	if f.Value.Kind != List {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a list of targets").Error()})
		return
	}
	if n := len(f.Value.Items); n > maxTargets {
		d.report(path, f, FieldProblem{Text: fmt.Sprintf("has %d entries, want at most %d", n, maxTargets)})
		return
	}
	p.To = make([]Target, len(f.Value.Items))
	for i, item := range f.Value.Items {
		entry := Field{Line: item.Line, Col: item.Col, Value: item}
		d.target(Item(path, i), &entry, p, &p.To[i])
	}
}

func (d *decoding) target(path string, f *Field, p *Point, t *Target) {
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the key connector").Error()})
		return
	}
	before := len(d.problems)
	common, own := d.split(path, f, d.structs.targetGeneric)
	keys := &d.keys.target
	*keys = targetKeys{Scale: 1}
	d.report(path, f, d.structs.target.Decode(common, keys)...)
	*t = Target{
		Connector: keys.Connector, Deadband: keys.Deadband, OnUpdate: keys.Report == "update", Latest: keys.Keep == "latest",
		Range: rangeOf(keys.Range, common), Scale: keys.Scale, Offset: keys.Offset,
	}
	d.report(path, f, t.faults(common, p)...)
	entry := d.end(path, f, keys.Connector, false)
	if entry == nil {
		d.slips(path, f, own, d.structs.targetGeneric)
		return
	}
	end, faults := entry.kind.Target(own, p, t)
	d.fromKind(path, f, faults, d.structs.targetGeneric)
	if len(d.problems) == before && p.Type != 0 {
		t.End = end
	}
}

// faults returns what is wrong among the generic keys of a target.
func (t *Target) faults(n *Node, p *Point) []FieldProblem {
	var faults []FieldProblem
	fault := func(key, format string, args ...any) {
		faults = append(faults, FieldProblem{Path: key, Text: fmt.Sprintf(format, args...)})
	}
	if t.Scale == 0 {
		fault("scale", "is 0, want another number")
	}
	if p.Type == point.Bits || p.Type == point.Text {
		faults = append(faults, noMeaning(n, p.Type, "scale", "offset")...)
	}
	if p.Type != 0 && !Numeric(p.Type) {
		return append(faults, noMeaning(n, p.Type, "deadband", "range")...)
	}
	if t.Range != nil && t.Range.Low >= t.Range.High {
		fault("range", "low %v is not below high %v, want low < high", t.Range.Low, t.Range.High)
	}
	if t.Deadband != nil && t.Deadband.Percent && t.Range == nil && p.Range == nil {
		fault("deadband", "is a percentage, but neither the target nor the point has a range, want range: {low, high}")
	}
	return faults
}
