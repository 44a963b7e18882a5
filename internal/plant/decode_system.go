package plant

import (
	"slices"
	"strings"
)

// systemKeys are the keys of a system point. Type, unit and source are built in.
type systemKeys struct {
	Name        string   `json:"name" max:"200"`
	Description string   `json:"description" max:"4000"`
	Deadband    Deadband `json:"deadband"`
	To          *Node    `json:"to"`
}

func systemGeneric() generic { return generic{keys: []string{"name", "description", "deadband", "to"}} }

// systemPoint decodes an entry of `points` whose id begins with sys/.
func (d *decoding) systemPoint(path string, f *Field) {
	p := Point{ID: f.Key, Hold: -1}
	var keys systemKeys
	if s := d.declared(path, f); s != nil {
		p.Type, p.Unit = s.Type, s.Unit
		keys.Deadband.Value = s.Deadband
	}
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the key to").Error()})
		return
	}
	common, other := d.split(path, f, systemGeneric())
	for i := range other.Fields {
		d.notBuiltIn(path, f, &other.Fields[i])
	}
	d.report(path, f, d.structs.system.Decode(common, &keys)...)
	p.Name, p.Description, p.Deadband = keys.Name, keys.Description, keys.Deadband
	switch given := common.Get("deadband") != nil; {
	case given && p.Type != 0 && !Numeric(p.Type):
		d.report(path, f, FieldProblem{Path: "deadband", Text: "has no meaning for the type " + p.Type.String() + " of this system point, want none"})
	case p.Deadband.Percent:
		d.report(path, f, FieldProblem{Path: "deadband", Text: "is a percentage, but a system point has no range, want a number of 0 or more"})
	}
	if keys.To != nil {
		d.targets(path+".to", f.Value.field("to"), &p)
	} else if common.Get("to") == nil {
		d.warn(path, f, "has no target, so it is seen only inside")
	}
	d.plant.Points = append(d.plant.Points, p)
	d.numbers = append(d.numbers, uint32(d.passed-1))
}

// notBuiltIn reports a key that a system point does not have.
func (d *decoding) notBuiltIn(path string, f, key *Field) {
	allowed := systemGeneric().keys
	text := unknownKey(key.Key, allowed)
	if slices.Contains(pointGeneric().keys, key.Key) {
		text = "cannot be given for a system point, whose type, unit and source are built in; want only " + strings.Join(slices.Sorted(slices.Values(allowed)), ", ")
	}
	d.report(path, f, FieldProblem{Path: Key("", key.Key), Text: text, line: key.Line, col: key.Col})
}

// declared returns the declaration of a system point. It reports what is wrong
// with its id and returns nil if there is none.
func (d *decoding) declared(path string, f *Field) *SystemPoint {
	report := func(text string) *SystemPoint {
		d.report(path, f, FieldProblem{Text: text, line: f.Line, col: f.Col})
		return nil
	}
	if !isPointID(f.Key) {
		return nil // reported
	}
	var list []SystemPoint
	var owner, name string
	if id, rest, ok := CutConnectorPoint(f.Key); ok {
		entry := d.connectors[id]
		if entry == nil {
			return report("is a system point of a connector, and there is no connector " + shorten(id) + d.otherConnectors(id))
		}
		if list = ConnectorPoints(); entry.kind != nil {
			list = append(list, entry.kind.System()...)
		} else if FindSystemPoint(list, rest) == nil {
			return nil // the kind, which may have it, is not known: that is reported there
		}
		owner, name = "connector "+id, rest
	} else if rest, ok := CutJournalPoint(f.Key); ok {
		list, owner, name = JournalPoints(), "the journal", rest
	} else {
		return report("is no system point, want sys/connectors/<connector>/<name>, sys/journal/<name>, or another id that does not begin with sys/")
	}
	if s := FindSystemPoint(list, name); s != nil {
		return s
	}
	var names, filled []string
	for i := range list {
		names, filled = append(names, list[i].Name), append(filled, list[i].fill(name))
	}
	return report("is no system point of " + owner + ", want one of " + strings.Join(names, ", ") + suggest(name, filled))
}
