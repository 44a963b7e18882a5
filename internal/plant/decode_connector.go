package plant

import (
	"slices"
	"strings"
)

func connectorGeneric() generic {
	return generic{keys: []string{"kind", "enabled"}}
}

// connectorKeys are the generic keys of a connector.
type connectorKeys struct {
	Kind    string `json:"kind"`
	Enabled bool   `json:"enabled" doc:"true, or false for a connector that does not run"`
}

// APIConnector stands for the API among the requesters of commands. No connector has this id.
const APIConnector = "api"

const wantConnectorID = "1 to 63 of the characters a-z 0-9 -"

func isConnectorID(id string) bool {
	return len(id) >= 1 && len(id) <= 63 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (d *decoding) connector(f *Field) {
	path := Key("connectors", f.Key)
	entry := &connectorEntry{field: f, connector: Connector{ID: f.Key}}
	d.connectors[f.Key] = entry
	d.expected = append(d.expected, f.Key)
	before := len(d.problems)
	switch {
	case !isConnectorID(f.Key):
		d.report(path, f, FieldProblem{Text: "is no id of a connector, want " + wantConnectorID, line: f.Line, col: f.Col})
	case f.Key == APIConnector:
		d.report(path, f, FieldProblem{Text: "stands for the API where commands are requested, want another id", line: f.Line, col: f.Col})
	}
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the key kind").Error()})
		return
	}
	common, own := d.split(path, f, connectorGeneric())
	keys := connectorKeys{Enabled: true}
	faults := d.structs.connector.Decode(common, &keys)
	d.report(path, f, faults...)
	entry.connector.Disabled = !keys.Enabled
	if len(faults) == 0 {
		d.settings(path, f, entry, keys.Kind, own)
	}
	entry.sound = len(d.problems) == before && entry.kind != nil
}

// settings decodes the keys that belong to the kind.
func (d *decoding) settings(path string, f *Field, entry *connectorEntry, kind string, own *Node) {
	k, ok := d.kinds.Kind(kind)
	if !ok {
		names := d.kinds.Names()
		d.slips(path, f, own, connectorGeneric())
		if f.Value.Get("kind") == nil {
			d.report(path, f, FieldProblem{Path: "kind", Text: "is missing, want " + oneOf(names)})
			return
		}
		text := "there is no kind " + shorten(kind) + ", want " + oneOf(names) + suggest(kind, names)
		d.report(path, f, FieldProblem{Path: "kind", Text: text})
		return
	}
	entry.kind = k
	entry.connector.Kind = kind
	resolved := d.resolve(path, f, own)
	settings, faults := k.Settings(resolved)
	for i := range faults {
		faults[i].Text = d.secrets.hide(faults[i].Text)
	}
	d.fromKind(path, f, faults, connectorGeneric())
	entry.connector.Settings = settings
}

// resolve replaces the references to secrets in the settings of a connector.
func (d *decoding) resolve(path string, f *Field, own *Node) *Node {
	r := resolving{reader: d.secrets}
	resolved := r.node(own)
	if r.used && d.exposed {
		r.report.add("refers to a secret in a file that everybody may write, want it without that permission (chmod o-w)")
	}
	d.report(path, f, r.report.problems...)
	for _, w := range r.warnings {
		d.warnings = append(d.warnings, w.at(path, f))
	}
	return resolved
}

// end looks up the connector that an end of a point names. It reports what is
// wrong and returns nil if the keys of the kind cannot be decoded.
func (d *decoding) end(path string, f *Field, id string, source bool) *connectorEntry {
	entry := d.named(path, f, id)
	switch {
	case entry == nil:
		return nil
	case source && !entry.kind.CanSource():
		d.report(path, f, FieldProblem{Path: "connector", Text: "points cannot come from a connector of kind " + entry.connector.Kind + ", want another one or this one in `to`"})
		return nil
	case !source && !entry.kind.CanTarget():
		d.report(path, f, FieldProblem{Path: "connector", Text: "points cannot go to a connector of kind " + entry.connector.Kind + ", want another one or this one in `from`"})
		return nil
	}
	return entry
}

// named looks up the connector that an end names. It reports what is wrong and
// returns nil if the connector or its kind is not known.
func (d *decoding) named(path string, f *Field, id string) *connectorEntry {
	entry := d.connectors[id]
	if entry == nil && f.Value.Get("connector") == nil {
		return nil // reported as missing
	}
	if entry == nil {
		d.report(path, f, FieldProblem{Path: "connector", Text: "there is no connector " + shorten(id) + d.otherConnectors(id)})
		return nil
	}
	entry.used = true
	if entry.kind == nil {
		return nil // reported at the connector
	}
	return entry
}

// otherConnectors says which connectors there are, as far as they fit a line.
func (d *decoding) otherConnectors(id string) string {
	const fit = 10
	switch n := len(d.expected); {
	case n == 0:
		return ", want one of the map connectors, which is empty"
	case n > fit:
		return ", want one of the map connectors" + suggest(id, d.expected)
	default:
		return ", want " + oneOf(slices.Sorted(slices.Values(d.expected))) + suggest(id, d.expected)
	}
}
